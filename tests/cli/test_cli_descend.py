"""`layerwise descend`: what a student types, reads and gets as a picture."""

import json

import pytest

from layerwise.cli.main import main


def said(capsys, *words):
    code = main(["descend", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_worked_example_is_printed_with_every_gradient_and_drawn(capsys, tmp_path):
    code, out, _ = said(capsys, "x**2", "--from", "9", "--learning-rate", "0.1", "--steps", "3")
    rows = [line.split() for line in out.splitlines() if line.strip()[:1].isdigit()]
    assert code == 0
    assert [row[1:] for row in rows] == [
        ["9", "81", "18"],
        ["7.2", "51.84", "14.4"],
        ["5.76", "33.1776", "11.52"],
        ["4.608", "21.2337", "9.216"],
    ]
    assert "2 / curvature = 1." in out
    assert (tmp_path / "lessons" / "descend.png").read_bytes().startswith(b"\x89PNG")


def test_rates_and_optimisers_stand_side_by_side(capsys, tmp_path):
    function = ("(1-x)**2 + 100*(y-x**2)**2", "--from", "-1,1", "--steps", "40")
    code, out, _ = said(
        capsys, *function, "--learning-rate", "0.001,0.1", "--optimizer", "sgd,adam", "--out", "pictures"
    )
    assert code == 0
    assert "diverges from" in out
    assert "adam has no largest stable rate" in out
    assert (tmp_path / "pictures" / "descend.png").exists()


def test_the_start_can_name_its_variables_and_json_has_every_step(capsys):
    code, out, _ = said(capsys, "x*x + 2*y*y", "--from", "y=1,x=-2", "--learning-rate", "0.1", "--steps", "2", "--json")
    (walk,) = json.loads(out)
    assert code == 0
    assert walk["points"][:2] == [[-2, 1], [-1.6, 0.6]]
    assert walk["gradients"][0] == [-4, 4]
    assert walk["largest_stable_rate"] == pytest.approx(0.5)


def test_three_variables_are_walked_and_drawn_by_their_values(capsys):
    code, out, _ = said(capsys, "a**2 + b**2 + c**2", "--from", "1,2,3", "--steps", "5")
    assert code == 0
    assert "df/dc" in out


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ([], ["needs a function"]),
        (["x**2"], ["needs --from"]),
        (["x**2", "--from", "nine"], ["--from", "'nine'"]),
        (["x*y", "--from", "x=1,2"], ["all variables or none"]),
        (["x^2", "--from", "1"], ["column 2", "x**2"]),
        (["x**2", "--from", "1", "--learning-rate", "fast"], ["--learning-rate", "'fast'"]),
        (["x**2", "--from", "1", "--learning-rate", "-1"], ["--learning-rate", "-1"]),
        (["x**2", "--from", "1", "--steps", "2.5"], ["--steps", "'2.5'"]),
        (["x**2", "--from", "1", "--optimizer", "sdg"], ["'sdg'", "Did you mean 'sgd'"]),
        (["x**2", "--from", "1", "--learning-rate", ",".join(["1"] * 13)], ["At most 12"]),
        (["x**2", "--from", "1", "--speed", "1"], ["--speed"]),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(capsys, words, parts):
    code, _, err = said(capsys, *words)
    assert code == 2
    assert err.count("\n") == 1
    assert all(part in err for part in parts), err
