"""Explain one prediction of a trained network: attributions to its inputs, attention, filters and feature maps.

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
    "filters": "kernels of the first convolution",
    "occlusion": "occlusion: decrease of the score when a region is covered",
    "gradients": "integrated gradients: contribution of each input to the score",
    "attention": "attention weights, per head, and attention rollout",
}


def add_arguments(parser: Parser) -> None:
    add_run(parser)
    parser.add_argument("input", nargs="?", metavar="INPUT", help="a picture, table or series, or a text to translate")
    for part, sentence in PARTS.items():
        parser.add_argument(f"--{part}", action="store_true", help=sentence)
    parser.add_argument(
        "--maps", metavar="LAYERS", help="feature maps of these layers: names separated by commas, or all"
    )
    parser.add_argument(
        "--embeddings", action="store_true", help="plot the test samples (or tokens) in two dimensions by t-SNE"
    )
    parser.add_argument("--output", metavar="NAME", help="the class or value to explain [the predicted one]")
    add_value(parser, "row", int, "sample number, for a file with several [1]", default=1)
    add_value(parser, "window", int, "side of the occluded square in pixels [a seventh of the image]", default=None)
    add_value(parser, "limit", int, "samples in the t-SNE plot [1000]", default=None)
    parser.add_argument("--out", metavar="FOLDER", help="folder for the page and its plots [the run's folder]")
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
        samples, reason = "test samples", f"the inputs of the last layer of {trained.name}"
        if trained.data_info["kind"] == "pairs":
            samples, reason = "tokens", f"the embedding vectors of {trained.name}"
        say(f"t-SNE of {len(places)} {samples}, from {reason}")
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
        raise UsageError(f"there is nothing to explain; {what}, as in `{example}`, or use --embeddings.")
    if args.limit is not None and not args.embeddings:
        raise UsageError("--limit belongs to --embeddings; leave it out.")
