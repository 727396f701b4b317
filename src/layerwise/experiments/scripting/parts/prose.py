"""Long texts as windows of tokens, each with the tokens that come next."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.data.text import read_text
from layerwise.experiments.scripting.parts.tokens import END, encode

SUFFIXES = (".txt", ".md", ".rst", ".py")


def read_texts(folder: Path) -> dict[str, str]:
    """Read all texts of a folder, by their names."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix.lower() in SUFFIXES)
    return {file.relative_to(folder).as_posix(): read_text(file) for file in files}


def row_of(tokenizer: Tokenizer, texts: list[str]) -> Tensor:
    """Return the tokens of texts in one row, END before each and behind the last."""
    return torch.tensor([END, *(token for tokens in encode(tokenizer, texts) for token in (*tokens, END))])


def windows_beside(row: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Return windows beside each other, and the same one token further, (windows, length) each."""
    windows = row.unfold(0, length + 1, length)
    return windows[:, :-1], windows[:, 1:]


def windows_over(row: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Return windows that overlap by half, and what comes next; 0 for what the window before has told."""
    half = length // 2
    count = 1 + max(0, -(-(len(row) - 1 - length) // half))
    padded = F.pad(row, (0, (count - 1) * half + length + 1 - len(row)))
    windows = padded.unfold(0, length + 1, half)
    inputs, targets = windows[:, :-1].clone(), windows[:, 1:].clone()
    targets[1:, : length - half] = 0
    return inputs, targets


@torch.no_grad()
def go_on(model: nn.Module, tokenizer: Tokenizer, beginning: str, count: int, length: int) -> str:
    """Let the network write: draw one token after the other, each by what stands before it."""
    model.eval()
    tokens = [END, *tokenizer.encode(beginning).ids]
    for _ in range(count):
        seen = torch.tensor([tokens[-length:]], device=next(model.parameters()).device)
        chances = (model(seen)[0, -1] / 0.8).softmax(0)  # a temperature below 1 is bolder
        tokens.append(int(torch.multinomial(chances, 1)))
    return tokenizer.decode(tokens[1:])
