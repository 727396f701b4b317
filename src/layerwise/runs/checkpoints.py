"""Checkpoints that survive a kill at any instant, a full disk and a damaged file.

A checkpoint is a folder `step-00000400/`: one `GROUP.safetensors` for each group of tensors, `state.json`,
and `manifest.json` with the size and SHA-256 of each. It is written under a temporary name, synchronised, read
back, and only then renamed, so that a folder with the final name is whole. What the disk does to it later is
noticed by the sums: such a checkpoint is set aside, never loaded in part.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from layerwise.errors import CheckpointError, StorageError
from layerwise.runs.atomic import (
    json_bytes,
    read_json,
    remove,
    remove_leftovers,
    storage_errors,
    sync_file,
    sync_folder,
    temporary_sibling,
    write_json,
    write_new,
)
from layerwise.runs.tensors import tensors_from_bytes, tensors_to_bytes

FORMAT = 1
MANIFEST, STATE, PINNED = "manifest.json", "state.json", "pinned.json"
STEP_FOLDER = re.compile(r"step-(\d{8,})")
GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Checkpoint:
    """A training as it was after `step` optimiser steps.

    tensors: group -> name -> tensor, on the CPU. state: plain JSON values. notices: what was wrong with newer
    checkpoints that could not be taken.
    """

    step: int
    tensors: dict[str, dict[str, Tensor]]
    state: dict[str, Any]
    path: Path
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """What a look at a checkpoint found. damage: what is wrong with it, an empty string for a whole one."""

    step: int
    path: Path
    size_bytes: int
    damage: str


class DamageError(Exception):
    """A checkpoint is not what was written; the text names the file and what is wrong with it."""


class CheckpointStore:
    """The checkpoints of one training.

    Args:
        folder: where they are; made by the first save.
        keep: how many of the newest stay, besides a pinned one.
        records: a file that is brought to the disk before each checkpoint, so that a checkpoint never knows
            more than the metrics beside it.
    """

    def __init__(self, folder: Path, keep: int = 2, records: Path | None = None) -> None:
        if keep < 1:
            raise ValueError(f"keep is {keep}; at least 1 checkpoint has to stay")
        self.folder = Path(folder)
        self.keep = keep
        self.records = records

    def save(self, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> Path:
        """Write a checkpoint; it is on the disk when this returns. A whole one of the same step stays as it is.

        Args:
            step: optimiser steps taken, 0 or more.
            tensors: group -> name -> tensor. Groups may be empty.
            state: anything that JSON can say.

        Raises:
            StorageError: the disk is full or refuses to be written; the older checkpoints are whole.
        """
        path = self.folder / f"step-{step:08d}"
        with storage_errors(path):
            self._make_ready()
            if path.exists():
                if not damage_of(path):
                    return path
                self._set_aside(path)
            temporary = temporary_sibling(path)
            try:
                write_checkpoint(temporary, step, tensors, state)
                verify_written(temporary)
                self._commit(temporary, path)
            except BaseException:
                with suppress(OSError):
                    remove(temporary)
                raise
            self._prune()
        return path

    def newest(self) -> Checkpoint | None:
        """Return the newest whole checkpoint, None where none was ever saved. Damaged ones are set aside.

        Raises:
            CheckpointError: there are checkpoints, but none is whole.
        """
        damages: dict[str, str] = {}
        while paths := [path for path in self.paths() if path.name not in damages]:
            try:
                checkpoint = read_checkpoint(paths[0])
            except DamageError as damage:
                if paths[0].exists():  # else its owner pruned it while it was read
                    damages[paths[0].name] = f"{paths[0].name} is damaged ({damage}), {self._set_aside(paths[0])}"
                continue
            notices = tuple(f"{damage}; going back to {paths[0].name}" for damage in damages.values())
            return replace(checkpoint, notices=notices)
        aside = sorted(self.folder.glob("damaged-step-*"))
        if damages or aside:
            reasons = "; ".join(damages.values()) or f"{', '.join(path.name for path in aside)} were set aside before"
            raise CheckpointError(
                f"{self.folder}: no whole checkpoint is left ({reasons}); "
                "put back a copy, or remove this folder to begin again at step 0"
            )
        return None

    def paths(self) -> list[Path]:
        """Return the folders of all checkpoints, newest first, without looking into them."""
        names = os.listdir(self.folder) if self.folder.is_dir() else []
        return [self.folder / name for name in sorted(filter(STEP_FOLDER.fullmatch, names), key=_step_of, reverse=True)]

    def load(self, path: Path) -> Checkpoint:
        """Return one checkpoint of one's choice.

        Raises:
            CheckpointError: it is damaged; nothing of it was loaded.
        """
        try:
            return read_checkpoint(path)
        except DamageError as damage:
            raise CheckpointError(f"{path} is damaged ({damage}); take another one of {self.folder}") from damage

    def inspect(self, path: Path) -> Inspection:
        """Compare one checkpoint with its sums; change nothing."""
        size = sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else 0
        return Inspection(_step_of(path.name), path, size, damage_of(path))

    def pin(self, step: int) -> None:
        """Keep the checkpoint of `step` however old it gets, in place of the one pinned before."""
        write_json(self.folder / PINNED, {"step": step})

    def _make_ready(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            sync_folder(self.folder.parent)
        remove_leftovers(self.folder)

    def _commit(self, temporary: Path, path: Path) -> None:
        if self.records and self.records.exists():
            sync_file(self.records)
        try:
            os.rename(temporary, path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or damage_of(path):
                raise
            remove(temporary)  # another process saved the same step a moment ago
        sync_folder(self.folder)

    def _set_aside(self, path: Path) -> str:
        """Rename a damaged checkpoint; return how that went as a part of a sentence."""
        names = (f"damaged-{path.name}{'' if n == 1 else f'-{n}'}" for n in range(1, 1000))
        target = next(self.folder / name for name in names if not (self.folder / name).exists())
        try:
            os.rename(path, target)
            sync_folder(self.folder)
        except OSError as error:
            return f"not set aside ({error.strerror})"
        return "set aside"

    def _prune(self) -> None:
        """Remove all but the newest and the pinned; for its readers each vanishes in one step."""
        pinned = read_json(self.folder / PINNED)["step"] if (self.folder / PINNED).exists() else None
        for path in self.paths()[self.keep :]:
            if _step_of(path.name) != pinned:
                temporary = temporary_sibling(path)
                with suppress(FileNotFoundError):  # another process prunes, too
                    os.rename(path, temporary)
                    remove(temporary)


def write_checkpoint(
    path: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]
) -> None:
    """Write and synchronise the files of a checkpoint, the manifest last; one group at a time."""
    os.mkdir(path)
    entries: dict[str, dict[str, Any]] = {}
    for group, values in tensors.items():
        if not GROUP.fullmatch(group):
            raise ValueError(f"the group of tensors '{group}' cannot be the name of a file")
        if values:
            entries[f"{group}.safetensors"] = _write(path / f"{group}.safetensors", tensors_to_bytes(values))
    counts = {group: len(values) for group, values in tensors.items()}
    text = json_bytes({"format": FORMAT, "step": step, "groups": counts, "state": state})
    entries[STATE] = _write(path / STATE, text)
    write_new(path / MANIFEST, json_bytes({"files": entries}))
    sync_folder(path)


def _write(path: Path, data: bytes) -> dict[str, Any]:
    write_new(path, data)
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def verify_written(path: Path) -> None:
    """Read back what was just written, before anything older is given up for it.

    Raises:
        StorageError: the disk gives back something else.
    """
    if damage := damage_of(path):
        raise StorageError(f"{path} reads back differently from what was written ({damage}); change the disk")


def read_checkpoint(path: Path) -> Checkpoint:
    """Return a checkpoint after comparing every byte of it with its sums.

    Raises:
        DamageError: something is missing or differs.
        CheckpointError: a newer version of the program wrote it.
    """
    tensors: dict[str, dict[str, Tensor]] = {}
    state: dict[str, Any] = {}
    try:
        for name, data in read_files(path):
            if name == STATE:
                state = json.loads(data)
            else:
                tensors[name.removesuffix(".safetensors")] = tensors_from_bytes(data)
        if state["format"] > FORMAT:
            raise CheckpointError(f"{path} was written by a newer version of Layerwise; update with `pip install -U`")
        groups = {group: tensors.get(group, {}) for group in state["groups"]}
        if (counts := {group: len(values) for group, values in groups.items()}) != state["groups"]:
            raise DamageError(f"{MANIFEST}: lists tensors {counts} instead of {state['groups']}")
        return Checkpoint(state["step"], groups, state["state"], path)
    except (KeyError, ValueError, TypeError) as error:
        raise DamageError(f"its files do not fit together: {error}") from error


def damage_of(path: Path) -> str:
    """Return what is wrong with the files of a checkpoint, an empty string where all are whole."""
    try:
        for _ in read_files(path):
            pass
    except DamageError as damage:
        return str(damage)
    return ""


def read_files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file in the manifest, each compared with its size and SHA-256."""
    try:
        entries = json.loads(_read(path / MANIFEST))["files"]
        expected = {Path(name).name: (entry["size"], entry["sha256"]) for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamageError(f"{MANIFEST}: not readable: {error}") from error
    if STATE not in expected:
        raise DamageError(f"{MANIFEST}: does not list {STATE}")
    for name, (size, digest) in expected.items():
        data = _read(path / name)
        if len(data) != size:
            raise DamageError(f"{name}: {len(data)} bytes instead of {size}")
        if hashlib.sha256(data).hexdigest() != digest:
            raise DamageError(f"{name}: SHA-256 differs")
        yield name, data


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EIO, errno.EISDIR, errno.ENOTDIR):
            raise DamageError(f"{path.name}: {error.strerror}") from error
        raise StorageError(
            f"{path} could not be read: {error.strerror}; give this user the right to read it"
        ) from error


def _step_of(name: str) -> int:
    return int(name.rpartition("-")[2])
