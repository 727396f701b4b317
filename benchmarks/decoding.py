"""How much faster a network writes that keeps the keys and values of what it wrote. Ratios, measured in turns.

    python benchmarks/decoding.py               one to three minutes
    python benchmarks/decoding.py --tokens 64   shorter texts

Both ways write the likeliest tokens of a network with random weights, one text, one thread; without a cache the whole
text is read anew for each token. They must write the same. Stated is the best of some turns of each.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch
from machine import describe_machine
from torch import Tensor

from layerwise.generation.decoding import Sampling, Writer, write
from layerwise.models import build

VOCABULARY = 2048
SOURCE_TOKENS = 32
START = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=256, help="of the text that is written [256]")
    parser.add_argument("--turns", type=int, default=3, help="of each way [3]")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(json.dumps(describe_machine()))
    for name, ways in (("gpt", gpt_ways(args.tokens)), ("transformer", transformer_ways(args.tokens))):
        cached_s, plain_s = compare(*ways, args.turns)
        print(
            f"{name}: {args.tokens} tokens in {cached_s:.2f} s with a cache and in {plain_s:.2f} s without, "
            f"{plain_s / cached_s:.1f} times as fast",
            flush=True,
        )


def compare(cached: Callable[[], list[int]], plain: Callable[[], list[int]], turns: int) -> tuple[float, float]:
    """Return the shortest time of each way, seconds."""
    if cached() != plain():
        raise SystemExit("the two ways write different texts")
    best = [float("inf"), float("inf")]
    for _ in range(turns):
        for number, way in enumerate((cached, plain)):
            started = time.perf_counter()
            way()
            best[number] = min(best[number], time.perf_counter() - started)
    return best[0], best[1]


def gpt_ways(tokens: int) -> tuple[Callable[[], list[int]], Callable[[], list[int]]]:
    """A GPT goes on from one token."""
    torch.manual_seed(0)
    model = build("gpt", (tokens + 1, VOCABULARY), VOCABULARY).eval()
    prompt = torch.tensor([START])

    def cached() -> list[int]:
        writer: Writer = model  # type: ignore[assignment]
        return list(write(writer, prompt, tokens, Sampling(temperature=0)))

    @torch.inference_mode()
    def plain() -> list[int]:
        text = prompt[None]
        for _ in range(tokens):
            text = extended(text, model(text))
        return text[0, 1:].tolist()

    return cached, plain


def transformer_ways(tokens: int) -> tuple[Callable[[], list[int]], Callable[[], list[int]]]:
    """A Transformer translates a text; the source is read once in both ways only where it is cached."""
    torch.manual_seed(0)
    model = build("transformer", (SOURCE_TOKENS, VOCABULARY), VOCABULARY).eval()
    source = torch.randint(3, VOCABULARY, (1, SOURCE_TOKENS))

    @torch.inference_mode()
    def cached() -> list[int]:
        state, text = model.start(source), [START]
        for _ in range(tokens):
            scores, state = model.step(torch.tensor(text[-1:]), state)
            text.append(int(scores.argmax()))
        return text[1:]

    @torch.inference_mode()
    def plain() -> list[int]:
        text = torch.tensor([[START]])
        for _ in range(tokens):
            text = extended(text, model(source, text))
        return text[0, 1:].tolist()

    return cached, plain


def extended(text: Tensor, scores: Tensor) -> Tensor:
    """Return the text with the likeliest token behind it."""
    return torch.cat((text, scores[:, -1:].argmax(2)), dim=1)


if __name__ == "__main__":
    main()
