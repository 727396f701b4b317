"""GPT against GPT-2 as another library has it: the same weights give the same scores, and the same text."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch

from layerwise.models.gpt import GPT, GPTConfig

os.environ["HF_HUB_OFFLINE"] = "1"  # weights are drawn, not fetched
TOKENS, PLACES, DEPTH, HEADS, BLOCKS = 61, 16, 24, 3, 2


def ours() -> GPT:
    torch.manual_seed(0)
    model = GPT((PLACES, TOKENS), TOKENS, GPTConfig(DEPTH, HEADS, BLOCKS)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # no bias stays at zero
    return model


def theirs(model: GPT, activation: str) -> Any:
    """Return a GPT2LMHeadModel with the weights of `model`."""
    library: Any = pytest.importorskip("transformers")
    config = library.GPT2Config(
        vocab_size=TOKENS,
        n_positions=PLACES,
        n_embd=DEPTH,
        n_layer=BLOCKS,
        n_head=HEADS,
        activation_function=activation,
        bos_token_id=1,
        eos_token_id=2,
    )
    twin = library.GPT2LMHeadModel(config).eval()
    body = twin.transformer
    with torch.no_grad():
        body.wte.weight.copy_(model.tokens.weight)
        body.wpe.weight.copy_(model.position_embedding)
        for mine, its in zip(model.layers, body.h, strict=True):
            attention = mine.attention
            parts = (attention.query, attention.key, attention.value)
            its.attn.c_attn.weight.copy_(torch.cat([part.weight for part in parts]).T)  # stored transposed there
            its.attn.c_attn.bias.copy_(torch.cat([part.bias for part in parts]))
            for dense, other in (
                (attention.output, its.attn.c_proj),
                (mine.dense[0], its.mlp.c_fc),
                (mine.dense[2], its.mlp.c_proj),
            ):
                other.weight.copy_(dense.weight.T)
                other.bias.copy_(dense.bias)
            its.ln_1.load_state_dict(mine.norm_attention.state_dict())
            its.ln_2.load_state_dict(mine.norm_dense.state_dict())
        body.ln_f.load_state_dict(model.norm.state_dict())
    return twin


def text() -> torch.Tensor:
    return torch.randint(3, TOKENS, (4, PLACES), generator=torch.Generator().manual_seed(1))


def test_gpt_gives_the_scores_of_gpt_2_with_the_same_weights() -> None:
    model = ours()
    twin = theirs(model, "gelu")
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in twin.parameters())
    with torch.inference_mode():
        expected = twin(text()).logits
        torch.testing.assert_close(model(text()), expected, atol=1e-5, rtol=1e-5)
    assert expected.std() > 0.3, "scores that differ"


def test_gpt_writes_token_by_token_what_gpt_2_does() -> None:
    model = ours()
    twin = theirs(model, "gelu")
    begun = text()[:, :5]
    with torch.inference_mode():
        expected = twin.generate(
            begun, attention_mask=torch.ones_like(begun), max_length=PLACES, do_sample=False, eos_token_id=None,
            pad_token_id=0,
        )  # fmt: skip
        scores, state = model.step(begun, model.begin())
        written = [begun, scores[:, -1:].argmax(2)]
        while state.length < PLACES - 1:
            scores, state = model.step(written[-1], state)
            written.append(scores.argmax(2))
    assert torch.equal(torch.cat(written, dim=1), expected)


def test_with_gpt_2s_approximation_of_gelu_the_scores_are_nearly_the_same_and_not_quite() -> None:
    model = ours()
    with torch.inference_mode():
        gap = (theirs(model, "gelu_new")(text()).logits - model(text())).abs().max().item()
    assert 1e-7 < gap < 3e-3
