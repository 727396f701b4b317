"""`layerwise explain`: what it says, what it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from saying import Command


def test_an_answer_is_told_with_its_check_its_files_and_what_comes_next(command: Command, world: Path) -> None:
    picture = world / "things" / "bright" / "0.png"
    said = command("explain", "pictures", picture, "--gradients", "--occlusion", "--out", "why")
    assert said.code == 0
    first, second, *rest = said.out.splitlines()
    assert first.startswith(f"pictures on {picture}: ")
    assert second.startswith("integrated gradients: they sum to ")
    assert {"  wrote why/explanation.html", "  wrote why/gradients.png", "  wrote why/occlusion.png"} <= set(rest)
    assert any(line.startswith("  layerwise explain pictures picture.png --occlusion") for line in rest)
    assert (Path.cwd() / "why" / "explanation.html").stat().st_size > 10_000


def test_the_test_samples_become_a_map(command: Command) -> None:
    said = command("explain", "number", "--embeddings", "--limit", "20", "--out", "map")
    assert said.code == 0
    assert said.out.splitlines()[0].startswith("t-SNE of 20 test samples")
    assert Path("map/embeddings.png").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("table",), 2, "there is nothing to explain; name a file, as in `layerwise explain table {table}`"),
        (("table", "{table}", "--limit", "5"), 2, "--limit belongs to --embeddings"),
        (("table", "{table}", "--filters"), 2, "has no filters to show"),
        (("table", "{table}", "--maps", "all"), 2, "has no convolution over pictures"),
        (("table", "{table}", "--attention"), 2, "has no attention that could be shown"),
        (("table", "{table}", "--output", "huge"), 2, "must be one of large, small, received 'huge'"),
        (("table", "{table}", "--row", "0"), 2, "--row must be from 1 to 60"),
        (("table", "{table}", "--row", "one"), 2, "--row must be a whole number, received 'one'"),
        (("pictures", "{picture}", "--window", "9"), 2, "--window 9 is larger than the picture of 8x8"),
        (("pictures", "{picture}", "--maps", "conv1"), 2, "the network has no layer 'conv1'"),
        (("pictures", "nothing.png"), 66, "nothing.png does not exist"),
    ],
)
def test_what_cannot_be_explained_gets_one_sentence(
    words: tuple[str, ...], code: int, sentence: str, command: Command, world: Path
) -> None:
    places = {"table": world / "sizes.csv", "picture": world / "things" / "dark" / "0.png"}
    said = command("explain", *(word.format(**places) for word in words))
    assert (said.code, said.out) == (code, "")
    assert sentence.format(**places) in said.err
    assert said.err.count("\n") == 1
