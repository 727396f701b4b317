"""Series over time: the classic ones that come with the Python package sktime."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from layerwise.data.download.archives import read_files
from layerwise.data.download.fetch import Package, Pin, fetch
from layerwise.data.raw import Progress, RawForecast, RawSeries
from layerwise.data.series.preprocessing import read_ts
from layerwise.errors import DataError

WHEEL = Pin(
    "sktime-1.2.0-py3-none-any.whl", 8_201_107, "dbffc6731d2d683b668dceb5e2bbc5804bebc8446b4c580803a281684d90e4ae"
)
SKTIME = Package("series", (WHEEL,), client="pip", package="sktime==1.2.0")
FOLDER = "sktime/datasets/data/"
ORIGIN = "from the Python package sktime 1.2.0"


def japanese_vowels(progress: Progress | None = None) -> RawSeries:
    """Nine men say two vowels: 12 coefficients of the spectrum a step (Kudo, Toyama and Shimbo 1999)."""
    return labelled("JapaneseVowels", "Japanese Vowels, Kudo et al. 1999", progress)


def basic_motions(progress: Progress | None = None) -> RawSeries:
    """A watch's acceleration and rotation while its wearer stands, walks, runs or plays badminton."""
    return labelled("BasicMotions", "Basic Motions, students of the University of East Anglia 2016", progress)


def italy_power(progress: Progress | None = None) -> RawSeries:
    """A day's demand of electric power in Italy, in winter or in summer (Keogh et al. 2006)."""
    return labelled("ItalyPowerDemand", "Italy Power Demand, Keogh et al. 2006", progress)


def airline(progress: Progress | None = None) -> RawForecast:
    """Passengers of airlines each month from 1949 to 1960 (Box and Jenkins 1976)."""
    frame = read_table("Airline/Airline.csv", progress)
    return RawForecast(frame, "Passengers", "Date", f"Airline passengers, Box and Jenkins 1976, {ORIGIN}", 24, 12)


def solar(progress: Progress | None = None) -> RawForecast:
    """The solar power of Great Britain every half hour of six days (Sheffield Solar)."""
    frame = read_table("solar/solar.csv", progress)
    return RawForecast(frame, "solar_gen", "datetime_gmt", f"Solar power, Sheffield Solar 2021, {ORIGIN}", 48, 24)


def labelled(name: str, origin: str, progress: Progress | None) -> RawSeries:
    """Read the training and the test file of a data set of labelled series."""
    archive = fetch(SKTIME, progress) / WHEEL.name
    train, train_labels = read_ts(read_member(archive, f"{name}/{name}_TRAIN.ts"), f"{name}_TRAIN.ts")
    test, test_labels = read_ts(read_member(archive, f"{name}/{name}_TEST.ts"), f"{name}_TEST.ts")
    channels = tuple(f"channel {number + 1}" for number in range(train[0].shape[1]))
    return RawSeries(train, train_labels, channels, f"{origin}, {ORIGIN}", test, test_labels)


def read_table(name: str, progress: Progress | None) -> pl.DataFrame:
    """Read a CSV file of the package."""
    archive = fetch(SKTIME, progress) / WHEEL.name
    return pl.read_csv(io.BytesIO(read_member(archive, name)), infer_schema_length=None)


def read_member(archive: Path, name: str) -> bytes:
    """Return the content of a file of the package. Raises DataError where there is none."""
    found = dict(read_files(archive, lambda entry: entry == FOLDER + name))
    if not found:
        raise DataError(f"{archive} holds no {FOLDER}{name}; get it anew.")
    return found[FOLDER + name]
