"""Tasks of writers, translators, segmenters and painters: their losses and figures against independent ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score, recall_score
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from layerwise.data.dataset import Dataset, Split
from layerwise.errors import UsageError
from layerwise.models.autoencoder import Autoencoder, AutoencoderConfig, Coded
from layerwise.models.gan import GAN, GANConfig
from layerwise.models.gpt import GPT, GPTConfig
from layerwise.models.segnet import SegNet, SegNetConfig
from layerwise.models.seq2seq import Seq2Seq, Seq2SeqConfig
from layerwise.models.transformer import Transformer, TransformerConfig
from layerwise.models.unet import UNet, UNetConfig
from layerwise.tasks.adversarial import Adversarial
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.language_modeling import LanguageModeling
from layerwise.tasks.reconstruction import Reconstruction
from layerwise.tasks.segmentation import UNLABELLED, Segmentation, count_pixels, overlap
from layerwise.tasks.translation import END, Translation


@dataclass
class Batch:
    inputs: Tensor
    targets: Tensor


class Plain:
    """A preprocessing that is none of pictures."""

    input_shape = (2,)


class Says(nn.Module):
    """Gives the outputs that it was made with, whatever it is shown."""

    def __init__(self, outputs: Any) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, *_: Tensor) -> Any:
        return self.outputs


def fit(model: nn.Module, task: Any, batch: Batch, steps: int = 150, rate: float = 5e-3) -> list[float]:
    """Take steps as the loop does, an optimiser a part; return the losses of the last step."""
    optimisers = {name: torch.optim.Adam(part.parameters(), lr=rate) for name, part in task.parts(model).items()}
    losses: dict[str, float] = {}
    for _ in range(steps):
        for name, loss in task.losses(model, batch):
            optimisers[name].zero_grad()
            loss.backward()
            optimisers[name].step()
            losses[name] = loss.item()
    return list(losses.values())


# Texts.

SOURCE = torch.tensor([[3, 4, 5], [5, 3, 0], [4, 0, 0]])
TARGET = torch.tensor([[4, 5, 3, END], [3, END, 0, 0], [5, 4, END, 0]])


@pytest.mark.parametrize("name", ["seq2seq", "transformer", "transformer-paper"])
def test_a_translator_learns_a_tiny_batch_by_heart(name: str) -> None:
    torch.manual_seed(0)
    model: nn.Module = Seq2Seq((3, 6), 6, Seq2SeqConfig(16, 16, dropout=0.0))
    if name != "seq2seq":
        config = TransformerConfig(16, 2, 1, 1, norm_first=name == "transformer", dropout=0.0)
        model = Transformer((3, 6), 6, config)
    task, batch = Translation(label_smoothing=0.0), Batch(SOURCE, TARGET)
    [loss] = fit(model, task, batch)
    assert loss < 0.1
    metrics = task.evaluate(model.eval(), [batch])
    assert metrics["accuracy"] == 1
    assert metrics["loss"] == pytest.approx(loss, abs=0.02)


def test_a_translators_figures_count_tokens_and_no_padding() -> None:
    chances = torch.rand(3, 4, 6).softmax(2)
    task, batch = Translation(label_smoothing=0.0), Batch(SOURCE, TARGET)
    nats = [-chances[row, place, TARGET[row, place]].log() for row, place in TARGET.nonzero().tolist()]
    right = [chances[row, place].argmax() == TARGET[row, place] for row, place in TARGET.nonzero().tolist()]
    metrics = task.evaluate(Says(chances.log()), [batch])
    assert metrics["loss"] == pytest.approx(np.mean(nats), abs=1e-6)
    assert metrics["accuracy"] == pytest.approx(np.mean(right))
    [(part, loss)] = task.losses(Says(chances.log()), batch)
    assert (part, loss.item()) == ("model", pytest.approx(metrics["loss"], abs=1e-6))


def test_bits_a_byte_are_as_counted_by_hand() -> None:
    task = LanguageModeling(token_bytes=(0, 1, 3, 2))
    targets = torch.tensor([[1, 2, 0], [3, 3, 1]])
    chances = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).expand(2, 3, 4)
    bits = -sum(math.log2(chance) for chance in (0.2, 0.3, 0.4, 0.4, 0.2))
    batches = [Batch(targets[:1], targets[:1]), Batch(targets[1:], targets[1:])]
    models = Says(chances[:1].log())
    metrics = task.evaluate(models, batches)
    assert metrics["bits_per_byte"] == pytest.approx(bits / (1 + 3 + 2 + 2 + 1), abs=1e-6)
    assert metrics["loss"] == pytest.approx(bits * math.log(2) / 5, abs=1e-6)
    assert metrics["accuracy"] == pytest.approx(2 / 5)


def test_gpt_learns_a_tiny_text_by_heart() -> None:
    torch.manual_seed(0)
    text = torch.tensor([[3, 5, 3, 4, 4, 6, 1, 2]])
    task, model = LanguageModeling((0,) + (1,) * 6), GPT((8, 7), 7, GPTConfig(16, 2, 1))
    assert fit(model, task, Batch(text[:, :-1], text[:, 1:]))[0] < 0.1


# Pixels.

masks = st.lists(st.sampled_from([0, 1, 2, 3, UNLABELLED]), min_size=12, max_size=12)


@settings(max_examples=40, deadline=None)
@given(masks, st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_the_figures_of_pixels_are_those_of_scikit_learn(truth: list[int], given_classes: list[int]) -> None:
    confusion = count_pixels(torch.tensor(truth), torch.tensor(given_classes), 4)
    judged = [(t, g) for t, g in zip(truth, given_classes, strict=True) if t != UNLABELLED]
    if not judged:
        assert confusion.sum() == 0
        return
    t, g = map(list, zip(*judged, strict=True))
    there = sorted(set(t))
    assert confusion.tolist() == confusion_matrix(t, g, labels=range(4)).tolist()
    figures = overlap(confusion)
    assert figures["pixel_accuracy"] == pytest.approx(accuracy_score(t, g))
    assert figures["class_accuracy"] == pytest.approx(recall_score(t, g, labels=there, average="macro"))
    assert figures["mean_iou"] == pytest.approx(jaccard_score(t, g, labels=there, average="macro"))


@pytest.mark.parametrize("kind", ["segnet", "unet"])
def test_a_segmenter_learns_a_tiny_batch_by_heart(kind: str) -> None:
    torch.manual_seed(0)
    pictures = torch.randn(2, 1, 9, 10)
    targets = (pictures[:, 0] > 0).long() + (pictures[:, 0] > 1).long()
    targets[:, 0] = UNLABELLED
    task, batch = Segmentation(("low", "middle", "high")), Batch(pictures, targets)
    small: nn.Module = UNet((1, 9, 10), 3, UNetConfig((8, 8)))
    if kind == "segnet":
        small = SegNet((1, 9, 10), 3, SegNetConfig((16,), (2,)))
    [loss] = fit(small, task, batch, steps=200, rate=1e-2)
    assert loss < 0.2
    assert task.evaluate(small.train(), [batch])["mean_iou"] > 0.85


def test_pixels_that_nobody_judged_have_no_part_in_the_loss() -> None:
    torch.manual_seed(0)
    scores, targets = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
    targets[:, :2] = UNLABELLED
    [(_, loss)] = Segmentation(("a", "b", "c")).losses(Says(scores), Batch(scores, targets))
    torch.testing.assert_close(loss, F.cross_entropy(scores[:, :, 2:], targets[:, 2:]))  # but for the order of sums


def test_the_shares_of_a_picture_add_up_to_one() -> None:
    [shares] = Segmentation(("a", "b")).decode(torch.tensor([[[[1.0, 0.0, 0.0, 0.0]], [[0.0, 1.0, 1.0, 1.0]]]]))
    assert shares == {"shares": {"a": 0.25, "b": 0.75}}


# Pictures anew.


def test_the_divergence_of_codes_is_that_of_torchs_distributions() -> None:
    mean, log_variance, pictures = torch.randn(5, 3), torch.randn(5, 3), torch.randn(5, 1, 4, 4)
    given = torch.randn(5, 1, 4, 4)
    error, kl = Reconstruction((0.5,), (0.25,)).terms(Coded(given, mean, log_variance), pictures)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(3), torch.ones(3))).sum(1)
    torch.testing.assert_close(kl, expected)
    chance = Normal(given, 1.0).log_prob(pictures).flatten(1).sum(1)
    torch.testing.assert_close(-error - 16 * math.log(2 * math.pi) / 2, chance)  # up to a constant the logarithm


@pytest.mark.parametrize("variational", [False, True])
def test_an_autoencoder_learns_a_tiny_batch_by_heart(variational: bool) -> None:
    torch.manual_seed(0)
    model = Autoencoder((1, 7, 9), config=AutoencoderConfig(8, (8,), 32, variational))
    pictures = 3 * torch.randn(3, 1, 7, 9)
    task, batch = Reconstruction((0.5,), (0.25,)), Batch(pictures, torch.zeros(3))
    before = task.evaluate(model.eval(), [batch])
    fit(model.train(), task, batch, steps=200)
    after = task.evaluate(model.eval(), [batch])
    assert after["squared_error"] < 0.1 * before["squared_error"]
    assert (after["kl_divergence"] > 0) == variational
    assert after["loss"] == pytest.approx(after["squared_error"] * 63 / 2 + after["kl_divergence"], rel=1e-5)


# A game of two.


def players(
    batch_norm: bool = False, relativistic: bool = True, gradient_penalty: float = 0.5
) -> tuple[GAN, Adversarial, Batch]:
    torch.manual_seed(0)
    config = GANConfig(4, (8, 8), batch_norm)
    task = Adversarial((0.5,), (0.25,), relativistic, gradient_penalty)
    return GAN((1, 8, 8), config=config), task, Batch(torch.rand(6, 1, 8, 8) * 4 - 2, torch.zeros(6))


CLASSIC = {"relativistic": False, "gradient_penalty": 0.0, "batch_norm": True}


@pytest.mark.parametrize("options", [{}, CLASSIC, {**CLASSIC, "gradient_penalty": 0.5}])
def test_each_player_steps_on_its_own_loss_alone(options: dict[str, Any]) -> None:
    model, task, batch = players(**options)
    assert task.parts(model) == {"discriminator": model.discriminator, "generator": model.generator}
    optimisers = {name: torch.optim.SGD(part.parameters(), lr=0.1) for name, part in task.parts(model).items()}
    order = []
    for name, loss in task.losses(model, batch):
        before = {part: [p.clone() for p in module.parameters()] for part, module in task.parts(model).items()}
        optimisers[name].zero_grad()
        loss.backward()
        optimisers[name].step()
        for part, module in task.parts(model).items():
            moved = any(not torch.equal(p, b) for p, b in zip(module.parameters(), before[part], strict=True))
            assert moved == (part == name)
        order.append(name)
    assert order == ["discriminator", "generator"]


def test_the_generator_is_judged_by_the_discriminator_that_has_stepped() -> None:
    model, task, batch = players()
    losses = task.losses(model, batch)
    next(losses)
    with torch.no_grad():
        for weight in model.discriminator.parameters():
            weight.zero_()  # no picture is told from another any more
    assert next(losses)[1].item() == pytest.approx(math.log(2))


def test_the_penalties_are_the_squared_slopes_that_autograd_finds_picture_by_picture() -> None:
    model, task, batch = players(gradient_penalty=3.0)
    real, generated = task.real(batch.inputs), model(model.draw_noise(6)).detach()
    total, plain = (
        t.discriminator_loss(model.discriminator, real, generated)
        for t in (task, Adversarial((0.5,), (0.25,), True, 0.0))
    )

    def slopes(pictures: Tensor) -> float:
        def score(picture: Tensor) -> Tensor:
            return model.discriminator(picture[None])[0]  # type: ignore[no-any-return]

        squares = [torch.autograd.functional.jacobian(score, picture).square().sum().item() for picture in pictures]
        return float(np.mean(squares))

    assert (total - plain).item() == pytest.approx(3.0 / 2 * (slopes(real) + slopes(generated)), rel=1e-5)
    scores = (model.discriminator(generated) - model.discriminator(real)).double()
    assert plain.item() == pytest.approx(scores.exp().log1p().mean().item(), rel=1e-6)
    gradients = torch.autograd.grad(total, list(model.discriminator.parameters()), allow_unused=True)
    assert any(g is not None and g.any() for g in gradients)


def test_the_classic_loss_is_the_cross_entropy_of_two_classes_and_can_be_penalised_too() -> None:
    model, task, batch = players(relativistic=False, gradient_penalty=0.0)
    real, generated = task.real(batch.inputs), model(model.draw_noise(6)).detach()
    scores = torch.cat((model.discriminator(real), model.discriminator(generated)))
    expected = F.binary_cross_entropy_with_logits(scores, torch.tensor([1.0] * 6 + [0.0] * 6)) * 2
    torch.testing.assert_close(task.discriminator_loss(model.discriminator, real, generated), expected)
    priced = Adversarial((0.5,), (0.25,), False, 3.0).discriminator_loss(model.discriminator, real, generated)
    assert priced > expected


@pytest.mark.parametrize("variational", [False, True])
def test_codes_are_generated_on_the_scale_of_light(variational: bool) -> None:
    torch.manual_seed(0)
    model = Autoencoder((2, 8, 8), config=AutoencoderConfig(3, (4,), 8, variational)).eval()
    task, codes = Reconstruction((0.2, 0.5), (0.1, 0.25)), torch.randn(5, 3)
    mean, deviation = torch.tensor([0.2, 0.5])[:, None, None], torch.tensor([0.1, 0.25])[:, None, None]
    torch.testing.assert_close(task.generate(model, codes), (model.decode(codes) * deviation + mean).clamp(0, 1))
    (gan, game, _), noise = players(), torch.randn(5, 4)
    assert torch.equal(game.generate(gan, noise), (gan(noise) + 1) / 2)


def test_drawn_codes_are_normal_and_repeated_by_their_generator() -> None:
    model = Autoencoder((1, 8, 8), config=AutoencoderConfig(3, (4,), 8, variational=True))
    task = Reconstruction((0.5,), (0.25,))
    first, again = (task.sample_latents(model, 4000, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    torch.testing.assert_close(torch.cov(first.T), torch.eye(3), atol=0.08, rtol=0)
    plain = Autoencoder((1, 8, 8), config=AutoencoderConfig(3, (4,), 8))
    with pytest.raises(UsageError, match="codes have no distribution to draw from; train vae"):
        task.sample_latents(plain, 1)


def test_an_autoencoder_answers_with_the_code_and_the_error_and_a_gan_not_at_all() -> None:
    torch.manual_seed(0)
    model = Autoencoder((1, 8, 8), config=AutoencoderConfig(3, (4,), 8)).eval()
    pictures = torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        first, second = Reconstruction((0.5,), (0.25,)).answer(model, pictures)
        assert first["code"] == pytest.approx(model.encode(pictures[:1])[0][0].tolist(), abs=1e-5)
        assert second["squared_error"] == pytest.approx(F.mse_loss(model(pictures).picture[1], pictures[1]).item())
    gan, game, batch = players()
    with pytest.raises(UsageError, match="generates pictures and classifies none; sample from its run"):
        game.answer(gan, batch.inputs)


def test_data_without_classes_or_pictures_is_refused() -> None:
    table = Dataset("flats", "table", "regression", *[Split(torch.zeros(1, 2), torch.zeros(1, 1), ["a"])] * 3, Plain())  # type: ignore[arg-type]
    for task in (Reconstruction, Adversarial):
        with pytest.raises(
            UsageError, match="learn from pictures with classes, and flats holds rows of a table for regression"
        ):
            task.for_data(table, TaskConfig())


@pytest.mark.parametrize("option", ["beta", "gradient_penalty"])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_a_weight_that_cannot_work_is_refused(option: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"`{option}` must be 0 or a positive number"):
        TaskConfig(**{option: value})


def test_real_pictures_are_brought_back_to_the_scale_of_generated_ones() -> None:
    task = Adversarial((0.2, 0.5), (0.1, 0.25))
    pictures = torch.rand(3, 2, 4, 4)
    mean, deviation = torch.tensor([0.2, 0.5])[:, None, None], torch.tensor([0.1, 0.25])[:, None, None]
    torch.testing.assert_close(task.real((pictures - mean) / deviation), pictures * 2 - 1)


@pytest.mark.parametrize("options", [{}, {"relativistic": False, "gradient_penalty": 0.0}])
def test_a_discriminator_learns_to_tell_real_from_generated(options: dict[str, Any]) -> None:
    model, task, batch = players(**options)
    optimiser = torch.optim.Adam(model.discriminator.parameters(), lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        next(task.losses(model, batch))[1].backward()
        optimiser.step()
    with torch.no_grad():
        metrics = task.evaluate(model.eval(), [batch])
    assert metrics == {"accuracy_on_real": 1.0, "accuracy_on_generated": 1.0}
