"""Every command as its user meets it: help, tables for people, JSON for programs, and files."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from rich.cells import cell_len
from saying import Command

from layerwise.cli.main import COMMANDS
from layerwise.data.catalogue import SOURCES
from layerwise.experiments.run import Run
from layerwise.models import CATALOGUE
from layerwise.recipes import RECIPES

PREDICTION = {"id", "label", "probability", "probabilities"}


def test_the_overview_names_every_command_with_what_it_does(command: Command) -> None:
    said = command("--help")
    assert said.code == 0
    for name, summary in COMMANDS.items():
        assert f"  {name:<12}{summary}" in said.out
    assert command() == command("-h") == command("help") == said


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_has_an_example_and_explains_every_flag(name: str, command: Command) -> None:
    said = command(name, "--help")
    assert said.code == 0
    assert said.err == ""
    assert said.out.startswith(f"usage: layerwise {name}")
    assert f"layerwise {name}" in said.out.split("\n\n", 1)[1] or name == "demo"
    for line in said.out.splitlines():
        assert cell_len(line) <= 120, line


def test_the_version_is_the_packages_own(command: Command) -> None:
    from layerwise import __version__

    assert command("--version").out == f"layerwise {__version__}\n"


def table_lines(out: str) -> list[str]:
    return [line.rstrip() for line in out.splitlines()]


@pytest.mark.parametrize(
    "words",
    [
        ("models",),
        ("data",),
        ("recipes",),
        ("runs",),
        ("show", "resnet18"),
        ("show", "mlp", "--hidden", "64,64"),
        ("predict", "number", "TABLE"),
    ],
    ids=" ".join,
)
def test_tables_fit_80_columns(words: tuple[str, ...], command: Command, tmp_path: Path) -> None:
    (tmp_path / "TABLE").mkdir()
    if "TABLE" in words:
        words = (*words[:-1], str(diabetes_rows(tmp_path)))
    said = command(*words)
    assert said.code == 0, said.err
    for line in table_lines(said.out.split("\noptions:")[0]):
        assert cell_len(line) <= 80, line


def diabetes_rows(folder: Path) -> Path:
    """Write two rows as the run of numbers takes them."""
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    lines = [",".join(data.feature_names), *(",".join(map(str, row)) for row in data.data[:2])]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    return folder / "rows.csv"


def test_models_lists_the_whole_catalogue_for_people_and_for_programs(command: Command) -> None:
    for name in CATALOGUE:
        assert name in command("models").out
    listed = json.loads(command("models", "--json").out)
    assert list(listed) == list(CATALOGUE)
    assert listed["lenet5"]["usual_input"] == [1, 28, 28]


def test_data_lists_every_data_set_with_what_it_costs_to_fetch(command: Command) -> None:
    listed = json.loads(command("data", "--json").out)
    assert [row["name"] for row in listed] == list(SOURCES)
    assert all(set(row) == {"name", "kind", "task", "summary", "licence", "fetched"} for row in listed)
    assert {row["fetched"] for row in listed if row["name"] in ("digits", "iris")} == {"embedded"}


def test_recipes_lists_every_recipe(command: Command) -> None:
    assert list(json.loads(command("recipes", "--json").out)) == list(RECIPES)
    assert all(name in command("recipes").out for name in RECIPES)


def test_data_looks_into_a_folder_and_counts_what_is_there(command: Command, world: Path, tmp_path: Path) -> None:
    facts = json.loads(command("data", world / "things", "--json", "--out", tmp_path / "pages").out)
    assert {name: sum(counts) for name, counts in facts["class_counts"].items()} == {"bright": 12, "dark": 12}
    assert sum(facts["sizes"].values()) == 24
    assert facts["input_shape"] == [3, 8, 8]
    assert all(Path(file).is_file() for file in facts["files"])
    said = command("data", world / "things", "--out", tmp_path / "pages")
    assert "24" not in said.err
    assert "bright" in said.out


def test_show_takes_options_and_sizes_and_adds_up_its_parameters(command: Command) -> None:
    facts = json.loads(command("show", "mlp", "--hidden", "5,3", "--input", "4", "--outputs", "2", "--json").out)
    assert facts["parameters"] == (4 * 5 + 5) + (5 * 3 + 3) + (3 * 2 + 2)
    assert sum(row["parameters"] for row in facts["rows"]) == facts["parameters"]
    said = command("show", "mlp", "--input", "4", "--hidden", "5,3", "--outputs", "2").out
    assert "51 parameters" in said
    assert "--hidden" in said
    assert "--dropout" in said


def test_predict_prints_labels_with_probabilities(command: Command, world: Path) -> None:
    said = command("predict", "pictures", world / "things" / "dark" / "0.png")
    assert said.code == 0
    assert "probability" in said.out
    assert "%" in said.out
    answer = json.loads(command("predict", "pictures", world / "things" / "dark" / "0.png", "--json").out)
    assert set(answer) == {"run", "predictions"}
    (one,) = answer["predictions"]
    assert set(one) == PREDICTION
    assert one["id"] == "0.png"
    assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert one["label"] == max(one["probabilities"], key=lambda name: one["probabilities"][name])
    assert one["probability"] == one["probabilities"][one["label"]]


def test_predict_takes_pictures_and_folders_together_and_says_which_is_which(command: Command, world: Path) -> None:
    things = world / "things"
    sources = (things / "dark" / "0.png", things / "bright", things)
    answers = json.loads(command("predict", "pictures", *sources, "--json").out)["predictions"]
    ids = [answer["id"] for answer in answers]
    assert len(ids) == 1 + 12 + 24
    assert ids[0] == f"{things}/dark/0.png"
    assert ids[1] == f"{things}/bright/0.png"
    assert len(set(ids)) == len(ids) - 13, "the same pictures by the same path, once alone and once in their folder"
    by_id = {answer["id"]: answer["label"] for answer in answers}
    alone = json.loads(command("predict", "pictures", things, "--json").out)["predictions"]
    assert {f"{things}/{answer['id']}": answer["label"] for answer in alone} == by_id


def test_predict_reads_a_table_and_names_its_lines(command: Command, world: Path) -> None:
    answers = json.loads(command("predict", "table", world / "sizes.csv", "--json").out)["predictions"]
    assert [answer["id"] for answer in answers] == [f"line {line}" for line in range(2, 62)]
    assert {answer["label"] for answer in answers} <= {"small", "large"}
    twice = json.loads(command("predict", "table", world / "sizes.csv", world / "sizes.csv", "--json").out)
    assert twice["predictions"][0]["id"] == f"{world / 'sizes.csv'}, line 2"


def test_predict_gives_values_where_the_target_is_a_number(command: Command, tmp_path: Path) -> None:
    answers = json.loads(command("predict", "number", diabetes_rows(tmp_path), "--json").out)["predictions"]
    assert [set(answer) - {"id"} for answer in answers] == [{answers_name(answers)}] * 2
    assert all(isinstance(answer[answers_name(answers)], float) for answer in answers)


def answers_name(answers: list[dict[str, object]]) -> str:
    return next(name for name in answers[0] if name != "id")


def test_one_file_that_cannot_be_read_stops_the_answer_and_is_named(command: Command, world: Path) -> None:
    said = command("predict", "pictures", world / "things", world / "sizes.csv")
    assert said.code == 65
    assert "sizes.csv" in said.err
    assert said.out == ""


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_predict_writes_the_same_answers_to_a_file(suffix: str, command: Command, world: Path, tmp_path: Path) -> None:
    shown = json.loads(command("predict", "pictures", world / "things", "--json").out)["predictions"]
    out = tmp_path / f"answers{suffix}"
    assert command("predict", "pictures", world / "things", "--out", out).out == f"wrote 24 predictions to {out}\n"
    if suffix == ".json":
        assert json.loads(out.read_text()) == shown
        return
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [answer["id"] for answer in shown]
    assert [row["label"] for row in rows] == [answer["label"] for answer in shown]
    for row, answer in zip(rows, shown, strict=True):
        assert float(row["probability of dark"]) == pytest.approx(answer["probabilities"]["dark"], rel=1e-6)


def test_a_file_name_that_a_spreadsheet_would_run_is_quoted(command: Command, world: Path, tmp_path: Path) -> None:
    shutil.copy(world / "things" / "dark" / "0.png", tmp_path / "=1+1.png")
    command("predict", "pictures", tmp_path / "=1+1.png", "--out", tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["id"] == "'=1+1.png"


def test_evaluate_measures_the_runs_own_test_split(command: Command, world: Path, tmp_path: Path) -> None:
    measured = json.loads(command("evaluate", "pictures", "--json", "--out", tmp_path / "pages").out)
    result = Run.open("pictures", runs=world / "runs").result["test"]
    assert measured["accuracy"] == pytest.approx(result["accuracy"])
    assert measured["count"] == result["count"]
    assert {"accuracy", "count", "loss", "classes", "confusion"} <= set(measured)
    assert json.loads((tmp_path / "pages" / "evaluation.json").read_text()) == measured
    said = command("evaluate", "pictures", "--out", tmp_path / "pages")
    assert "accuracy" in said.out
    assert "confusion.png" in said.out


def test_evaluate_measures_other_data(command: Command, world: Path, tmp_path: Path) -> None:
    out = ("--json", "--out", tmp_path / "pages")
    (tmp_path / "others" / "dark").mkdir(parents=True)
    shutil.copy(world / "things" / "dark" / "0.png", tmp_path / "others" / "dark")
    measured = json.loads(command("evaluate", "pictures", "--data", tmp_path / "others", *out).out)
    (answer,) = json.loads(command("predict", "pictures", tmp_path / "others", "--json").out)["predictions"]
    assert (measured["count"], measured["accuracy"]) == (1, float(answer["label"] == "dark"))
    table = shutil.copy(world / "sizes.csv", tmp_path / "again.csv")
    measured = json.loads(command("evaluate", "table", "--data", table, *out).out)
    assert measured["count"] == 60
    answers = json.loads(command("predict", "table", table, "--json").out)["predictions"]
    truths = [line.split(",")[1] for line in table.read_text().split()[1:]]
    right = sum(answer["label"] == truth for answer, truth in zip(answers, truths, strict=True))
    assert measured["accuracy"] == pytest.approx(right / 60)
