"""Tables and texts: reading, encoding and division."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from layerwise.data.cells import DATE_FORMATS
from layerwise.data.columns import BooleanColumn, CategoryColumn, Column, DateColumn, NumberColumn
from layerwise.data.delimited import Delimited
from layerwise.data.encoding import TablePreprocessing
from layerwise.data.fetch import cache_folder
from layerwise.data.sources.spam import ARCHIVE
from layerwise.data.sources.titanic import TITANIC
from layerwise.data.tables import open_rows, survey
from layerwise.data.targets import TargetColumn
from layerwise.data.text import TextPreprocessing
from layerwise.errors import NotFoundError, UsageError
from layerwise.experiments.run import Run
from layerwise.experiments.scripting.excerpts import Excerpts
from layerwise.experiments.scripting.section import Raw, Section, part, place, wrapped_call
from layerwise.experiments.scripting.specialise import literal

SKLEARN = {
    "iris": ("load_iris()", "species"),
    "wine": ("load_wine()", "cultivar"),
    "breast-cancer": ("load_breast_cancer()", "diagnosis"),
    "diabetes": ("load_diabetes(scaled=False)", "progression"),
}
READERS = {"number": "to_number", "text": "to_text", "boolean": "to_truth"}


def table_section(run: Run, excerpts: Excerpts) -> Section:
    """Read the table of the run into train_x, train_y, valid_x, valid_y, test_x and test_y."""
    preprocessing, data = run.preprocessing, run.experiment.data
    assert isinstance(preprocessing, TablePreprocessing)
    target = preprocessing.target
    if target.type.kind == "date":
        raise UsageError(f"run {run.name} predicts classes that are dates, which no script can be written of.")
    if data.data in SKLEARN and data.split_by == "random" and _is_whole(run, preprocessing):
        return _numbers_alone(run, excerpts, target)
    reading, row_count = _reading(run)
    kinds = dict.fromkeys(column.kind for column in preprocessing.columns)
    functions = part(excerpts, "columns", *kinds, READERS[target.type.kind])
    steps = (
        f"{reading.steps}"
        f"{_filter(run, target, row_count)}"
        "columns = [  # each with what the training rows taught\n"
        f"{''.join(map(_encoded, preprocessing.columns))}"
        "]\n"
        "features = torch.from_numpy(np.concatenate(columns, axis=1).astype(np.float32))\n"
        f"{_targets(target)}"
    )
    division = _division(run, excerpts, target)
    is_number = target.type.kind == "number"
    names = [Raw(name) if is_number else name for name in target.classes]
    classes = {"CLASSES": names} if names else {}
    return Section(
        f"{steps}\n{division.steps}{_standardised(target)}{_chosen(run)}",
        f"{functions}\n{division.functions}",
        {**reading.settings, "TARGET": target.name, **classes, **division.settings},
        reading.needs,
        reading.note,
    )


def text_section(run: Run, excerpts: Excerpts) -> Section:
    """Read the e-mails, learn the words of the training part, and count them in all."""
    preprocessing = run.preprocessing
    assert isinstance(preprocessing, TextPreprocessing)
    functions = part(excerpts, "words", "read_mails", "count_tokens", "learn_words", "count_words")
    division = _division(run, excerpts, None)
    steps = (
        "texts, targets = read_mails(ARCHIVE)\n"
        f"{division.steps}"
        "mails = count_tokens(texts)\n"
        "words = learn_words([mails[position] for position in train], WORDS)\n"
        "features = count_words(mails, words, len(train))\n"
    )
    words = Raw(f"{len(preprocessing.vocabulary)}  # as many are learned, the most frequent first")
    settings = {"ARCHIVE": place(cache_folder() / "spam" / ARCHIVE.name), "WORDS": words, **division.settings}
    note = "The e-mails are read from ARCHIVE."
    return Section(steps + _chosen(run), f"{functions}\n{division.functions}", settings, (), note)


def _is_whole(run: Run, preprocessing: TablePreprocessing) -> bool:
    """Whether all columns but the usual target are used, and all are numbers."""
    columns = preprocessing.columns
    _, name = SKLEARN[run.experiment.data.data]
    count = {"iris": 4, "wine": 13, "breast-cancer": 30, "diabetes": 10}[run.experiment.data.data]
    return preprocessing.target.name == name and len(columns) == count and all(c.kind == "number" for c in columns)


def _numbers_alone(run: Run, excerpts: Excerpts, target: TargetColumn) -> Section:
    """A table of numbers: their mean and deviation are taken from the training rows again."""
    loader, _ = SKLEARN[run.experiment.data.data]
    steps = f"table = {loader}\nfeatures = torch.from_numpy(table.data)\n"
    if target.classes:
        steps += f"names = sorted(table.target_names)  # {', '.join(target.classes)}\n"
        steps += "targets = torch.tensor([names.index(table.target_names[label]) for label in table.target])\n"
    else:
        steps += "targets = torch.from_numpy(table.target)\n"
    division = _division(run, excerpts, target)
    steps += (
        f"{division.steps}"
        "mean, deviation = features[train].mean(0), features[train].std(0, correction=0)\n"
        "features = ((features - mean) / deviation).float()\n"
    )
    steps += _standardised(target) + _chosen(run)
    return Section(steps, division.functions, division.settings, ("scikit-learn",))


def _reading(run: Run) -> tuple[Section, int]:
    """Read the table as text cells, or as its file or library types them; return how many rows there are, too."""
    name = run.experiment.data.data
    if name in SKLEARN:
        return _bunch(name), run.facts["sizes"]["train"] + run.facts["sizes"]["valid"] + run.facts["sizes"]["test"]
    path = _path(name)
    if not path.is_file():
        raise NotFoundError(f"the table {path} that run {run.name} was trained on is not there; put it back.")
    rows = open_rows(path)
    options = csv_options(rows) if isinstance(rows, Delimited) else ""
    function = "pl.read_csv" if isinstance(rows, Delimited) else "pl.read_parquet"
    steps, note = f"table = {function}(TABLE{options})\n", "The table is read from TABLE."
    return Section(steps, "", {"TABLE": place(path)}, ("numpy", "polars"), note), survey(rows).row_count


def _bunch(name: str) -> Section:
    """Make a table of a data set of scikit-learn."""
    loader, target = SKLEARN[name]
    labels = "bunch.target" if name == "diabetes" else "[str(bunch.target_names[label]) for label in bunch.target]"
    return Section(
        f"bunch = {loader}\n"
        "table = pl.DataFrame(bunch.data, schema=[str(name) for name in bunch.feature_names])\n"
        f'table = table.with_columns(pl.Series("{target}", {labels}))\n',
        needs=("numpy", "polars", "scikit-learn"),
    )


def _path(name: str) -> Path:
    return cache_folder() / "titanic" / TITANIC.pins[0].name if name == "titanic" else Path(name)


def csv_options(rows: Delimited) -> str:
    """Return the options with which polars reads a text file as our own reader does.

    Raises:
        UsageError: it cannot, for there are empty lines or odd names of columns.
    """
    options: dict[str, Any] = {"infer_schema": False}
    if rows.delimiter != ",":
        options["separator"] = rows.delimiter
    if not rows.encoding.codec.startswith("utf-8"):
        options["encoding"] = rows.encoding.codec
    try:
        frame = pl.read_csv(rows.path, **options)
    except pl.exceptions.PolarsError:
        frame = pl.DataFrame()
    if [name for name in frame.columns if name] != list(rows.names) or len(frame) != survey(rows).row_count:
        raise UsageError(
            f"{rows.path} has empty lines, or blanks in the names of its columns, so that a short script would read "
            "other rows; save the table plainly and train on that."
        )
    return "".join(f", {name}={literal(value)}" for name, value in options.items())


def _encoded(column: Column) -> str:
    """Return the call that encodes a column, with what was fitted to it."""
    match column:
        case NumberColumn():
            fitted: tuple[Any, ...] = (column.mean, column.deviation, column.median, column.indicator)
            fitted += (column.format == ",",)
        case CategoryColumn():
            fitted = (list(column.categories), column.other, column.missing)
        case BooleanColumn():
            fitted = ()
        case DateColumn():
            days, years = (column.mean, column.deviation), (column.mean_year, column.deviation_year)
            fitted = (column.format or DATE_FORMATS[0], days, years, column.cycles, column.indicator)
    return wrapped_call(column.kind, (Raw(f"table[{literal(column.name)}]"), *fitted), 4)


def _cells(target: TargetColumn) -> str:
    """Return the expression that reads the cells of the target."""
    comma = ", True" if target.type.format == "," else ""
    return f"{READERS[target.type.kind]}(table[TARGET]{comma})"


def _filter(run: Run, target: TargetColumn, row_count: int) -> str:
    """Return the line that leaves out rows without a target, unless it is known that there are none."""
    if run.experiment.data.limit is None and row_count == sum(run.facts["sizes"].values()):
        return ""
    return f"table = table.filter({_cells(target)}.is_not_null())\n"


def _targets(target: TargetColumn) -> str:
    if not target.classes:
        return f"targets = torch.from_numpy({_cells(target)}.to_numpy(writable=True))\n"
    return f"targets = torch.tensor([CLASSES.index(label) for label in {_cells(target)}])\n"


def _standardised(target: TargetColumn) -> str:
    """Return the lines that scale values by the training rows."""
    if target.classes:
        return ""
    return (
        "target_mean, target_deviation = targets[train].mean(), targets[train].std(correction=0)\n"
        "targets = ((targets - target_mean) / target_deviation).float()[:, None]\n"
    )


def _chosen(run: Run) -> str:
    if not run.experiment.data.valid:
        return "train_x, test_x, train_y, test_y = features[train], features[test], targets[train], targets[test]\n"
    return (
        "train_x, valid_x, test_x = features[train], features[valid], features[test]\n"
        "train_y, valid_y, test_y = targets[train], targets[valid], targets[test]\n"
    )


def _division(run: Run, excerpts: Excerpts, target: TargetColumn | None) -> Section:
    """Divide the rows into three parts, or two where none is wanted to choose by."""
    data = run.experiment.data
    settings: dict[str, Any] = {"TEST": Raw(f"{data.test}  # share held out for the final figure")}
    if data.valid:
        settings["VALID"] = Raw(f"{data.valid}  # share of the rest held out to choose the best epoch")
    three, valid = ("train, valid, test", "VALID") if data.valid else ("train, _, test", "0.0")
    labels = "targets" if target is None or target.classes else "torch.zeros(len(targets), dtype=torch.int64)"
    if data.split_by == "time":
        functions = part(excerpts, "division", "divide_by_time")
        times, reader = _times(run)
        functions += "\n" + part(excerpts, "columns", reader)
        steps = f"times = torch.from_numpy({times}.to_numpy(writable=True))\n"
        steps += f"{three} = divide_by_time(times, TEST, {valid})\n"
    elif data.split_by == "group":
        functions = part(excerpts, "division", "divide_by_group")
        groups, reader = _groups(run)
        functions += "\n" + part(excerpts, "columns", reader)
        steps = f'groups = torch.from_numpy(({groups}.rank("dense").cast(pl.Int64) - 1).to_numpy(writable=True))\n'
        steps += f"{three} = divide_by_group(groups, TEST, {valid}, SEED)\n"
    elif data.valid:
        functions = part(excerpts, "division", "divide")
        steps = f"train, valid, test = divide({labels}, TEST, VALID, SEED)\n"
    else:
        functions = part(excerpts, "division", "divide_in_two")
        steps = f"train, test = divide_in_two({labels}, TEST, SEED)\n"
    if data.limit is not None and data.limit <= run.facts["sizes"]["train"]:
        functions += "\n" + part(excerpts, "division", "thin")
        steps += f"train = thin(train, {labels}, LIMIT, SEED)\n"
        settings["LIMIT"] = data.limit
    return Section(steps, functions, settings)


def _times(run: Run) -> tuple[str, str]:
    """Return the expression of the times that rows are ordered by, and the function that it calls."""
    cells, kind, form = _split_cells(run)
    if kind == "date":
        return f'to_date({cells}, {literal(form or DATE_FORMATS[0])}).dt.epoch("us")', "to_date"
    return f"to_number({cells}{', True' if form else ''})", "to_number"


def _groups(run: Run) -> tuple[str, str]:
    """Return the expression of the groups that are kept together, and the function that it calls."""
    cells, kind, form = _split_cells(run)
    if kind == "date":
        return f"to_date({cells}, {literal(form or DATE_FORMATS[0])})", "to_date"
    return f"{READERS[kind]}({cells}{', True' if form else ''})", READERS[kind]


def _split_cells(run: Run) -> tuple[str, str, str]:
    """Return the expression of the cells that rows are divided by, and kind and format of their column."""
    data = run.experiment.data
    assert data.split_column
    return f"table[{literal(data.split_column)}]", *_column_type(run, data.split_column)


def _column_type(run: Run, name: str) -> tuple[str, str]:
    """Return kind and format of a column that need not be among the features."""
    preprocessing = run.preprocessing
    assert isinstance(preprocessing, TablePreprocessing)
    for column in preprocessing.columns:
        if column.name == name:
            return column.type.kind, column.type.format
    if run.experiment.data.data in SKLEARN:
        _, classes = SKLEARN[run.experiment.data.data]
        return ("text" if name == classes and classes != "progression" else "number"), ""
    kind = survey(open_rows(_path(run.experiment.data.data))).types[name]
    return kind.kind, kind.format
