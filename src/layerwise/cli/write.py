"""Generate text with a trained language model, token by token.

layerwise write latest "import os"
layerwise write latest "def mean(values):" --temperature 0.5 --top-p 0.9 --tokens 300
layerwise write latest "The module" --count 3 --seed 7
"""

from __future__ import annotations

import argparse
import json
import unicodedata
from dataclasses import asdict

from layerwise.cli.arguments import Parser, add_config, add_run, add_runs_folder, add_value
from layerwise.fields import fields_of
from layerwise.generation.config import SamplingConfig


def add_arguments(parser: Parser) -> None:
    add_run(parser)
    parser.add_argument("prompt", metavar="TEXT", help="the prompt: the beginning of the text")
    for name, hint, default, sentence in (
        ("tokens", int, 200, "largest number of tokens to generate; generation stops at the end-of-text token"),
        ("count", int, 1, "continuations to generate, each with the next seed"),
    ):
        add_value(parser, name, hint, f"{sentence} [{default:g}]", default=default)
    add_config(parser, SamplingConfig)
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")
    add_runs_folder(parser)


def run(args: argparse.Namespace) -> None:
    from layerwise.errors import UsageError
    from layerwise.experiments.run import Run
    from layerwise.experiments.writing import stream

    if args.count < 1:
        raise UsageError(f"--count must be a whole number of at least 1, received {args.count}.")
    trained = Run.open(args.run, runs=args.runs)
    names = [field.name for field in fields_of(SamplingConfig)]
    sampling = SamplingConfig(**{name: getattr(args, name) for name in names if hasattr(args, name)})
    written = []
    for number in range(args.count):
        pieces = stream(
            trained, args.prompt, **{**asdict(sampling), "seed": sampling.seed + number}, tokens=args.tokens
        )
        if args.json:
            written.append("".join(pieces))
            continue
        first = next(pieces, "")  # what cannot be written is refused before anything is printed
        print(args.prompt + without_controls(first), end="", flush=True)
        for piece in pieces:
            print(without_controls(piece), end="", flush=True)
        print("\n" if number + 1 < args.count else "")
    if args.json:
        document = {"run": trained.name, "prompt": args.prompt, "continuations": written}
        print(json.dumps(document, ensure_ascii=False, indent=1))


def without_controls(text: str) -> str:
    """Return a text whose control characters a terminal would not obey: all but new lines and tabs become U+FFFD."""
    return "".join("\ufffd" if unicodedata.category(one) == "Cc" and one not in "\n\t" else one for one in text)
