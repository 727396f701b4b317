"""What a user can say about how a text is written; read without torch."""

from __future__ import annotations

from dataclasses import dataclass

from layerwise.fields import check, documented, numeric


@documented
@dataclass(frozen=True)
class SamplingConfig:
    """How the next token is drawn.

    Of the tokens sorted by probability, `top_k` keeps the first ones, `top_p` the fewest that together have this
    probability (nucleus sampling, Holtzman et al. 2019, https://arxiv.org/abs/1904.09751).
    """

    temperature: float = numeric(
        0.8,
        "divides the scores before the softmax: lower is safer, higher is more varied",
        at_least=0,
        off="the likeliest token",
        search=(0.0, 1.5),
    )
    top_k: int = numeric(0, "draw among so many likeliest tokens", at_least=0, off="all", unit="tokens")
    top_p: float = numeric(
        1.0,
        "draw among the fewest tokens that together have this probability",
        above=0,
        at_most=1,
        search=(0.5, 1.0),
    )
    seed: int = numeric(0, "every draw follows from it", at_least=0, at_most=2**63 - 1)

    def __post_init__(self) -> None:
        check(self)
