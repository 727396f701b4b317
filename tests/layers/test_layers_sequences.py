"""Cells, attention and blocks, each against PyTorch's own of the same weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.layers.attention import Attention
from layerwise.layers.recurrent import GRUCell, LSTMCell, RNNCell
from layerwise.layers.sequences import Embedding, is_present, last_step, lengths_of
from layerwise.layers.transformer import Block

DEPTH, HEADS, BATCH = 8, 2, 3
CELLS: list[tuple[Any, Any]] = [(RNNCell, nn.RNNCell), (LSTMCell, nn.LSTMCell), (GRUCell, nn.GRUCell)]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("written_out", "fused"), CELLS)
def test_a_cell_written_out_equals_pytorchs_in_values_and_gradients(written_out: Any, fused: Any) -> None:
    torch.manual_seed(0)
    ours, theirs = written_out(5, 7).double(), fused(5, 7).double()
    theirs.load_state_dict(ours.state_dict())  # names and order of the weights are the same
    states = []
    for cell in (ours, theirs):
        state: Any = (
            (torch.zeros(BATCH, 7).double(),) * 2 if written_out is LSTMCell else torch.zeros(BATCH, 7).double()
        )
        for step in range(4):
            state = cell(draw(BATCH, 5, seed=step), state)
        end = torch.cat(state) if isinstance(state, tuple) else state
        (end * draw(*end.shape, seed=9)).sum().backward()
        states.append(end)
    torch.testing.assert_close(states[0], states[1], rtol=1e-12, atol=1e-13)
    for (name, mine), its in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, its.grad, rtol=1e-11, atol=1e-12, msg=name)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_steps_of_padding_are_told_from_steps_that_are_there(lengths: list[int]) -> None:
    tokens, numbers = torch.zeros(len(lengths), 8, dtype=torch.int64), torch.full((len(lengths), 8, 2), torch.nan)
    for row, length in enumerate(lengths):
        tokens[row, :length] = torch.arange(1, length + 1)
        numbers[row, :length] = 0.0
    for sequences in (tokens, numbers):
        assert lengths_of(sequences).tolist() == lengths
        assert is_present(sequences).sum(1).tolist() == lengths
    assert last_step(tokens, lengths_of(tokens)).tolist() == lengths


def test_a_token_has_the_vector_of_its_one_hot_step_and_padding_has_none() -> None:
    embedding = Embedding(5, 3)
    tokens = torch.tensor([[1, 4, 2], [3, 0, 0]])
    steps = F.one_hot(tokens, 5).float()
    steps[tokens == 0] = torch.nan
    assert torch.equal(embedding(tokens), embedding(steps))
    assert embedding(tokens)[1, 1:].count_nonzero() == 0


def pytorchs_attention(ours: Attention, theirs: nn.MultiheadAttention) -> None:
    """Give PyTorch's attention the weights of ours."""
    parts = (ours.query, ours.key, ours.value)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.load_state_dict(ours.output.state_dict())


MASK = torch.tensor([[True] * 6, [True] * 4 + [False] * 2, [True] + [False] * 5])


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["all there", "padded"])
@pytest.mark.parametrize("to_itself", [True, False])
def test_attention_equals_pytorchs(is_causal: bool, mask: Tensor | None, to_itself: bool) -> None:
    torch.manual_seed(1)
    ours = Attention(DEPTH, HEADS, is_causal=is_causal).double()
    theirs = nn.MultiheadAttention(DEPTH, HEADS, batch_first=True).double()
    pytorchs_attention(ours, theirs)
    x = draw(BATCH, 6, DEPTH)
    memory = x if to_itself else draw(BATCH, 6, DEPTH, seed=1)
    future = torch.ones(6, 6, dtype=torch.bool).triu(1) if is_causal else None
    expected, weights = theirs(
        x,
        memory,
        memory,
        key_padding_mask=None if mask is None else ~mask,
        attn_mask=future,
        average_attn_weights=False,
    )
    torch.testing.assert_close(ours(x, None if to_itself else memory, mask=mask), expected)
    torch.testing.assert_close(ours.weights(x, memory, mask=mask), weights)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["all there", "padded"])
def test_attention_in_bfloat16_is_that_in_float32_but_for_rounding(is_causal: bool, mask: Tensor | None) -> None:
    torch.manual_seed(1)
    attention = Attention(DEPTH, HEADS, is_causal=is_causal)
    x = draw(BATCH, 6, DEPTH).float()
    expected = attention(x, mask=mask)
    slopes = torch.autograd.grad(expected.sum(), list(attention.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        given = attention(x, mask=mask)
    assert given.dtype == torch.bfloat16
    torch.testing.assert_close(given.float(), expected, rtol=0.03, atol=0.03)
    for slope, right in zip(torch.autograd.grad(given.sum(), list(attention.parameters())), slopes, strict=True):
        torch.testing.assert_close(slope, right, rtol=0.05, atol=0.05 * float(right.abs().max()) + 0.02)


@pytest.mark.parametrize("norm_first", [True, False])
def test_an_encoders_block_equals_pytorchs(norm_first: bool) -> None:
    torch.manual_seed(2)
    ours = Block(DEPTH, HEADS, norm_first=norm_first).double()
    theirs = nn.TransformerEncoderLayer(
        DEPTH, HEADS, 4 * DEPTH, 0.0, F.gelu, batch_first=True, norm_first=norm_first
    ).double()
    pytorchs_attention(ours.attention, theirs.self_attn)
    copy_rest(ours, theirs, [ours.norm_attention, ours.norm_dense], [theirs.norm1, theirs.norm2])
    x = draw(BATCH, 6, DEPTH)
    there = MASK[..., None]  # what PyTorch gives at padded places is nobody's business
    expected = theirs(x, src_key_padding_mask=~MASK)
    torch.testing.assert_close(ours(x, mask=MASK) * there, expected * there)


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_decoders_block_equals_pytorchs(norm_first: bool) -> None:
    torch.manual_seed(3)
    ours = Block(DEPTH, HEADS, is_causal=True, reads_memory=True, norm_first=norm_first, activation=nn.ReLU).double()
    theirs = nn.TransformerDecoderLayer(
        DEPTH, HEADS, 4 * DEPTH, 0.0, F.relu, batch_first=True, norm_first=norm_first
    ).double()
    pytorchs_attention(ours.attention, theirs.self_attn)
    pytorchs_attention(ours.look_up, theirs.multihead_attn)
    copy_rest(
        ours,
        theirs,
        [ours.norm_attention, ours.norm_look_up, ours.norm_dense],
        [theirs.norm1, theirs.norm2, theirs.norm3],
    )
    x, memory = draw(BATCH, 4, DEPTH), draw(BATCH, 6, DEPTH, seed=1)
    future = torch.ones(4, 4, dtype=torch.bool).triu(1)
    expected = theirs(x, memory, tgt_mask=future, memory_key_padding_mask=~MASK)
    torch.testing.assert_close(ours(x, memory=memory, memory_mask=MASK), expected)


def copy_rest(ours: Block, theirs: Any, norms: list[nn.LayerNorm], its_norms: list[nn.LayerNorm]) -> None:
    """Give PyTorch's block the dense layers of ours, and both the same norms that are not 1 and 0."""
    theirs.linear1.load_state_dict(ours.dense[0].state_dict())
    theirs.linear2.load_state_dict(ours.dense[2].state_dict())
    for norm, its in zip(norms, its_norms, strict=True):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
        its.load_state_dict(norm.state_dict())
