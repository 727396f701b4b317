"""Explain one answer of a run or of any module, or draw many samples as a map, and write it down as a page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.data.series.preprocessing import SeriesPreprocessing
from layerwise.data.tables.preprocessing import TablePreprocessing
from layerwise.data.text.bag_of_words import BagOfWordsPreprocessing
from layerwise.data.text.characters import CharacterPreprocessing
from layerwise.diagnosis.attribution import PARTS, Explanation, attribute
from layerwise.diagnosis.embeddings import features_of, in_the_plane
from layerwise.errors import DataError, UsageError, nearest
from layerwise.experiments.explain_translation import explain_translation, token_map
from layerwise.experiments.run import Run
from layerwise.reports import explanation_page, wording
from layerwise.reports.explanation_page import Labels
from layerwise.reports.figures import save
from layerwise.reports.pictures import Pixels, to_pixels
from layerwise.runs.atomic import make_folder
from layerwise.tasks import Classification, Regression
from layerwise.tasks.translation import Translation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES_IN_MAP = 1000
NAME_LENGTH = 60  # of a folder


@dataclass(frozen=True)
class _Sample:
    """A prepared sample without the batch, its name, the columns that belong together, and what people call it."""

    prepared: Tensor
    name: str
    groups: Mapping[str, slice]
    steps: Sequence[str]
    channels: Sequence[str]
    picture: Pixels | None


def explain(
    model: Run | nn.Module,
    inputs: str | Path | Tensor,
    *,
    row: int = 1,
    output: int | str | None = None,
    parts: Sequence[str] = (),
    layers: Sequence[str] = (),
    window: int | None = None,
    out: str | Path | None = None,
) -> tuple[Explanation, list[Path]]:
    """Look into one answer; return what was found, and the page and pictures that were written.

    Args:
        model: a run, or any module of your own that gives a row of numbers a sample.
        inputs: a file as the run was trained on, for a translator a text, or a prepared sample without the batch:
            (channels, height, width), (time, channels), (features,) or (time,) int64 tokens.
        row: which sample of a file of several, from 1 on.
        output: the class, value or number of the output to explain; the largest where it is left out.
        parts: which of filters, maps, occlusion, gradients and attention; all that apply where it is left out.
        layers: those whose maps are shown, or ('all',); the first, middle and last convolution where it is left out.
        window: pixels a side that are covered at once; about a seventh of the picture where it is left out.
        out: a folder for page and pictures; in the run's folder where it is left out, for a module nowhere.

    Raises:
        UsageError: a part that does not apply, an output or layer that there is not, a sample of another shape.
        NotFoundError, DataError: the file is missing or is not what the network was trained on.
    """
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise UsageError(f"'{unknown[0]}' is no part; there are {', '.join(PARTS)}.{nearest(unknown[0], PARTS)}")
    run = model if isinstance(model, Run) else None
    if run is not None and isinstance(run.task, Translation):
        _check_text(inputs, row, output, layers, window)
        found, labels = explain_translation(run, str(inputs), parts)
        return found, _write(Path(out) if out is not None else module_folder(run, str(inputs)), found, labels, run)
    module = run.model if run else model
    if not isinstance(module, nn.Module):
        raise UsageError(f"what is explained is a run or a torch.nn.Module, received {type(model).__name__}.")
    sample = _sample_of(run, inputs, row)
    found = attribute(
        module,
        sample.prepared,
        output=output if isinstance(output, int) else _number_of(run, output),
        parts=parts,
        layers=layers,
        window=window,
        groups=sample.groups,
    )
    if out is None and run is None:
        return found, []
    folder = Path(out) if out is not None else module_folder(run, sample.name)
    who = run.name if run else type(module).__name__
    labels = Labels(
        f"{sample.name} by {who}",
        f"‘{answer_in_words(run, found)}’" if _names(run) else answer_in_words(run, found),
        sample.steps,
        sample.channels,
        sample.picture,
    )
    return found, _write(folder, found, labels, run)


def module_folder(run: Run | None, name: str) -> Path:
    """Return where the explanation of a sample goes, in the run's folder."""
    assert run is not None
    return run.path / "explanations" / re.sub(r"[^\w.-]+", "-", name)[:NAME_LENGTH]


def _write(folder: Path, found: Explanation, labels: Labels, run: Run | None) -> list[Path]:
    make_folder(folder)
    drawn = list(explanation_page.drawings(found, labels))
    files = [explanation_page.write_explanation(folder / "explanation.html", labels, found, drawn, next_commands(run))]
    for one in drawn:
        files.append(folder / f"{one.name}.png")
        save(one.figure, files[-1])
    return files


def example_for(run: Run) -> str:
    """Return a file, or for a translator a text, that the run can be asked about, as it is typed."""
    data_info = run.data_info
    if isinstance(run.task, Translation):
        return wording.EXAMPLE_TEXT
    return shlex.quote(wording.example_of(data_info["data_task"], data_info["kind"], run.experiment.data.data))


def next_commands(run: Run | None) -> list[tuple[str, str]]:
    """Return literal commands that go on from an explanation, with what each is for."""
    if run is None:
        return []
    sample, part, mapped = example_for(run), "occlusion", "the test samples"
    if isinstance(run.task, Translation):
        part, mapped = "gradients", "the tokens"
    return [
        (f"layerwise explain {run.name} {sample} --{part}", "one part alone, of another sample"),
        (f"layerwise explain {run.name} --embeddings", f"{mapped} as a map"),
        (f"layerwise evaluate {run.name}", "where it is wrong"),
    ]


def _sample_of(run: Run | None, inputs: str | Path | Tensor, row: int) -> _Sample:
    """Return the sample that is meant, with what its preprocessing knows of it."""
    if isinstance(inputs, Tensor):
        if run is not None:
            _check_shape(run, inputs)
        return _Sample(inputs.detach(), "sample", {}, (), (), None)
    if not isinstance(inputs, str | Path):
        raise UsageError(f"a sample is a file or a prepared torch.Tensor, received {type(inputs).__name__}.")
    if run is None:
        raise UsageError("a module of your own has no preprocessing; give it a prepared tensor, not a file.")
    _check_task(run)
    preprocessing = run.preprocessing
    raw, names = preprocessing.read(Path(inputs))
    if not 1 <= row <= len(raw):
        raise UsageError(f"`row` must be from 1 to {len(raw)}, the samples of {inputs}, received {row}.")
    chosen = raw[row - 1 : row]
    prepared = preprocessing.transform(chosen)[0]
    groups: Mapping[str, slice] = {}
    steps: Sequence[str] = ()
    if isinstance(preprocessing, TablePreprocessing):
        groups = preprocessing.spans()
    elif isinstance(preprocessing, BagOfWordsPreprocessing):
        there = prepared.nonzero().flatten().tolist()
        if not there:
            raise DataError(f"{names[row - 1]} holds no word that the network knows; there is nothing to explain.")
        groups = {preprocessing.vocabulary[place]: slice(place, place + 1) for place in there}
    elif isinstance(preprocessing, CharacterPreprocessing):
        prepared = prepared[prepared != 0]
        steps = [_character(preprocessing, number) for number in prepared.tolist()]
    channels = preprocessing.channels if isinstance(preprocessing, SeriesPreprocessing) else ()
    picture = to_pixels(chosen)[0] if isinstance(preprocessing, ImagePreprocessing) else None
    name = Path(inputs).name if len(raw) == 1 else f"{Path(inputs).name} {row}"
    return _Sample(prepared, name, groups, steps, channels, picture)


def _character(preprocessing: CharacterPreprocessing, number: int) -> str:
    return preprocessing.characters[number - 2] if number >= 2 else "unknown"


def _check_shape(run: Run, sample: Tensor) -> None:
    """Raise UsageError for a prepared sample of another shape than the run takes; sequences may be of any length."""
    _check_task(run)
    expected = run.preprocessing.input_shape
    is_sequence = run.data_info["kind"] in ("series", "characters")
    got = tuple(sample.shape)
    fits = (
        got[1:] == expected[1:]
        if run.data_info["kind"] == "series"
        else len(got) == 1
        if is_sequence
        else got == expected
    )
    if not fits:
        raise UsageError(
            f"run {run.name} takes samples of shape {expected} without the batch, received {got}; give one of those."
        )


def _check_text(
    inputs: str | Path | Tensor, row: int, output: int | str | None, layers: Sequence[str], window: int | None
) -> None:
    """Raise UsageError for what says nothing of a translation."""
    if not isinstance(inputs, str):
        raise UsageError("a translator explains a text, as in `layerwise.explain(run, 'text editor')`; give a string.")
    given = {"row": row != 1, "output": output is not None, "maps": bool(layers), "window": window is not None}
    unfit = [name for name, is_given in given.items() if is_given]
    if unfit:
        raise UsageError(f"`{unfit[0]}` says nothing of a translation; leave it out.")


def _check_task(run: Run) -> None:
    if not isinstance(run.task, Classification | Regression):
        learned = wording.LEARNED[run.data_info["task"]["name"]]
        raise UsageError(
            f"run {run.name} was trained for {learned}; explanations are of one predicted class or value; "
            "give the parts that you ask about as a module of your own in Python."
        )


def _number_of(run: Run | None, output: str | None) -> int | None:
    """Return the number of the output of this name. Raises UsageError for one that there is not."""
    if output is None:
        return None
    names = list(_names(run))
    if output not in names:
        hint = nearest(output, names) if names else ""
        listed = ", ".join(names[:12]) or "numbers, as it is a module of your own"
        raise UsageError(f"`output` must be one of {listed}, received '{output}'.{hint}")
    return names.index(output)


def _names(run: Run | None) -> Sequence[str]:
    task = run.task if run else None
    if isinstance(task, Classification):
        return task.classes
    return task.target_names if isinstance(task, Regression) else ()


def answer_in_words(run: Run | None, found: Explanation) -> str:
    """Return the name of the class or value that is explained."""
    names = _names(run)
    return names[found.output] if names else f"output {found.output}"


def embed(
    run: Run, *, limit: int = SAMPLES_IN_MAP, seed: int = 0, out: str | Path | None = None
) -> tuple[NDArray[np.float64], list[Path]]:
    """Draw the test samples of a run as a map by what its last layer reads; return the places and the picture's file.

    Of a translator it is the tokens that its training sources use most, by the direction of their vectors.

    Principal components, then t-SNE: near in the map is alike for the network; far away means little.

    Args:
        limit: at most so many samples, evenly spread over the test split.

    Raises:
        DataError: fewer than five samples. UsageError: the network has no dense layer.
    """
    if limit < 1:
        raise UsageError(f"`limit` must be a number of samples of at least 1, received {limit}.")
    if isinstance(run.task, Translation):
        places, tokens = token_map(run, limit, seed)
        return places, _save_map(run, explanation_page.token_figure(places, tokens), out)
    _check_task(run)
    split = run.dataset().test
    chosen = torch.linspace(0, len(split) - 1, min(limit, len(split))).long().unique()
    raw, targets = split.take(chosen)
    features = torch.cat([features_of(run.model, run.preprocessing.transform(part)) for part in raw.split(512)])
    places = in_the_plane(features, seed)
    task = run.task
    classes = task.classes if isinstance(task, Classification) else ()
    shown: list[Any] = to_pixels(raw) if isinstance(run.preprocessing, ImagePreprocessing) else []
    figure = explanation_page.embedding_figure(places, targets.tolist() if classes else [], classes, shown)
    return places, _save_map(run, figure, out)


def _save_map(run: Run, figure: Figure, out: str | Path | None) -> list[Path]:
    folder = make_folder(Path(out) if out is not None else run.path / "explanations")
    save(figure, folder / "embeddings.png")
    return [folder / "embeddings.png"]
