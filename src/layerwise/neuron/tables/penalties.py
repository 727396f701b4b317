"""The penalties: a price on large weights, as a table.

    J(w) + l1 * sum |w| + l2 * sum w^2,    l1 = strength * (1 - mix),  l2 = strength * mix

over the weights, not the biases; mix is 0 for l1 and 1 for l2. They act by proximal steps: after a step of size s on
the loss alone,

    w <- argmin_u (u - w)^2 / (2 s) + l1 |u| + l2 u^2 = soft(w, s * l1) / (1 + 2 s * l2),
    soft(w, t) = sign(w) * max(|w| - t, 0),

so that a weight which the loss does not hold becomes exactly zero under l1 (Parikh and Boyd 2014, 'Proximal
algorithms', sections 4.2 and 6.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from layerwise.neuron.tables.elementary import Array, absolute, maximum, minimum


@dataclass(frozen=True)
class Penalty:
    """A row of the table. fixed_mix: what the penalty says about `mix`; None leaves it to the user."""

    name: str
    formula: str
    proximal_formula: str
    effect: str
    used: str
    source: str
    scale: float = 1.0
    fixed_mix: float | None = None

    def l1(self, penalty_strength: float, mix: float = 0.5) -> float:
        """Return the factor of sum |w|."""
        return self.scale * penalty_strength * (1 - (mix if self.fixed_mix is None else self.fixed_mix))

    def l2(self, penalty_strength: float, mix: float = 0.5) -> float:
        """Return the factor of sum w^2."""
        return self.scale * penalty_strength * (mix if self.fixed_mix is None else self.fixed_mix)

    def value(self, weights: Array, penalty_strength: float, mix: float = 0.5) -> float:
        """Return the price of the weights."""
        l1, l2 = self.l1(penalty_strength, mix), self.l2(penalty_strength, mix)
        return float(l1 * absolute(weights).sum() + l2 * (weights * weights).sum())

    def proximal(self, weights: Array, size: float | Array, penalty_strength: float, mix: float = 0.5) -> Array:
        """Return the weights after the proximal step that belongs to a step of `size` on the loss."""
        return shrink(weights, size * self.l1(penalty_strength, mix), 1 + 2 * size * self.l2(penalty_strength, mix))


def shrink(w: Array, threshold: float | Array, divisor: float | Array) -> Array:
    """Return soft(w, threshold) / divisor."""
    return (w - minimum(maximum(w, -threshold), threshold)) / divisor


_ROWS = (
    Penalty(
        "none", "0", "w", "weights as large as the data ask for",
        used="much data for the number of weights",
        source="",
        scale=0.0,
        fixed_mix=0.0,
    ),
    Penalty(
        "l1", "strength * sum |w|", "soft(w, s * strength)", "exact zeros: features are chosen",
        used="many features of which few matter; lasso",
        source="Tibshirani 1996, 'Regression shrinkage and selection via the lasso'",
        fixed_mix=0.0,
    ),
    Penalty(
        "l2", "strength * sum w^2", "w / (1 + 2 s * strength)", "small weights, none exactly zero",
        used="features that say similar things; ridge, the margin of the SVM",
        source="Hoerl and Kennard 1970, 'Ridge regression'; Tikhonov 1943",
        fixed_mix=1.0,
    ),
    Penalty(
        "elastic", "strength * ((1 - mix) * sum |w| + mix * sum w^2)",
        "soft(w, s * strength * (1 - mix)) / (1 + 2 s * strength * mix)",
        "zeros, but features that go together stay together",
        used="groups of features that go together; elastic net",
        source="Zou and Hastie 2005, 'Regularization and variable selection via the elastic net'",
    ),
)  # fmt: skip

PENALTIES: Mapping[str, Penalty] = {row.name: row for row in _ROWS}
