"""Series over time: labelled ones, and windows of a long one with what came after them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from layerwise.data.catalogue import SOURCES
from layerwise.data.delimited import Delimited
from layerwise.data.fetch import cache_folder
from layerwise.data.series import SeriesPreprocessing
from layerwise.data.sources.series import FOLDER, WHEEL
from layerwise.data.tables import open_rows, read_table
from layerwise.errors import NotFoundError, UsageError
from layerwise.experiments.run import Run
from layerwise.experiments.scripting.excerpts import Excerpts
from layerwise.experiments.scripting.section import Raw, Section, part, place
from layerwise.experiments.scripting.sections.tables import csv_options
from layerwise.experiments.scripting.specialise import literal

FILES = {
    "japanese-vowels": "JapaneseVowels/JapaneseVowels",
    "basic-motions": "BasicMotions/BasicMotions",
    "italy-power": "ItalyPowerDemand/ItalyPowerDemand",
    "airline": "Airline/Airline.csv",
    "solar": "solar/solar.csv",
}
WHEEL_NOTE = "The series are read from WHEEL, the Python package sktime."
SCALED = "train_x, {}test_x = ((part - mean.float()) / deviation.float() for part in (train_x, {}test_x))\n"


def series_section(run: Run, excerpts: Excerpts) -> Section:
    """Read the series of the run into train_x, train_y, and so on, scaled by the training series."""
    preprocessing, name = run.preprocessing, run.experiment.data.data
    assert isinstance(preprocessing, SeriesPreprocessing)
    if name not in SOURCES and not Path(name).is_file():
        raise NotFoundError(f"the file {name} that run {run.name} was trained on is not there; put it back.")
    section = _forecast(run, excerpts, preprocessing) if preprocessing.is_window else _labelled(run, excerpts)
    valid = "valid_x, " if run.facts["sizes"]["valid"] else ""
    steps = section.steps + SCALED.format(valid, valid)
    return replace(section, steps=steps)


def _labelled(run: Run, excerpts: Excerpts) -> Section:
    data, has_valid, name = run.experiment.data, bool(run.facts["sizes"]["valid"]), run.experiment.data.data
    settings: dict[str, Any] = {}
    if has_valid:
        settings["VALID"] = Raw(f"{data.valid}  # share of the rest held out to choose the best epoch")
    if name in SOURCES:
        steps = (
            "with zipfile.ZipFile(WHEEL) as wheel:\n"
            f'    train_text = wheel.read("{FOLDER}{FILES[name]}_TRAIN.ts").decode()\n'
            f'    test_text = wheel.read("{FOLDER}{FILES[name]}_TEST.ts").decode()\n'
            "series, labels = read_ts(train_text)\n"
            "test_series, test_labels = read_ts(test_text)\n"
        )
        settings |= {"WHEEL": place(cache_folder() / "series" / WHEEL.name)}
        call = "train, valid = hold_out(targets, VALID, SEED)" if has_valid else "train = torch.arange(len(targets))"
    else:
        steps = "series, labels = read_ts(SERIES.read_text())\n"
        settings |= {"SERIES": place(Path(name)), "TEST": Raw(f"{data.test}  # share held out for the final figure")}
        names = "train, valid, test" if has_valid else "train, test"
        call = f"{names} = divide{'' if has_valid else '_in_two'}(targets, TEST, {'VALID, ' * has_valid}SEED)"
    of_test = name in SOURCES
    steps += f"classes = sorted({{*labels{', *test_labels' * of_test}}})\n"
    steps += f"targets = torch.tensor([classes.index(label) for label in labels])\n{call}\n"
    functions = [word for word in ("hold_out", "divide_in_two", "divide") if f"{word}(" in call]
    if data.limit and data.limit <= run.facts["sizes"]["train"]:
        functions.append("thin")
        settings["LIMIT"] = Raw(f"{data.limit}  # series that are learned from")
        steps += "train = thin(train, targets, LIMIT, SEED)\n"
    for part_name in ["train", *(["valid"] * has_valid), *([] if of_test else ["test"])]:
        row = f"[series[place] for place in {part_name}]"
        steps += f"{part_name}_x, {part_name}_y = padded({row}), targets[{part_name}]\n"
    if of_test:
        steps += "test_x = padded(test_series)\n"
        steps += "test_y = torch.tensor([classes.index(label) for label in test_labels])\n"
    steps += "mean, deviation = scale_of(train_x)\n"
    text = f"{part(excerpts, 'series', 'read_ts', 'padded', 'scale_of')}\n{part(excerpts, 'division', *functions)}"
    return Section(steps, text, settings, ("numpy",), WHEEL_NOTE if of_test else "The series are read from SERIES.")


def _forecast(run: Run, excerpts: Excerpts, preprocessing: SeriesPreprocessing) -> Section:
    data, has_valid = run.experiment.data, bool(run.facts["sizes"]["valid"])
    reading = _table(run)
    horizon, count = run.facts["output_count"], "len(steps)"
    settings: dict[str, Any] = {
        **reading.settings,
        "CHANNELS": Raw(f"{literal(list(preprocessing.channels))}  # the first one is told"),
        "WINDOW": Raw(f"{preprocessing.length}  # steps that a forecast is made from"),
        "HORIZON": Raw(f"{horizon}  # steps that it tells"),
        "TEST": Raw(f"{data.test}  # share of the steps, the last ones, for the final figure"),
    }
    if has_valid:
        settings["VALID"] = Raw(f"{data.valid}  # share of the steps before them to choose the best epoch")
    settings |= {"LIMIT": Raw(f"{data.limit}  # windows that are learned from")} if data.limit else {}
    until = "valid_from" if has_valid else "test_from"
    first = f"max(WINDOW, {until} - HORIZON + 1 - LIMIT)" if data.limit else "WINDOW"
    steps = (
        f"{reading.steps}"
        "steps = table.select(pl.col(CHANNELS).cast(pl.Float32)).to_numpy(writable=True)\n"
        f"test_from = {count} - max(HORIZON, round(TEST * {count}))\n"
    )
    if has_valid:
        steps += "valid_from = test_from - max(HORIZON, round(VALID * test_from))\n"
    steps += (
        f"mean, deviation = scale_of(torch.from_numpy(steps[:{until}]))\n"
        "target_mean, target_deviation = mean[0].item(), deviation[0].item()\n"
        "ahead = (steps[:, 0] - target_mean) / target_deviation\n"
        "windows = windows_of(steps, ahead, WINDOW, HORIZON)\n"
        f"train_x, train_y = told_within(windows, {first}, {until}, WINDOW)\n"
    )
    if has_valid:
        steps += "valid_x, valid_y = told_within(windows, valid_from, test_from, WINDOW)\n"
    steps += f"test_x, test_y = told_within(windows, test_from, {count}, WINDOW)\n"
    functions = part(excerpts, "series", "scale_of", "windows_of", "told_within")
    return Section(steps, functions, settings, ("numpy", "polars"), reading.note)


def _table(run: Run) -> Section:
    """Read the table of a long series."""
    name, order = run.experiment.data.data, run.experiment.data.split_column
    if name in SOURCES:
        steps = (
            "with zipfile.ZipFile(WHEEL) as wheel:\n"
            f'    content = wheel.read("{FOLDER}{FILES[name]}")\n'
            "table = pl.read_csv(content, infer_schema_length=None)\n"
        )
        return Section(steps, settings={"WHEEL": place(cache_folder() / "series" / WHEEL.name)}, note=WHEEL_NOTE)
    rows = open_rows(Path(name))
    is_text = isinstance(rows, Delimited)
    options = csv_options(rows) if isinstance(rows, Delimited) else ""
    steps = f"table = pl.read_{'csv' if is_text else 'parquet'}(TABLE{options})\n"
    steps += f"table = table.sort({_order(run, Path(name), order)})\n" if order else ""
    return Section(steps, settings={"TABLE": place(Path(name))}, note="The series is read from TABLE.")


def _order(run: Run, path: Path, order: str) -> str:
    """Return what rows are sorted by: the numbers or the letters in a column of times.

    Raises UsageError for times whose order is neither.
    """
    raw = pl.concat([chunk.frame for chunk in open_rows(path).chunks()])[order]
    times = read_table(path).frame[order]
    read = raw.cast(pl.Float64, strict=False) if times.dtype.is_numeric() else raw
    if read.null_count() or not times[read.arg_sort()].is_sorted():
        raise UsageError(
            f"no plain script can be written of run {run.name}: the times in column '{order}' of {path}, such as "
            f"'{raw[0]}', are in the order neither of their numbers nor of their letters; write them as 2026-01-31."
        )
    return f"pl.col({literal(order)}).cast(pl.Float64)" if times.dtype.is_numeric() else literal(order)
