"""Networks that read and write sequences: padding, directions, caches, limits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.errors import UsageError
from layerwise.layers.recurrent import GRUCell, LSTMCell, RNNCell
from layerwise.models import build
from layerwise.models.gpt import GPT, GPTConfig
from layerwise.models.gpt import State as Written
from layerwise.models.seq2seq import Seq2Seq, Seq2SeqConfig
from layerwise.models.transformer import Transformer, TransformerConfig

CELLS: dict[str, Any] = {"rnn": RNNCell, "lstm": LSTMCell, "gru": GRUCell}
SMALL: dict[str, Any] = {"embedding": 6, "hidden": 5}
WRITERS = ["seq2seq", "transformer", "transformer-paper"]


def reader(name: str, **options: Any) -> Any:
    torch.manual_seed(0)
    return build(name, (9, 3), 4, **SMALL, **options).eval().double()


def translator(name: str) -> Any:
    torch.manual_seed(0)
    if name == "seq2seq":
        return Seq2Seq((9, 7), 6, Seq2SeqConfig(8, 8, layers=2, shared=False)).eval().double()
    config = TransformerConfig(8, 2, 2, 2, norm_first=name == "transformer", shared=False)
    return Transformer((9, 7), 6, config).eval().double()


def writer(limit: int = 8) -> Any:
    torch.manual_seed(0)
    return GPT((limit, 7), 7, GPTConfig(8, 2, 2)).eval().double()


def padded(lengths: list[int]) -> Tensor:
    rows = [torch.randn(length, 3, dtype=torch.float64) for length in lengths]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=torch.nan)


@pytest.mark.parametrize("name", list(CELLS))
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("from_last", [False, True])
def test_a_padded_sequence_is_read_as_if_it_were_alone(
    name: str, bidirectional: bool, layers: int, from_last: bool
) -> None:
    model = reader(name, bidirectional=bidirectional, layers=layers, from_last=from_last)
    lengths = [9, 4, 1]
    sequences = padded(lengths)
    alone = [model(sequences[row : row + 1, :length]) for row, length in enumerate(lengths)]
    torch.testing.assert_close(model(sequences), torch.cat(alone))


@pytest.mark.parametrize("name", list(CELLS))
def test_tokens_are_read_as_their_one_hot_steps(name: str) -> None:
    model = reader(name)
    tokens = torch.tensor([[1, 2, 1, 2], [2, 1, 0, 0]])
    steps = F.one_hot(tokens, 3).double()
    steps[tokens == 0] = torch.nan
    torch.testing.assert_close(model(tokens), model(steps))


@pytest.mark.parametrize("name", list(CELLS))
def test_a_network_computes_what_its_cell_written_out_does(name: str) -> None:
    model, cell = reader(name), CELLS[name](6, 5).double()
    cell.load_state_dict({path.removesuffix("_l0"): weight for path, weight in model.layers.state_dict().items()})
    steps = padded([6])
    state: Any = torch.zeros(1, 5).double()
    state = (state, state) if name == "lstm" else state
    for vector in model.embedding(steps).unbind(1):
        state = cell(vector, state)
    torch.testing.assert_close(model(steps), model.output(state[0] if name == "lstm" else state))


def test_outputs_at_each_step_know_only_what_came_before() -> None:
    model, steps = reader("gru", each_step=True), padded([6, 3])
    outputs = model(steps)
    assert outputs.shape == (2, 6, 4)
    torch.testing.assert_close(outputs[:1, :4], model(steps[:1, :4]))


SOURCE = torch.tensor([[3, 4, 5, 6], [5, 3, 0, 0], [6, 0, 0, 0]])
PREVIOUS = torch.tensor([[1, 3, 4, 5, 3], [1, 5, 5, 4, 4], [1, 4, 3, 3, 5]])


@pytest.mark.parametrize("name", WRITERS)
def test_writing_step_by_step_gives_the_scores_of_the_whole_pass(name: str) -> None:
    model = translator(name)
    whole, state = model(SOURCE, PREVIOUS), model.start(SOURCE)
    for place in range(PREVIOUS.shape[1]):
        scores, state = model.step(PREVIOUS[:, place], state)
        torch.testing.assert_close(scores, whole[:, place])


@pytest.mark.parametrize("name", WRITERS)
def test_rows_that_are_selected_go_on_as_they_would_have(name: str) -> None:
    model, rows = translator(name), torch.tensor([2, 0, 0])
    _, state = model.step(PREVIOUS[:, 0], model.start(SOURCE))
    expected, _ = model.step(PREVIOUS[:, 1], state)
    chosen, _ = model.step(PREVIOUS[rows, 1], state.select(rows))
    torch.testing.assert_close(chosen, expected[rows])


@pytest.mark.parametrize("name", WRITERS)
def test_padding_of_the_source_changes_no_score(name: str) -> None:
    model = translator(name)
    torch.testing.assert_close(model(SOURCE, PREVIOUS)[1:2], model(SOURCE[1:2, :2], PREVIOUS[1:2]))


@pytest.mark.parametrize("name", WRITERS)
def test_a_score_knows_no_later_token(name: str) -> None:
    model, changed = translator(name), PREVIOUS.clone()
    changed[:, 3:] = 2
    torch.testing.assert_close(model(SOURCE, changed)[:, :3], model(SOURCE, PREVIOUS)[:, :3])
    assert not torch.allclose(model(SOURCE, changed)[:, 3:], model(SOURCE, PREVIOUS)[:, 3:])


def test_attention_over_the_source_adds_up_to_one_and_leaves_padding_out() -> None:
    model = translator("seq2seq")
    state = model.start(SOURCE)
    weights = model.look_up(torch.randn(3, 2, 8, dtype=torch.float64), state)
    torch.testing.assert_close(weights.sum(2), torch.ones(3, 2, dtype=torch.float64))
    assert weights[1, :, 2:].count_nonzero() == 0


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_looked_at_adds_up_to_one_and_is_never_padding(name: str) -> None:
    model = translator(name)
    weights = model.attention(SOURCE, PREVIOUS)
    assert weights.shape == (3, 5, 4)
    torch.testing.assert_close(weights.sum(2), torch.ones(3, 5, dtype=torch.float64))
    assert weights[1, :, 2:].count_nonzero() == 0


@pytest.mark.parametrize("norm_first", [True, False])
def test_what_the_transformer_looks_at_is_what_pytorch_says(norm_first: bool) -> None:
    """The last block's weights, recomputed by nn.MultiheadAttention with the same matrices."""
    torch.manual_seed(0)
    model = Transformer((9, 6), 6, TransformerConfig(8, 2, 2, 1, norm_first=norm_first)).eval()
    block = next(iter(model.decoder))
    theirs = nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        parts = (block.look_up.query, block.look_up.key, block.look_up.value)
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    source = SOURCE.clamp(max=5)
    memory, x = model.read(source), model.place(model.target(PREVIOUS))
    x = block.add(x, block.norm_attention, block.attention)
    queries = block.norm_look_up(x) if norm_first else x
    _, weights = theirs(queries, memory, memory, key_padding_mask=source == 0)
    torch.testing.assert_close(model.attention(source, PREVIOUS), weights)


@pytest.mark.parametrize("name", ["seq2seq", "transformer"])
def test_one_vocabulary_has_one_vector_a_token_and_two_are_refused(name: str) -> None:
    shared, apart = build(name, (9, 6), 6), build(name, (9, 6), 6, shared=False)
    width = 256
    assert sum(p.numel() for p in apart.parameters()) - sum(p.numel() for p in shared.parameters()) == 6 * width
    with pytest.raises(UsageError, match="they have 7 and 6 tokens; set `shared` no"):
        build(name, (9, 7), 6)


@pytest.mark.parametrize("pieces", [[1] * 8, [3, 5], [5, 1, 2]])
def test_gpt_reads_a_text_in_pieces_as_in_one(pieces: list[int]) -> None:
    model, text = writer(), torch.randint(1, 7, (2, 8), generator=torch.Generator().manual_seed(1))
    state, parts = Written(), []
    for piece in text.split(pieces, dim=1):
        scores, state = model.step(piece, state)
        parts.append(scores)
    torch.testing.assert_close(torch.cat(parts, dim=1), model(text))
    assert state.length == 8


def test_gpt_computes_what_pytorchs_encoder_with_a_causal_mask_does() -> None:
    torch.manual_seed(0)
    model = GPT((9, 7), 7, GPTConfig(8, 2, 2)).eval().double()
    layer = nn.TransformerEncoderLayer(8, 2, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    theirs = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval().double()
    with torch.no_grad():
        for ours, other in zip(model.layers, theirs.layers, strict=True):
            parts = (ours.attention.query, ours.attention.key, ours.attention.value)
            other.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
            other.self_attn.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
            for mine, its in (
                (ours.attention.output, other.self_attn.out_proj),
                (ours.dense[0], other.linear1),
                (ours.dense[2], other.linear2),
                (ours.norm_attention, other.norm1),
                (ours.norm_dense, other.norm2),
            ):
                its.load_state_dict(mine.state_dict())
    text = torch.randint(1, 7, (3, 9))
    states = theirs(
        model.tokens(text) + model.position_embedding, nn.Transformer.generate_square_subsequent_mask(9).double()
    )
    torch.testing.assert_close(model(text), model.output(model.norm(states)))


def test_gpt_refuses_a_text_beyond_its_limit() -> None:
    model = writer(limit=8)
    with pytest.raises(UsageError, match="made for texts of 8 tokens, received 9; shorten them"):
        model(torch.ones(1, 9, dtype=torch.int64))
    _, state = model.step(torch.ones(1, 6, dtype=torch.int64), Written())
    with pytest.raises(UsageError, match="received 9"):
        model.step(torch.ones(1, 3, dtype=torch.int64), state)


def test_gpt_has_the_parameters_of_gpt_2_small() -> None:
    with torch.device("meta"):
        model = GPT((1024, 50_257), 50_257, GPTConfig(768, 12, 12))
    assert sum(p.numel() for p in model.parameters()) == 124_439_808  # Hugging Face's GPT2Model of this size


def test_the_transformers_base_model_has_the_blocks_of_the_paper() -> None:
    with torch.device("meta"):
        ours = Transformer((100, 37_000), 37_000, TransformerConfig(512, 8, 6, 6, norm_first=False))
        theirs = nn.Transformer(512, 8, 6, 6, 2048, batch_first=True)
    blocks = sum(p.numel() for part in (ours.encoder, ours.decoder) for p in part.parameters())
    norms = 2 * 2 * 512  # PyTorch normalises behind the last blocks once more, which the paper does not
    assert blocks == sum(p.numel() for p in theirs.parameters()) - norms


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((1, 30, 28), r"`patch` 4 does not divide pictures of 30x28 pixels; use `patch` .* or `image_size` 28"),
        ((1, 3, 28), r"at least 4x4 pixels, received 3x28; use `image_size` 4"),
    ],
)
def test_vit_refuses_pictures_that_its_patches_do_not_divide(shape: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        build("vit", shape, 10)


def test_vit_sees_each_patch_at_its_place() -> None:
    torch.manual_seed(0)
    model = build("vit", (1, 8, 8), 3, embed_dim=8, heads=2, layers=1).eval()
    left = torch.zeros(1, 1, 8, 8)
    left[..., :4, :4] = 1
    assert not torch.allclose(model(left), model(left.flip(3)), atol=1e-5)
    with torch.no_grad():
        model.position_embedding.zero_()  # without places it is a bag of patches
    torch.testing.assert_close(model(left), model(left.flip(3)))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: build("gru", (9, 3), 4, cell="gnu"), "`cell` must be one of rnn, lstm, gru"),
        (lambda: build("gru", (9, 3), 4, hidden=0), "`hidden` must be a whole number of at least 1, received 0"),
        (lambda: build("vit", (1, 8, 8), 4, embed_dim=10, heads=4), "`embed_dim` must be a multiple of 4 heads"),
        (lambda: TransformerConfig(embed_dim=12, heads=4), "`embed_dim` must be a multiple of 2 x 4 heads"),
        (lambda: GPTConfig(dropout=1.0), "`dropout` must be"),
        (lambda: GPT((3, 8, 8), 4), "gpt takes sequences"),
        (lambda: Seq2Seq((30,), 4), "seq2seq takes sequences"),
        (lambda: Transformer((30,), 4), "transformer takes sequences"),
    ],
)
def test_options_and_samples_that_cannot_work_are_refused(make: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()
