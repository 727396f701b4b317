"""The report as a file: well-formed, alone, complete for every kind of data, and safe whatever the data holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from small_reports import Prepared, finish, lenet
from torch import nn
from torch.nn import functional as F

from layerwise.data.dataset import Dataset, Split
from layerwise.reports.facts import ReportFacts
from layerwise.reports.page import render_report, write_report
from layerwise.reports.results import evaluate_outputs
from layerwise.tasks import Classification

VOID = {"meta", "link", "img", "br", "hr", "input"}
ADDRESSES = {"src", "href", "srcset", "action", "poster", "data", "xlink:href"}
SECTIONS = ["answers", "training", "network", "data", "options", "use", "environment"]


class Page(HTMLParser):
    """Reads a page and refuses tags that do not close what was opened last."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\xa0", " ").split())

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _, attributes in self.tags if attribute in attributes]


def word_facts() -> ReportFacts:
    """A linear model on counted words, as texts give them."""
    words = ("free", "money", "meeting", "tomorrow")
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (300,), generator=draw)
    rates = torch.tensor([[0.2, 0.2, 2.0, 2.0], [2.0, 2.0, 0.2, 0.2]])[labels]
    counts = torch.poisson(rates, generator=draw).to(torch.uint8)
    ids = [f"letter {number}.txt" for number in range(300)]
    splits = [Split(counts[part], labels[part], ids[part]) for part in (slice(200), slice(200, 240), slice(240, 300))]

    class Words(Prepared):
        vocabulary = words

    dataset = Dataset(
        "letters", "bag_of_words", "classification", *splits, Words("bag_of_words", (4,)), ("ham", "spam")
    )
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 2))
    return finish(model, dataset, Classification(("ham", "spam")), F.cross_entropy, epochs=5, rate=0.05)


@pytest.fixture(scope="module")
def letters() -> ReportFacts:
    return word_facts()


@pytest.fixture(scope="module")
def page_of(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Give the rendered page of the facts that a fixture makes, each rendered once."""
    return cache(lambda name: render_report(request.getfixturevalue(name)))


@pytest.mark.parametrize("name", ["digits", "diabetes", "letters", "hostile"])
def test_a_page_is_well_formed_and_refers_to_nothing_outside(name: str, page_of: Callable[[str], str]) -> None:
    text = page_of(name)
    page = Page(text)
    for attribute in ADDRESSES:
        for value in page.values(attribute):
            assert value.startswith(("#", "data:")), f"{attribute}={value}"
    style = text[text.index("<style>") : text.index("</style>")]
    assert "@import" not in style
    assert re.findall(r"url\((?!#|['\"]?data:)", text) == []
    assert {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "base", "form"} == set()
    assert [key for _, attributes in page.tags for key in attributes if key.startswith("on")] == []


@pytest.mark.parametrize("name", ["digits", "diabetes", "letters", "hostile"])
def test_ids_are_unique_and_every_link_within_the_page_leads_somewhere(
    name: str, page_of: Callable[[str], str]
) -> None:
    page = Page(page_of(name))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = {value.removeprefix("#") for value in page.values("href") if value.startswith("#")}
    assert targets <= set(ids)
    assert set(page.values("aria-labelledby")) <= set(ids)


@pytest.mark.parametrize("name", ["digits", "diabetes", "letters"])
def test_every_section_is_there_and_in_the_contents(name: str, page_of: Callable[[str], str]) -> None:
    page = Page(page_of(name))
    sections = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert [section for section in sections if section != "findings"] == SECTIONS
    links = [value[1:] for value in page.values("href") if value.startswith("#") and value[1:] in sections]
    assert links[: len(sections)] == sections


def test_a_classification_says_what_it_reached_where_it_errs_and_how_to_use_it(
    digits: ReportFacts, page_of: Callable[[str], str]
) -> None:
    page = Page(page_of("digits"))
    evaluation = digits.evaluation
    assert evaluation is not None
    assert f"of {evaluation.count} unseen test images" in page.text
    for words in (
        "Which class is taken for which", "recall", "precision", "Is it as sure as it should be?",
        "The mistakes it was surest of", "What the first layer looks for", "Samples of each class",
        "layerwise train lenet5 --data digits", "layerwise predict lenet5-digits picture.png", "layerwise.Run.open(",
        "3.11.9", "torch 2.13.0", "model.safetensors",
    ):  # fmt: skip
        assert words in page.text, words
    for mistake in evaluation.worst:
        assert f"is ‘{mistake.truth}’, {mistake.id}" in page.text


def test_every_picture_is_read_aloud(page_of: Callable[[str], str]) -> None:
    page = Page(page_of("digits"))
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(images) > 40
    assert all(attributes.get("alt") for attributes in images)
    assert all(attributes.get("aria-label") for attributes in drawings)


def test_a_regression_says_its_errors_in_the_unit_of_the_target(page_of: Callable[[str], str]) -> None:
    page = Page(page_of("diabetes"))
    assert "It predicts ‘progression’ of 89 unseen test rows" in page.text
    for words in ("R²", "mean absolute error", "root mean squared error", "progression: given and true values",
                  "Distribution of progression", "What the first layer looks at", "442 rows are few"):  # fmt: skip
        assert words in page.text, words
    assert "recall" not in page.text


def test_texts_show_the_words_that_weigh_most(page_of: Callable[[str], str]) -> None:
    text = page_of("letters")
    page = Page(text)
    assert "60 unseen test texts" in page.text
    assert "What the first layer looks at" in page.text
    for word in ("free", "money", "meeting", "tomorrow"):
        assert f">{word}</text>" in text


def test_a_network_without_filters_for_pictures_has_no_such_picture(digits: ReportFacts) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 1), nn.Flatten(), nn.Linear(256, 10))
    page = Page(render_report(replace(digits, model=model)))
    assert "What the first layer looks for" not in page.text


def test_class_names_of_any_script_are_on_the_page_as_they_are(digits: ReportFacts) -> None:
    names = ("Äpfel", "груши", "リンゴ", "تفاح", "सेब", "사과", "🍎", "$x^2$", "a<b", "ﬁg & 'quince'")
    dataset = replace(digits.dataset, classes=names)
    outputs = digits.model(dataset.preprocessing.transform(dataset.test.inputs)).detach()
    task = Classification(names)
    evaluation = evaluate_outputs(task, outputs, dataset.test.targets, dataset.test.ids)
    text = render_report(replace(digits, dataset=dataset, evaluation=evaluation))
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert '<meta charset="utf-8">' in text
    for name in names:
        assert name in page.text, name


def test_three_hundred_classes_make_a_page_that_folds_its_table(digits: ReportFacts) -> None:
    names = tuple(f"species {number}" for number in range(300))
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(300, (900,), generator=draw)
    inputs = torch.randint(256, (900, 1, 8, 8), generator=draw, dtype=torch.uint8)
    parts = (slice(300), slice(300, 600), slice(600, 900))
    splits = [Split(inputs[part], labels[part], [f"picture {n}" for n in range(300)]) for part in parts]
    dataset = Dataset("zoo", "images", "classification", *splits, digits.dataset.preprocessing, names)
    torch.manual_seed(0)
    facts = finish(lenet(300), dataset, Classification(names), F.cross_entropy, epochs=1, rate=1e-3)
    text = render_report(facts)
    page = Page(text)
    assert "All 300 classes" in page.text
    assert "species 299" in page.text
    assert len(text) < 3_000_000


def test_a_run_without_figures_says_so_and_has_no_empty_section(digits: ReportFacts) -> None:
    bare = replace(digits, evaluation=None, records=(), elapsed_s=None, environment={}, files={})
    page = Page(render_report(bare))
    assert "it has not been measured on data of its own yet" in page.text
    sections = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert "answers" not in sections
    assert "training" not in sections
    assert "environment" not in sections


def test_the_same_facts_give_the_same_page_written_whole(
    diabetes: ReportFacts, page_of: Callable[[str], str], tmp_path: Path
) -> None:
    path = write_report(tmp_path / "report.html", diabetes)
    assert path.read_text(encoding="utf-8") == page_of("diabetes")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
