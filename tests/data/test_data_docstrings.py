"""The examples in the docstrings of data/ give what they say."""

import doctest
from importlib import import_module

import pytest

MODULES = ("dataset", "loading", "inputs", "splits", "text.bag_of_words", "text.characters")


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_they_say(name: str) -> None:
    assert doctest.testmod(import_module(f"layerwise.data.{name}")).failed == 0
