"""The sections of a report, each from the facts to a piece of HTML; a section without content is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerwise.data.dataset import Dataset, Split
from layerwise.reports import charts, markup, pictures, wording
from layerwise.reports.drawing import draw_network
from layerwise.reports.facts import ReportFacts, SummaryRow
from layerwise.reports.figures import to_svg
from layerwise.reports.findings import observe
from layerwise.reports.statistics import targets_in_units
from layerwise.tasks.metrics import label_of

LAYERS_SHOWN_OPEN = 16


def findings(facts: ReportFacts) -> str:
    """What the numbers say, and what is to be known about the data."""
    found = [*observe(facts.evaluation, facts.records), *facts.notices, *facts.dataset.notices]
    return markup.section("findings", "What to know", markup.notices(list(dict.fromkeys(found))))


def answers(facts: ReportFacts) -> str:
    """Where the model is right and where it is wrong."""
    return facts.evaluation.section(facts) if facts.evaluation else ""


# -- how it learned -----------------------------------------------------------------------------------------


def training(facts: ReportFacts) -> str:
    """How the loss fell and the metrics rose."""
    records = facts.records
    if not any(record["kind"] == "report" for record in records):
        return ""
    _, values, best = charts.validation_curve(records, "loss")
    told = f"Best epoch: {best + 1} of {len(values)}." if best is not None else ""
    loss = markup.chart(
        to_svg(charts.loss_curves(records), f"Training and validation loss over epochs. {told}"),
        "Loss",
        "Blue: on what it learns from. Orange: on data held out. Falling together is good; "
        "orange rising while blue falls is learning by heart."
        if len(charts.loss_parts(records)) == 1
        else "Two players, of which one gains what the other loses: no loss falls for long, and none says how good "
        "the pictures are.",
    )
    drawn = []
    for name in _metric_names(records):
        values = charts.validation_curve(records, name)[1]
        title = label_of(name)
        heard = f"Validation {title} over epochs, from {wording.decimal(values[0])} to {wording.decimal(values[-1])}."
        drawn.append(
            markup.chart(
                to_svg(charts.metric_curve(records, name), heard),
                title[0].upper() + title[1:],
                "On the data held out, after each epoch; the weights of the best epoch are kept.",
            )
        )
    drawn.append(
        markup.chart(
            to_svg(charts.learning_rate_curve(records), "The learning rate over epochs."),
            "Learning rate",
            "The size of a step, as the schedule set it.",
        )
    )
    return markup.section("training", "How it learned", markup.columns(loss, f"<div>{''.join(drawn)}</div>"))


def _metric_names(records: Any) -> list[str]:
    names = dict.fromkeys(name for record in records if record["kind"] == "evaluation" for name in record["metrics"])
    told = ("accuracy", "r2", "mean_iou", "accuracy_on_real", "accuracy_on_generated")
    return [name for name in told if name in names] or [name for name in names if name != "loss"][:1]


# -- the network --------------------------------------------------------------------------------------------


def network(facts: ReportFacts) -> str:
    """The model drawn, its layers as a table, and what its first layer looks for."""
    rows = facts.summary.rows
    drawing = markup.chart(
        draw_network(rows, facts.dataset.input_shape, facts.dataset.classes or facts.dataset.target_names),
        "The network, from input to output",
        wide=True,
    )
    table = markup.table(
        ["layer", "kind", "output", "parameters", "multiply-adds", "sees"], [_layer_row(row) for row in rows], words=2
    )
    folded = markup.folded(f"All {len(rows)} layers", table, is_open=len(rows) <= LAYERS_SHOWN_OPEN)
    return markup.section("network", "The network", drawing, folded, _first_layer(facts))


def _layer_row(row: SummaryRow) -> list[str]:
    field = row.receptive_field
    if isinstance(field, tuple):
        field = " × ".join(map(str, field))
    return [
        row.name,
        row.kind,
        " × ".join(map(str, row.output_shape)),
        wording.count(row.parameters) if row.parameters else "",
        wording.count(row.multiply_adds) if row.multiply_adds else "",
        f"{field} px" if field else "",
    ]


def _first_layer(facts: ReportFacts) -> str:
    """Filters of a convolution, templates of neurons that see a picture, or weights of named features."""
    filters = pictures.first_filters(facts.model)
    if filters is None:
        filters = pictures.templates(facts.model, facts.dataset.input_shape)
    if filters is not None:
        shown = pictures.filter_pixels(filters)
        captions = [(f"filter {place + 1}", f"of {len(filters)}") for place in range(len(shown))]
        note = (
            "Blue: light here excites it; orange: dark here does; white: no matter. " if filters.shape[1] != 3 else ""
        )
        return (
            markup.subtitle("What the first layer looks for")
            + markup.paragraph(f"{note}Each picture is the weights of one neuron, learned from the data.", "lead")
            + markup.gallery(shown, captions, kind="bare")
        )
    weights = pictures.initial_weights(facts.model)
    names = feature_names(facts.dataset)
    if weights is None or weights.shape[1] != len(names):
        return ""
    return markup.chart(
        to_svg(charts.weight_chart(names, weights), "The strongest weights of the first layer."),
        "What the first layer looks at",
        "The features that it weighs most, each on its prepared scale.",
    )


def feature_names(dataset: Dataset) -> tuple[str, ...]:
    """Return the name of each input of a table or of texts, where the preprocessing knows them."""
    for attribute in ("features", "vocabulary"):
        names = getattr(dataset.preprocessing, attribute, None)
        if names:
            return tuple(names)
    return ()


# -- data, settings, use ------------------------------------------------------------------------------------


def data(facts: ReportFacts) -> str:
    """What it learned from."""
    dataset = facts.dataset
    noun = wording.NOUNS.get(dataset.kind, "sample")
    lead = (
        f"{dataset.name}: {wording.plural(len(dataset.train), noun)} to learn from, "
        f"{wording.count(len(dataset.valid))} to choose the best epoch by, and {wording.count(len(dataset.test))} "
        "that touch nothing but the final figure."
    )
    source = markup.paragraph(f"Source: {dataset.source}", "lead") if dataset.source else ""
    return markup.section(
        "data", "The data", markup.paragraph(lead), source, markup.columns(_balance(dataset), _samples(dataset))
    )


def _splits(dataset: Dataset) -> dict[str, Split]:
    return {"training": dataset.train, "validation": dataset.valid, "test": dataset.test}


def _balance(dataset: Dataset) -> str:
    if dataset.task not in ("classification", "regression"):
        return ""
    if dataset.task == "regression":
        in_units = targets_in_units(dataset, dataset.train.targets)
        return "".join(
            markup.chart(
                to_svg(charts.value_histogram(name, values), f"Distribution of {name} over the training split."),
                f"Distribution of {name}",
                "Over the training split, in its own unit.",
            )
            for name, values in zip(dataset.target_names, in_units.T, strict=True)
        )
    counts = {name: dataset.class_counts(split) for name, split in _splits(dataset).items()}
    totals = [sum(values) for values in zip(*counts.values(), strict=True)]
    told = f"Samples of each class: from {min(totals)} to {max(totals)}."
    return markup.chart(to_svg(charts.class_balance_chart(dataset.classes, counts), told), "Samples of each class")


def _samples(dataset: Dataset) -> str:
    if dataset.kind != "images" or not len(dataset.train):
        return ""
    chosen = pictures.pick_samples(dataset, dataset.train)
    shown = pictures.to_pixels(dataset.train.inputs[chosen])
    names = pictures.names_of(dataset, dataset.train, chosen)
    ids = [str(dataset.train.ids[place]) for place in chosen.tolist()]
    gallery = markup.gallery(shown, list(zip(names, ids, strict=True)), kind="samples")
    return f"<div>{markup.subtitle('Some of what it learned from')}{gallery}</div>"


def options(facts: ReportFacts) -> str:
    """The literal command and all settings."""
    lead = markup.paragraph(facts.reason) if facts.reason else ""
    chosen = {option.replace("_", " "): value_in_words(value) for option, value in facts.options.items()}
    own = markup.subtitle("Set by you") + markup.pairs(chosen) if chosen else ""
    blocks: dict[str, Mapping[str, Any]] = {}
    for name, value in facts.experiment.items():
        if name != "options":
            title, values = (name, value) if isinstance(value, Mapping) else ("model", {name: value})
            blocks[title] = {**blocks.get(title, {}), **values}
    pieces = [
        f"<div>{markup.subtitle(title.replace('_', ' '))}"
        + markup.pairs({option.replace("_", " "): value_in_words(value) for option, value in values.items()})
        + "</div>"
        for title, values in blocks.items()
        if values
    ]
    return markup.section(
        "options",
        "What was asked",
        markup.code(facts.command),
        lead,
        own,
        markup.folded("All settings", markup.columns(*pieces)) if pieces else "",
    )


def value_in_words(value: Any) -> str:
    """Return a setting as a person would write it."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(value_in_words(item) for item in value) or "none"
        case Mapping():
            return ", ".join(f"{name} {value_in_words(item)}" for name, item in value.items()) or "none"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def use(facts: ReportFacts) -> str:
    """Commands and lines of Python that go on from here."""
    run, task = facts.run, facts.evaluation.task if facts.evaluation else facts.dataset.task
    use = wording.use_of(task, example_of(facts, task))
    commands = {
        f"layerwise {use.command.format(run=run)}": use.purpose,
        f"layerwise evaluate {run}": "measure it again, or on other data with --data",
        f"layerwise resume {run}": "go on if it was stopped",
        f"layerwise show {run}": "its layers",
        f"layerwise code {run} --out train/": "the same training in plain PyTorch",
    }
    width = max(map(len, commands))
    shell = "\n".join(f"{command:<{width}}  # {words}" for command, words in commands.items())
    python = (
        "import layerwise\n\n"
        f"run = layerwise.Run.open({run!r})\n"
        f"{use.python}\n"
        "network = run.model  # the torch.nn.Module, in evaluation mode"
    )
    return markup.section(
        "use",
        "Use it",
        markup.subtitle("On the command line"),
        markup.code(shell),
        markup.subtitle("In Python"),
        markup.code(python),
    )


def example_of(facts: ReportFacts, task: str) -> str:
    """Return what can be given to the run: the beginning of a text, or a file."""
    data = str(facts.experiment.get("data", {}).get("data", ""))
    return wording.example_of(task, facts.dataset.kind, data, facts.evaluation)


def environment_section(facts: ReportFacts) -> str:
    """The machine, the versions and the files of the run."""
    machine = {name.replace("_", " "): value_in_words(value) for name, value in facts.environment.items()}
    left = f"<div>{markup.subtitle('Environment')}{markup.pairs(machine)}</div>" if machine else ""
    right = f"<div>{markup.subtitle('Files of the run')}{markup.pairs(facts.files)}</div>" if facts.files else ""
    return markup.section("environment", "Where it was made", markup.columns(left, right))
