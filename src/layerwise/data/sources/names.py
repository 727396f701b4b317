"""People's names in 15 languages, from the lists of the Python package Faker, which are read as text and never run."""

from __future__ import annotations

import ast
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping

from layerwise.data.download.archives import read_files
from layerwise.data.download.fetch import Package, Pin, fetch
from layerwise.data.raw import Progress, RawCharacters
from layerwise.errors import DataError

WHEEL = Pin(
    "faker-40.63.0-py3-none-any.whl", 2_074_417, "36627c20b575b4138f54b6c21f8703e9ab122fd487aca11319beec2aa6ca7232"
)
FAKER = Package("names", (WHEEL,), client="pip", package="faker==40.63.0")
LANGUAGES = {
    "en_US": "English", "de_DE": "German", "fr_FR": "French", "it_IT": "Italian", "es_ES": "Spanish",
    "nl_NL": "Dutch", "sv_SE": "Swedish", "fi_FI": "Finnish", "pl_PL": "Polish", "cs_CZ": "Czech",
    "tr_TR": "Turkish", "hr_HR": "Croatian", "ro_RO": "Romanian", "is_IS": "Icelandic", "id_ID": "Indonesian",
}  # fmt: skip
AT_MOST = 1000  # names of a language, so that none outweighs the others by far


def names(progress: Progress | None = None) -> RawCharacters:
    """First and last names, each with its language; names that two languages share are left out."""
    archive = fetch(FAKER, progress) / WHEEL.name
    wanted = {f"faker/providers/person/{locale}/__init__.py": language for locale, language in LANGUAGES.items()}
    found = {
        wanted[entry]: list(dict.fromkeys(find_names(source.decode())))
        for entry, source in read_files(archive, wanted.__contains__)
    }
    if len(found) < len(wanted):
        raise DataError(
            f"{archive} lacks names of {', '.join(sorted(set(wanted.values()) - set(found)))}; get it anew."
        )
    kept = of_one_language(found)
    texts = [name for listed in kept.values() for name in listed]
    labels = [language for language, listed in kept.items() for _ in listed]
    return RawCharacters(texts, labels, "names of people, from the Python package Faker 40.63.0, MIT")


def of_one_language(found: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the names of each language, in its order, without those that two share and with no more than AT_MOST."""
    uses = Counter(name for listed in found.values() for name in listed)
    return {
        language: spread([name for name in listed if uses[name] == 1]) for language, listed in sorted(found.items())
    }


def find_names(source: str) -> Iterator[str]:
    """Yield the names of every list of first or last names that a module's text assigns."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ):
                if value is not None and name.startswith(("first_name", "last_name")):
                    listed = (part.value for part in ast.walk(value) if isinstance(part, ast.Constant))
                    yield from (unicodedata.normalize("NFC", text) for text in listed if isinstance(text, str) and text)


def spread(listed: list[str]) -> list[str]:
    """Return at most AT_MOST names, evenly from the whole list."""
    step = max(1.0, len(listed) / AT_MOST)
    return [listed[int(place * step)] for place in range(min(len(listed), AT_MOST))]
