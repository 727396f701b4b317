"""One script a task, each of which runs as it stands; `marks.py` says what is left out of it for a run."""
