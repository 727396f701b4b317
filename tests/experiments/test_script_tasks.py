"""Scripts of texts, translations, masks, paintings and sequences reach the figures of their runs."""

from __future__ import annotations

import random
import sysconfig
from typing import Any

import pytest
import torch
from script_helpers import assert_same_bits, figures, perform, perform_alone
from small_data import QUICK
from small_pairs import write_pairs

import layerwise
from layerwise.cli.main import run as command
from layerwise.data.sources import descriptions
from layerwise.experiments.run import Run
from layerwise.experiments.script import plain_script
from layerwise.experiments.scripting.parts import archives, prose


@pytest.fixture
def train(tmp_path):
    def train(model: Any, data: Any, **options: Any) -> Run:
        return layerwise.train(model, data, runs=tmp_path / "runs", **{**QUICK, **options})

    return train


def assert_same_splits(names: dict[str, Any], run: Run) -> None:
    """The samples and their targets are those of the run."""
    dataset = run.dataset()
    for part in ("train", "valid", "test"):
        split = getattr(dataset, part)
        if len(split):
            assert torch.equal(names[f"{part}_x"], split.inputs)
            assert torch.equal(names[f"{part}_y"], split.targets)


def assert_same_outcome(script: str, run: Run, metric: str) -> dict[str, Any]:
    """A script ends with the weights of its run, and its last line begins with the run's own figure."""
    names, printed = perform(script)
    assert_same_bits(names, run)
    assert figures(printed.splitlines()[-1])[0] == round(run.result["test"][metric], 4)
    return names


# Writing


GPT = {"depth": 16, "heads": 2, "blocks": 1, "window": 16, "vocabulary": 280, "batch_size": 8, "epochs": 2}


def say(count: int, seed: int = 0) -> str:
    chance = random.Random(seed)
    names = chance.choices(("Anna", "Boris", "Clara", "Jürgen"), k=count)
    return "".join(f"{name} says the name {name} {chance.choice('+-*')}\n" for name in names)


@pytest.fixture
def library(tmp_path):
    """A folder of 14 texts, of which one is a copy, one is empty and one lies deeper."""
    folder = tmp_path / "library"
    (folder / "deeper").mkdir(parents=True)
    for number in range(12):
        (folder / f"{number}.txt").write_text(say(12, number), encoding="utf-8")
    (folder / "copy.txt").write_text(say(12, 3).replace("\n", "\n\n"), encoding="utf-8")
    (folder / "empty.txt").write_text("\n")
    (folder / "deeper" / "code.py").write_bytes("prénom = 'Jürgen'\n".encode("latin-1") * 9)
    return folder


@pytest.mark.slow
def test_a_script_of_a_gpt_tells_the_text_as_its_run_where_this_package_is_not_installed(train, tmp_path):
    book = tmp_path / "book.txt"
    book.write_text(say(200), encoding="utf-8")
    run = train("gpt", book, learning_rate=0.01, **GPT)  # by Muon, with vectors of tokens apart
    script = tmp_path / "script.py"
    command(["code", run.name, "--out", str(script), "--runs", str(tmp_path / "runs")])
    last = perform_alone(script)
    assert figures(last)[0] == pytest.approx(run.result["test"]["bits_per_byte"], abs=2e-4)
    assert last.endswith(f" bits a byte of {run.result['test']['text_bytes']} bytes")


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("gpt", {**GPT, "optimizer": "adamw", "average": 0.9, "dropout": 0.1, "limit": 30, "learning_rate": 0.01}),
        ("lstm", {"hidden": 12, "embedding": 8, "layers": 2, "dropout": 0.2, "window": 16, "vocabulary": 259,
                  "epochs": 1, "valid": 0.0, "batch_size": 8}),
    ],
)  # fmt: skip
def test_a_script_divides_a_library_and_cuts_it_into_tokens_as_its_run(train, library, model, options):
    run = train(model, library, **options)
    names = assert_same_outcome(plain_script(run), run, "bits_per_byte")
    assert_same_splits(names, run)
    assert tuple(names["token_bytes"].tolist()) == run.preprocessing.token_bytes


def test_a_script_reads_the_library_of_python_and_keeps_what_is_held_out(train, library, monkeypatch):
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(library)})
    for number in range(60):
        (library / f"module{number}.py").write_text(say(6, 100 + number))
    run = train("gpt", "python-library", **{**GPT, "optimizer": "adamw", "epochs": 1})
    names = assert_same_outcome(plain_script(run), run, "bits_per_byte")
    assert_same_splits(names, run)


def test_the_manual_is_read_out_of_its_package_as_by_the_run(tmp_path):
    from layerwise.data.sources.python import MANUAL_FOLDER, manual_texts

    package = debian_package({f"./{MANUAL_FOLDER}/library/re.rst.txt": "re — regular\n", "./usr/other.txt": "no"})
    (tmp_path / "manual.deb").write_bytes(package)
    expected = {"docs/library/re.rst": "re — regular\n"}
    assert archives.read_manual(tmp_path / "manual.deb") == expected
    assert dict(manual_texts(tmp_path / "manual.deb")) == expected


def debian_package(files: dict[str, str]) -> bytes:
    import io
    import tarfile

    def tar_of(members: dict[str, str]) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:xz") as tar:
            for name, text in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                tar.addfile(entry, io.BytesIO(text.encode()))
        return buffer.getvalue()

    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": tar_of({"./control": "Package: manual\nVersion: 1\nArchitecture: all\n"}),
        "data.tar.xz": tar_of(files),
    }
    package = b"!<arch>\n"
    for name, data in parts.items():
        package += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
        )
    return package


def test_a_script_goes_on_with_a_text_that_the_network_knows_by_heart():
    class Parrot(torch.nn.Module):
        """Tells the byte after the last one."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.eye(259).roll(1, 1) * 1000)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.weight[x]

    from layerwise.experiments.scripting.parts.tokens import learn_tokens

    assert prose.go_on(Parrot(), learn_tokens(["a"], 259), "ab", 4, 8) == "abcdef"


# Translation

TRANSFORMER = {"depth": 16, "heads": 2, "encoder_blocks": 1, "decoder_blocks": 1}
SEQ2SEQ = {"embedding": 16, "hidden": 16, "layers": 2}


@pytest.mark.slow
def test_a_script_of_a_translator_reaches_its_bleu_where_this_package_is_not_installed(train, tmp_path):
    pairs = write_pairs(tmp_path / "world.pairs.tsv", 400)
    run = train("transformer", pairs, **TRANSFORMER, epochs=6, batch_size=32, learning_rate=0.02, warmup=1.0)
    script = tmp_path / "script.py"
    command(["code", run.name, "--out", str(script), "--runs", str(tmp_path / "runs")])
    bleu, accuracy, loss = figures(perform_alone(script))
    test = run.result["test"]
    assert bleu == round(test["bleu"], 4) > 1
    assert (accuracy, loss) == (round(test["accuracy"], 4), pytest.approx(test["loss"], abs=2e-4))


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("transformer", {**TRANSFORMER, "norm_first": False, "label_smoothing": 0.1, "limit": 97, "batch_size": 16}),
        ("seq2seq", {**SEQ2SEQ, "shared": False, "valid": 0.0, "batch_size": 32, "average": 0.0, "seed": 3}),
    ],
)
def test_a_script_takes_the_steps_of_a_translator(train, tmp_path, model, options):
    run = train(model, write_pairs(tmp_path / "world.pairs.tsv", 200), epochs=2, warmup=0.5, **options)
    names = assert_same_outcome(plain_script(run), run, "bleu")
    assert_same_splits(names, run)


def test_a_script_keeps_the_descriptions_that_are_for_testing(train, tmp_path, monkeypatch):
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path))
    monkeypatch.setattr(descriptions, "TEST_COUNT", 40)
    (tmp_path / "english-french").mkdir()
    path = write_pairs(tmp_path / "english-french" / "english-french.pairs.tsv", 150)
    path.write_text(path.read_text() + "the\tla rue jaune derrière la maison calme de la rue\n")  # no translation
    run = train("seq2seq", "english-french", **SEQ2SEQ, epochs=1, warmup=0.0)
    names, _ = perform(plain_script(run).replace("TEST_COUNT = 1000", "TEST_COUNT = 40"))
    assert_same_splits(names, run)
    assert len(names["test_x"]) == 40
