"""Texts as rows of tokens: byte pairs, learned by the library `tokenizers`."""

import json
from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END = 2  # the token behind a text


def byte_level(pairs: models.BPE) -> Tokenizer:
    """Return a tokeniser of these byte pairs; words, numbers and signs are never joined."""
    tokenizer = Tokenizer(pairs)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def learn_tokens(texts: Iterable[str], size: int) -> Tokenizer:
    """Join the pair of tokens that is met most often, again and again (Sennrich et al. 2015)."""
    learner = byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<pad>", "<start>", "<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    learned = json.loads(learner.to_str())["model"]
    return byte_level(models.BPE(vocab=learned["vocab"], merges=[tuple(pair) for pair in learned["merges"]]))


def bytes_of_tokens(tokenizer: Tokenizer) -> list[int]:
    """Return the bytes of text that each token stands for, 0 for the marks."""
    tokens = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return [0, 0, 0, *(len(text) for text, _ in tokens[3:])]  # each byte is written as one character


def encode(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Return the tokens of each text."""
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
