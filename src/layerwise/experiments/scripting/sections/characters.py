"""Texts character by character: names with a language each, and modules with a class for each character."""

from __future__ import annotations

from typing import Any

from layerwise.data.characters import CharacterPreprocessing
from layerwise.data.fetch import cache_folder
from layerwise.data.sources.names import WHEEL
from layerwise.experiments.run import Run
from layerwise.experiments.scripting.excerpts import Excerpts
from layerwise.experiments.scripting.section import Raw, Section, part, place, take

NAMES = "layerwise.data.sources.names"
PYTHON = "layerwise.data.sources.python"
READ_NAMES = (
    "with zipfile.ZipFile(WHEEL) as wheel:\n"
    "    files = {\n"
    '        language: wheel.read(f"faker/providers/person/{locale}/__init__.py").decode()\n'
    "        for locale, language in LANGUAGES.items()\n"
    "    }\n"
    "names = of_one_language({language: list(dict.fromkeys(names_in(file))) for language, file in files.items()})\n"
    "texts = [name for listed in names.values() for name in listed]\n"
    "labels = [language for language, listed in names.items() for _ in listed]\n"
    "classes = sorted(names)\n"
    "targets = torch.tensor([classes.index(label) for label in labels])\n"
)
READ_MODULES = (
    "modules = {}\n"
    "for name, text in library_texts():\n"
    "    labels = classes_of(text)\n"
    "    if labels:\n"
    "        modules[name] = text[:LABELLED], labels[:LABELLED]\n"
    "test_names = held_out(modules)\n"
    "rest = [name for name in modules if name not in test_names]\n"
)


def name_section(run: Run, excerpts: Excerpts) -> Section:
    """Read names into rows of characters, train_x with their languages, train_y, and so on."""
    data, has_valid = run.experiment.data, bool(run.facts["sizes"]["valid"])
    names = ("train", "valid", "test") if has_valid else ("train", "test")
    call = "divide" if has_valid else "divide_in_two"
    steps = f"{READ_NAMES}{', '.join(names)} = {call}(targets, TEST, {'VALID, ' * has_valid}SEED)\n"
    settings: dict[str, Any] = {
        "WHEEL": place(cache_folder() / "names" / WHEEL.name),
        "TEST": Raw(f"{data.test}  # share held out for the final figure"),
    }
    if has_valid:
        settings["VALID"] = Raw(f"{data.valid}  # share of the rest held out to choose the best epoch")
    functions = [call]
    if data.limit and data.limit <= run.facts["sizes"]["train"]:
        functions.append("thin")
        settings["LIMIT"] = Raw(f"{data.limit}  # names that are learned from")
        steps += "train = thin(train, targets, LIMIT, SEED)\n"
    steps += "numbers = learn_characters([texts[place] for place in train])\n"
    for name in names:
        steps += f"{name}_x, {name}_y = rows_of([texts[place] for place in {name}], numbers), targets[{name}]\n"
    text = (
        f"{take(excerpts, NAMES, 'LANGUAGES', 'names_in', 'of_one_language')}\n"
        f"{part(excerpts, 'characters', 'learn_characters', 'rows_of')}\n{part(excerpts, 'division', *functions)}"
    )
    return Section(steps, text, settings, (), "The names are read from WHEEL, the Python package Faker.")


def syntax_section(run: Run, excerpts: Excerpts) -> Section:
    """Read modules into rows of characters, train_x with the class of each character, train_y, and so on."""
    preprocessing, data, has_valid = run.preprocessing, run.experiment.data, bool(run.facts["sizes"]["valid"])
    assert isinstance(preprocessing, CharacterPreprocessing)
    settings: dict[str, Any] = {"LENGTH": Raw(f"{preprocessing.length}  # characters of a piece at most")}
    steps, functions = READ_MODULES, []
    pieces = "{0}_pieces = [piece for name in {1} for piece in pieces_of(name, *modules[name], LENGTH)]\n"
    if has_valid:
        functions.append("hold_out")
        settings["VALID"] = Raw(f"{data.valid}  # share of the training modules held out to choose the best epoch")
        steps += "train, valid = hold_out(torch.zeros(len(rest), dtype=torch.int64), VALID, SEED)\n"
        steps += "train_names, valid_names = ([rest[place] for place in part] for part in (train, valid))\n"
        steps += pieces.format("train", "train_names") + pieces.format("valid", "valid_names")
    else:
        steps += pieces.format("train", "rest")
    steps += pieces.format("test", "sorted(test_names)")
    if data.limit and data.limit <= run.facts["sizes"]["train"]:
        functions.append("thin")
        settings["LIMIT"] = Raw(f"{data.limit}  # pieces that are learned from")
        nowhere = "torch.zeros(len(train_pieces), dtype=torch.int64)"
        steps += f"chosen = thin(torch.arange(len(train_pieces)), {nowhere}, LIMIT, SEED)\n"
        steps += "train_pieces = [train_pieces[place] for place in chosen]\n"
    steps += "numbers = learn_characters([text for text, _, _ in train_pieces])\n"
    for name in ("train", *(["valid"] * has_valid), "test"):
        texts = f"[text for text, _, _ in {name}_pieces]"
        steps += f"{name}_x, {name}_y = rows_of({texts}, numbers), labels_of({name}_pieces)\n"
    text = (
        f"{take(excerpts, PYTHON, 'LABELLED', 'library_texts', 'held_out', 'classes_of')}\n"
        f"{take(excerpts, 'layerwise.data.labelling', 'pieces_of')}\n"
        f"{part(excerpts, 'characters', 'learn_characters', 'rows_of', 'labels_of')}\n"
        f"{part(excerpts, 'division', *functions)}"
    )
    return Section(steps, text, settings, (), "The texts are the standard library of the Python that runs this.")
