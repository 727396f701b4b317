"""Generate images with a trained variational autoencoder or GAN.

layerwise sample latest --count 64 --seed 1
layerwise sample latest --each folder        each picture as a file of its own, too
layerwise sample latest --walk               a film on the way from picture to picture; --out walk.png for rows
"""

from __future__ import annotations

import argparse
from pathlib import Path

from layerwise.cli.arguments import Parser, add_run, add_runs_folder, add_value


def add_arguments(parser: Parser) -> None:
    add_run(parser)
    add_value(parser, "count", int, "pictures, or stations of a walk [64, a walk's 8]", default=None)
    add_value(parser, "seed", int, "seed of the latents [0]", default=0)
    parser.add_argument("--out", metavar="FILE", help="the .png with all of them [samples.png], or the walk [walk.gif]")
    parser.add_argument("--each", metavar="FOLDER", help="also write each image as a separate file to this folder")
    parser.add_argument("--walk", action="store_true", help="walk from code to code, and back to the first")
    add_value(parser, "steps", int, "pictures from one station of a walk to the next [12]", default=None)
    add_runs_folder(parser)


def run(args: argparse.Namespace) -> None:
    from layerwise.cli.printing import say_files
    from layerwise.experiments import sampling
    from layerwise.experiments.run import Run

    out = Path(args.out or ("walk.gif" if args.walk else "samples.png"))
    check(args, out)
    trained = Run.open(args.run, runs=args.runs)
    if args.walk:
        steps = 12 if args.steps is None else args.steps
        count = 8 if args.count is None else args.count
        say_files([sampling.write_walk(sampling.walk(trained, count, steps, args.seed), steps, out)])
        return
    pictures = sampling.sample(trained, 64 if args.count is None else args.count, args.seed)
    files = sampling.write_pictures(pictures, out, Path(args.each) if args.each else None)
    say_files(files[:1])
    if args.each:
        from layerwise.cli.printing import say

        say(f"  wrote {len(files) - 1} separate images to {args.each}")


def check(args: argparse.Namespace, out: Path) -> None:
    """Refuse flags that do not belong together and a file that cannot be written, before anything is generated."""
    from layerwise.errors import UsageError
    from layerwise.runs.atomic import check_output_file

    if args.walk:
        check_output_file(out, "out", (".gif", ".png"), "walk.gif")
    else:
        check_output_file(out, "out", (".png",), "samples.png")
    if args.walk and args.each:
        raise UsageError("--each is for single pictures, and --walk shows them one after another; leave one out.")
    if args.steps is not None and not args.walk:
        raise UsageError("--steps is for a walk; add --walk.")
    if args.each and Path(args.each).is_file():
        raise UsageError(f"--each names a folder, and {args.each} is a file; name another.")
