"""What a user can say about the task itself."""

from __future__ import annotations

from dataclasses import dataclass

from layerwise.fields import check, choice, documented, numeric, share, switch

BALANCES: dict[str, str] = {
    "none": "all pixels count the same",
    "median": "the median frequency over the frequency of the class",
}


@documented
@dataclass(frozen=True)
class TaskConfig:
    """What is minimised."""

    label_smoothing: float = share(
        0.0, "share of each label spread evenly over all classes (classification)", search=(0.0, 0.2)
    )
    beta: float = numeric(
        1.0,
        "weight of the KL term of a VAE (reconstruction): small, sharp images; large, latents close to N(0, I)",
        at_least=0,
        scale="log",
        search=(0.01, 10.0),
    )
    relativistic: bool = switch(True, "score real images against generated ones (adversarial)")
    gradient_penalty: float = numeric(
        0.5,
        "weight of the gradient penalties R1 and R2 of a discriminator (adversarial)",
        at_least=0,
        off="none",
        scale="log",
        search=(0.01, 10.0),
    )
    class_weights: str = choice("none", BALANCES, "weights of the classes in the loss (segmentation)")

    def __post_init__(self) -> None:
        check(self)
