"""Translate texts with a trained network.

layerwise translate latest "text editor" "a library for sound"
layerwise translate latest --file texts.txt --beam 4
layerwise translate latest "text editor" --attention attention.png
echo "text editor" | layerwise translate latest
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from layerwise.cli.arguments import Parser, add_run, add_runs_folder


def add_arguments(parser: Parser) -> None:
    add_run(parser)
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="texts to translate [the lines of standard input]")
    parser.add_argument("--file", metavar="FILE", help="translate each line of this text file")
    parser.add_argument(
        "--beam", type=int, default=1, metavar="N", help="hypotheses of beam search; 1 is greedy decoding [1]"
    )
    parser.add_argument(
        "--attention", metavar="FILE", help="plot the attention weights of the first text to this .png file"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")
    add_runs_folder(parser)


def run(args: argparse.Namespace) -> None:
    from layerwise.cli.printing import say, say_files
    from layerwise.errors import UsageError
    from layerwise.experiments.run import Run
    from layerwise.experiments.translating import translate
    from layerwise.reports.alignments import alignment_chart
    from layerwise.reports.figures import save
    from layerwise.runs.atomic import check_output_file

    if args.attention is not None:
        check_output_file(Path(args.attention), "attention", (".png",), "attention.png")
    names, texts = texts_of(args)
    if not texts:
        raise UsageError('nothing to translate; name a text, as in `layerwise translate latest "text editor"`.')
    trained = Run.open(args.run, runs=args.runs)
    translations = translate(trained, texts, args.beam, names)
    if args.attention is not None:
        save(alignment_chart(trained.attention(texts[0], translations[0])), Path(args.attention))
    if args.json:
        rows = [{"text": one, "translation": other} for one, other in zip(texts, translations, strict=True)]
        print(json.dumps({"run": trained.name, "translations": rows}, ensure_ascii=False, indent=1))
        return
    for translation in translations:
        say(translation)
    if args.attention is not None:
        say_files([Path(args.attention)])


def texts_of(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Return what to call the texts of the command line, of a file, or of standard input, and the texts.

    Names are left to the translator for those of the command line. Raises UsageError for two sources at once.
    """
    from layerwise.errors import UsageError

    if args.file is not None:
        if args.texts:
            raise UsageError(f"--file {args.file} and texts were both given; leave one of them out.")
        return numbered(read_file(Path(args.file)), args.file)
    if args.texts or sys.stdin.isatty():
        return [], list(args.texts)
    return numbered(sys.stdin.read(), "standard input")


def numbered(text: str, name: str) -> tuple[list[str], list[str]]:
    """Return the lines of a text that say something: their names, and themselves."""
    lines = [(f"{name}, line {number}", line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    return [name for name, _ in lines], [line for _, line in lines]


def read_file(path: Path) -> str:
    """Read the file of --file. Raises NotFoundError, or DataError where it says nothing."""
    from layerwise.data.text.files import read_text
    from layerwise.errors import DataError, NotFoundError

    if not path.is_file():
        raise NotFoundError(f"--file {path}: there is no such file; name a text file with a text a line.")
    text = read_text(path)
    if not text.strip():
        raise DataError(f"{path} holds no text; write one a line.")
    return text
