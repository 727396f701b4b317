"""Texts with their translations: where they come from, how they are divided, and their tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from layerwise.data.catalogue import SOURCES
from layerwise.data.delimited import Delimited
from layerwise.data.fetch import cache_folder
from layerwise.data.pairs import VOCABULARY_SIZE
from layerwise.data.sources.descriptions import TEST_COUNT
from layerwise.data.tables import open_rows
from layerwise.errors import NotFoundError
from layerwise.experiments.run import Run
from layerwise.experiments.scripting.excerpts import Excerpts
from layerwise.experiments.scripting.section import Raw, Section, part, place, take
from layerwise.experiments.scripting.sections.tables import csv_options

NOWHERE = "torch.zeros(len(pairs), dtype=torch.int64)"  # pairs have no class by which chance could be fair
SORTED = (
    "pairs = [pair for pair in pairs if is_translation(*pair)]\n"
    "pairs.sort(key=lambda pair: hashlib.sha256(pair[0].casefold().encode()).digest())\n"
    "test_pairs, pairs = pairs[:TEST_COUNT], pairs[TEST_COUNT:]\n"
)


def pair_section(run: Run, excerpts: Excerpts) -> Section:
    """Read the pairs of a run into rows of tokens, train_x with what they mean, train_y, and so on."""
    name, sizes = run.experiment.data.data, run.facts["sizes"]
    is_named = name in SOURCES
    path = cache_folder() / name / f"{name}.pairs.tsv" if is_named else Path(name)
    if not path.is_file():
        raise NotFoundError(f"the table {path} that run {run.name} was trained on is not there; put it back.")
    rows = open_rows(path)
    assert isinstance(rows, Delimited)
    names = ("train", "valid", "test") if sizes["valid"] else ("train", "test")
    division = _division(run, excerpts, is_named)
    steps = [
        f"table = pl.read_csv(PAIRS{csv_options(rows)})",
        'pairs = distinct(table.fill_null("").rows())',
        division.steps + "texts = [text for side in zip(*train_pairs, strict=True) for text in side]",
        'tokenizer = learn_tokens([f" {text}" for text in texts], VOCABULARY)',
        *(f"{part}_x, {part}_y = tokens_of(tokenizer, {part}_pairs)" for part in names),
        "lengths = (train_y != 0).sum(1)",
    ]
    functions = [
        take(excerpts, "layerwise.data.pairs", "distinct"),
        division.functions,
        part(excerpts, "tokens", "learn_tokens"),
        part(excerpts, "pairs", "tokens_of", "trimmed", "by_length", "text_of"),
    ]
    vocabulary = run.experiment.data.vocabulary or VOCABULARY_SIZE
    size = "len(train_x)" if run.experiment.training.batch_size == "full" else "BATCH_SIZE"
    return Section(
        "\n".join(steps) + "\n",
        "\n".join(functions),
        {
            "PAIRS": place(path),
            **division.settings,
            "VOCABULARY": Raw(f"{vocabulary}  # tokens at most that are learned"),
        },
        ("polars", "tokenizers"),
        "The pairs are read from PAIRS.",
        batch="trimmed({samples})",
        order=f"by_length({{order}}, lengths, {size}, generator)",
    )


def _division(run: Run, excerpts: Excerpts, is_named: bool) -> Section:
    """Divide the pairs as the run did, and leave all but a few of the training ones where it did."""
    data, sizes = run.experiment.data, run.facts["sizes"]
    has_valid = bool(sizes["valid"])
    settings: dict[str, Any] = (
        {"TEST_COUNT": Raw(f"{TEST_COUNT}  # pairs for the final figure")}
        if is_named
        else {"TEST": Raw(f"{data.test}  # share held out for the final figure")}
    )
    if has_valid:
        settings["VALID"] = Raw(f"{data.valid}  # share of the rest held out to choose the best epoch")
    call = {
        (True, True): f"train, valid = hold_out({NOWHERE}, VALID, SEED)",
        (True, False): "train = torch.arange(len(pairs))",
        (False, True): f"train, valid, test = divide({NOWHERE}, TEST, VALID, SEED)",
        (False, False): f"train, test = divide_in_two({NOWHERE}, TEST, SEED)",
    }[is_named, has_valid]
    functions = ["hold_out" if is_named else "divide" if has_valid else "divide_in_two"] if "(" in call else []
    steps = f"{SORTED if is_named else ''}{call}\n"
    if data.limit and data.limit <= sizes["train"]:
        functions.append("thin")
        steps += f"train = thin(train, {NOWHERE}, LIMIT, SEED)\n"
        settings["LIMIT"] = Raw(f"{data.limit}  # pairs that are learned from")
    names = ["train", *(["valid"] * has_valid), *(["test"] * (not is_named))]
    steps += "".join(f"{name}_pairs = [pairs[place] for place in {name}]\n" for name in names)
    text = part(excerpts, "division", *(name for name in functions if f"{name}(" in steps))
    if is_named:
        text = f"{take(excerpts, 'layerwise.data.sources.descriptions', 'is_translation')}\n{text}"
    return Section(steps, text, settings)
