"""The rules by which scripts are folded."""
