"""`python -m layerwise.recipes`, which `make recipes` runs."""

import pytest

from layerwise.recipes.__main__ import main


def test_a_mistyped_recipe_is_refused_in_one_sentence_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wine-mpl"]) == 2
    assert "must name a recipe, received 'wine-mpl'. Did you mean 'wine-mlp'?" in capsys.readouterr().err
