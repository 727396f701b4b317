"""The report of a run: one HTML file with no outside reference, that opens from disk and prints well."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from pathlib import Path

from layerwise.reports import markup, sections
from layerwise.reports.facts import ReportFacts
from layerwise.reports.summary import headline, key_figures
from layerwise.runs.atomic import write_bytes
from layerwise.version import __version__

__all__ = ["ReportFacts", "document", "render_report", "write_report"]

CONTENTS = {
    "findings": "What to know",
    "answers": "Right and wrong",
    "training": "How it learned",
    "network": "The network",
    "data": "The data",
    "options": "What was asked",
    "use": "Use it",
    "environment": "Where it was made",
}


def write_report(path: Path | str, facts: ReportFacts) -> Path:
    """Write the report to `path`, whole or not at all; return the path.

    Raises:
        StorageError: the place cannot be written.
    """
    path = Path(path)
    write_bytes(path, render_report(facts).encode())
    return path


def render_report(facts: ReportFacts) -> str:
    """Return the report as HTML."""
    parts = [
        sections.findings(facts),
        sections.answers(facts),
        sections.training(facts),
        sections.network(facts),
        sections.data(facts),
        sections.options(facts),
        sections.use(facts),
        sections.environment_section(facts),
    ]
    body = "\n".join(part for part in parts if part)
    return document(facts.title, _header(facts, body), body)


def document(title: str, header: str, body: str) -> str:
    """Return a whole page in the house style. title: as plain words; header, body: as HTML."""
    style = (files("layerwise.reports") / "page.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{escape(title)} - Layerwise</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<header>{header}</header>
<main>
{body}
</main>
<footer><p>Written by Layerwise {escape(__version__)}. One file that needs no network.</p></footer>
</body>
</html>
"""


def _header(facts: ReportFacts, body: str) -> str:
    result = headline(facts.evaluation, facts.dataset.kind, facts.split_name)
    links = "".join(
        f'<a href="#{anchor}">{escape(title)}</a>' for anchor, title in CONTENTS.items() if f'id="{anchor}"' in body
    )
    return (
        f'<p class="kind">{escape(facts.title)}</p><h1>{markup.text(result)}</h1>'
        f'{markup.tiles(key_figures(facts))}<nav aria-label="Contents">{links}</nav>'
    )
