"""The summary against PyTorch's counter, against gradients and against plain sums."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from layerwise.layers.sizes import Window, least_size, size_after
from layerwise.models import CATALOGUE, build
from layerwise.models.summary import summarise

torch.set_num_threads(1)


@pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if not entry.task])
def test_totals_agree_with_the_flop_counter_and_the_parameters(name: str) -> None:
    entry = CATALOGUE[name]
    device = torch.device("cpu" if entry.file in ("recurrent", "seq2seq") else "meta")  # how long is a sequence?
    with device:
        model = build(name, entry.usual_input, entry.usual_outputs).eval().double()  # for one kernel hides its products
        inputs = (torch.zeros(2, *entry.usual_input, dtype=torch.float64),)
        if entry.takes == "pairs":
            inputs = model.example(device)
        with FlopCounterMode(display=False) as counter:
            model(*inputs)
    summary = summarise(model.float(), entry.usual_input)
    assert summary.multiply_adds == counter.get_total_flops() // 4  # two samples, and two operations each
    assert summary.parameters == sum(parameter.numel() for parameter in model.parameters())
    places = {"masks": entry.usual_input[1:], "text": entry.usual_input[:1], "pairs": (1,)}.get(entry.takes, ())
    shape = (entry.usual_outputs, *places) if entry.takes == "masks" else (*places, entry.usual_outputs)
    assert summary.rows[-1].output_shape == shape
    assert json.loads(json.dumps(summary.to_json()))["parameters"] == summary.parameters


@pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if entry.task])
def test_a_summary_of_what_paints_counts_all_of_its_networks(name: str) -> None:
    entry = CATALOGUE[name]
    model = build(name, entry.usual_input, entry.usual_outputs).eval()
    picture = torch.zeros(1, *entry.usual_input)
    with FlopCounterMode(display=False) as counter:
        if entry.task == "adversarial":
            model.discriminator(model(model.draw_noise(1)))
        else:
            model(picture)
    summary = summarise(model, entry.usual_input)
    assert summary.multiply_adds == counter.get_total_flops() // 2
    assert summary.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert entry.usual_input in [row.output_shape for row in summary.rows]


def reach(model: nn.Module, size: int) -> int:
    """Pixels a side over which the middle output has a gradient, by back-propagation with weights of one."""
    model = model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    picture = torch.ones(1, 1, size, size, dtype=torch.double, requires_grad=True)
    maps = model(picture)
    maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2].sum().backward()
    assert picture.grad is not None
    seen = picture.grad[0, 0].nonzero()
    return int((seen.max(0).values - seen.min(0).values).max()) + 1


layers = st.tuples(st.sampled_from(["conv", "pool"]), st.integers(1, 5), st.integers(1, 2), st.integers(1, 2))


@settings(max_examples=40, deadline=None)
@given(st.lists(layers, min_size=1, max_size=4))
def test_the_receptive_field_is_where_gradients_arrive(path: list[tuple[str, int, int, int]]) -> None:
    model = nn.Sequential()
    for kind, kernel, stride, dilation in path:
        if kind == "conv":
            model.append(nn.Conv2d(1, 1, kernel, stride, padding=kernel // 2, dilation=dilation))
        else:
            model.append(nn.AvgPool2d(kernel, stride))
    summary = summarise(model, (1, 200, 200))
    assert summary.rows[-1].receptive_field == reach(model, 200)


class Branching(nn.Module):
    """A wide and a narrow path, joined by functions instead of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow, self.last = nn.Conv2d(1, 1, 5), nn.Conv2d(1, 1, 1), nn.Conv2d(2, 1, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        both = torch.cat((F.relu(self.wide(x)), self.narrow(x)[:, :, 2:-2, 2:-2]), 1)
        return self.last(both)


def test_the_widest_of_several_paths_counts() -> None:
    summary = summarise(Branching(), (1, 20, 20))
    assert {row.name: row.receptive_field for row in summary.rows} == {"wide": 5, "narrow": 1, "last": 7}
    assert reach(Branching(), 20) == 7


def test_a_layer_used_twice_is_counted_once_in_parameters_and_twice_in_work() -> None:
    layer = nn.Linear(4, 4)
    summary = summarise(nn.Sequential(layer, nn.ReLU(), layer), (4,))
    assert (summary.parameters, summary.multiply_adds) == (20, 32)
    assert summary.receptive_field is None


def test_the_model_is_left_as_it_was() -> None:
    model = build("lenet5", (1, 28, 28), 10)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    summarise(model, (1, 28, 28))
    assert model.training
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.modules())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


class Peeking(nn.Module):
    """Decides by its numbers, which a tensor without numbers cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) if x.sum().item() < 1 else x


def test_a_model_that_looks_at_its_numbers_is_summarised_too() -> None:
    assert summarise(Peeking(), (3,)).multiply_adds == 6


def test_a_parameter_outside_of_layers_is_counted() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.scale = nn.Linear(3, 2), nn.Parameter(torch.ones(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x) * self.scale

    summary = summarise(Scaled(), (3,))
    assert [row.parameters for row in summary.rows] == [8, 2]


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 4), st.integers(0, 3), st.booleans())
def test_a_window_leaves_the_size_that_pytorch_gives(size: int, kernel: int, stride: int, pad: int, ceil: bool) -> None:
    padding = min(pad, kernel // 2)
    expected = 0
    if stride == 1 or size > 1:
        try:
            expected = F.max_pool2d(torch.zeros(1, 1, size, size), kernel, stride, padding, ceil_mode=ceil).shape[-1]
        except RuntimeError:
            expected = 0
    assert Window(kernel, stride, padding, ceil).size_after(size) == expected


@given(st.lists(st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(0, 2)), max_size=4))
def test_the_least_size_is_the_first_that_fits(windows: list[tuple[int, int, int]]) -> None:
    path = [Window(*window) for window in windows]
    least = least_size(path)
    assert size_after(least, path) >= 1
    assert all(size_after(size, path) == 0 for size in range(1, least))
