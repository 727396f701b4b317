"""`layerwise neuron` and `layerwise descend --data`: one neuron on real data."""

import json
import re

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from layerwise.cli.main import main


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def said(capsys, *words):
    code = main(list(words))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_logistic_regression_tells_tumours_apart_and_is_drawn(capsys, tmp_path):
    words = ("--activation", "sigmoid", "--loss", "logistic", "--data", "breast-cancer")
    code, out, _ = said(capsys, "neuron", *words, "--epochs", "30")
    assert code == 0
    assert "speaks for malignant" in out
    right = float(out.split("It names ")[1].split(" %")[0])
    assert right > 94
    assert (tmp_path / "lessons" / "neuron.png").exists()


@pytest.mark.parametrize("classic", ["perceptron", "svm", "logistic-regression"])
def test_the_classics_are_one_neuron(capsys, classic):
    code, out, _ = said(capsys, "neuron", "--classic", classic, "--epochs", "20", "--json")
    trained = json.loads(out)
    assert code == 0
    assert trained["test_accuracy"] > 0.92


def test_the_perceptron_tells_its_mistakes_since_its_cost_is_0_at_weights_of_0(capsys):
    words = ("neuron", "--classic", "perceptron", "--epochs", "20")
    _, out, _ = said(capsys, *words)
    told = re.search(
        r"(\d+) -> (\d+) mistakes? in 409 training rows, cost \S+ of the mean \|z\|", " ".join(out.split())
    )
    before, after = (int(count) for count in told.groups())
    assert before > 100 > 20 > after
    _, out, _ = said(capsys, *words, "--json")
    trained = json.loads(out)
    assert [round(409 * trained["mistakes"][place]) for place in (0, -1)] == [before, after]
    assert trained["test_mistakes"][-1] == pytest.approx(1 - trained["test_accuracy"])


def test_linear_regression_ends_at_the_least_squares_solution(capsys):
    words = ("--classic", "linear-regression", "--data", "diabetes", "--batch-size", "full", "--epochs", "6000")
    code, out, _ = said(capsys, "neuron", *words, "--json")
    trained = json.loads(out)
    from layerwise.data.config import DataConfig
    from layerwise.data.loading import load

    split = load(DataConfig(data="diabetes")).train
    solution = LinearRegression().fit(split.inputs.numpy().astype(np.float64), split.targets.numpy()[:, 0])
    assert code == 0
    np.testing.assert_allclose(list(trained["weights"].values()), solution.coef_, atol=0.02)


def test_a_table_of_ones_own_with_two_features_shows_its_decision_line(capsys, tmp_path):
    random = np.random.default_rng(0)
    rows = random.normal(size=(120, 2))
    lines = ["a,b,kind"] + [f"{a:.3f},{b:.3f},{'up' if a + b > 0.2 else 'down'}" for a, b in rows]
    (tmp_path / "points.csv").write_text("\n".join(lines))
    code, out, _ = said(capsys, "neuron", "--data", "points.csv", "--target", "kind", "--epochs", "30")
    assert code == 0
    assert "separable" in out
    assert "descend --data points.csv --target kind" in out


def test_a_table_of_fewer_rows_than_a_batch_is_learned_from_as_a_whole(capsys, tmp_path):
    lines = ["a,b,same,kind"] + [
        f"{place * 3 % 17},{place * 7 % 11},7,{'up' if place > 20 else 'down'}" for place in range(40)
    ]
    (tmp_path / "few.csv").write_text("\n".join(lines))
    code, out, _ = said(capsys, "neuron", "--data", "few.csv", "--target", "kind", "--epochs", "3", "--json")
    assert code == 0
    assert json.loads(out)["batch_size"] == 29
    assert json.loads(out)["notices"] == ["Column 'same' is left out: it has one value alone."]
    code, _, err = said(capsys, "neuron", "--data", "few.csv", "--target", "kind", "--batch-size", "32")
    assert code == 2
    assert "from 1 to 29" in err


def test_batch_sizes_are_compared_and_their_noise_measured(capsys, tmp_path):
    words = ("--data", "breast-cancer", "--batch-size", "1,16,full", "--epochs", "2")
    code, out, _ = said(capsys, "descend", *words)
    assert code == 0
    assert (tmp_path / "lessons" / "batches.png").exists()
    power = float(out.split("to the power of ")[1].split(" ")[0])
    assert power == pytest.approx(-0.5, abs=0.08)
    code, out, _ = said(capsys, "descend", *words, "--json")
    assert {row["batch_size"] for row in json.loads(out)["descents"]} == {1, 16, 409}


@pytest.mark.parametrize(
    ("code", "words", "parts"),
    [
        (3, "neuron --classic linear-regression --data diabetes --learning-rate 1", ["diverges from step", "0.248"]),
        (2, "neuron --data iris", ["iris has 3", "--positive setosa"]),
        (2, "neuron --data iris --positive setos", ["'setos'", "Did you mean 'setosa'"]),
        (2, "neuron --data diabetes --positive x", ["--positive"]),
        (2, "neuron --data diabetes --loss hinge", ["hinge", "--loss squared"]),
        (2, "neuron --classic svm --loss squared", ["--classic svm", "--loss squared"]),
        (2, "neuron --classic swm", ["'swm'", "Did you mean 'svm'"]),
        (2, "neuron --epochs 0", ["--epochs"]),
        (2, "neuron --batch-size many", ["--batch-size", "'many'"]),
        (66, "neuron --data nowhere.csv", ["nowhere.csv"]),
        (2, "descend --data iris --batch-size 1,all", ["--batch-size", "'1,all'"]),
        (2, "descend --data breast-cancer --batch-size 1000", ["from 1 to 409", "1000"]),
        (2, "descend x --data iris", ["FUNCTION"]),
        (2, "descend x --from 1 --epochs 3", ["--epochs", "--data"]),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(capsys, code, words, parts):
    received, _, err = said(capsys, *words.split())
    assert received == code
    assert err.strip().count("\n") == 0
    assert all(part in err for part in parts), err
