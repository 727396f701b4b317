"""The kinds of data that scripts read, by their names."""

from __future__ import annotations

from collections.abc import Callable

from layerwise.experiments.run import Run
from layerwise.experiments.scripting.excerpts import Excerpts
from layerwise.experiments.scripting.section import Section
from layerwise.experiments.scripting.sections.masks import mask_section
from layerwise.experiments.scripting.sections.pairs import pair_section
from layerwise.experiments.scripting.sections.pictures import picture_section
from layerwise.experiments.scripting.sections.prose import prose_section
from layerwise.experiments.scripting.sections.tables import table_section, text_section

SECTIONS: dict[str, Callable[[Run, Excerpts], Section]] = {
    "masks": mask_section,
    "pictures": picture_section,
    "table": table_section,
    "text": text_section,
    "pairs": pair_section,
    "prose": prose_section,
}


def section_of(run: Run, excerpts: Excerpts) -> Section:
    """Return the part of a script that reads the data of a run."""
    kind = "masks" if run.facts["goal"] == "segmentation" else run.facts["kind"]
    return SECTIONS[kind](run, excerpts)
