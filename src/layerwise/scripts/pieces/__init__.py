"""Functions that scripts take over whole, or not at all; marked statements in them as in templates (`marks.py`)."""
