"""Small real trainings in plain PyTorch, as the reports get them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.data.dataset import Dataset, Notice, Split
from layerwise.reports.facts import ReportFacts
from layerwise.reports.results import evaluate_outputs
from layerwise.tasks import Classification, Regression


@dataclass(frozen=True)
class Prepared:
    """A preprocessing that divides by a number."""

    kind: Any
    input_shape: tuple[int, ...]
    scale: float = 1.0
    features: tuple[str, ...] = ()

    def transform(self, inputs: Tensor) -> Tensor:
        return inputs.float() / self.scale


@dataclass(frozen=True)
class Row:
    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    receptive_field: int | None = None


@dataclass(frozen=True)
class Rows:
    rows: list[Row] = field(default_factory=list)


def summarise(model: nn.Module, input_shape: tuple[int, ...]) -> Rows:
    """List the leaf layers in the order in which they compute."""
    rows: list[Row] = []
    hooks = []
    for name, module in model.named_modules():
        if not list(module.children()):

            def record(module: nn.Module, _: Any, output: Tensor, name: str = name) -> None:
                own = sum(parameter.numel() for parameter in module.parameters())
                places = math.prod(output.shape[2:])
                kind = type(module).__name__
                rows.append(Row(name or kind, kind, tuple(output.shape[1:]), own, own * places))

            hooks.append(module.register_forward_hook(record))
    with torch.inference_mode():
        model.eval()(torch.zeros(2, *input_shape))
    for hook in hooks:
        hook.remove()
    return Rows(rows)


def lenet(classes: int = 10) -> nn.Module:
    """LeNet-5 for 8x8 pictures."""
    layers = {
        "conv1": nn.Conv2d(1, 6, 3, padding=1),
        "act1": nn.ReLU(),
        "conv2": nn.Conv2d(6, 16, 3, padding=1),
        "act2": nn.ReLU(),
        "pool": nn.MaxPool2d(2),
        "flatten": nn.Flatten(),
        "dense1": nn.Linear(256, 64),
        "act3": nn.ReLU(),
        "output": nn.Linear(64, classes),
    }
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model


def fit(model: nn.Module, dataset: Dataset, loss_of: Any, *, epochs: int, rate: float) -> list[dict[str, Any]]:
    """Train with Adam and return records as in metrics.jsonl."""
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    inputs, targets = dataset.preprocessing.transform(dataset.train.inputs), dataset.train.targets
    valid = dataset.preprocessing.transform(dataset.valid.inputs)
    steps = math.ceil(len(inputs) / 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * steps)
    records: list[dict[str, Any]] = []
    started, best, step = time.monotonic(), math.inf, 0
    for epoch in range(epochs):
        for batch in torch.randperm(len(inputs)).split(64):
            loss = loss_of(model(inputs[batch]), targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
            stamp = {"step": step, "epoch": epoch, "elapsed_s": round(time.monotonic() - started, 3)}
            rate_now = optimizer.param_groups[0]["lr"]
            records.append({"kind": "report", "losses": {"model": loss.item()}, "learning_rate": rate_now, **stamp})
        with torch.inference_mode():
            outputs = model(valid)
            metrics = {"loss": loss_of(outputs, dataset.valid.targets).item()}
        if dataset.task == "classification":
            metrics["accuracy"] = (outputs.argmax(1) == dataset.valid.targets).float().mean().item()
        is_best, best = metrics["loss"] < best, min(best, metrics["loss"])
        records.append({"kind": "evaluation", "metrics": metrics, "best": is_best, **stamp})
    return records


def divide(inputs: Tensor, targets: Tensor, kind: str) -> list[Split]:
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
    parts = order.split([len(order) - 540, 180, 360] if len(order) > 1000 else [len(order) - 133, 44, 89])
    return [Split(inputs[part], targets[part], [f"{kind} {row}" for row in part.tolist()]) for part in parts]


def digits_facts(model: nn.Module | None = None, *, epochs: int = 6) -> ReportFacts:
    """A convolutional network on scikit-learn's digits."""
    raw = load_digits()
    inputs = torch.tensor(raw.images / 16 * 255).round().to(torch.uint8)[:, None]
    names = tuple(map(str, range(10)))
    dataset = Dataset(
        "digits",
        "images",
        "classification",
        *divide(inputs, torch.tensor(raw.target), "digit"),
        Prepared("images", (1, 8, 8), 255.0),
        names,
        source="scikit-learn (UCI optical recognition of handwritten digits, 1998)",
    )
    torch.manual_seed(0)
    model = model or lenet()
    return finish(model, dataset, Classification(names), F.cross_entropy, epochs=epochs, rate=5e-3)


def diabetes_facts() -> ReportFacts:
    """A dense network on scikit-learn's diabetes table."""
    raw = load_diabetes()
    inputs = torch.tensor(raw.data, dtype=torch.float32)
    targets = torch.tensor(raw.target, dtype=torch.float32)[:, None]
    mean, deviation = targets.mean().item(), targets.std().item()
    features = tuple(raw.feature_names)
    dataset = Dataset(
        "diabetes",
        "table",
        "regression",
        *divide(inputs, (targets - mean) / deviation, "row"),
        Prepared("table", (10,), 0.05, features),
        target_names=("progression",),
        notices=(Notice("info", "442 rows are few; the figure is uncertain."),),
    )
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 1))
    task = Regression(("progression",), (mean,), (deviation,))
    return finish(model, dataset, task, F.mse_loss, epochs=30, rate=1e-2)


def finish(model: nn.Module, dataset: Dataset, task: Any, loss_of: Any, *, epochs: int, rate: float) -> ReportFacts:
    records = fit(model, dataset, loss_of, epochs=epochs, rate=rate)
    model.eval()
    with torch.inference_mode():
        outputs = model(dataset.preprocessing.transform(dataset.test.inputs))
    return ReportFacts(
        title=f"lenet5 on {dataset.name}",
        run=f"lenet5-{dataset.name}",
        command=f"layerwise train lenet5 --data {dataset.name} --epochs {epochs}",
        dataset=dataset,
        model=model,
        summary=summarise(model, dataset.input_shape),
        experiment={
            "model": "lenet5",
            "model_options": {},
            "data": {"data": dataset.name, "valid": 0.1, "augment": "none", "target": None},
            "training": {"epochs": epochs, "batch_size": 64, "learning_rate": rate, "betas": [0.9, 0.999]},
        },
        options={"epochs": epochs},
        evaluation=evaluate_outputs(task, outputs, dataset.test.targets, dataset.test.ids),
        records=records,
        environment={"python": "3.11.9", "libraries": {"torch": "2.13.0", "numpy": "2.4"}, "cores": 2},
        files={"model.safetensors": "the trained weights", "metrics.jsonl": "every figure of the training"},
        elapsed_s=records[-1]["elapsed_s"],
    )
