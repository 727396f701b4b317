"""What a user does with a run and with data: predict, evaluate, look, list, copy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from sklearn import metrics as oracle
from small_data import FRUITS, QUICK, blobs, draw_fruits, write_flats

from layerwise.data.build import build
from layerwise.data.catalogue import source_rows
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset
from layerwise.data.raw import RawDocuments
from layerwise.errors import DataError, NotFoundError, UsageError
from layerwise.experiments.default_model import choose_model
from layerwise.experiments.evaluation import evaluate
from layerwise.experiments.inspection import inspect
from layerwise.experiments.listing import differences, list_runs, remove
from layerwise.experiments.run import Run
from layerwise.experiments.training import train
from layerwise.reports.results import ClassificationResult, RegressionResult

LETTERS = {
    "ham": ("the meeting is moved to monday", "please bring the minutes of the meeting", "lunch on monday?"),
    "spam": ("win free money now", "free money, click http://x.example now", "you win $1,000 now!!!"),
}


def letters() -> Dataset:
    rows = [(text, label) for label, texts in LETTERS.items() for text in texts * 12]
    texts, labels = zip(*rows, strict=True)
    ids = [f"letter {number}" for number in range(len(rows))]
    return build(RawDocuments(texts, labels, ids, ""), "letters")


# -- predict ------------------------------------------------------------------------------------------------


def test_raw_pictures_give_what_the_network_gave_for_the_samples_made_of_them(fruit_run: Run, fruits: Path) -> None:
    dataset = fruit_run.dataset()
    for split in (dataset.train, dataset.test):
        inputs, _ = split.take(torch.arange(len(split)))
        with torch.inference_mode():
            expected = fruit_run.model(dataset.preprocessing.transform(inputs)).double().softmax(1)
        for name, probabilities in zip(split.ids, expected, strict=True):
            (answer,) = fruit_run.predict(fruits / name)
            assert list(answer["probabilities"]) == list(FRUITS)
            given = list(answer["probabilities"].values())
            assert given == pytest.approx(probabilities.tolist(), abs=1e-5)
            assert answer["label"] == list(FRUITS)[int(probabilities.argmax())]


def test_a_folder_of_pictures_is_answered_picture_by_picture(fruit_run: Run, fruits: Path) -> None:
    answers = fruit_run.predict(fruits)
    right = [answer["id"].split("/")[0] == answer["label"] for answer in answers]
    assert len(answers) == 60
    assert sum(right) / len(right) > 0.85


def test_raw_rows_give_what_the_network_gave_for_the_samples_made_of_them(flat_run: Run, flats: Path) -> None:
    dataset = flat_run.dataset()
    answers = {answer["id"]: answer["rent"] for answer in flat_run.predict(flats)}
    assert len(answers) == 160
    for split in (dataset.train, dataset.test):
        inputs, _ = split.take(torch.arange(len(split)))
        with torch.inference_mode():
            outputs = flat_run.model(inputs)
        expected = flat_run.task.decode(outputs)
        for name, answer in zip(split.ids, expected, strict=True):
            assert answers[name] == pytest.approx(answer["rent"], rel=1e-5)


def test_a_row_without_its_target_and_with_gaps_and_new_words_is_answered(flat_run: Run, tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text("balcony,town,size\nyes,Köln,80\nno,Atlantis,\n", encoding="utf-8")
    first, second = flat_run.predict(table)
    assert first["rent"] == pytest.approx(8 * 80 + 160, abs=120)
    assert np.isfinite(second["rent"])


def test_raw_letters_give_what_the_network_gave_for_the_samples_made_of_them(tmp_path: Path) -> None:
    run = train("logistic", letters(), epochs=20, runs=tmp_path / "runs", **QUICK)
    reopened = Run.open(run.path)
    for label, texts in LETTERS.items():
        for number, text in enumerate(texts):
            file = tmp_path / f"{label}{number}.txt"
            file.write_text(text, encoding="utf-8")
            (answer,) = reopened.predict(file)
            with torch.inference_mode():
                prepared = run.preprocessing.transform(run.preprocessing.count([text]))  # type: ignore[attr-defined]
                expected = run.model(prepared).softmax(1)[0]
            assert list(answer["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-6)
            assert answer["label"] == label


def test_data_of_ones_own_answers_for_raw_files_once_it_is_given(tmp_path: Path) -> None:
    run = train("logistic", blobs(), epochs=10, learning_rate=0.1, runs=tmp_path / "runs", **QUICK)
    points = tmp_path / "points.csv"
    points.write_text("-4,-4\n8,8\n")
    assert [answer["label"] for answer in Run.open(run.path, data=blobs()).predict(points)] == ["low", "high"]
    with pytest.raises(UsageError, match=r"give the Dataset with it, as in Run.open\('logistic-blobs', data=dataset\)"):
        Run.open(run.path).predict(points)
    evaluation, _ = evaluate(Run.open(run.path, data=blobs()))
    assert evaluation.count == 30


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("gone.png", None, "gone.png does not exist"),
        ("no.png", b"not a picture", "no.png"),
        ("empty", "folder", "holds no pictures"),
    ],
)
def test_what_is_no_picture_is_named(
    name: str, content: bytes | str | None, sentence: str, fruit_run: Run, tmp_path: Path
) -> None:
    if content == "folder":
        (tmp_path / name).mkdir()
    elif isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    with pytest.raises((DataError, NotFoundError), match=sentence):
        fruit_run.predict(tmp_path / name)


# -- evaluate -----------------------------------------------------------------------------------------------


def test_evaluating_other_pictures_gives_scikit_learns_figures_and_the_pictures_of_them(
    fruit_run: Run, tmp_path: Path
) -> None:
    other = draw_fruits(tmp_path / "other", each=9, seed=1)
    shutil.rmtree(other / "Äpfel")  # a class may be missing
    evaluation, files = evaluate(fruit_run, str(other), tmp_path / "out")
    answers = fruit_run.predict(other)
    truth, given = [answer["id"].split("/")[0] for answer in answers], [answer["label"] for answer in answers]
    assert isinstance(evaluation, ClassificationResult)
    assert evaluation.accuracy == oracle.accuracy_score(truth, given)
    expected = oracle.confusion_matrix(truth, given, labels=list(FRUITS))
    assert np.array_equal(evaluation.confusion, expected)
    names = {"evaluation.json", "confusion.png", "calibration.png"} | ({"mistakes.png"} if evaluation.worst else set())
    assert {file.name for file in files} == names
    saved = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert saved["accuracy"] == evaluation.accuracy
    for file in files[1:]:
        with Image.open(file) as picture:
            assert min(picture.size) > 300


def test_evaluating_the_own_test_split_repeats_the_figure_of_the_run(fruit_run: Run, tmp_path: Path) -> None:
    evaluation, _ = evaluate(fruit_run, out=tmp_path)
    assert isinstance(evaluation, ClassificationResult)
    assert evaluation.accuracy == fruit_run.result["test"]["accuracy"]


def test_evaluating_other_rows_gives_scikit_learns_figures_and_the_residuals(flat_run: Run, tmp_path: Path) -> None:
    table = write_flats(tmp_path / "other.csv", rows=50, seed=9)
    evaluation, files = evaluate(flat_run, str(table), tmp_path / "out")
    truth = pl.read_csv(table)["rent"].to_numpy()
    given = np.array([answer["rent"] for answer in flat_run.predict(table)])
    assert isinstance(evaluation, RegressionResult)
    assert evaluation.r2 == pytest.approx(oracle.r2_score(truth, given), abs=1e-4)
    assert evaluation.mae == pytest.approx(oracle.mean_absolute_error(truth, given), rel=1e-4)
    assert evaluation.rmse == pytest.approx(oracle.root_mean_squared_error(truth, given), rel=1e-4)
    assert [file.name for file in files] == ["evaluation.json", "residuals-rent.png"]
    assert evaluation.r2 > 0.8


def test_data_that_the_run_cannot_be_measured_on_is_refused_by_name(
    fruit_run: Run, flat_run: Run, tmp_path: Path
) -> None:
    other = draw_fruits(tmp_path / "other", each=3)
    (other / "蕉").rename(other / "pears")
    with pytest.raises(DataError, match="has the class 'pears', which run mlp-fruits was not trained on"):
        evaluate(fruit_run, str(other))
    no_target = tmp_path / "no-target.csv"
    pl.read_csv(write_flats(tmp_path / "flats.csv")).drop("rent").write_csv(no_target)
    with pytest.raises(DataError, match="has no column 'rent' to compare"):
        evaluate(flat_run, str(no_target))
    with pytest.raises(DataError, match="is a set of pictures, and run mlp-flats was trained on a table"):
        evaluate(flat_run, str(other))
    with pytest.raises(NotFoundError, match=r"gone\.csv does not exist"):
        evaluate(flat_run, str(tmp_path / "gone.csv"))


# -- choice -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "model"),
    [
        ("fruits", {}, "resnet-small"),
        ("fruits", {"image_size": 96}, "resnet18"),
        ("flats", {"target": "rent"}, "mlp"),
    ],
)
def test_the_model_picked_suits_the_data_and_the_reason_names_it(
    name: str, options: dict[str, object], model: str, request: pytest.FixtureRequest
) -> None:
    from layerwise.data.loading import load

    dataset = load(DataConfig(data=str(request.getfixturevalue(name)), **options))  # type: ignore[arg-type]
    picked, reason = choose_model(dataset)
    assert picked == model
    assert reason.startswith(f"{model}, because ")


def test_the_picked_model_is_said_before_the_first_step_and_kept_for_the_report(
    flats: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(data=flats, target="rent", epochs=1, runs=tmp_path, **{**QUICK, "quiet": False})
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("picked mlp, because a table of ")
    assert any(line.startswith("epoch 1/1") for line in lines[1:])
    assert "because a table of" in run.report.read_text(encoding="utf-8")
    assert choose_model(letters())[0] == "logistic"


def test_warnings_of_the_data_are_said_before_the_first_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_flats(tmp_path / "flats.csv")
    pl.read_csv(table).with_columns(copy=pl.col("rent") * 2).write_csv(table)
    train("linear", table, target="rent", epochs=1, runs=tmp_path, **{**QUICK, "quiet": False})
    assert capsys.readouterr().err.splitlines()[0].startswith("warning: ")


# -- looking at data ----------------------------------------------------------------------------------------


def test_a_table_is_described_by_the_figures_that_polars_finds_in_its_training_rows(
    flat_run: Run, flats: Path, tmp_path: Path
) -> None:
    facts, files = inspect(DataConfig(data=str(flats), target="rent"), 0, tmp_path)
    lines = [int(name.split()[1]) - 2 for name in flat_run.dataset().train.ids]
    rows = pl.read_csv(flats)[lines]
    described = {row["name"]: row for row in facts["statistics"]}
    assert list(described) == ["size", "town", "balcony", "rent"]
    for name in ("size", "rent"):
        column = rows[name].drop_nulls().to_numpy()
        found = [described[name][key] for key in ("mean", "deviation", "lowest", "median", "highest")]
        expected = [column.mean(), column.std(), column.min(), np.median(column), column.max()]
        assert found == pytest.approx(expected, rel=1e-5)
    assert described["size"]["missing"] == pytest.approx(rows["size"].null_count() / len(rows), rel=1e-5)
    commonest = rows["town"].value_counts(sort=True)["town"][0]
    assert described["town"]["common"].startswith(commonest)
    assert described["town"]["mean"] is None
    assert [file.name for file in files] == ["flats-columns.png"]
    json.dumps(facts, allow_nan=False)


def test_pictures_are_described_channel_by_channel(fruits: Path, tmp_path: Path) -> None:
    facts, files = inspect(DataConfig(data=str(fruits)), 0, tmp_path)
    red, green, blue = facts["statistics"]
    assert (red["name"], green["name"], blue["name"]) == ("red", "green", "blue")
    assert 0 <= red["lowest"] < red["mean"] < red["highest"] <= 255
    assert {name: sum(counts) for name, counts in facts["class_counts"].items()} == dict.fromkeys(FRUITS, 20)
    assert [file.name for file in files] == ["fruits-balance.png", "fruits-samples.png"]


def test_each_operation_is_shown_alone_and_all_together_under_the_original(fruits: Path, tmp_path: Path) -> None:
    from layerwise.data.images.augmentation import Augmentation
    from layerwise.experiments.inspection import variations

    pictures = torch.rand(4, 3, 10, 10, generator=torch.Generator().manual_seed(0))
    rows = variations(pictures, Augmentation.parse("flip,shift:2"), seed=0)
    names = ["original", "flip alone", "shift:2 alone", *(f"all together, epoch {number}" for number in (1, 2, 3))]
    assert [row.name for row in rows] == names
    original = np.stack(rows[0].pictures)
    assert np.array_equal(original, (pictures * 255).round().byte().permute(0, 2, 3, 1).numpy())
    for before, after in zip(original, rows[1].pictures, strict=True):
        assert np.array_equal(after, before) or np.array_equal(after, before[:, ::-1])
    assert any(not np.array_equal(*pair) for pair in zip(original, rows[1].pictures, strict=True))
    assert len({np.stack(row.pictures).tobytes() for row in rows}) == len(rows)
    single = variations(pictures, Augmentation.parse("shift:2"), seed=0)
    assert [row.name for row in single] == ["original", *(f"shift:2, epoch {number}" for number in (1, 2, 3))]
    facts, files = inspect(DataConfig(data=str(fruits), augment="flip,shift:2"), 0, tmp_path)
    assert files[-1].name == "fruits-augmented.png"
    assert len(facts["augmentation"]) == 2


def test_augmentation_of_a_table_is_refused(flats: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is for pictures, .* leave it out"):
        inspect(DataConfig(data=str(flats), target="rent", augment="flip"), 0, tmp_path / "out")


def test_every_data_set_of_the_catalogue_has_a_row() -> None:
    rows = {row["name"]: row for row in source_rows()}
    assert rows["digits"]["fetched"] == "embedded"
    assert rows["mnist"]["fetched"] == "11.5 MB"
    assert all(row["summary"] and row["licence"] for row in rows.values())


# -- many runs, and one elsewhere ---------------------------------------------------------------------------


def test_runs_are_listed_newest_first_compared_and_removed(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []
    for width in (4, 8):
        train("mlp", "iris", hidden=(width,), epochs=2, name=f"width{width}", runs=tmp_path, **QUICK)
    rows = list_runs(tmp_path)
    assert [row["name"] for row in rows] == ["width8", "width4"]
    assert all(row["status"] == "finished" and row["figure"].startswith("accuracy ") for row in rows)
    one, two = (Run.open(name, runs=tmp_path) for name in ("width4", "width8"))
    table = differences([one, two])
    assert table["model options hidden"] == [(4,), (8,)]
    assert table["parameters"] == [one.result["parameters"], two.result["parameters"]]
    assert "training epochs" not in table
    remove(one)
    assert [row["name"] for row in list_runs(tmp_path)] == ["width8"]
    assert not one.path.exists()


def test_a_copied_run_works_where_neither_the_first_run_nor_its_data_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = draw_fruits(tmp_path / "fruits", each=10)
    picture = tmp_path / "some.png"
    shutil.copy(data / "Äpfel" / "bild 00.png", picture)
    run = train("mlp", data, hidden=(8,), epochs=3, batch_size=8, runs=tmp_path / "runs", **QUICK)
    expected = run.predict(picture)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copytree(run.path, elsewhere / "kopie")
    shutil.rmtree(run.path)
    shutil.rmtree(data)
    monkeypatch.chdir(elsewhere)
    copy = Run.open("kopie", runs=elsewhere)
    assert copy.predict(picture) == expected
    assert copy.result["test"]["count"] > 0
    assert str(tmp_path / "runs") not in "".join(
        path.read_text(encoding="utf-8") for path in copy.path.rglob("*.json") if path.name != "experiment.json"
    )
