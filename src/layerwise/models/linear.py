"""The smallest networks: one layer of linear neurons.

With a squared error it is linear regression (Legendre 1805), with the cross-entropy logistic regression
(Cox 1958, "The regression analysis of binary sequences"). The network is the same; the task brings the loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from layerwise.fields import check, switch
from layerwise.layers.sizes import feature_count


@dataclass(frozen=True)
class LinearConfig:
    """Options of a layer of linear neurons."""

    bias: bool = switch(True, "add a bias to every weighted sum")

    def __post_init__(self) -> None:
        check(self)


class LinearNeurons(nn.Module):
    """One linear neuron an output, each reading all features.

    Raises UsageError for samples without features. Takes (batch, *input_shape), returns (batch, output_count).
    """

    def __init__(self, input_shape: tuple[int, ...], output_count: int, config: LinearConfig = LinearConfig()) -> None:
        super().__init__()
        features = feature_count("a linear network", input_shape)
        self.neurons = nn.Linear(features, output_count, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.neurons(x.flatten(1))  # (batch, features) -> (batch, outputs)
        return outputs


VARIANTS: Mapping[str, LinearConfig] = {
    "linear": LinearConfig(),
    "logistic": LinearConfig(),
}
