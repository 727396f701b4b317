"""A small made-up world to describe in English and French, where adjectives come behind their nouns."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

NOUNS = {"car": "voiture", "house": "maison", "flower": "fleur", "door": "porte", "street": "rue", "dress": "robe"}
ADJECTIVES = {"red": "rouge", "yellow": "jaune", "clean": "propre", "empty": "vide", "calm": "calme", "wide": "large"}
PLACES = {"near": "près de", "behind": "derrière", "for": "pour"}


def described() -> list[tuple[str, str]]:
    """Return all that can be said, in both languages."""
    return [
        (f"the {a} {n} {p} the {b} {m}", f"la {NOUNS[n]} {ADJECTIVES[a]} {PLACES[p]} la {NOUNS[m]} {ADJECTIVES[b]}")
        for a, n, p, b, m in itertools.product(ADJECTIVES, NOUNS, PLACES, ADJECTIVES, NOUNS)
        if n != m
    ]


def write_pairs(path: Path, count: int, seed: int = 0) -> Path:
    """Write `count` of the pairs, drawn by chance."""
    pairs = described()
    chosen = np.random.default_rng(seed).choice(len(pairs), count, replace=False)
    rows = ["\t".join(pairs[place]) for place in chosen]
    path.write_text("\n".join(["english\tfrench", *rows]) + "\n", encoding="utf-8")
    return path
