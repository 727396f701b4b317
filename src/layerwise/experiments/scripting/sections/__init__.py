"""What a script reads: a file for each kind of data, each with a function that writes its section."""
