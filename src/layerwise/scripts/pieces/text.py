"""Texts of tokens."""

from torch import Tensor


def text_of(tokens: Tensor, data: dict[str, Tensor]) -> str:
    """Return the text of some tokens; marks such as the end of a text have no bytes."""
    pieces = data["vocabulary"].split(data["token_bytes"].tolist())
    return b"".join(bytes(pieces[token].tolist()) for token in tokens.tolist()).decode(errors="replace")
