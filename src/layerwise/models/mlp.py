"""The multi-layer perceptron: dense layers with an activation between them.

Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors",
https://doi.org/10.1038/323533a0; here with rectified units (Glorot et al. 2011), dropout (Srivastava et al. 2014)
and batch normalisation (Ioffe and Szegedy 2015).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from layerwise.fields import check, choice, share, sizes, switch
from layerwise.layers.activations import ACTIVATIONS, activation
from layerwise.layers.sizes import feature_count


@dataclass(frozen=True)
class MLPConfig:
    """Options of a multi-layer perceptron. Raises UsageError for a value that cannot work."""

    hidden: tuple[int, ...] = sizes(
        (64, 64), "neurons of each hidden layer", example="64,64", scale="powers of two", search=(8, 512)
    )
    activation: str = choice("relu", tuple(ACTIVATIONS), "activation of the hidden layers")
    dropout: float = share(0.0, "share of hidden neurons silenced per step", search=(0.0, 0.5))
    batch_norm: bool = switch(False, "normalise over the batch before each activation")

    def __post_init__(self) -> None:
        check(self)


class MLP(nn.Module):
    """Dense layers on the flattened sample.

    Raises UsageError for samples without features. Takes (batch, *input_shape), returns (batch, output_count).
    """

    def __init__(self, input_shape: tuple[int, ...], output_count: int, config: MLPConfig = MLPConfig()) -> None:
        super().__init__()
        widths = (feature_count("mlp", input_shape), *config.hidden)
        self.hidden = nn.Sequential(*(hidden_layer(before, after, config) for before, after in pairwise(widths)))
        self.output = nn.Linear(widths[-1], output_count)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.hidden(x.flatten(1))  # (batch, features) -> (batch, hidden[-1])
        outputs: Tensor = self.output(hidden)  # (batch, outputs)
        return outputs


def hidden_layer(inputs: int, neurons: int, config: MLPConfig) -> nn.Sequential:
    """One dense layer with what stands between it and the next."""
    layer = nn.Sequential(nn.Linear(inputs, neurons))
    if config.batch_norm:
        layer.append(nn.BatchNorm1d(neurons))
    layer.append(activation(config.activation))
    if config.dropout:
        layer.append(nn.Dropout(config.dropout))
    return layer


VARIANTS: Mapping[str, MLPConfig] = {
    "mlp": MLPConfig(),
}
