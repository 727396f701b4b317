"""How much faster a network writes with what it has read kept in a cache than by reading everything anew each step.

    python benchmarks/decoding.py
    python benchmarks/decoding.py --tokens 64

Both ways write the same tokens; rounds take turns, and times are of the processor, on one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from machine import describe_machine
from table import format_table

from layerwise.generation.config import SamplingConfig
from layerwise.generation.decoding import write
from layerwise.models import build

ROUNDS = 5
VOCABULARY = 4000
START = 1
LONGEST = 1024
SOURCE = torch.randint(3, VOCABULARY, (1, 32), generator=torch.Generator().manual_seed(0))
Writer = Callable[[int], list[int]]  # given a number of tokens, writes so many


def translator(name: str) -> tuple[Writer, Writer]:
    """Return how a translator writes with its cache, and how it would without."""
    torch.manual_seed(0)
    model: Any = build(name, (32, VOCABULARY), VOCABULARY).eval()

    def cached(count: int) -> list[int]:
        state, tokens = model.start(SOURCE), [START]
        for _ in range(count):
            scores, state = model.step(torch.tensor(tokens[-1:]), state)
            tokens.append(int(scores.argmax()))
        return tokens

    def anew(count: int) -> list[int]:
        tokens = [START]
        for _ in range(count):
            tokens.append(int(model(SOURCE, torch.tensor([tokens]))[0, -1].argmax()))
        return tokens

    return cached, anew


def gpt() -> tuple[Writer, Writer]:
    """Return how a GPT goes on from one token with its cache, and how it would without."""
    torch.manual_seed(0)
    model: Any = build("gpt", (LONGEST, VOCABULARY), VOCABULARY).eval()

    def cached(count: int) -> list[int]:
        return [START, *write(model, torch.tensor([START]), count, SamplingConfig(temperature=0))]

    def anew(count: int) -> list[int]:
        tokens = [START]
        for _ in range(count):
            tokens.append(int(model(torch.tensor([tokens]))[0, -1].argmax()))
        return tokens

    return cached, anew


NETWORKS: dict[str, Callable[[], tuple[Writer, Writer]]] = {
    "gpt": gpt,
    "transformer": lambda: translator("transformer"),
    "seq2seq": lambda: translator("seq2seq"),
}


def measure(name: str, count: int) -> dict[str, str]:
    """Return a row: the network, milliseconds a token both ways, and how many times faster the cache is."""
    ways = NETWORKS[name]()
    with torch.inference_mode():
        if ways[0](count) != ways[1](count):
            raise RuntimeError(f"{name} writes other tokens with its cache than without")
        seconds: list[list[float]] = []
        for _ in range(ROUNDS):
            row = []
            for write in ways:
                started = time.process_time()
                write(count)
                row.append(time.process_time() - started)
            seconds.append(row)
    cached, anew = (median(column) / count * 1000 for column in zip(*seconds, strict=True))
    ratio = median(anew / cached for cached, anew in seconds)
    return {
        "network": name,
        "ms a token, cached": f"{cached:.2f}",
        "ms a token, anew": f"{anew:.2f}",
        "times faster": f"{ratio:.1f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=256, help="tokens to write [256]")
    parser.add_argument("--only", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(describe_machine())
    print(format_table([measure(name, args.tokens) for name in args.only]))


if __name__ == "__main__":
    main()
