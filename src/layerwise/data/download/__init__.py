"""Bringing files to this machine: package clients, archives, checksums."""
