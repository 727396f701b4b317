"""Texts: weighted word counts, characters, byte pairs, translations."""
