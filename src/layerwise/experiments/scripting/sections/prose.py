"""Long texts: where they come from, how they are divided, and their tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from layerwise.data.fetch import cache_folder
from layerwise.data.prose import FEWEST_TEXTS, VOCABULARY, ProsePreprocessing, read_prose, without_copies
from layerwise.data.sources.python import DEB
from layerwise.errors import NotFoundError
from layerwise.experiments.run import Run
from layerwise.experiments.scripting.excerpts import Excerpts
from layerwise.experiments.scripting.section import Raw, Section, part, place, take

PROSE = "layerwise.data.prose"
PYTHON = "layerwise.data.sources.python"
NAMED = ("python-library", "python-docs")
NOWHERE = "torch.zeros({}, dtype=torch.int64)"  # texts have no class by which chance could be fair


def prose_section(run: Run, excerpts: Excerpts) -> Section:
    """Read the texts of a run into windows of tokens, train_x with what comes next, train_y, and so on."""
    preprocessing = run.preprocessing
    assert isinstance(preprocessing, ProsePreprocessing)
    reading = _reading(run, excerpts)
    division = _division(run, excerpts)
    names = ("train", "valid", "test") if run.facts["sizes"]["valid"] else ("train", "test")
    steps = f"{reading.steps}{division.steps}"
    steps += "tokenizer = learn_tokens(train_texts, VOCABULARY)\n"
    steps += "token_bytes = torch.tensor(bytes_of_tokens(tokenizer))\n"
    steps += "train_x, train_y = windows_beside(row_of(tokenizer, train_texts), WINDOW)\n"
    steps += "".join(f"{n}_x, {n}_y = windows_over(row_of(tokenizer, {n}_texts), WINDOW)\n" for n in names[1:])
    settings: dict[str, Any] = {
        "VOCABULARY": Raw(f"{run.experiment.data.vocabulary or VOCABULARY}  # tokens at most that are learned"),
        "WINDOW": Raw(f"{preprocessing.window}  # tokens that the network sees at once"),
    }
    functions = [
        reading.functions,
        division.functions,
        part(excerpts, "tokens", "learn_tokens", "bytes_of_tokens"),
        part(excerpts, "prose", "row_of", "windows_beside", "windows_over"),
    ]
    limit = run.experiment.data.limit
    if limit and limit <= run.facts["sizes"]["train"]:
        functions.append(part(excerpts, "division", "thin"))
        settings["LIMIT"] = Raw(f"{limit}  # windows that are learned from")
        steps += f"chosen = thin(torch.arange(len(train_x)), {NOWHERE.format('len(train_x)')}, LIMIT, SEED)\n"
        steps += "train_x, train_y = train_x[chosen], train_y[chosen]\n"
    return Section(
        steps,
        "\n".join(functions),
        {**reading.settings, **division.settings, **settings},
        ("tokenizers",),
        reading.note,
    )


def _reading(run: Run, excerpts: Excerpts) -> Section:
    """Read the texts by their names."""
    name = run.experiment.data.data
    if name in NAMED:
        functions = f"{take(excerpts, PROSE, 'without_copies')}\n{take(excerpts, PYTHON, 'library_texts', 'held_out')}"
        note = "The texts are the standard library of the Python that runs this."
        if name == "python-library":
            return Section("texts = without_copies(dict(library_texts()))\n", functions, note=note)
        functions += "\n" + part(excerpts, "archives", "read_manual")
        settings = {"MANUAL": place(cache_folder() / "python-docs" / DEB.name)}
        note = "The texts are Python's manual, read from MANUAL, and the library of the Python that runs this."
        return Section(
            "texts = without_copies({**dict(library_texts()), **read_manual(MANUAL)})\n", functions, settings, note=note
        )
    path = Path(name)
    if not path.exists():
        raise NotFoundError(f"the text {path} that run {run.name} was trained on is not there; put it back.")
    settings, note = {"TEXTS": place(path)}, "The text is read from TEXTS."
    if path.is_dir():
        functions = f"{take(excerpts, PROSE, 'without_copies')}\n{part(excerpts, 'prose', 'read_texts')}"
        return Section("texts = without_copies(read_texts(TEXTS))\n", functions, settings, note=note)
    functions = take(excerpts, "layerwise.data.text", "read_text")
    return Section("texts = {TEXTS.name: read_text(TEXTS)}\n", functions, settings, note=note)


def _division(run: Run, excerpts: Excerpts) -> Section:
    """Divide whole texts by chance, or the lines of a few by their order, as the run did."""
    data, has_valid = run.experiment.data, bool(run.facts["sizes"]["valid"])
    shares = {"VALID": Raw(f"{data.valid}  # share of the rest held out to choose the best epoch")} if has_valid else {}
    if data.data in NAMED:
        return _of_own_test(excerpts, shares)
    shares = {"TEST": Raw(f"{data.test}  # share held out for the final figure"), **shares}
    if _text_count(run) < FEWEST_TEXTS:
        return Section(_by_lines(has_valid), settings=shares)
    call = "divide({}, TEST, VALID, SEED)" if has_valid else "divide_in_two({}, TEST, SEED)"
    names = ("train", "valid", "test") if has_valid else ("train", "test")
    steps = (
        "documents = list(texts.values())\n"
        f"{', '.join(names)} = {call.format(NOWHERE.format('len(documents)'))}\n"
        f"{', '.join(f'{name}_texts' for name in names)} = "
        f"([documents[place] for place in part] for part in ({', '.join(names)}))\n"
    )
    return Section(steps, part(excerpts, "division", "divide" if has_valid else "divide_in_two"), shares)


def _text_count(run: Run) -> int:
    """Return how many texts that differ there are."""
    return len(without_copies(read_prose(Path(run.experiment.data.data)).texts))


def _of_own_test(excerpts: Excerpts, shares: dict[str, Any]) -> Section:
    """Keep the texts that the data set holds out for testing."""
    steps = (
        "test_names = held_out(texts)\n"
        "test_texts = [text for name, text in texts.items() if name in test_names]\n"
        "documents = [text for name, text in texts.items() if name not in test_names]\n"
    )
    if not shares:
        return Section(f"{steps}train_texts = documents\n")
    steps += f"train, valid = hold_out({NOWHERE.format('len(documents)')}, VALID, SEED)\n"
    steps += "train_texts, valid_texts = ([documents[place] for place in part] for part in (train, valid))\n"
    return Section(steps, part(excerpts, "division", "hold_out"), shares)


def _by_lines(has_valid: bool) -> str:
    """Return the statements that take a few texts in their order as one, of which the last lines are for testing."""
    steps = 'lines = "\\n".join(texts.values()).splitlines(keepends=True)\n'
    steps += "test_from = round((1 - TEST) * len(lines))\n"
    if not has_valid:
        return f'{steps}train_texts, test_texts = ["".join(lines[:test_from])], ["".join(lines[test_from:])]\n'
    return (
        f"{steps}"
        "valid_from = round((1 - VALID) * test_from)\n"
        "pieces = (lines[:valid_from], lines[valid_from:test_from], lines[test_from:])\n"
        'train_texts, valid_texts, test_texts = (["".join(piece)] for piece in pieces)\n'
    )
