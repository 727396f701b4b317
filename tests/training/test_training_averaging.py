"""The average of the weights is that of its definition, swaps in and out, and survives being saved."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.training.averaging import WeightAverage


def network():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    module.register_buffer("mask", torch.tensor([0.0, float("-inf")]))
    return module


def wander(module, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point() and name != "mask":
                tensor.add_(torch.randn(tensor.shape, generator=generator))
    module[1].num_batches_tracked += 1


@given(decay=st.floats(0.01, 0.9999), count=st.integers(1, 30))
@settings(deadline=None, max_examples=30)
def test_the_average_is_the_recurrence_with_a_warm_start(decay, count):
    module = network()
    average = WeightAverage(module, decay)
    expected = {name: t.double().clone() for name, t in module.state_dict().items()}
    for n in range(1, count + 1):
        wander(module, n)
        average.update()
        d = min(decay, (1 + n) / (10 + n))
        for name, t in module.state_dict().items():
            expected[name] = d * expected[name] + (1 - d) * t.double()
    with average.applied():
        for name, t in module.state_dict().items():
            if name not in ("mask", "1.num_batches_tracked"):
                assert torch.allclose(t.double(), expected[name], atol=1e-5)
        assert module[1].num_batches_tracked == count
        assert torch.equal(module.mask, torch.tensor([0.0, float("-inf")]))


def test_after_the_swap_the_model_has_its_own_bits_again_even_after_an_error():
    module = network()
    average = WeightAverage(module, 0.9)
    wander(module, 1)
    average.update()
    own = {name: t.clone() for name, t in module.state_dict().items()}
    places = [p.data_ptr() for p in module.parameters()]
    with pytest.raises(ZeroDivisionError), average.applied():
        assert not torch.equal(module[0].weight, own["0.weight"]) / 0
    assert all(torch.equal(t, own[name]) for name, t in module.state_dict().items())
    assert [p.data_ptr() for p in module.parameters()] == places


def test_an_average_that_was_saved_goes_on_with_the_same_bits():
    straight, resumed = network(), network()
    one = WeightAverage(straight, 0.99)
    for n in range(5):
        wander(straight, n)
        one.update()
    resumed.load_state_dict(straight.state_dict())
    two = WeightAverage(resumed, 0.99)
    two.load({name: t.clone() for name, t in one.tensors().items()})
    for module, average in ((straight, one), (resumed, two)):
        wander(module, 99)
        average.update()
    for name, tensor in one.tensors().items():
        assert torch.equal(tensor, two.tensors()[name])


def test_a_saved_average_of_another_model_is_refused():
    with pytest.raises(KeyError, match=r"0\.weight"):
        WeightAverage(network(), 0.9).load({"count": torch.tensor(1)})
