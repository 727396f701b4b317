"""What Debian's packages are, in one line of English and one of another language, written by its translators."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from layerwise.data.download.fetch import MIRROR_VARIABLE, cache_folder
from layerwise.data.download.packages import NotFetchedError, describe_packages
from layerwise.data.raw import Progress, RawPairs
from layerwise.data.text.translation import distinct, read_pairs
from layerwise.errors import StorageError, UnavailableError

CODES = {"english": "en", "french": "fr", "german": "de", "italian": "it"}
TEST_COUNT = 1000
SPELLINGS = str.maketrans({"\u22c5": " ", "\u2019": "'"})  # a dot that stands for a space, and a curly apostrophe
LONGEST_RATIO = 3  # of the characters of two texts that say the same


def english_french(progress: Progress | None = None) -> RawPairs:
    """Short descriptions in English and French."""
    return descriptions("english", "french", progress)


def english_german(progress: Progress | None = None) -> RawPairs:
    """Short descriptions in English and German."""
    return descriptions("english", "german", progress)


def english_italian(progress: Progress | None = None) -> RawPairs:
    """Short descriptions in English and Italian."""
    return descriptions("english", "italian", progress)


def descriptions(first: str, second: str, progress: Progress | None) -> RawPairs:
    """Return the pairs of two languages; which of them are for testing is a function of their texts alone."""
    path = fetch_pairs(first, second, progress)
    raw = read_pairs(path)
    pairs = [pair for pair in zip(raw.sources, raw.targets, strict=True) if is_translation(*pair)]
    pairs.sort(key=lambda pair: hashlib.sha256(pair[0].casefold().encode()).digest())
    test, train = pairs[:TEST_COUNT], pairs[TEST_COUNT:]
    return RawPairs(
        sources=[source for source, _ in train],
        targets=[target for _, target in train],
        languages=(first, second),
        source="short descriptions of Debian's packages and their translations, from its archive",
        test_sources=[source for source, _ in test],
        test_targets=[target for _, target in test],
    )


def is_translation(source: str, target: str) -> bool:
    """Tell whether a text was translated at all, and into one of a similar length."""
    lengths = sorted((len(source), len(target)))
    return source.casefold() != target.casefold() and lengths[1] <= LONGEST_RATIO * lengths[0]


def fetch_pairs(first: str, second: str, progress: Progress | None = None) -> Path:
    """Return the table of pairs, from the cache, a folder that the user names, or apt.

    Raises
    ------
    UnavailableError
        It is not here and could not be fetched.
    StorageError
        The cache cannot be written.
    """
    name = f"{first}-{second}"
    path = cache_folder() / name / f"{name}.pairs.tsv"
    mirror = os.environ.get(MIRROR_VARIABLE)
    for known in [path, *(folder / path.name for folder in ([Path(mirror).expanduser()] if mirror else []))]:
        if known.is_file():
            return known
    if progress:
        progress(f"fetching {name} from the archive that `apt-get update` reads")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as work:
            found = describe_packages([CODES[first], CODES[second]], Path(work))
            pairs = distinct(paired(found[CODES[first]], found[CODES[second]]))
            table = pl.DataFrame(pairs, schema={first: pl.String, second: pl.String}, orient="row")
            table.write_csv(Path(work) / "pairs", separator="\t")
            os.replace(Path(work) / "pairs", path)
    except NotFetchedError as error:
        raise UnavailableError(
            f"{name} is not on this machine and could not be fetched ({error}); on a Debian machine with a "
            f"network run `layerwise data {name}`, take {path.name} from its cache and put the file into "
            f"{path.parent}, or name a folder with it in {MIRROR_VARIABLE}."
        ) from error
    except OSError as error:
        raise StorageError(f"{path.parent} cannot be used ({error.strerror or error}); free some space.") from error
    return path


def paired(first: str, second: str) -> Iterator[tuple[str, str]]:
    """Yield the short descriptions of two lists that belong to the same English description, by its MD5."""
    others = dict(short_descriptions(second))
    for digest, text in short_descriptions(first):
        if digest in others:
            yield text.translate(SPELLINGS), others[digest].translate(SPELLINGS)


def short_descriptions(listing: str) -> Iterator[tuple[str, str]]:
    """Yield (MD5 of the English description, first line) of a list in the layout of apt's Translation files."""
    digest = ""
    for line in listing.splitlines():
        if line.startswith("Description-md5: "):
            digest = line.partition(": ")[2]
        elif line.startswith("Description-"):
            yield digest, line.partition(": ")[2]
