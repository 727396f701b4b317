"""List the losses: what an error costs, its slope, the targets it takes, and where it is used.

layerwise losses
layerwise losses hinge logistic
layerwise losses --json
"""

from __future__ import annotations

import argparse

from layerwise.cli.tables import Catalogue, Row, add_arguments, show

__all__ = ["add_arguments", "run"]


def run(args: argparse.Namespace) -> None:
    from layerwise.lessons.catalogue import loss_rows
    from layerwise.reports.curves import loss_figure

    def facts(row: Row) -> list[tuple[str, str]]:
        link = [("contains", f"{row['link']}: it is computed on the raw output")] if row["link"] != "identity" else []
        convex = ("convex", "yes" if row["convex"] else "no")
        return [("targets", row["targets"]), convex, *link, *((name, row[name]) for name in ("used", "source"))]

    catalogue = Catalogue(
        noun="loss",
        columns=("loss", "value", "derivative", "targets", "used"),
        cells=lambda row: [row[name] for name in ("name", "formula", "derivative", "targets", "used")],
        facts=facts,
        numbers=(("o, for y = 1", "o"), ("J", "value"), ("dJ/do", "slope")),
        draw=loss_figure,
        next=("layerwise neuron --loss hinge --penalty l2 --penalty-strength 0.001", "a neuron that minimises one"),
    )
    show(args, loss_rows(), args.names, catalogue)
