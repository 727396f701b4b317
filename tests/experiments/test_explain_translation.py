"""What a translation hangs on: gradients against autograd and their own sums, files, commands and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_data import QUICK
from small_pairs import write_pairs

import layerwise
from layerwise.cli.main import main
from layerwise.diagnosis.probes import embedded_as
from layerwise.diagnosis.translation import log_probabilities, token_gradients
from layerwise.errors import UsageError
from layerwise.experiments.run import Run
from layerwise.experiments.training import train
from layerwise.models import build
from layerwise.reports.alignments import teach

SAID = "the red car near the calm house"
SIZES: dict[str, dict[str, Any]] = {
    "transformer": {"embed_dim": 32, "heads": 2, "encoder_layers": 1, "decoder_layers": 1},
    "seq2seq": {"embedding": 32, "hidden": 32},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A recurrent translator that knows a little of its world."""
    folder = tmp_path_factory.mktemp("translator")
    pairs = write_pairs(folder / "world.pairs.tsv", 600)
    options: dict[str, Any] = {**QUICK, **SIZES["seq2seq"], "dropout": 0.0, "batch_size": 16, "learning_rate": 0.01}
    return train("seq2seq", pairs, runs=folder / "runs", name="world", warmup=1.0, ema_decay=0.0, epochs=8, **options)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("name", list(SIZES))
def test_what_each_token_brings_adds_up_to_what_the_source_changes(name: str, shared: bool) -> None:
    torch.manual_seed(0)
    model: Any = build(name, (9, 12), 12, shared=shared, **SIZES[name]).eval()
    source, written = torch.tensor([[3, 4, 5, 4]]), torch.tensor([[6, 7, 2]])
    previous = torch.tensor([[1, 6, 7]])
    found = token_gradients(model, source, previous, written)
    assert found.values.shape == (3, 4)
    assert found.is_complete
    with torch.no_grad():
        embedding = model.source or model.target
        with embedded_as(embedding, torch.zeros(1, 4, embedding.weight.shape[1]), once=True):
            without = log_probabilities(model, source, previous, written).sum()
        gap = log_probabilities(model, source, previous, written).sum() - without
    assert found.difference == pytest.approx(gap.item(), abs=1e-5)
    assert found.values.sum().item() == pytest.approx(gap.item(), rel=0.02, abs=1e-3)


def test_gradients_of_a_translation_agree_with_captum() -> None:
    captum: Any = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    model: Any = build("transformer", (9, 12), 12, **SIZES["transformer"]).eval()
    source, written, previous = torch.tensor([[3, 4, 5]]), torch.tensor([[6, 2]]), torch.tensor([[1, 6]])
    found = token_gradients(model, source, previous, written)

    def second(vectors: torch.Tensor) -> torch.Tensor:
        count = len(vectors)
        with embedded_as(model.target, vectors, once=True):
            scores = model(source.expand(count, -1), previous.expand(count, -1))
        return scores[:, 1].log_softmax(1)[:, 2]

    vectors = model.target(source).detach()
    theirs = captum.IntegratedGradients(second).attribute(vectors, n_steps=found.points)
    torch.testing.assert_close(found.values[1], theirs[0].sum(1).float(), atol=1e-4, rtol=1e-3)


def test_a_translation_is_explained_by_what_was_looked_at_and_what_each_word_brought(run: Run) -> None:
    found, files = layerwise.explain(run, SAID)
    folder = run.path / "explanations" / "the-red-car-near-the-calm-house"
    assert files == [folder / name for name in ("explanation.html", "gradients.png", "attention.png")]
    (translation,) = run.translate(SAID)
    alignment = run.attention(SAID)
    np.testing.assert_allclose(found.attention["translation"][0], alignment.weights, atol=1e-6)
    assert found.gradients is not None
    assert found.gradients.values.shape == (len(alignment.written), len(alignment.read))
    assert found.gradients.is_complete
    source, previous, written = teach(run.preprocessing, SAID, translation)  # type: ignore[arg-type]
    with torch.no_grad():
        scores = run.model(source, previous).log_softmax(2)[0]
    assert found.score == pytest.approx(sum(scores[n, token].item() for n, token in enumerate(written[0])), abs=1e-5)
    page = files[0].read_text(encoding="utf-8")
    assert f"Why ‘{translation}’?" in page
    assert "logarithm of probability" in page
    for file in files[1:]:
        with Image.open(file) as picture:
            assert min(picture.size) > 100


def test_the_commonest_tokens_of_the_source_become_a_map(run: Run, tmp_path: Path) -> None:
    places, files = layerwise.embed(run, limit=10, out=tmp_path)
    assert places.shape == (10, 2)
    assert files == [tmp_path / "embeddings.png"]
    everything, _ = layerwise.embed(run, out=tmp_path)
    used = run.dataset().train.inputs.unique()  # type: ignore[union-attr]
    assert len(everything) == (used > 2).sum()


def typed(run: Run, *words: str) -> int:
    return main(["explain", str(run.path), *words])


def test_the_command_says_the_translation_its_check_and_its_files(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(run, SAID, "--gradients", "--out", str(tmp_path / "why")) == 0
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith(f"world on {SAID}: {run.translate(SAID)[0]}, with a logarithm of probability of ")
    assert second.startswith("integrated gradients: they sum to ")
    assert not (tmp_path / "why" / "attention.png").exists()
    assert any(line.strip().startswith('layerwise explain world "text editor" --gradients') for line in rest)
    assert typed(run, "--embeddings", "--limit", "10", "--out", str(tmp_path)) == 0
    assert capsys.readouterr().out.startswith("t-SNE of 10 tokens, from the embedding vectors of world")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((), 2, 'there is nothing to explain; give a text, as in `layerwise explain world "text editor"`'),
        ((SAID, "--filters"), 2, "--filters is for answers of one class or value; a translation has --gradients and"),
        ((SAID, "--maps", "all"), 2, "--maps says nothing of a translation; leave it out."),
        ((SAID, "--row", "2"), 2, "--row says nothing of a translation; leave it out."),
        ((SAID, "--output", "a"), 2, "--output says nothing of a translation; leave it out."),
        (("the " * 90,), 65, "cut it into sentences"),
        (("",), 65, "is empty; there is nothing to translate in it"),
    ],
)
def test_what_says_nothing_of_a_translation_gets_one_sentence(
    words: tuple[str, ...], code: int, sentence: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(run, *words) == code
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.out == ""


def test_a_tensor_is_no_text(run: Run) -> None:
    with pytest.raises(UsageError, match="a translator explains a text"):
        layerwise.explain(run, torch.tensor([3, 4]))
