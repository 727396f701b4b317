"""How the teaching commands end: the picture that was written, and literal next commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layerwise.cli.printing import say, say_files
from layerwise.errors import StorageError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_figure(figure: Figure, folder: str, name: str) -> Path:
    """Save a figure under a folder, which is made where it is missing, and say so.

    Raises:
        UsageError: there is a file of the folder's name.
        StorageError: the disk refuses.
    """
    from layerwise.reports.figures import save

    path = Path(folder) / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(figure, path)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"--out names a folder, and {folder} is a file; name another.") from None
    except OSError as error:
        raise StorageError(
            f"{path.parent} cannot be made: {error.strerror or error}; name another folder by --out."
        ) from None
    say_files([path])
    return path


def say_next(commands: Sequence[tuple[str, str]]) -> None:
    """Print literal commands that go on from here, with what each is for."""
    say("next:")
    width = max(len(command) for command, _ in commands)
    for command, purpose in commands:
        say(f"  {command:<{width}}  {purpose}")
