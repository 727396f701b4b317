"""Muon makes its steps orthogonal, agrees with torch's own where that exists, and is one optimiser."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.training.muon import Muon, orthogonalize


@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    seed=st.integers(0, 10**6),
    scale=st.floats(1e-3, 1e3),
)
@settings(deadline=None)
def test_the_orthogonalised_matrix_has_singular_values_near_one_and_the_same_directions(rows, columns, seed, scale):
    # A random matrix with a spectrum from 1 to 1/20: values below about 1/100 would need more iterations.
    generator = torch.Generator().manual_seed(seed)
    u, _, v = torch.linalg.svd(torch.randn(rows, columns, generator=generator), full_matrices=False)
    spectrum = torch.linspace(1.0, 0.05, min(rows, columns))
    got = orthogonalize((scale * u @ spectrum.diag() @ v)[None])[0]
    inner = u.T @ got @ v.T
    assert inner.diagonal().min() > 0.65
    assert inner.diagonal().max() < 1.25
    assert torch.allclose(inner, inner.diagonal().diag(), atol=1e-4)


def test_a_batch_of_matrices_is_the_matrices_one_by_one():
    stack = torch.randn(3, 8, 5, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(orthogonalize(stack), torch.cat([orthogonalize(m[None]) for m in stack]), atol=1e-6)


def test_a_gradient_of_zeros_gives_no_step():
    assert torch.equal(orthogonalize(torch.zeros(1, 4, 6)), torch.zeros(1, 4, 6))


@pytest.mark.parametrize("shape", [(6, 10), (10, 6), (7, 7), (1, 5)])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_steps_on_matrices_agree_with_those_of_torch(shape, decay):
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(shape)) for _ in range(2))
    settings = {"lr": 0.1, "momentum": 0.9, "weight_decay": decay}
    mine = Muon([{"params": [ours], "orthogonal": True}], **settings, dtype=torch.bfloat16)
    oracle = torch.optim.Muon([theirs], **settings, adjust_lr_fn="match_rms_adamw")
    for _ in range(5):
        ours.grad = torch.randn(shape, generator=generator)
        theirs.grad = ours.grad.clone()
        mine.step()
        oracle.step()
    moved = (theirs.detach() - 1).norm()
    assert (ours - theirs).norm() < 0.01 * moved  # bfloat16 has 8 bits and sums in another order


def test_the_other_parameters_take_the_steps_of_adamw():
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(11)) for _ in range(2))
    mine = Muon([{"params": [ours]}], lr=0.01, weight_decay=0.1)
    oracle = torch.optim.AdamW([theirs], lr=0.01, weight_decay=0.1)
    for _ in range(20):
        ours.grad = torch.randn(11, generator=generator)
        theirs.grad = ours.grad.clone()
        mine.step()
        oracle.step()
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_filters_move_as_the_matrix_of_their_inputs(layout):
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(8, 3, 5, 5, generator=generator)
    filters = nn.Parameter(torch.zeros(8, 3, 5, 5).to(memory_format=layout))
    matrix = nn.Parameter(torch.zeros(8, 75))
    filters.grad, matrix.grad = gradient.to(memory_format=layout), gradient.reshape(8, 75).clone()
    for parameter in (filters, matrix):
        Muon([{"params": [parameter], "orthogonal": True}], lr=1.0).step()
    assert torch.allclose(filters.reshape(8, 75), matrix, atol=1e-6)
    singular = torch.linalg.svdvals(matrix.detach()) / (0.2 * math.sqrt(75))
    assert singular.min() > 0.65
    assert singular.max() < 1.25


def test_a_vector_cannot_be_orthogonalised():
    with pytest.raises(ValueError, match="two dimensions or more"):
        Muon([{"params": [nn.Parameter(torch.zeros(3))], "orthogonal": True}])
