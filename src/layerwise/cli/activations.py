"""List the activations: what a neuron does to its weighted sum, its slope, where it saturates, and where it is used.

layerwise activations
layerwise activations sigmoid tanh relu
layerwise activations --json
"""

from __future__ import annotations

import argparse

from layerwise.cli.tables import Catalogue, Row, add_arguments, show

__all__ = ["add_arguments", "run"]


def run(args: argparse.Namespace) -> None:
    from layerwise.lessons.catalogue import activation_rows, range_text
    from layerwise.neuron.functions.cost import activation_name
    from layerwise.reports.curves import activation_figure

    def facts(row: Row) -> list[tuple[str, str]]:
        return [("range", range_text(*row["range"])), *((name, row[name]) for name in ("saturates", "used", "source"))]

    catalogue = Catalogue(
        noun="activation",
        columns=("activation", "value", "derivative", "range", "saturates"),
        cells=lambda row: [
            row["name"], row["formula"], row["derivative"], range_text(*row["range"]), row["saturates"]
        ],
        facts=facts,
        numbers=(("z", "z"), ("a", "value"), ("da/dz", "slope")),
        draw=activation_figure,
        next=("layerwise depth", "what a network without a bent activation cannot do"),
    )  # fmt: skip
    show(args, activation_rows(), [activation_name(name) for name in args.names], catalogue)
