"""Emoji with their names, kinds and edges."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from layerwise.data.sources.emoji import FOLDER, LIST, Emoji


def read_emoji(archive: Path) -> list[Emoji]:
    """Read an archive of a list of emoji and a folder of pictures, (64, 64, 4) uint8 each."""
    with tarfile.open(archive) as tar:
        wanted = {entry.name: entry for entry in tar if entry.name == LIST or entry.name.startswith(FOLDER)}
        found = {name: file.read() for name, entry in wanted.items() if (file := tar.extractfile(entry))}
    emoji = []
    for entry in json.loads(found[LIST]):
        if FOLDER + entry["image"] in found:
            pixels = np.asarray(Image.open(io.BytesIO(found[FOLDER + entry["image"]])).convert("RGBA"))
            emoji.append(Emoji(entry["name"].lower(), entry["category"], entry["subcategory"], pixels))
    return emoji
