"""Run recipes in full and hold their figures against their bounds: python -m layerwise.recipes [NAME ...]."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence

from layerwise.errors import LayerwiseError
from layerwise.experiments.training import train
from layerwise.recipes import RECIPES, options_of


def main(argv: Sequence[str] | None = None) -> int:
    """Train each recipe by each seed; return 1 if a mean misses its bound, or the exit code of an error."""
    parser = argparse.ArgumentParser(prog="python -m layerwise.recipes", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="recipes to run [all]")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each [3]")
    parser.add_argument("--runs", metavar="FOLDER", help="where runs are kept [./runs, or LAYERWISE_RUNS]")
    args = parser.parse_args(argv)
    try:
        missed = [name for name in args.names or RECIPES if not reaches_bound(name, args.seeds, args.runs)]
    except LayerwiseError as error:
        print(f"layerwise: {error}", file=sys.stderr)
        return error.exit_code
    print(f"below their bound: {', '.join(missed)}" if missed else "all recipes reach their bound")
    return int(bool(missed))


def reaches_bound(name: str, seeds: int, runs: str | None) -> bool:
    """Train a recipe by seeds 0, 1, ...; print mean, spread and time; say whether the mean reaches the bound."""
    options = options_of(name)
    recipe = RECIPES[name]
    figures, seconds = [], []
    for seed in range(seeds):
        result = train(**options, seed=seed, name=f"{name}-{seed}", runs=runs, quiet=True).result
        figures.append(result["test"][recipe.metric])
        seconds.append(result["elapsed_s"])
    mean = statistics.fmean(figures)
    spread = statistics.stdev(figures) if seeds > 1 else 0.0
    print(
        f"{name}: test {recipe.metric} {mean:.4f} +- {spread:.4f} over {seeds} seeds ({min(figures):.4f} to "
        f"{max(figures):.4f}; bound {recipe.bound}), {statistics.median(seconds):.0f} s a training",
        flush=True,
    )
    return recipe.is_reached(mean)


if __name__ == "__main__":
    sys.exit(main())
