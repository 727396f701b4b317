"""Names, options and their refusals."""

import subprocess
import sys

import pytest

from layerwise.errors import UsageError
from layerwise.models import build, config_of, entry_of


def test_the_catalogue_is_read_without_torch() -> None:
    script = "import sys, layerwise.models as m; assert m.CATALOGUE; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_mistyped_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"model 'lenet55' is not in the catalogue\. Did you mean 'lenet5'"):
        entry_of("lenet55")


def test_an_option_takes_the_place_of_the_variants() -> None:
    assert config_of("resnet20", widths=(4, 8, 16)).widths == (4, 8, 16)
    assert config_of("resnet20", widths=(4, 8, 16)).blocks == (3, 3, 3)
    assert config_of("resnet20").widths == (16, 32, 64)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("mlp", {"hidden": (64, 0)}, "`hidden` must be whole numbers of at least 1, such as 64,64, received"),
        ("mlp", {"activation": "rellu"}, "`activation` must be one of .* Did you mean 'relu'"),
        ("mlp", {"dropout": 1.0}, "`dropout` must be a number from 0 to below 1, received 1.0"),
        ("lenet5", {"pooling": "maxi"}, "`pooling` must be one of max, average.* Did you mean 'max'"),
        ("lenet5", {"padding": -1}, "`padding` must be a whole number"),
        ("lenet5-paper", {"padding": -1}, "`padding` must be a whole number"),
        ("resnet18", {"blocks": (2, 2)}, "`blocks` must be 4 whole numbers"),
        ("resnet18", {"widths": (), "blocks": ()}, "`widths` must be 1 or more whole numbers"),
        ("resnet18", {"stem": "3x3pool"}, "Did you mean '3x3-pool'"),
        ("alexnet", {"devices": ("cpu",)}, "`devices` must be 2 words, such as cuda:0,cuda:1, received"),
        ("alexnet", {"widths": (96, 256, 384, 384, 255)}, "`widths` must be 5 even numbers"),
        ("alexnet", {"dense": 7}, "`dense` must be an even number"),
        ("alexnet-small", {"widths": (1, 2, 3)}, "`widths` must be 5 whole numbers"),
        ("vgg11", {"convolutions": (1, 1)}, "`convolutions` must be 5 whole numbers"),
        ("googlenet", {"modules": ("3a", "6a")}, "`modules` must be words out of pool, 3a"),
        ("googlenet", {"modules": ("pool",)}, "`modules` must be at least one module"),
        ("googlenet", {"width": 0}, "`width` must be a positive number"),
        ("densenet121", {"compression": 0.0}, "`compression` must be a number above 0 and at most 1"),
        ("densenet121", {"growth": 0}, "`growth` must be a whole number of at least 1, received 0"),
    ],
)
def test_an_impossible_value_is_refused_by_its_flag(name: str, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        config_of(name, **options)


def test_a_network_without_outputs_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one output, received 0"):
        build("mlp", (4,), 0)
