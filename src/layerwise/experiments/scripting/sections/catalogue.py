"""The kinds of data that scripts read, by their names."""

from __future__ import annotations

from collections.abc import Callable

from layerwise.experiments.run import Run
from layerwise.experiments.scripting.excerpts import Excerpts
from layerwise.experiments.scripting.section import Section
from layerwise.experiments.scripting.sections.characters import name_section, syntax_section
from layerwise.experiments.scripting.sections.masks import mask_section
from layerwise.experiments.scripting.sections.pairs import pair_section
from layerwise.experiments.scripting.sections.pictures import picture_section
from layerwise.experiments.scripting.sections.prose import prose_section
from layerwise.experiments.scripting.sections.series import series_section
from layerwise.experiments.scripting.sections.tables import table_section, text_section

SECTIONS: dict[str, Callable[[Run, Excerpts], Section]] = {
    "pictures": picture_section,
    "table": table_section,
    "text": text_section,
    "series": series_section,
    "tokens": name_section,
    "pairs": pair_section,
    "prose": prose_section,
}
OF_GOALS: dict[str, Callable[[Run, Excerpts], Section]] = {  # whatever their kind
    "segmentation": mask_section,
    "labelling": syntax_section,
}


def section_of(run: Run, excerpts: Excerpts) -> Section:
    """Return the part of a script that reads the data of a run."""
    section = OF_GOALS.get(run.facts["goal"]) or SECTIONS[run.facts["kind"]]
    return section(run, excerpts)
