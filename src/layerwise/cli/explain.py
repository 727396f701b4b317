"""Look into one answer of a trained network: what it looks for, what it saw, and which parts its answer hangs on.

  layerwise explain latest picture.png
  layerwise explain latest table.csv --row 3 --output yes
  layerwise explain latest picture.png --occlusion --maps all
  layerwise explain latest --embeddings
  layerwise explain translator "text editor"

Without a flag that names a part, all parts that apply are shown. A module of your own: `layerwise.explain` in Python.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from layerwise.cli.arguments import Parser, add_run, add_runs_folder, add_value
from layerwise.errors import UsageError

if TYPE_CHECKING:
    from layerwise.experiments.run import Run

PARTS = {
    "filters": "what the first convolution looks for",
    "occlusion": "how far the score falls where a part is covered",
    "gradients": "integrated gradients: what each part adds to the score",
    "attention": "which parts an attention takes from",
}


def add_arguments(parser: Parser) -> None:
    add_run(parser)
    parser.add_argument("input", nargs="?", metavar="INPUT", help="a picture, table or series, or a text to translate")
    for part, sentence in PARTS.items():
        parser.add_argument(f"--{part}", action="store_true", help=sentence)
    parser.add_argument("--maps", metavar="LAYERS", help="feature maps: names of layers with commas between, or all")
    parser.add_argument("--embeddings", action="store_true", help="draw the test samples (or tokens) as a map")
    parser.add_argument("--output", metavar="NAME", help="the class or value to explain [the one that it gives]")
    add_value(parser, "row", int, "which sample of a file of several [1]", default=1)
    add_value(parser, "window", int, "pixels a side that are covered at once [a seventh]", default=None)
    add_value(parser, "limit", int, "samples in the map [1000]", default=None)
    parser.add_argument("--out", metavar="FOLDER", help="where page and pictures go [the run's folder]")
    add_runs_folder(parser)


def run(args: argparse.Namespace) -> None:
    from layerwise.cli.printing import say, say_files
    from layerwise.cli.showing import say_next
    from layerwise.experiments.explain import answer_in_words, embed, explain, next_commands
    from layerwise.experiments.run import Run
    from layerwise.reports.explanation_page import completeness, score_in_words

    trained = Run.open(args.run, runs=args.runs)
    check(args, trained)
    if args.embeddings:
        places, files = embed(trained, out=args.out, **({} if args.limit is None else {"limit": args.limit}))
        samples, reason = "test samples", f"what the last layer of {trained.name} reads"
        if trained.data_info["kind"] == "pairs":
            samples, reason = "tokens", f"the vectors that {trained.name} has for them"
        say(f"{len(places)} {samples} in a plane, by {reason}")
        say_files(files)
    if args.input is None:
        return
    parts = [part for part in PARTS if getattr(args, part)] + (["maps"] if args.maps else [])
    found, files = explain(
        trained,
        args.input,
        row=args.row,
        output=args.output,
        parts=parts,
        layers=args.maps.split(",") if args.maps else (),
        window=args.window,
        out=args.out,
    )
    is_translation = found.kind == "translation"
    answer = trained.translate(args.input)[0] if is_translation else answer_in_words(trained, found)
    say(f"{trained.name} on {args.input}: {answer}, with a {score_in_words(found)}")
    if found.gradients is not None:
        say(f"integrated gradients: {completeness(found)[0].lower()}{completeness(found)[1:]}")
    say_files(files)
    say_next(next_commands(trained))


def check(args: argparse.Namespace, trained: Run) -> None:
    """Refuse words that leave nothing to do, or that say nothing here."""
    if args.input is None and not args.embeddings:
        from layerwise.experiments.explain import example_for

        example = f"layerwise explain {trained.name} {example_for(trained)}"
        what = "give a text" if trained.data_info["kind"] == "pairs" else "name a file"
        raise UsageError(f"nothing to explain; {what}, as in `{example}`, or use --embeddings.")
    if args.limit is not None and not args.embeddings:
        raise UsageError("--limit is for the map of --embeddings; leave it out.")
