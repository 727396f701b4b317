"""Series: files, labels, windows that never see what comes after them, and the sets of the package."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from layerwise.data.build import build
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Labels
from layerwise.data.loading import load, preprocessing_from_json
from layerwise.data.raw import RawForecast, Series
from layerwise.data.series.preprocessing import SeriesPreprocessing, pad, read_ts
from layerwise.data.sources import series as sources
from layerwise.errors import DataError, NotFoundError, UsageError

HEADER = "# made in a test\n@problemName tones\n@univariate false\n@classLabel true low high\n@data\n"
UNLABELLED = HEADER.replace("true low high", "false")


def ts(series: Sequence[Series], labels: Sequence[str] = ()) -> str:
    """Write series as a .ts file does."""
    lines = []
    for number, steps in enumerate(series):
        channels = [",".join(repr(float(value)) for value in column) for column in steps.T]
        lines.append(":".join([*channels, labels[number]] if labels else channels))
    return (HEADER if labels else UNLABELLED) + "\n".join(lines) + "\n"


def tones(count: int = 40, seed: int = 0) -> tuple[list[Series], list[str]]:
    """Slow and fast waves of two channels and of unequal lengths."""
    chance, series, labels = np.random.default_rng(seed), [], []
    for number in range(count):
        time = np.arange(chance.integers(6, 13))
        rate = (0.4, 1.6)[number % 2]
        waves = np.stack([np.sin(rate * time), np.cos(rate * time)], axis=1)
        series.append((waves + chance.normal(0, 0.1, waves.shape)).astype(np.float32))
        labels.append(("low", "high")[number % 2])
    return series, labels


numbers = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 3), st.booleans())
def test_a_ts_file_is_read_as_it_was_written(data: st.DataObject, channels: int, labelled: bool) -> None:
    lengths = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    series = [
        np.array(data.draw(st.lists(numbers, min_size=n * channels, max_size=n * channels)), np.float32).reshape(n, -1)
        for n in lengths
    ]
    labels = [data.draw(st.sampled_from(["low", "high"])) for _ in lengths] if labelled else []
    found, found_labels = read_ts(ts(series, labels).encode(), "tones.ts")
    assert all(np.array_equal(a, b) for a, b in zip(found, series, strict=True))
    assert found_labels == (labels or [""] * len(series))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEADER + "1,2:3,4:low\n1,x:3,4:low\n", r"t\.ts, line 7: expected channels of equally many numbers .* '1,x:3"),
        (HEADER + "1,2:3:low\n", "line 6: expected channels of equally many numbers"),
        (HEADER + "1,?:3,4:low\n", r"line 6: .* mend or take out the line"),
        (HEADER + "1,nan:3,4:low\n", "line 6: expected channels"),
        (HEADER + "(0,1),(1,2):low\n", "line 6: expected channels"),
        (HEADER + "low\n", "line 6: expected channels|no series"),
        (HEADER, "holds no series"),
        ("", "holds no series"),
        ("\x00\xff binary", "holds no series"),
        (
            HEADER + "1,2:3,4:low\n1,2:low\n",
            r"line 7: the series has another number of channels \(1\) than those before it \(2\)",
        ),
        (HEADER + "1,2:3,4:middle\n", r"line 6: the label 'middle' is none of those in the header \(low, high\)"),
    ],
)
def test_what_is_no_ts_file_is_refused_by_its_line(text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_ts(text.encode("utf-8", "surrogateescape"), "t.ts")


def test_a_file_of_labelled_series_is_split_padded_and_scaled_by_its_training_part(tmp_path: Path) -> None:
    series, labels = tones()
    (tmp_path / "tones.ts").write_text(ts(series, labels))
    dataset = load(DataConfig(str(tmp_path / "tones.ts")), seed=3)
    assert (dataset.kind, dataset.task, dataset.classes) == ("series", "classification", ("high", "low"))
    ids = [name for split in (dataset.train, dataset.valid, dataset.test) for name in split.ids]
    assert sorted(ids) == sorted(f"series {number + 1}" for number in range(40))
    for split in (dataset.train, dataset.valid, dataset.test):
        for row, name in enumerate(split.ids):
            raw = series[int(name.split()[1]) - 1]
            kept = split.inputs[torch.tensor([row])][0]
            assert np.array_equal(kept[: len(raw)], raw)
            assert kept[len(raw) :].isnan().all()
            assert dataset.classes[split.targets[row]] == labels[int(name.split()[1]) - 1]
    steps = np.concatenate([series[int(name.split()[1]) - 1] for name in dataset.train.ids]).astype(np.float64)
    prepared = dataset.preprocessing.transform(dataset.train.inputs[torch.arange(len(dataset.train))])
    there = prepared[~prepared[..., 0].isnan()].double()
    np.testing.assert_allclose(there.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(there.std(0, correction=0), 1, atol=1e-6)
    assert isinstance(dataset.preprocessing, SeriesPreprocessing)
    np.testing.assert_allclose(dataset.preprocessing.mean, steps.mean(0), rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(20, 90), st.integers(1, 8), st.integers(1, 5), st.floats(0, 0.4), st.floats(0, 0.4), st.integers(0, 20)
)
def test_training_never_sees_what_is_told_for_testing_or_validation(
    count: int, window: int, horizon: int, test: float, valid: float, limit: int
) -> None:
    frame = pl.DataFrame({"value": np.arange(count, dtype=np.float32)})  # each value is the number of its step
    raw = RawForecast(frame, "value", None, "made", window, horizon)
    try:
        dataset = build(raw, "steps", DataConfig(test=test, valid=valid, limit=limit or None))
    except DataError:
        return
    mean, deviation = dataset.target_means[0], dataset.target_deviations[0]

    def seen(split: object) -> tuple[Tensor, Tensor]:
        return split.inputs[..., 0], (split.targets * deviation + mean).round()  # type: ignore[attr-defined]

    (inputs, told), (valid_inputs, valid_told), (test_inputs, test_told) = map(
        seen, (dataset.train, dataset.valid, dataset.test)
    )
    assert len(told) >= 1
    assert len(test_told) >= 1
    for x, y in ((inputs, told), (valid_inputs, valid_told), (test_inputs, test_told)):
        whole = torch.cat((x, y), dim=1)  # a window goes on where it ends
        assert (whole.diff(dim=1) == 1).all()
    first_held_out = min(valid_told.min() if len(valid_told) else torch.tensor(count), test_told.min())
    assert max(inputs.max(), told.max()) < first_held_out
    assert test_told.max() == count - 1
    if len(valid_told):
        assert valid_told.max() < test_told.min()
    if limit:
        assert len(told) <= limit
    scaled_by = np.arange(first_held_out.item())
    assert mean == pytest.approx(scaled_by.mean(), rel=1e-5)
    assert deviation == pytest.approx(scaled_by.std(), rel=1e-5)


def table(path: Path, rows: int = 60, **columns: object) -> Path:
    time = np.arange(rows)
    frame = {"when": time, "sales": np.sin(time / 3) + time / 50, "rain": np.cos(time), **columns}
    pl.DataFrame(frame).write_csv(path)
    return path


DAYS = [date(2026, 1, 25) + timedelta(day) for day in range(60)]  # over the ends of two months


@pytest.mark.parametrize(
    "times",
    [
        [str(step) for step in range(60)],  # 10 comes behind 9
        [str(day) for day in DAYS],
        [f"{day:%d.%m.%Y}" for day in DAYS],  # 01.02. comes behind 31.01.
        [f"{2021 + step // 12}-{1 + step % 12:02}" for step in range(60)],
    ],
)
def test_a_table_becomes_windows_in_the_order_of_its_time(tmp_path: Path, times: list[str]) -> None:
    whole = pl.read_csv(table(tmp_path / "shop.csv", when=times, sales=[float(step) for step in range(60)]))
    whole.sample(fraction=1, shuffle=True, seed=1).write_csv(tmp_path / "mixed.csv")
    options = {"target": "sales", "split_column": "when", "horizon": 2, "window": 5}
    datasets = [load(DataConfig(str(tmp_path / name), **options)) for name in ("shop.csv", "mixed.csv")]  # type: ignore[arg-type]
    assert datasets[0].input_shape == (5, 2)
    assert datasets[0].target_names == ("sales +1", "sales +2")
    everything = torch.arange(len(datasets[0].train))
    assert torch.equal(datasets[0].train.inputs[everything], datasets[1].train.inputs[everything])
    assert bool((datasets[1].train.inputs[everything][..., 0].diff(dim=1) == 1).all())
    last, _ = datasets[0].preprocessing.read(tmp_path / "mixed.csv")
    assert last[0, :, 0].tolist() == [55, 56, 57, 58, 59]


def test_numbers_with_decimal_commas_are_forecast(tmp_path: Path) -> None:
    rows = "".join(f"{day:%d.%m.%Y};{step},5\n" for step, day in enumerate(DAYS))
    (tmp_path / "umsatz.csv").write_text(f"Tag;Umsatz\n{rows}", encoding="latin-1")
    config = DataConfig(str(tmp_path / "umsatz.csv"), target="Umsatz", split_column="Tag", horizon=2, window=5)
    dataset = load(config)
    assert dataset.train.inputs[torch.tensor([0])][0, :, 0].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert dataset.train.ids[0] == "2026-01-30"


@pytest.mark.parametrize(
    ("times", "severity", "sentence"),
    [
        ([*DAYS[:30], *DAYS[29:59]], "warning", "the time 2026-02-23 stands in line 31 and in line 32; a forecast"),
        ([*DAYS[:30], *(day + timedelta(9) for day in DAYS[30:])], "warning", "no rows lie between 2026-02-23 and"),
        ([DAYS[0] + timedelta(7 * (step // 5) + step % 5) for step in range(60)], None, "no rows lie between"),
    ],
)
def test_odd_times_are_told_and_weekends_are_not(
    tmp_path: Path, times: list[date], severity: str | None, sentence: str
) -> None:
    path = table(tmp_path / "shop.csv", when=times, holes=[None, *range(59)])
    notices = load(DataConfig(str(path), target="sales", split_column="when", horizon=2, window=5)).notices
    assert [one.severity for one in notices if sentence in one.text] == ([severity] if severity else [])
    assert any(
        "Column 'holes' is left out, since 1 of its cells are empty, the first in" in one.text for one in notices
    )


def test_new_tables_and_files_are_measured_as_a_run_was_trained(tmp_path: Path) -> None:
    path = table(tmp_path / "shop.csv")
    dataset = load(DataConfig(str(path), target="sales", split_column="when", horizon=2, window=5))
    assert isinstance(dataset.preprocessing, SeriesPreprocessing)
    split = dataset.preprocessing.read_labelled(path, Labels("regression", output_count=2))
    assert len(split) == 60 - 5 - 2 + 1
    assert torch.equal(split.targets[-len(dataset.test) :], dataset.test.targets)
    assert split.ids[-len(dataset.test) :] == dataset.test.ids
    with pytest.raises(DataError, match="has 6 steps, and a forecast of 2 from 5 takes 7; give a longer series"):
        short = table(tmp_path / "short.csv", rows=6)
        dataset.preprocessing.read_labelled(short, Labels("regression", output_count=2))
    series, labels = tones(6)
    (tmp_path / "tones.ts").write_text(ts(series, labels))
    fitted = SeriesPreprocessing.fit(pad(series), ("channel 1", "channel 2"))
    classes = tuple(sorted(set(labels), reverse=True))
    measured = fitted.read_labelled(tmp_path / "tones.ts", Labels("classification", classes))
    assert [classes[number] for number in measured.targets.tolist()] == labels


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"horizon": 2}, "`horizon` needs `target`"),
        ({"horizon": 2, "target": "sale"}, r"has no column 'sale'\. Did you mean 'sales'"),
        (
            {"horizon": 2, "target": "sales", "window": 70},
            r"shop\.csv has 60 steps, and with `window` 70 and `horizon` 2",
        ),
        (
            {"horizon": 2, "target": "gaps"},
            r"shop\.csv, line 9: column 'gaps' is empty where a number was expected; fill it in",
        ),
        (
            {"horizon": 2, "target": "words"},
            r"shop\.csv: column 'words' holds no numbers, so it can neither be forecast",
        ),
        (
            {"horizon": 2, "target": "still"},
            "column 'still' is 5 in all 43 training steps, so there is nothing to learn",
        ),
        (
            {"horizon": 2, "target": "sales", "split_column": "gaps"},
            "line 9: column 'gaps' is empty, so the row has no",
        ),
        ({"horizon": 2, "target": "sales", "split_column": "words"}, "'words' holds 'a', neither dates nor numbers"),
        ({"horizon": 2, "target": "sales", "split_by": "group"}, "`split_by` group suits no forecast"),
        ({"window": 3, "target": "sales"}, "`window` is for forecasts of a series, and .* is a table"),
    ],
)
def test_a_forecast_that_cannot_be_made_is_refused(tmp_path: Path, options: dict[str, object], sentence: str) -> None:
    gaps = [None if row == 7 else float(row) for row in range(60)]
    path = table(tmp_path / "shop.csv", gaps=gaps, words=["a"] * 60, still=[5.0] * 60)
    with pytest.raises((DataError, UsageError), match=sentence):
        load(DataConfig(str(path), **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["window", "horizon"])
def test_steps_below_one_are_refused(field: str) -> None:
    with pytest.raises(UsageError, match=f"`{field}` must be a whole number of at least 1, received 0"):
        DataConfig(**{field: 0})


def test_flags_of_forecasts_and_tables_are_refused_for_labelled_series(tmp_path: Path) -> None:
    (tmp_path / "tones.ts").write_text(ts(*tones()))
    for options, sentence in (
        ({"horizon": 3}, "`horizon` is for forecasts, and the series of tones have labels"),
        ({"target": "x"}, "`target` names a column, and tones is no table"),
        ({"split_by": "time"}, "`split_by` time needs a table"),
        ({"image_size": 8}, "`image_size` is for pictures"),
    ):
        with pytest.raises(UsageError, match=sentence):
            load(DataConfig(str(tmp_path / "tones.ts"), **options))  # type: ignore[arg-type]
    (tmp_path / "bare.ts").write_text(ts(tones()[0]))
    with pytest.raises(DataError, match=r"bare\.ts has no labels, so there is nothing to learn"):
        load(DataConfig(str(tmp_path / "bare.ts")))


def test_new_series_are_read_as_the_network_takes_them(tmp_path: Path) -> None:
    labelled = SeriesPreprocessing.fit(pad(tones()[0]), ("channel 1", "channel 2"))
    (tmp_path / "new.ts").write_text(ts(tones(3, seed=5)[0]))
    inputs, ids = labelled.read(tmp_path / "new.ts")
    assert (len(inputs), ids) == (3, ["series 1", "series 2", "series 3"])
    windows = SeriesPreprocessing(("sales", "rain"), 5, (0.0, 0.0), (1.0, 1.0), is_window=True)
    path = table(tmp_path / "shop.csv")
    last, _ = windows.read(path)
    assert last.shape == (1, 5, 2)
    np.testing.assert_allclose(last[0, :, 0], pl.read_csv(path)["sales"].to_numpy()[-5:], rtol=1e-6)
    (tmp_path / "one.ts").write_text(ts([np.ones((4, 1), np.float32)]))
    (tmp_path / "a.png").write_bytes(b"")
    refusals = [
        (labelled, tmp_path / "one.ts", "has 1 channels, and the network takes 2"),
        (labelled, tmp_path / "a.png", r"neither a \.ts file of series nor a table"),
        (labelled, tmp_path / "news.ts", r"does not exist; .* Did you mean 'new\.ts'"),
        (windows, table(tmp_path / "short.csv", rows=4), "has 4 steps, and a forecast needs the last 5"),
        (SeriesPreprocessing(("snow",), 5, (0.0,), (1.0,)), path, "has no column 'snow', which the network takes"),
    ]
    for preprocessing, source, sentence in refusals:
        with pytest.raises((DataError, NotFoundError), match=sentence):
            preprocessing.read(source)


def test_the_preprocessing_of_series_comes_back_from_json() -> None:
    fitted = SeriesPreprocessing.fit(pad(tones()[0]), ("a", "b"), is_window=True)
    assert preprocessing_from_json(fitted.to_json()) == fitted


def test_a_constant_channel_is_centred_and_not_stretched() -> None:
    fitted = SeriesPreprocessing.fit(torch.full((2, 3, 1), 7.0), ("still",))
    assert fitted.transform(torch.full((1, 3, 1), 7.0)).unique().tolist() == [0.0]


def test_the_packages_files_are_read_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small package of the same layout stands for the real one, which the test of the network reads."""
    series, labels = tones(6)
    with zipfile.ZipFile(tmp_path / sources.WHEEL.name, "w") as archive:
        for part, chosen in (("TRAIN", slice(0, 4)), ("TEST", slice(4, 6))):
            name = f"{sources.FOLDER}JapaneseVowels/JapaneseVowels_{part}.ts"
            archive.writestr(name, ts(series[chosen], labels[chosen]))
        archive.writestr(f"{sources.FOLDER}Airline/Airline.csv", "Date,Passengers\n1949-01,112\n1949-02,118\n")
    monkeypatch.setattr(sources, "fetch", lambda *_: tmp_path)
    vowels = sources.japanese_vowels()
    assert [len(steps) for steps in (*vowels.series, *vowels.test_series)] == [len(steps) for steps in series]
    assert (vowels.labels, vowels.test_labels) == (labels[:4], labels[4:])
    assert sources.airline().frame["Passengers"].to_list() == [112, 118]
    with pytest.raises(DataError, match=r"holds no .*solar\.csv; get it anew"):
        sources.solar()
