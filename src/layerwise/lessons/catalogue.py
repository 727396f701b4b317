"""The tables of activations and losses as plain values, with samples of their curves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from layerwise.neuron.tables.activations import ACTIVATIONS
from layerwise.neuron.tables.losses import LOSSES, TARGETS

PLACES = (-3.0, -1.0, 0.0, 1.0, 3.0)  # at which values and slopes are listed


def activation_rows() -> list[dict[str, Any]]:
    """Return a row an activation: formula, derivative, range, where it saturates and is used, values and slopes."""
    rows = []
    for name, row in ACTIVATIONS.items():
        z = np.array(PLACES)
        sampled: dict[str, Any] = {}
        if row.elementwise:
            a = row.value(z)
            sampled = {"z": list(PLACES), "value": a.tolist(), "slope": row.slope(z, a).tolist()}
        low, high = row.range
        rows.append(
            {
                "name": name,
                "formula": row.formula,
                "derivative": row.derivative_formula,
                "range": [_finite(low), _finite(high)],
                "saturates": row.saturates,
                "used": row.used,
                "source": row.source,
                "samples": sampled,
            }
        )
    return rows


def loss_rows() -> list[dict[str, Any]]:
    """Return a row a loss: formula, derivative, targets, where it is used, values and slopes for a target of 1."""
    rows = []
    for name, row in LOSSES.items():
        o = np.array(PLACES)
        sampled: dict[str, Any] = {}
        if row.elementwise:
            y = np.ones_like(o)
            sampled = {"o": list(PLACES), "y": 1, "value": row.value(o, y).tolist(), "slope": row.slope(o, y).tolist()}
        rows.append(
            {
                "name": name,
                "formula": row.formula,
                "derivative": row.derivative_formula,
                "targets": TARGETS[row.targets],
                "link": row.link,
                "convex": row.convex,
                "used": row.used,
                "source": row.source,
                "samples": sampled,
            }
        )
    return rows


def range_text(low: float | None, high: float | None) -> str:
    """Return -1 to 1, or '0 to ∞'."""
    return f"{'-∞' if low is None else f'{low:g}'} to {'∞' if high is None else f'{high:g}'}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
