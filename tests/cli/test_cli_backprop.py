"""`layerwise backprop`: the chain rule in text, as JSON and as a picture."""

import json

import pytest

import layerwise
from layerwise.cli.main import main


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def said(capsys, *words):
    code = main(["backprop", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_small_network_is_walked_forward_and_back_and_drawn(capsys, tmp_path):
    code, out, _ = said(capsys, "--layers", "2,3,1", "--loss", "squared", "--input", "0.5,-1", "--target", "1")
    assert code == 0
    for factor in ("dJ/da2", "da2/dz2", "dz2/da1", "da1/dz1", "dJ/dW1[3,2]"):
        assert factor in out
    assert (tmp_path / "lessons" / "backprop.png").exists()


def test_json_holds_every_factor(capsys):
    code, out, _ = said(capsys, "--layers", "2,2,3", "--loss", "cross-entropy", "--target", "2", "--json")
    chain = json.loads(out)
    assert code == 0
    assert chain["steps"][1]["da1/dz1"]
    assert chain["steps"][2]["parameter_gradients"]["dJ/dW2"]
    assert chain["difference_from_autograd"] < 1e-12


def test_a_trained_network_explains_a_sample_of_its_test_split(capsys):
    layerwise.train("mlp", data="iris", epochs=1, hidden=(4,), name="irises", quiet=True)
    capsys.readouterr()
    code, out, _ = said(capsys, "irises", "--sample", "3")
    assert code == 0
    assert "softmax" in out
    code, _, err = said(capsys, "irises", "--sample", "30")
    assert (code, "from 0 to 29" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("--layers 2", "at least two sizes"),
        ("--layers 2,x", "'2,x'"),
        ("--input 1", "takes 2 numbers"),
        ("--activation sigmoi", "Did you mean 'sigmoid'"),
        ("--loss hinge --target 0", "-1 or 1"),
        ("--sample 1", "--sample"),
        ("latest --layers 2,1", "--layers"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(capsys, words, part):
    code, _, err = said(capsys, *words.split())
    assert code == 2
    assert part in err
    assert err.count("\n") == 1
