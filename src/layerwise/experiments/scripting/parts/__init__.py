"""Functions that are written for scripts: short, plain, and copied into them as they stand here."""
