"""Runs on the disk: folders, checkpoints, leases and the index. Knows files and SQLite, not models."""
