"""What the documentation shows is run, and what it names is there."""

from __future__ import annotations

import importlib.util
import re
import runpy
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from doc_pages import PAGES, PROSE, ROOT, Block, Command, all_commands, blocks_of, missing_lines
from doc_runner import run_block, supply, target_words
from PIL import Image

import layerwise
from layerwise import errors
from layerwise.cli.arguments import Parser, read_model_options
from layerwise.cli.main import COMMANDS, overview
from layerwise.data.catalogue import SOURCES
from layerwise.experiments.experiment import SECTIONS
from layerwise.models import CATALOGUE, option_names
from layerwise.recipes import RECIPES

HAS_SCRIPTS = importlib.util.find_spec("layerwise.scripts.writer") is not None
RUN_PAGES = [page for page in PAGES if HAS_SCRIPTS or page.name != "10-plain-script.md"]
NOT_RUN_AT_MOST = 4
TROUBLESHOOTING = (ROOT / "docs" / "guide" / "12-troubleshooting.md").read_text(encoding="utf-8")


def is_slow(page: Path) -> bool:
    return page.name != "12-troubleshooting.md"


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=str(page.relative_to(ROOT)), marks=[pytest.mark.slow] if is_slow(page) else [])
        for page in RUN_PAGES
    ],
)
def test_a_page_does_what_it_shows(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAYERWISE_RUNS", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # threads that wait for each other are slow where cores are shared
    supply(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks_of(page):
        if "not run" not in block.marks:
            run_block(block, names)


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    left_out = [block for page in PAGES for block in blocks_of(page) if "not run" in block.marks]
    assert len(left_out) <= NOT_RUN_AT_MOST
    assert all(len(block.marks["not run"]) > 10 for block in left_out)


def test_every_block_has_a_language_that_the_tests_know() -> None:
    for page in PAGES:
        for block in blocks_of(page):
            assert block.language in ("bash", "console", "python"), f"{block.place} is '{block.language}'"


LAYERWISE_COMMANDS = [
    pytest.param(block, command, id=f"{block.page.name}-{block.line}-{number}")
    for number, (block, command) in enumerate(all_commands(PAGES))
    if "layerwise" in command.words[:5]
]


@pytest.mark.parametrize(("block", "command"), LAYERWISE_COMMANDS)
def test_a_shown_command_is_understood(block: Block, command: Command) -> None:
    words = command.words
    words = words[words.index("layerwise") + 1 : words.index(">") if ">" in words else None]
    if words[0].startswith("-") or block.marks.get("ends with") == "2":
        return
    module = importlib.import_module(f"layerwise.cli.{words[0]}")
    parser = Parser(prog=words[0])
    module.add_arguments(parser)
    values = parser.parse(words[1:])
    if words[0] == "code":
        return
    if getattr(values, "model", None):
        assert set(read_model_options(values.model, values.model_options)) <= set(option_names(values.model))


def test_every_flag_in_the_text_is_a_flag() -> None:
    known = {"--check", "--nproc-per-node", "--nnodes", "--rdzv-endpoint"}  # of ruff and torchrun
    for name in COMMANDS:
        parser = Parser(prog=name)
        importlib.import_module(f"layerwise.cli.{name}").add_arguments(parser)
        known |= set(parser._option_string_actions)
    known |= {"--" + option.replace("_", "-") for model in CATALOGUE for option in option_names(model)}
    for page in PROSE:
        named = set(
            re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8")))
        )
        assert named <= known, f"{page.name} names {sorted(named - known)}"


def test_the_page_of_options_is_that_of_the_configs() -> None:
    """After a change: python docs/options.py."""
    page = runpy.run_path(str(ROOT / "docs" / "options.py"))["page"]()
    assert (ROOT / "docs" / "guide" / "20-options.md").read_text(encoding="utf-8") == page


def test_every_option_is_documented() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    options = {name for kind in SECTIONS.values() for name in kind.__dataclass_fields__}
    missing = [name for name in sorted(options) if f"--{name.replace('_', '-')}" not in text]
    assert not missing


@pytest.mark.parametrize("page", PROSE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_resolves(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)|src=\"([^\"]+)\"", text):
        address = target[0] or target[1]
        if "://" not in address:
            assert (page.parent / address).exists(), f"{page.name} links to {address}"


@pytest.mark.parametrize("page", PROSE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_of_the_tree_that_is_named_is_there(page: Path) -> None:
    named = re.findall(r"`((?:src|tests|docs|benchmarks)/[\w./-]*)`", page.read_text(encoding="utf-8"))
    missing = [path for path in named if not (ROOT / path).exists()]
    assert not missing


@pytest.mark.parametrize("names", [CATALOGUE, SOURCES, RECIPES], ids=["networks", "data sets", "recipes"])
def test_everything_that_has_a_name_is_in_the_guide(names: dict[str, Any]) -> None:
    text = (ROOT / "docs" / "guide" / "13-catalogue.md").read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_chapter_is_in_the_list_of_chapters() -> None:
    guide = ROOT / "docs" / "guide"
    listed = re.findall(r"\]\(([\w-]+\.md)\)", (guide / "README.md").read_text(encoding="utf-8"))
    assert listed == ["neuron.md", *(page.name for page in sorted(guide.glob("[0-9]*.md")))]


def test_every_command_is_in_the_readme_or_the_guide() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in COMMANDS if f"layerwise {name}" not in text and f"make {name}" not in text] == []


def test_each_exit_code_is_documented_in_the_guide_and_in_the_help() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    codes = {0, 130, 143, *(kind.exit_code for kind in kinds)}
    for code in codes:
        assert re.search(rf"^\| {code} \|", TROUBLESHOOTING, re.MULTILINE), code
        assert re.search(rf"\b{code} ", overview()), code
    assert set(map(int, re.findall(r"^\| (\d+) \|", TROUBLESHOOTING, re.MULTILINE))) == codes


def test_the_readme_shows_the_two_commands_and_they_are_targets() -> None:
    commands = [command.text for _, command in all_commands([ROOT / "README.md"])]
    assert "make demo" in commands
    assert "make test" in commands
    assert target_words("demo")[:2] == ["layerwise", "demo"]


def test_every_target_of_make_that_is_named_is_there() -> None:
    for page in PROSE:
        for target in re.findall(r"`make ([a-z]+)", page.read_text(encoding="utf-8")):
            assert target_words(target), f"{page.name} names {target}"


def test_the_changelog_names_this_version() -> None:
    assert f"## [{layerwise.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_a_shown_line_that_is_not_printed_is_found() -> None:
    printed = "epoch 1/3 · loss 2.5\ntrained in 3 s\n"
    assert missing_lines(["epoch 1/9 · loss 0.1", "trained in ..."], printed) == []
    assert missing_lines(["trained in 3 s", "epoch 1/3 · loss 2.5"], printed) == ["epoch 1/3 · loss 2.5"]
    assert missing_lines(["epoch 1/3 · accuracy 2.5"], printed) == ["epoch 1/3 · accuracy 2.5"]


@pytest.mark.slow
def test_the_picture_is_drawn_from_a_run(tmp_path: Path) -> None:
    run = layerwise.train("lenet5", "digits", image_size=28, epochs=1, runs=tmp_path, quiet=True)
    script = runpy.run_path(str(ROOT / "docs" / "pictures" / "demo.py"))
    with mpl.rc_context():
        script["draw"](run, tmp_path / "demo.png")
    with Image.open(tmp_path / "demo.png") as drawn, Image.open(ROOT / "docs" / "pictures" / "demo.png") as shown:
        assert abs(drawn.width - shown.width) <= 60
        assert len(set(drawn.convert("L").get_flattened_data())) > 50
    assert (ROOT / "docs" / "pictures" / "demo.png").stat().st_size < 300_000
