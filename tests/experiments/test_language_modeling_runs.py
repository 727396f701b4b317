"""Trainings that learn to write: what they foretell, what they write, and one sentence for what they cannot do."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_data import QUICK

from layerwise.cli.main import main
from layerwise.cli.printing import next_commands
from layerwise.cli.write import without_controls
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset
from layerwise.errors import DataError, NotFoundError, UsageError
from layerwise.experiments.evaluation import evaluate
from layerwise.experiments.inspection import inspect
from layerwise.experiments.run import Run
from layerwise.experiments.training import resume, train
from layerwise.experiments.writing import stream
from layerwise.reports import wording
from layerwise.reports.results import language_modeling, measure
from layerwise.reports.results.language_modeling import LanguageModelingResult
from layerwise.reports.wording import example_of, use_of

SMALL: dict[str, Any] = {"window": 24, "vocabulary": 290, "batch_size": 8, "epochs": 6, **QUICK}
NAMES = ("Anna", "Boris", "Clara", "Dmitri")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lines whose second half follows from the first."""
    chance, path = random.Random(0), tmp_path_factory.mktemp("data") / "book.txt"
    lines = [f"{name} says the name {name} {chance.choice('+-*')}" for name in chance.choices(NAMES, k=700)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def writer(book: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    runs = tmp_path_factory.mktemp("runs")
    return train("gpt", book, embed_dim=32, heads=2, layers=2, learning_rate=0.02, runs=runs, name="writer", **SMALL)


def test_a_gpt_learns_what_follows_and_writes_it(writer: Run) -> None:
    result = writer.evaluation
    assert isinstance(result, LanguageModelingResult)
    assert result.bits_per_byte < 0.25  # a name has 2 bits, a sign 1.6, and a line 26 bytes: 0.14 at best
    lines = writer.write("Boris says the name", tokens=60, temperature=0).splitlines()
    assert lines[0].startswith(" Boris")
    assert all(line.split()[0] == line.split()[4] for line in lines[1:-1])


def test_the_test_part_is_measured_beside_programs_that_compress_the_same_bytes(writer: Run, book: Path) -> None:
    text = book.read_text().splitlines(keepends=True)[560:]
    data = "".join(text).encode()
    result = writer.evaluation
    assert isinstance(result, LanguageModelingResult)
    assert result.text_bytes == len(data)
    files = (gzip.compress(data, 9), bz2.compress(data, 9), lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
    assert list(result.compressed.values()) == [8 * len(file) / len(data) for file in files]
    assert writer.result["test"]["bits_per_byte"] == result.bits_per_byte


def test_a_program_that_has_read_the_training_text_is_the_fairer_bar(writer: Run, book: Path, tmp_path: Path) -> None:
    lines = book.read_text().splitlines(keepends=True)
    held_out, result = "".join(lines[560:]).encode(), writer.evaluation
    assert isinstance(result, LanguageModelingResult)
    learned = writer.dataset().train.inputs.flatten().tolist()  # windows side by side: the text from its beginning
    known = writer.preprocessing.tokenizer.decode(learned).encode()  # type: ignore[attr-defined]
    assert book.read_bytes().startswith(known[:2000])

    def size(data: bytes) -> int:
        return len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))

    assert result.after_reading == 8 * (size(known + held_out) - size(known)) / len(held_out)
    assert result.after_reading < result.compressed["xz -9e"]
    assert writer.result["test"]["xz_after_reading"] == result.after_reading
    assert f"; xz -9e after training text: {wording.decimal(result.after_reading)})." in result.sentence("lines")
    assert result.table()[1][-1][0] == "xz -9e after training text"


def test_no_more_of_a_long_training_text_is_read_first_than_was_said(
    writer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    monkeypatch.setattr(language_modeling, "READ_BYTES", 1000)
    monkeypatch.setattr(
        language_modeling, "COMPRESSORS", {"xz -9e": lambda data: read.append(len(data)) or lzma.compress(data)}
    )
    evaluation_input = writer.evaluation_input(writer.dataset().test)
    bits = language_modeling.bits_after_reading(evaluation_input, writer.preprocessing.tokenizer, b"Anna says")  # type: ignore[attr-defined]
    assert bits is not None
    assert 800 < read[1] <= 1000
    assert read[0] == read[1] + len(b"Anna says")


def test_without_its_training_text_a_writer_is_measured_without_that_bar(writer: Run) -> None:
    def gone() -> Dataset:
        raise NotFoundError("book.txt does not exist")

    result = measure(replace(writer.evaluation_input(writer.dataset().test), data=gone))
    assert isinstance(result, LanguageModelingResult)
    assert result.after_reading is None
    assert "after training text" not in result.sentence("lines")
    assert "xz_after_reading" not in result.summary


def test_what_a_token_costs_adds_up_to_the_figure_of_the_test(writer: Run) -> None:
    result = writer.evaluation
    assert isinstance(result, LanguageModelingResult)
    per_byte = [
        (sum(bits for _, bits in one.tokens), one.bits_per_byte, sum(len(t.encode()) for t, _ in one.tokens))
        for one in result.passages
    ]
    assert all(bits / size == pytest.approx(figure, abs=0.05) for bits, figure, size in per_byte)
    order = [figure for _, figure, _ in per_byte]
    assert order[0] <= result.bits_per_byte <= order[-1] or order[-2] >= order[0]


def test_the_report_shows_the_text_in_colours_and_survives_json(writer: Run) -> None:
    page = writer.report.read_text()
    assert "Bits for each byte of the held-out text" in page
    assert "layerwise write writer" in page
    assert "color-mix(in srgb, var(--orange)" in page
    assert LanguageModelingResult.from_json({k: v for k, v in writer.evaluation.to_json().items() if k != "task"})


def test_one_seed_writes_one_text_and_another_seed_another(writer: Run) -> None:
    texts = [writer.write("Anna", tokens=40, temperature=1.2, seed=seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert "".join(stream(writer, "Anna", tokens=40, temperature=1.2, seed=1)) == texts[0]


def test_a_writer_is_measured_on_other_texts_by_its_own_tokens(writer: Run, tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("Zebras eat quinoa.\n" * 5)
    result, files = evaluate(writer, str(tmp_path / "other.md"), tmp_path / "out")
    assert isinstance(result, LanguageModelingResult)
    assert result.text_bytes == 95
    assert result.bits_per_byte > 2
    assert [file.name for file in files] == ["evaluation.json", "bits.png"]
    with pytest.raises(DataError, match=r"data.csv is a table, and run writer was trained on a long text"):
        evaluate(writer, "data.csv")


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_recurrent_networks_learn_the_next_character(name: str, book: Path, tmp_path: Path) -> None:
    options = {**SMALL, "vocabulary": 259, "epochs": 6, "hidden": 48, "embedding": 16, "learning_rate": 0.02}
    run = train(name, book, runs=tmp_path, limit=500, **options)
    assert run.result["test"]["bits_per_byte"] < 1.2  # bytes by their frequencies alone take 4
    assert run.model.each_step  # type: ignore[union-attr]
    assert len(run.write("Clara", tokens=5)) == 5
    assert resume(run.path).path == run.path


def test_a_text_is_looked_into(book: Path, tmp_path: Path) -> None:
    facts, _ = inspect(DataConfig(str(book), window=24, vocabulary=290), 0, tmp_path)
    assert (facts["kind"], facts["task"]) == ("text", "language_modeling")
    assert "tokens a passage" in facts["statistics"][0]["name"]


def test_the_command_writes_as_it_goes_and_for_programs(writer: Run, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["write", str(writer.path), "Anna says", "--tokens", "8", "--temperature", "0"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert said.startswith("Anna says")
    assert said.strip() == "Anna says" + writer.write("Anna says", tokens=8, temperature=0).rstrip()
    assert main([*words, "--count", "2", "--json"]) == 0
    assert '"continuations"' in capsys.readouterr().out


def test_characters_that_a_terminal_would_obey_are_shown_as_broken() -> None:
    assert without_controls("a\x1b[2Jb\tc\n\x07é漢") == "a\ufffd[2Jb\tc\n\ufffdé漢"


def test_the_next_command_begins_as_the_text_does(writer: Run) -> None:
    command, _ = next_commands(writer)[0]
    result = writer.evaluation
    assert isinstance(result, LanguageModelingResult)
    beginning = " ".join(result.continuations[0].prompt.split()[:3])
    assert shlex.split(command) == ["layerwise", "write", "writer", beginning]
    assert example_of("language_modeling", "text", "book.txt") == "The"
    assert use_of("language_modeling", "a {b}").command.format(run="writer") == "write writer 'a {b}'"


REFUSED = [
    (["", "--tokens", "3"], "the prompt is empty"),
    (["Anna " * 30], "and the network sees 24 at once; shorten the prompt"),
    (
        ["Anna", "--temperature", "-1"],
        "--temperature must be 0 or a positive number (0: the likeliest token), received -1.0",
    ),
    (["Anna", "--top-p", "0"], "--top-p must be a number above 0 and at most 1, received 0.0"),
    (["Anna", "--top-p", "1.5"], "--top-p must be a number above 0 and at most 1, received 1.5"),
    (["Anna", "--top-k", "-2"], "--top-k must be a whole number of at least 0 (0: all), received -2"),
    (["Anna", "--tokens", "0"], "--tokens must be a whole number of at least 1, received 0"),
    (["Anna", "--count", "0"], "--count must be a whole number of at least 1, received 0"),
    (["Anna", "--tokens", "many"], "--tokens must be a whole number, received 'many'"),
]


@pytest.mark.parametrize(("words", "sentence"), REFUSED)
def test_what_cannot_be_written_is_refused_in_a_sentence(
    words: list[str], sentence: str, writer: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["write", str(writer.path), *words]) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.out == ""


def test_a_run_that_was_trained_for_something_else_does_not_write(fruit_run: Run) -> None:
    with pytest.raises(
        UsageError, match=r"trained for classification, not for language modelling; train gpt on a text"
    ):
        fruit_run.write("Anna")


def test_a_writer_has_no_answer_for_files(writer: Run, book: Path) -> None:
    with pytest.raises(
        UsageError, match=r"goes on with texts and has no answer for .*; let it write on from a beginning"
    ):
        writer.predict(book)


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        (
            "mlp",
            {},
            "mlp is for classification or regression, and book is for language_modeling; use gpt, gru, lstm or rnn",
        ),
        ("gru", {"bidirectional": True}, "`bidirectional` shows gru the token that it is to guess"),
        ("gru", {"from_last": True}, "`from_last` is for forecasts, and book is for language_modeling"),
        ("gpt", {"label_smoothing": 0.1}, "`label_smoothing` is for"),
        ("gpt", {"augment": "flip"}, "`augment` changes pictures, and book is a text"),
    ],
)
def test_what_cannot_learn_a_text_is_refused(
    model: str, options: dict[str, Any], sentence: str, book: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=sentence):
        train(model, book, runs=tmp_path, **{**SMALL, **options})
