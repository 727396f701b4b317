"""A game of two networks: a generator, and a discriminator that classifies images as real or generated.

Pictures are compared on the scale from -1 to 1, which the data's preprocessing is undone for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.data.dataset import Dataset
from layerwise.errors import UsageError
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.generative import image_scale
from layerwise.tasks.task import Batch, Task


@dataclass(frozen=True)
class Adversarial(Task):
    """Parts 'discriminator' and 'generator', each with its optimiser; the discriminator steps first.

    means, deviations: of the data's preprocessing, one value a channel, on the scale from 0 to 1.
    relativistic: judge real pictures against generated ones (Jolicoeur-Martineau 2018, equation 3); otherwise the
        saturation-free loss of Goodfellow et al. 2014, as DCGAN has it.
    gradient_penalty: twice the weight of both penalties on the discriminator's slope, at real and at generated pictures
        (Mescheder et al. 2018; Huang et al. 2024, equation 4).
    """

    means: tuple[float, ...]
    deviations: tuple[float, ...]
    relativistic: bool = True
    gradient_penalty: float = 0.5

    options: ClassVar[tuple[str, ...]] = ("relativistic", "gradient_penalty")

    @classmethod
    def for_data(cls, dataset: Dataset, config: TaskConfig) -> Adversarial:
        return cls(*image_scale(dataset), config.relativistic, config.gradient_penalty)

    def parts(self, model: nn.Module) -> Mapping[str, nn.Module]:
        return {"discriminator": model.discriminator, "generator": model.generator}  # type: ignore[dict-item]

    def real(self, inputs: Tensor) -> Tensor:
        """Undo the preprocessing: pictures from -1 to 1, (batch, channels, height, width)."""
        mean, std = (torch.tensor(v, device=inputs.device)[:, None, None] for v in (self.means, self.deviations))
        return (inputs * std + mean) * 2 - 1

    def losses(self, model: Any, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Yield the loss of the discriminator, and when it has stepped that of the generator."""
        real = self.real(batch.inputs)
        with torch.no_grad():
            generated = model(model.draw_noise(len(real)))
        yield "discriminator", self.discriminator_loss(model.discriminator, real, generated)
        yield "generator", self.generator_loss(model, real)

    def discriminator_loss(self, discriminator: nn.Module, real: Tensor, generated: Tensor) -> Tensor:
        """The loss of a discriminator that should score real pictures above generated ones."""
        return discriminator_loss(discriminator, real, generated, self.relativistic, self.gradient_penalty)

    def generator_loss(self, model: Any, real: Tensor) -> Tensor:
        """The loss of a generator whose pictures should be scored above real ones."""
        return generator_loss(model, real, self.relativistic)

    def evaluate(self, model: Any, batches: Iterable[Batch]) -> dict[str, float]:
        """Return how often the discriminator is right about real and about generated pictures, by its sign or, where it
        is relativistic, against the median score of the others."""
        real_scores, generated_scores = [], []
        generator = torch.Generator().manual_seed(0)
        for batch in batches:
            real_scores.append(model.discriminator(self.real(batch.inputs)))
            generated_scores.append(model.discriminator(model(model.draw_noise(len(batch.inputs), generator))))
        rights = discriminator_accuracy(torch.cat(real_scores), torch.cat(generated_scores), self.relativistic)
        return dict(zip(("accuracy_on_real", "accuracy_on_generated"), rights, strict=True))

    def score(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """The latest weights are kept: no single figure on held-out images tells which epoch is the best."""
        return ()

    def sample_latents(self, model: Any, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Return the noise that pictures are generated from, (count, noise)."""
        noise: Tensor = model.draw_noise(count, generator)
        return noise

    def generate(self, model: Any, codes: Tensor) -> Tensor:
        """Return pictures from 0 to 1, (codes, channels, height, width)."""
        pictures: Tensor = (model(codes) + 1) / 2
        return pictures

    def decode(self, outputs: Tensor) -> list[dict[str, Any]]:
        """Return the mean brightness of each generated picture, from 0 to 1."""
        return [{"brightness": value} for value in ((outputs.flatten(1).mean(1) + 1) / 2).tolist()]

    def answer(self, model: nn.Module, inputs: Tensor) -> list[dict[str, Any]]:
        """Raise UsageError: it has nothing to say of a picture."""
        raise UsageError("a GAN generates pictures and classifies none; sample from its run instead.")


def discriminator_loss(
    discriminator: nn.Module, real: Tensor, generated: Tensor, relativistic: bool, gradient_penalty: float
) -> Tensor:
    """The loss of a discriminator that should score real pictures above generated ones."""
    real, generated = (p.detach().requires_grad_(gradient_penalty > 0) for p in (real, generated))
    real_scores, generated_scores = discriminator(real), discriminator(generated)
    if relativistic:
        loss = F.softplus(generated_scores - real_scores).mean()
    else:
        loss = F.softplus(-real_scores).mean() + F.softplus(generated_scores).mean()
    if not gradient_penalty:
        return loss
    slopes = (
        torch.autograd.grad(scores.sum(), pictures, create_graph=True)[0].square().flatten(1).sum(1).mean()
        for scores, pictures in ((real_scores, real), (generated_scores, generated))
    )
    return loss + gradient_penalty / 2 * sum(slopes, start=torch.zeros((), device=real.device))


def generator_loss(model: Any, real: Tensor, relativistic: bool) -> Tensor:
    """The loss of a generator whose pictures should be scored above real ones."""
    generated_scores = model.discriminator(model(model.draw_noise(len(real))))
    if not relativistic:
        return F.softplus(-generated_scores).mean()
    with torch.no_grad():
        real_scores = model.discriminator(real)
    return F.softplus(real_scores - generated_scores).mean()


def discriminator_accuracy(real: Tensor, generated: Tensor, relativistic: bool) -> tuple[float, float]:
    """Return the shares of real and of generated pictures that their scores are right about.

    The bound is 0 or, for relativistic scores, the median score of the others.
    """
    bounds = (generated.median(), real.median()) if relativistic else (torch.zeros(()), torch.zeros(()))
    return (real > bounds[0]).float().mean().item(), (generated < bounds[1]).float().mean().item()
