"""What a user can say about what a trained network generates, texts and images; read without torch."""

from __future__ import annotations

from dataclasses import dataclass

from layerwise.fields import check, documented, numeric

LARGEST_SEED = 2**63 - 1


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
    top_k: int = numeric(
        0, "top-k sampling: sample from the k most probable tokens", at_least=0, off="all", unit="tokens"
    )
    top_p: float = numeric(
        1.0,
        "nucleus sampling: sample from the smallest set of tokens with this total probability",
        above=0,
        at_most=1,
        search=(0.5, 1.0),
    )
    seed: int = numeric(0, "seed of the sampling", at_least=0, at_most=LARGEST_SEED)

    def __post_init__(self) -> None:
        check(self)


@documented
@dataclass(frozen=True)
class BeamConfig:
    """How a translation is searched for."""

    beam: int = numeric(
        1, "hypotheses that beam search keeps; 1 is greedy decoding", at_least=1, unit="hypotheses", search=(1, 8)
    )

    def __post_init__(self) -> None:
        check(self)


@documented
@dataclass(frozen=True)
class ImageSamplingConfig:
    """Which images a generative network generates."""

    count: int = numeric(64, "images, or waypoints of an interpolation", at_least=1, unit="images")
    steps: int = numeric(12, "images from one waypoint of an interpolation to the next", at_least=1, unit="images")
    seed: int = numeric(0, "the latents follow from it", at_least=0, at_most=LARGEST_SEED)

    def __post_init__(self) -> None:
        check(self)
