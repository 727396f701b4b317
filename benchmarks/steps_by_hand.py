"""The steps of the recipes as one would write them in PyTorch by hand: data in memory cut by index, fused optimisers.

A generator a kind of task. Each takes a step whenever it is asked for more and yields the losses of that step, still
without fetching them. The networks are those of the catalogue; everything else is written out here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

START = 1  # the mark before the first token of a translation


@dataclass(frozen=True)
class Job:
    """What is to be trained, and how.

    inputs: of all samples, prepared, or pictures from 0 to 255 where `moves` vary them. targets: of all samples.
    order: the samples of an epoch in their order. rates: the learning rate of each step.
    moves: greatest amounts of what is done to pictures, by name. mean, std: of their channels, (channels, 1, 1).
    facts: what the task alone knows: label_smoothing, weights of classes, beta, gradient_penalty.
    """

    model: Any
    inputs: Tensor
    targets: Tensor
    order: Callable[[int], Tensor]
    batch_size: int
    steps_per_epoch: int
    rates: list[float]
    optimizer: str
    momentum: float
    weight_decay: float
    clip_norm: float
    average: float
    bfloat16: bool
    channels_last: bool
    moves: dict[str, float]
    mean: Tensor
    std: Tensor
    facts: dict[str, Any]

    def batches(self) -> Iterator[tuple[Tensor, float]]:
        """Yield the samples of each batch, and its learning rate."""
        rates = iter(self.rates)
        for epoch in range(len(self.rates) // self.steps_per_epoch):
            for rows in self.order(epoch).split(self.batch_size)[: self.steps_per_epoch]:
                yield rows, next(rates)

    def autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast("cpu", torch.bfloat16) if self.bfloat16 else nullcontext()

    def pictures(self, rows: Tensor) -> Tensor:
        """Return the pictures of a batch, varied and scaled."""
        pictures = self.inputs.index_select(0, rows)
        if self.moves:
            pictures = (varied(pictures / 255, self.moves)[0] - self.mean) / self.std
        return pictures.contiguous(memory_format=torch.channels_last) if self.channels_last else pictures


class Descent:
    """An optimiser with what stands around its step."""

    def __init__(self, module: nn.Module, job: Job) -> None:
        self.parameters = list(module.parameters())
        self.clip_norm = job.clip_norm
        matrices = [p for p in self.parameters if p.ndim >= 2]
        others = [p for p in self.parameters if p.ndim < 2]
        groups = [{"params": matrices, "weight_decay": job.weight_decay}, {"params": others, "weight_decay": 0.0}]
        match job.optimizer:
            case "adam" | "adamw":
                self.optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, fused=True)]
            case "nesterov":
                self.optimizers = [torch.optim.SGD(groups, momentum=job.momentum, nesterov=True, fused=True)]
            case "rmsprop":
                self.optimizers = [torch.optim.RMSprop(groups, foreach=True)]
            case "muon":
                self.optimizers = muon(module, job)

    def step(self, loss: Tensor, rate: float) -> None:
        loss.backward()
        if self.clip_norm:
            nn.utils.clip_grad_norm_(self.parameters, self.clip_norm, foreach=True)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad()


def muon(module: nn.Module, job: Job) -> list[torch.optim.Optimizer]:
    """Return PyTorch's Muon for the matrices between embedding and output, which takes no filters, and AdamW."""
    ends = {"tokens.weight", "output.weight"}
    hidden = [p for name, p in module.named_parameters() if p.ndim == 2 and name not in ends]
    known = {id(p) for p in hidden}
    others = [p for p in module.parameters() if id(p) not in known]
    return [
        torch.optim.Muon(hidden, weight_decay=job.weight_decay, momentum=job.momentum, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, weight_decay=job.weight_decay, fused=True),
    ]


class Average:
    """The running average of the weights, where one is kept."""

    def __init__(self, job: Job) -> None:
        self.decay, self.count = job.average, 0
        self.weights = [p.detach() for p in job.model.parameters()] if job.average else []
        self.averages = [weight.clone() for weight in self.weights]

    def update(self) -> None:
        self.count += 1
        if self.averages:
            decay = min(self.decay, (1 + self.count) / (10 + self.count))
            torch._foreach_lerp_(self.averages, self.weights, 1 - decay)


def classification(job: Job) -> Iterator[tuple[Tensor, ...]]:
    """Pictures, rows of numbers, counted words or sequences to one class."""
    descent, average, smoothing = Descent(job.model, job), Average(job), job.facts["label_smoothing"]
    for rows, rate in job.batches():
        with job.autocast():
            scores = job.model(job.pictures(rows))
            loss = F.cross_entropy(scores, job.targets.index_select(0, rows), label_smoothing=smoothing)
        descent.step(loss, rate)
        average.update()
        yield (loss.detach(),)


def regression(job: Job) -> Iterator[tuple[Tensor, ...]]:
    """Rows of numbers or series to numbers."""
    descent, average = Descent(job.model, job), Average(job)
    for rows, rate in job.batches():
        with job.autocast():
            loss = F.mse_loss(job.model(job.inputs.index_select(0, rows)), job.targets.index_select(0, rows))
        descent.step(loss, rate)
        average.update()
        yield (loss.detach(),)


def segmentation(job: Job) -> Iterator[tuple[Tensor, ...]]:
    """Pictures to a class at each pixel; masks are moved as their pictures are."""
    descent, average = Descent(job.model, job), Average(job)
    weights = torch.tensor(job.facts["weights"])
    for rows, rate in job.batches():
        pictures, masks = job.inputs.index_select(0, rows), job.targets.index_select(0, rows)
        pictures, masks = varied(pictures / 255, job.moves, masks)
        pictures = ((pictures - job.mean) / job.std).contiguous(memory_format=torch.channels_last)
        with job.autocast():
            loss = F.cross_entropy(job.model(pictures), masks.long(), weights, ignore_index=255)
        descent.step(loss, rate)
        average.update()
        yield (loss.detach(),)


def translation(job: Job) -> Iterator[tuple[Tensor, ...]]:
    """Sentences to sentences, with the true tokens before each place given, cut to the longest of the batch."""
    descent, average, smoothing = Descent(job.model, job), Average(job), job.facts["label_smoothing"]
    source_lengths, target_lengths = ((tokens != 0).sum(1) for tokens in (job.inputs, job.targets))
    for rows, rate in job.batches():
        sources = job.inputs.index_select(0, rows)[:, : source_lengths[rows].max()]
        targets = job.targets.index_select(0, rows)[:, : target_lengths[rows].max()]
        previous = F.pad(targets[:, :-1], (1, 0), value=START)
        with job.autocast():
            scores = job.model(sources, previous).flatten(0, 1)
            loss = F.cross_entropy(scores, targets.flatten(), ignore_index=0, label_smoothing=smoothing)
        descent.step(loss, rate)
        average.update()
        yield (loss.detach(),)


def writing(job: Job) -> Iterator[tuple[Tensor, ...]]:
    """The next token at each place of a text."""
    descent, average = Descent(job.model, job), Average(job)
    for rows, rate in job.batches():
        with job.autocast():
            scores = job.model(job.inputs.index_select(0, rows)).flatten(0, 1)
            loss = F.cross_entropy(scores, job.targets.index_select(0, rows).flatten())
        descent.step(loss, rate)
        average.update()
        yield (loss.detach(),)


def reconstruction(job: Job) -> Iterator[tuple[Tensor, ...]]:
    """A variational autoencoder: half the squared error, and the divergence of its codes."""
    descent, average, beta = Descent(job.model, job), Average(job), job.facts["beta"]
    for rows, rate in job.batches():
        pictures = job.pictures(rows)
        with job.autocast():
            generated, mean, log_variance = job.model(pictures)
            error = (generated - pictures).square().sum() / 2
            kl_divergence = (log_variance.exp() + mean.square() - 1 - log_variance).sum() / 2
            loss = (error + beta * kl_divergence) / len(pictures)
        descent.step(loss, rate)
        average.update()
        yield (loss.detach(),)


def adversarial(job: Job) -> Iterator[tuple[Tensor, ...]]:
    """The relativistic game with both gradient penalties, as the code of its paper has it."""
    painter, judge, weight = job.model.generator, job.model.discriminator, job.facts["gradient_penalty"] / 2
    discriminator_loss, generator_loss, average = Descent(judge, job), Descent(painter, job), Average(job)
    for rows, rate in job.batches():
        real = job.pictures(rows)
        with job.autocast():
            with torch.no_grad():
                generated = painter(torch.randn(len(rows), job.model.noise))
            judge.requires_grad_(True)
            real, generated = real.requires_grad_(), generated.requires_grad_()
            real_scores, generated_scores = judge(real), judge(generated)
            judged = F.softplus(generated_scores - real_scores).mean()
            judged = judged + weight * (slope(real_scores, real) + slope(generated_scores, generated))
        discriminator_loss.step(judged, rate)
        judge.requires_grad_(False)
        with job.autocast():
            generated_scores = judge(painter(torch.randn(len(rows), job.model.noise)))
            with torch.no_grad():
                real_scores = judge(real)
            loss = F.softplus(real_scores - generated_scores).mean()
        generator_loss.step(loss, rate)
        average.update()
        yield judged.detach(), loss.detach()


def slope(scores: Tensor, pictures: Tensor) -> Tensor:
    """Return the mean squared slope of the scores at the pictures."""
    (gradient,) = torch.autograd.grad(scores.sum(), pictures, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


LOOPS: dict[str, Callable[[Job], Iterator[tuple[Tensor, ...]]]] = {
    "classification": classification,
    "regression": regression,
    "segmentation": segmentation,
    "translation": translation,
    "language_modeling": writing,
    "reconstruction": reconstruction,
    "adversarial": adversarial,
}


def varied(pictures: Tensor, moves: dict[str, float], masks: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """Vary pictures from 0 to 1, (batch, channels, height, width), and move their masks, (batch, height, width)."""
    if {"rotate", "scale", "shear"} & set(moves):
        return mapped(pictures, moves, masks)
    if "shift" in moves:
        pictures = shifted(pictures, int(moves["shift"]))
    if "flip" in moves:
        pictures = torch.where(torch.rand(len(pictures), 1, 1, 1) < 0.5, pictures.flip(3), pictures)
    if "cutout" in moves:
        pictures = cut_out(pictures, int(moves["cutout"]))
    return pictures, masks


def mapped(pictures: Tensor, moves: dict[str, float], masks: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Turn, zoom, shear, shift and mirror by one affine map and one interpolation."""
    count, _, height, width = pictures.shape
    amounts = {name: (2 * torch.rand(2, count) - 1) * amount for name, amount in moves.items()}
    none = torch.zeros(2, count)
    angle = amounts.get("rotate", none)[0] * (math.pi / 180)
    zoom = 1 + amounts.get("scale", none)[0]
    shear = amounts.get("shear", none)
    right, down = amounts.get("shift", none).round()
    cosine, sine = angle.cos() / zoom, angle.sin() / zoom
    rows = [cosine + sine * shear[1], cosine * shear[0] + sine], [shear[1] * cosine - sine, cosine - sine * shear[0]]
    linear = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)  # (batch, 2, 2)
    for axis, name in enumerate(("flip", "vflip")):
        if name in moves:
            linear[:, :, axis] *= torch.randint(2, (count, 1)) * 2 - 1
    offset = torch.stack((right * (2 / width), down * (2 / height)), dim=1)[:, :, None]
    grid = F.affine_grid(torch.cat((linear, offset), dim=2), list(pictures.shape), align_corners=False)
    moved = F.grid_sample(pictures, grid, align_corners=False)
    if masks is None:
        return moved, None
    planes = F.grid_sample(masks[:, None].float() - 255, grid, "nearest", align_corners=False) + 255
    return moved, planes[:, 0]


def shifted(pictures: Tensor, most: int) -> Tensor:
    """Move each picture by up to so many pixels, black coming in."""
    count, _, height, width = pictures.shape
    framed = F.pad(pictures, (most, most, most, most)).permute(0, 2, 3, 1)  # (batch, height, width, channels)
    top, left = torch.randint(2 * most + 1, (2, count, 1))
    lines, columns = top + torch.arange(height), left + torch.arange(width)
    return framed[torch.arange(count)[:, None, None], lines[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def cut_out(pictures: Tensor, side: int) -> Tensor:
    """Cover a black square anywhere in each picture."""
    count, _, height, width = pictures.shape
    top, left = torch.randint(height, (count, 1)) - side // 2, torch.randint(width, (count, 1)) - side // 2
    lines, columns = torch.arange(height) - top, torch.arange(width) - left
    is_covered = ((lines >= 0) & (lines < side))[:, :, None] & ((columns >= 0) & (columns < side))[:, None]
    return pictures * ~is_covered[:, None]
