"""A class at each step: what is padding does not count, Python's words are told apart, and a network learns it."""

from __future__ import annotations

import keyword
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from layerwise.data.batches import Batch
from layerwise.data.build import build
from layerwise.data.config import DataConfig
from layerwise.data.raw import RawTaggedText
from layerwise.data.sources.python import SYNTAX, tag_characters
from layerwise.data.text.sequence_tagging import cut_pieces
from layerwise.errors import DataError, UsageError
from layerwise.experiments.training import train
from layerwise.reports.results.sequence_tagging import SequenceTaggingResult
from layerwise.tasks.sequence_tagging import SequenceTagging

TASK = SequenceTagging(("a", "b", "c"))


def batch(*lengths: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    targets = torch.full((len(lengths), max(lengths)), -1)
    for row, length in enumerate(lengths):
        targets[row, :length] = torch.randint(0, 3, (length,), generator=generator)
    return Batch((targets + 1) * 2, targets, torch.arange(len(lengths)))


class Scores(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.randn(*x.shape, 3, generator=torch.Generator().manual_seed(1))


def test_the_loss_is_the_mean_over_steps_that_have_a_class() -> None:
    data, model = batch(5, 3), Scores()
    [(_, loss)] = TASK.losses(model, data)
    scores = model(data.inputs)
    by_hand = torch.cat(
        [F.cross_entropy(scores[r, :n], data.targets[r, :n], reduction="none") for r, n in ((0, 5), (1, 3))]
    )
    torch.testing.assert_close(loss, by_hand.mean())
    metrics = TASK.evaluate(model, [data])
    assert metrics["loss"] == pytest.approx(by_hand.mean().item())
    told = [(scores[r, s].argmax() == data.targets[r, s]).item() for r, n in ((0, 5), (1, 3)) for s in range(n)]
    assert metrics["accuracy"] == pytest.approx(sum(told) / 8)


def test_an_answer_leaves_padding_out() -> None:
    answers = TASK.answer(Scores(), batch(5, 3).inputs)
    assert [len(answer["labels"].split()) for answer in answers] == [5, 3]


def test_each_character_of_python_gets_the_class_of_its_token() -> None:
    text = "def f(x):  # né\n    return 'a\\n' + 1\n"
    labels = tag_characters(text)
    assert labels is not None
    told = {name: "".join(c for c, n in zip(text, labels, strict=True) if SYNTAX[n] == name) for name in SYNTAX}
    assert told["keyword"] == "defreturn"
    assert told["name"] == "fx"
    assert told["string"] == "'a\\n'"
    assert told["comment"] == "# né"
    assert told["operator"] == "():+"
    assert told["number"] == "1"
    assert not told["blank"].strip()
    assert tag_characters("def (:\n  '''") is None


def test_pieces_are_whole_lines_and_nothing_is_lost() -> None:
    text = "one\ntwo three\nfour\n" + "x" * 25 + "\n"
    pieces = list(cut_pieces("t", text, list(range(len(text))), 10))
    assert "".join(piece for piece, *_ in pieces) == text
    assert [label for _, labels, _ in pieces for label in labels] == list(range(len(text)))
    assert [piece for piece, *_ in pieces][:3] == ["one\n", "two three\n", "four\n"]
    assert max(len(piece) for piece, *_ in pieces) == 10


def raw() -> RawTaggedText:
    words = [*keyword.kwlist, "spam", "eggs", "ham", "x", "y"]
    texts = {}
    for number in range(60):
        text = "".join(f"{words[(7 * number + 3 * k) % len(words)]} = {k}  # {words[k]}\n" for k in range(12))
        labels = tag_characters(text)
        assert labels is not None
        texts[f"{number}.py"] = (text, labels)
    return RawTaggedText(texts, SYNTAX, "made", frozenset({"3.py", "9.py", "30.py", "31.py"}))


def test_a_network_that_reads_both_ways_learns_to_tell_the_words_of_python_apart(tmp_path: Path) -> None:
    data = build(raw(), "words", DataConfig(window=48), 0)
    run = train(
        "gru",
        data,
        bidirectional=True,
        hidden=24,
        embedding=12,
        epochs=4,
        batch_size=16,
        learning_rate=0.02,
        threads=1,
        compile="no",
        quiet=True,
        runs=tmp_path,
    )
    result = run.evaluation
    assert isinstance(result, SequenceTaggingResult)
    assert result.by_token is not None
    assert result.accuracy > 0.93 > result.by_token + 0.1
    assert result.by_token > result.baseline
    most: dict[int, Counter[int]] = defaultdict(Counter)
    for told, right in ((data.train, None), (data.test, [])):
        for token, label in zip(told.inputs.flatten().tolist(), told.targets.flatten().tolist(), strict=True):  # type: ignore[union-attr]
            if label >= 0 and right is None:
                most[token][label] += 1
            elif label >= 0:
                right.append(most[token].most_common(1)[0][0] == label)
    assert result.by_token == pytest.approx(sum(right) / len(right))
    assert run.result["test"]["by_token"] == result.by_token
    assert "most frequent class per token:" in result.sentence("pieces")
    assert SequenceTaggingResult.from_json({k: v for k, v in result.to_json().items() if k != "task"}) == result
    assert "Samples in the colours of what was given" in run.report.read_text()
    (tmp_path / "line.txt").write_text("spam = 1  # if\n")
    [answer] = run.predict(tmp_path / "line.txt")
    assert answer["labels"].split()[0] == "name"
    assert answer["labels"].split()[-1] == "comment"


def test_texts_whose_classes_do_not_fit_are_refused() -> None:
    texts = {"a.py": ("xy", [1])}
    with pytest.raises(DataError, match=r"a.py has 2 characters and 1 classes; give one a character"):
        build(RawTaggedText(texts, SYNTAX, "made", frozenset()), "bad", DataConfig(), 0)


def test_a_network_for_other_goals_is_refused(tmp_path: Path) -> None:
    data = build(raw(), "words", DataConfig(window=48), 0)
    with pytest.raises(UsageError, match=r"mlp is for .*, and words is for sequence_tagging; use gru, lstm or rnn"):
        train("mlp", data, runs=tmp_path)
