"""The same picture again, through a code of few numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from layerwise.data.dataset import Dataset
from layerwise.errors import UsageError
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.generative import image_scale
from layerwise.tasks.metrics import score_by
from layerwise.tasks.task import Batch, Task


@dataclass(frozen=True)
class Reconstruction(Task):
    """The model gives a `Coded`: the picture anew, and the distribution of its code.

    The loss of a sample is half the sum of squared errors over its pixels, as of a normal distribution of deviation 1,
    and for a variational autoencoder beta times the divergence of its codes from the standard normal ones (Kingma and
    Welling 2013, equation 10; beta: Higgins et al. 2017). While it is measured, a picture's code is the mean one.

    means, deviations: of the data's preprocessing, one value a channel, on the scale from 0 to 1.
    """

    means: tuple[float, ...]
    deviations: tuple[float, ...]
    beta: float = 1.0

    options: ClassVar[tuple[str, ...]] = ("beta",)

    @classmethod
    def for_data(cls, dataset: Dataset, config: TaskConfig) -> Reconstruction:
        return cls(*image_scale(dataset), config.beta)

    def parts(self, model: nn.Module) -> Mapping[str, nn.Module]:
        return {"model": model}

    def losses(self, model: nn.Module, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Yield the mean loss of a sample."""
        error, kl_divergence = self.terms(model(batch.inputs), batch.inputs)
        yield "model", (error + self.beta * kl_divergence).mean()

    def terms(self, coded: Any, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return half the squared error and the divergence of each sample, (batch,) each."""
        error = squared_errors(coded.picture, pictures)
        if coded.log_variance is None:
            return error, torch.zeros_like(error)
        return error, kl_divergences(coded.mean, coded.log_variance)

    def evaluate(self, model: nn.Module, batches: Iterable[Batch]) -> dict[str, float]:
        """Return 'loss', 'squared_error' (mean over pixels) and 'divergence' (mean over samples, nats)."""
        errors, spreads, pixels = [], [], 1
        for batch in batches:
            error, kl_divergence = self.terms(model(batch.inputs), batch.inputs)
            errors.append(error)
            spreads.append(kl_divergence)
            pixels = batch.inputs[0].numel()
        error, kl_divergence = torch.cat(errors).double().mean(), torch.cat(spreads).double().mean()
        return {
            "loss": (error + self.beta * kl_divergence).item(),
            "squared_error": (2 * error / pixels).item(),
            "kl_divergence": kl_divergence.item(),
        }

    def score(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        return score_by(metrics, "loss")

    def sample_latents(self, model: Any, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Return codes from the standard normal distribution, (count, code).

        Raises:
            UsageError: the codes of this autoencoder have no distribution that could be drawn from.
        """
        if not model.variational:
            raise UsageError(
                "an autoencoder's codes have no distribution to draw from; train vae, whose codes are normal, or gan."
            )
        device = next(model.parameters()).device
        if generator is None:
            return torch.randn(count, model.latent_dim, device=device)
        return torch.randn(count, model.latent_dim, generator=generator).to(device)

    def generate(self, model: Any, codes: Tensor) -> Tensor:
        """Return pictures from 0 to 1, (codes, channels, height, width)."""
        return self.to_light(model.decode(codes))

    def to_light(self, pictures: Tensor) -> Tensor:
        """Undo the preprocessing: pictures from 0 to 1, (batch, channels, height, width)."""
        means, deviations = (
            torch.tensor(v, device=pictures.device)[:, None, None] for v in (self.means, self.deviations)
        )
        return (pictures * deviations + means).clamp(0, 1)

    def decode(self, outputs: Any) -> list[dict[str, Any]]:
        """Return the code of each picture."""
        return [{"code": row} for row in outputs.mean.tolist()]

    def answer(self, model: nn.Module, inputs: Tensor) -> list[dict[str, Any]]:
        """Return the code of each picture, and the mean squared error of a pixel of what comes back of it."""
        coded = model(inputs)
        errors = (coded.picture - inputs).square().flatten(1).mean(1).tolist()
        return [{"squared_error": error, **code} for error, code in zip(errors, self.decode(coded), strict=True)]


def squared_errors(given: Tensor, pictures: Tensor) -> Tensor:
    """Return half the squared error of each picture, (batch,)."""
    return (given - pictures).square().flatten(1).sum(1) / 2


def kl_divergences(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the divergence of each picture's code from a standard normal one, (batch,)."""
    return (log_variance.exp() + mean.square() - 1 - log_variance).sum(1) / 2
