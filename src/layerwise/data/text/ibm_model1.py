"""Which word of one language stands for which of another, learned from pairs of texts: the plainest translator.

IBM model 1 (Brown, Della Pietra, Della Pietra and Mercer 1993, "The mathematics of statistical machine translation",
section 4.2) by expectation maximisation: every word of a target is owed to one word of its source or to none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

ROUNDS = 5
WORD = re.compile(r"\w+(?:['-]\w+)*|[^\w\s]")
NOTHING = ""  # what target words are owed to that no source word explains


def split_words(text: str) -> list[str]:
    """Cut a text into words and signs.

    >>> split_words("the library's files (C++)")
    ['the', "library's", 'files', '(', 'C', '+', '+', ')']
    """
    return WORD.findall(text)


def fit_ibm_model1(sources: Sequence[str], targets: Sequence[str]) -> dict[str, str]:
    """Return the likeliest translation of each word, lower-cased, that is not itself."""
    source_numbers: dict[str, int] = {}
    target_numbers: dict[str, int] = {}
    links, places = [], []  # of every target word at a place: (source word, target word) for all words of its source
    place = 0
    for source, target in zip(sources, targets, strict=True):
        read = [source_numbers.setdefault(w, len(source_numbers)) for w in (NOTHING, *split_words(source.lower()))]
        written = [target_numbers.setdefault(word, len(target_numbers)) for word in split_words(target)]
        links += [(first, second) for second in written for first in read]
        places += [place + number for number in range(len(written)) for _ in read]
        place += len(written)
    if not links:
        return {}
    pairs, which = np.unique(np.array(links), axis=0, return_inverse=True)
    owners, at = pairs[:, 0], np.array(places)
    chances = np.ones(len(pairs))
    for _ in range(ROUNDS):
        shares = chances[which]
        shares /= np.bincount(at, shares)[at]
        counts = np.bincount(which, shares)
        chances = counts / np.bincount(owners, counts)[owners]
    order = np.lexsort((-chances, owners))
    firsts = order[np.unique(owners[order], return_index=True)[1]]
    known, written_words = list(source_numbers), list(target_numbers)
    best = {known[first]: written_words[second] for first, second in pairs[firsts].tolist()}
    return {word: translation for word, translation in best.items() if word not in (NOTHING, translation)}


def word_by_word(text: str, words: Mapping[str, str]) -> str:
    """Put the translation of each word in its place; words without one stay."""
    return " ".join(words.get(word.lower(), word) for word in split_words(text))
