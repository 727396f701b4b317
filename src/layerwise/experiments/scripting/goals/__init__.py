"""What a script learns: a file for each task, with its loss, its measures and its last line."""
