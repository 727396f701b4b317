"""Checkpoints come back bit for bit, are noticed when damaged, and are kept as few as asked."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import Tensor

from layerwise.errors import CheckpointError, StorageError
from layerwise.runs.checkpoints import Checkpoint, CheckpointStore
from layerwise.runs.tensors import TYPES, tensors_from_bytes, tensors_to_bytes

ALL_TYPES = sorted(TYPES, key=str)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def bits(tensor: Tensor) -> bytes:
    return bytes(tensor.detach().contiguous().reshape(-1).view(torch.uint8).tolist()) if tensor.numel() else b""


def assert_same_bits(actual: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    assert actual.keys() == expected.keys()
    for name, tensor in expected.items():
        assert actual[name].dtype == tensor.dtype, name
        assert actual[name].shape == tensor.shape, name
        assert bits(actual[name]) == bits(tensor), name


def save_step(store: CheckpointStore, step: int) -> Path:
    """Save something that only this step would have."""
    weights = torch.full((40, 5), float(step))
    return store.save(step, {"model": {"weight": weights}, "optimizer": {"0.step": torch.tensor(step)}}, {"at": step})


def newest(store: CheckpointStore) -> Checkpoint:
    checkpoint = store.newest()
    assert checkpoint
    assert checkpoint.state == {"at": checkpoint.step}
    assert checkpoint.tensors["model"]["weight"].eq(checkpoint.step).all()
    return checkpoint


@st.composite
def any_tensor(draw: st.DrawFn) -> Tensor:
    """Any type, any bits (NaN payloads too), up to three dimensions, some of them empty, laid out in any order."""
    dtype = draw(st.sampled_from(ALL_TYPES))
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    size = torch.Size(shape).numel() * dtype.itemsize
    raw = draw(st.binary(min_size=size, max_size=size))
    if dtype == torch.bool:
        raw = bytes(byte & 1 for byte in raw)
    flat = torch.frombuffer(bytearray(raw), dtype=dtype) if size else torch.empty(0, dtype=dtype)
    tensor = flat.reshape(shape)
    return tensor.permute(draw(st.permutations(range(tensor.dim()))))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    groups=st.dictionaries(
        st.sampled_from(["model", "optimizer-main", "average", "random"]),
        st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), any_tensor(), max_size=3),
    ),
    state=st.dictionaries(st.text(), JSON, max_size=4),
)
def test_any_tensors_and_any_state_come_back_bit_for_bit(
    fast_path: Path, groups: dict[str, dict[str, Tensor]], state: dict[str, object]
) -> None:
    folder = fast_path / "checkpoints"
    shutil.rmtree(folder, ignore_errors=True)
    CheckpointStore(folder).save(7, groups, state)
    checkpoint = CheckpointStore(folder).newest()
    assert checkpoint
    assert (checkpoint.step, checkpoint.state, checkpoint.notices) == (7, state, ())
    assert checkpoint.tensors.keys() == groups.keys()
    for group, tensors in groups.items():
        assert_same_bits(checkpoint.tensors[group], tensors)


def test_shared_and_overlapping_tensors_come_back_each_for_itself() -> None:
    table = torch.arange(12.0).reshape(3, 4)
    tensors = {
        "table": table,
        "tied": table,
        "row": table[1],
        "column": table[:, 2],
        "turned": table.T,
        "repeated": table[:1].expand(5, 4),
        "parameter": torch.nn.Parameter(table[0]),
        "conjugated": torch.tensor([1 + 2j, 3j]).conj(),
        "scalar": torch.tensor(2.5, dtype=torch.bfloat16),
        "channels_last": torch.arange(16.0).reshape(1, 2, 2, 4).to(memory_format=torch.channels_last),
    }
    assert_same_bits(tensors_from_bytes(tensors_to_bytes(tensors)), {n: t.resolve_conj() for n, t in tensors.items()})


@pytest.mark.parametrize("tensor", [torch.eye(2).to_sparse(), torch.zeros(2, dtype=torch.complex128)])
def test_a_tensor_that_cannot_be_saved_is_refused_by_name_and_nothing_is_left(tmp_path: Path, tensor: Tensor) -> None:
    with pytest.raises(CheckpointError, match=r"'odd' is (sparse|strided complex128)"):
        CheckpointStore(tmp_path).save(1, {"model": {"odd": tensor}}, {})
    assert list(tmp_path.iterdir()) == []


def test_state_that_json_cannot_say_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        CheckpointStore(tmp_path).save(1, {}, {"odd": object()})
    assert list(tmp_path.iterdir()) == []


def test_a_store_without_checkpoints_has_no_newest(tmp_path: Path) -> None:
    assert CheckpointStore(tmp_path / "not yet").newest() is None


def test_the_newest_two_stay_and_a_pinned_one(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    save_step(store, 1)
    store.pin(1)
    for step in (2, 3, 100_000_000):
        save_step(store, step)
    assert [path.name for path in store.paths()] == ["step-100000000", "step-00000003", "step-00000001"]
    assert newest(store).step == 100_000_000
    assert store.load(store.paths()[-1]).state == {"at": 1}


def test_a_step_that_is_saved_already_is_not_written_again(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    path = save_step(store, 5)
    before = {file: file.stat() for file in path.iterdir()}
    assert save_step(store, 5) == path
    assert {file: file.stat().st_ino for file in path.iterdir()} == {f: facts.st_ino for f, facts in before.items()}


def test_a_damaged_step_is_written_anew_when_it_is_saved_again(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    (save_step(store, 5) / "state.json").write_text("{}")
    save_step(store, 5)
    assert newest(store).notices == ()
    assert (tmp_path / "damaged-step-00000005").is_dir()


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


DAMAGES = {
    "flipped": (lambda path: flip(path / "model.safetensors", -3), "model.safetensors: SHA-256 differs"),
    "shortened": (lambda path: os.truncate(path / "model.safetensors", 100), "model.safetensors: 100 bytes instead of"),
    "missing": (lambda path: (path / "optimizer.safetensors").unlink(), "optimizer.safetensors: No such file"),
    "state": (lambda path: flip(path / "state.json", 10), "state.json: SHA-256 differs"),
    "no manifest": (lambda path: (path / "manifest.json").unlink(), "manifest.json: No such file"),
    "manifest of zeros": (lambda path: (path / "manifest.json").write_bytes(bytes(300)), "manifest.json: not readable"),
    "empty manifest": (lambda path: (path / "manifest.json").write_text("{}"), "manifest.json: not readable"),
    "a folder for a file": (
        lambda path: replace_by_folder(path / "model.safetensors"),
        "model.safetensors: Is a directory",
    ),
    "empty folder": (lambda path: [file.unlink() for file in path.iterdir()], "manifest.json: No such file"),
}


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_checkpoint_is_named_set_aside_and_the_one_before_is_taken(tmp_path: Path, kind: str) -> None:
    damage, sentence = DAMAGES[kind]
    store = CheckpointStore(tmp_path)
    save_step(store, 100)
    path = save_step(store, 200)
    damage(path)
    assert sentence in store.inspect(path).damage
    with pytest.raises(CheckpointError, match=r"step-00000200 is damaged \(.*\); take another one"):
        store.load(path)
    checkpoint = newest(store)
    assert checkpoint.step == 100
    [notice] = checkpoint.notices
    assert notice.startswith(f"step-00000200 is damaged ({sentence}")
    assert notice.endswith("set aside; going back to step-00000100")
    assert (tmp_path / "damaged-step-00000200").is_dir()
    assert newest(store).notices == ()
    save_step(store, 200)
    assert newest(store).step == 200


def test_every_flipped_byte_is_noticed_or_harmless(fast_path: Path) -> None:
    """One bit in each byte of each file: either the checkpoint is refused, or it loads with the same content."""
    store = CheckpointStore(fast_path)
    path = save_step(store, 3)
    refused = 0
    for file in path.iterdir():
        whole = file.read_bytes()
        for offset in range(0, len(whole), 1 if file.suffix == ".json" else 37):
            flip(file, offset)
            try:
                checkpoint = store.load(path)
                assert checkpoint.state == {"at": 3}
                assert checkpoint.tensors["model"]["weight"].eq(3).all()
                assert checkpoint.tensors["optimizer"]["0.step"] == 3
            except CheckpointError:
                refused += 1
            file.write_bytes(whole)
    assert refused > 300
    assert store.inspect(path).damage == ""


def test_no_whole_checkpoint_is_an_error_every_time_it_is_asked(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for step in (1, 2):
        flip(save_step(store, step) / "state.json", 4)
    for _ in range(2):
        with pytest.raises(CheckpointError, match=r"no whole checkpoint is left .*damaged.*begin again") as caught:
            store.newest()
        assert caught.value.exit_code == 70


def test_a_manifest_cannot_name_a_file_outside(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    path = save_step(store, 1)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["../../secret.safetensors"] = manifest["files"].pop("model.safetensors")
    shutil.copy(path / "model.safetensors", tmp_path.parent / "secret.safetensors")
    (path / "manifest.json").write_text(json.dumps(manifest))
    assert "secret.safetensors: No such file" in store.inspect(path).damage


def test_a_checkpoint_of_a_newer_version_is_not_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CheckpointStore(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("layerwise.runs.checkpoints.FORMAT", 2)
        path = save_step(store, 1)
    with pytest.raises(CheckpointError, match="newer version of Layerwise; update"):
        store.newest()
    assert path.is_dir()


def test_inspection_tells_step_and_size(tmp_path: Path) -> None:
    path = save_step(CheckpointStore(tmp_path), 12)
    inspection = CheckpointStore(tmp_path).inspect(path)
    assert (inspection.step, inspection.damage) == (12, "")
    assert inspection.size_bytes == sum(file.stat().st_size for file in path.iterdir())


def test_a_checkpoint_that_may_not_be_read_is_not_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CheckpointStore(tmp_path)
    path = save_step(store, 1)

    def refuse(file: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # the tests may run as root, whom nothing is forbidden
    with pytest.raises(StorageError, match="could not be read: Permission denied"):
        store.newest()
    assert path.is_dir()


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    from layerwise.runs.processes import Process

    me = Process.current()
    dead = Process(me.pid, me.started + "0", me.boot)
    elsewhere = Process(me.pid, me.started, "0" * 8)
    for process in (me, dead, elsewhere):
        (tmp_path / f".step-00000009.{process.tag}-0123abcd.tmp").mkdir()
    save_step(CheckpointStore(tmp_path), 10)
    assert [p.name for p in tmp_path.glob(".*")] == [f".step-00000009.{me.tag}-0123abcd.tmp"]


def test_a_disk_that_gives_back_something_else_is_noticed_before_anything_older_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CheckpointStore(tmp_path, keep=1)
    save_step(store, 1)

    def forget_a_bit(path: Path, data: bytes) -> None:
        path.write_bytes(data)
        if path.suffix == ".safetensors":
            flip(path, -1)

    with monkeypatch.context() as patch:
        patch.setattr("layerwise.runs.checkpoints.write_new", forget_a_bit)
        with pytest.raises(StorageError, match=r"reads back differently .*model.safetensors: SHA-256 differs"):
            save_step(store, 2)
    assert newest(store).step == 1
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_a_checkpoint_that_its_owner_prunes_while_it_is_read_is_not_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CheckpointStore(tmp_path, keep=1)
    save_step(store, 1)
    read = Path.read_bytes

    def read_after_the_next_save(path: Path) -> bytes:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", read)
            save_step(store, 2)
            return path.read_bytes()

    monkeypatch.setattr(Path, "read_bytes", read_after_the_next_save)
    checkpoint = newest(store)
    assert (checkpoint.step, checkpoint.notices) == (2, ())
    assert list(tmp_path.glob("damaged-*")) == []
