"""Whatever moment a process dies or the power fails: the old state is there, or the new one, whole."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from crash_points import (
    can_trace,
    copy_of,
    crash_points,
    ended,
    fork,
    kill_at_system_call,
    kill_before_call,
    lose_power,
    system_crash_points,
)

from layerwise.errors import StorageError
from layerwise.runs.checkpoints import Checkpoint, CheckpointStore
from layerwise.runs.folder import RunFolder
from layerwise.runs.index import Index
from layerwise.runs.metrics import append_records

KILLS = int(os.environ.get("LAYERWISE_KILLS", "25"))


def save_step(store: CheckpointStore, step: int, size: int = 500) -> Path:
    weights = {"weight": torch.full((size,), float(step)), "bias": torch.tensor(step)}
    return store.save(step, {"model": weights, "average": {}}, {"at": step})


def assert_whole(checkpoint: Checkpoint | None, steps: set[int]) -> int:
    assert checkpoint
    assert checkpoint.step in steps
    assert checkpoint.notices == ()
    assert checkpoint.state == {"at": checkpoint.step}
    assert checkpoint.tensors["model"]["weight"].eq(checkpoint.step).all()
    assert checkpoint.tensors["model"]["bias"] == checkpoint.step
    assert checkpoint.tensors["average"] == {}
    return checkpoint.step


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob(".*.tmp"))


def test_a_save_killed_before_any_of_its_calls_leaves_the_old_or_the_new_checkpoint(fast_path: Path) -> None:
    old = CheckpointStore(fast_path / "old")
    save_step(old, 1)
    save_step(old, 2)
    folder = fast_path / "run"
    store = CheckpointStore(folder)
    found = set()

    def killed_at(number: int) -> bool:
        copy_of(old.folder, folder)
        finished = kill_before_call(number, lambda: save_step(store, 3))
        found.add(assert_whole(store.newest(), {3} if finished else {2, 3}))
        save_step(store, 4)
        assert assert_whole(store.newest(), {4}) == 4
        assert len(store.paths()) == 2
        assert leftovers(folder) == []
        return finished

    list(crash_points(killed_at, least=18))
    assert found == {2, 3}


def test_the_first_save_killed_before_any_of_its_calls_leaves_nothing_or_a_checkpoint(fast_path: Path) -> None:
    folder = fast_path / "parent" / "run"

    def killed_at(number: int) -> bool:
        shutil.rmtree(folder.parent, ignore_errors=True)
        folder.parent.mkdir()
        store = CheckpointStore(folder)
        finished = kill_before_call(number, lambda: save_step(store, 1))
        checkpoint = store.newest()
        assert checkpoint is None or assert_whole(checkpoint, {1})
        assert checkpoint or not finished
        return finished

    list(crash_points(killed_at, least=12))


@pytest.mark.parametrize("keep_names", [True, False])
def test_a_power_failure_at_any_call_of_a_save_leaves_the_old_or_the_new_checkpoint(
    fast_path: Path, keep_names: bool
) -> None:
    """What was not synchronised is taken away: contents always, names in the second case. Found by recording."""
    old = CheckpointStore(fast_path / "old")
    save_step(old, 1)
    save_step(old, 2)
    folder, metrics = fast_path / "run", fast_path / "metrics.jsonl"
    store = CheckpointStore(folder, records=metrics)

    def work() -> None:
        append_records(metrics, [{}])
        save_step(store, 3)

    def failed_at(number: int) -> bool:
        copy_of(old.folder, folder)
        metrics.write_bytes(b"")
        reader, writer = os.pipe()
        finished = kill_before_call(number, work, log=writer)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as log:
            lose_power(fast_path, log.read(), keep_names=keep_names)
        step = assert_whole(store.newest(), {3} if finished else {2, 3})
        assert step == 2 or metrics.read_bytes() == b"{}\n", "a checkpoint knows more than the metrics beside it"
        return finished

    list(crash_points(failed_at, least=18))


def scenario_status(folder: RunFolder) -> None:
    folder.set_status("running", step=2)


def scenario_weights(folder: RunFolder) -> None:
    folder.save_weights({"w": torch.full((9,), 2.0)})


def scenario_metrics(folder: RunFolder) -> None:
    folder.append_metrics([{"step": 2}])


def scenario_replaced_metrics(folder: RunFolder) -> None:
    folder.replace_metrics([{"step": 1}, {"step": 2}])


@pytest.mark.parametrize(
    ("act", "least"),
    [(scenario_status, 4), (scenario_weights, 8), (scenario_metrics, 2), (scenario_replaced_metrics, 4)],
)
def test_a_run_folder_killed_at_any_call_is_old_or_new_in_each_file(
    fast_path: Path, act: Callable[[RunFolder], None], least: int
) -> None:
    old = RunFolder.create(fast_path / "old", "run")
    old.save_weights({"w": torch.full((9,), 1.0)})
    old.append_metrics([{"step": 1}])

    def killed_at(number: int) -> bool:
        folder = RunFolder(copy_of(old.path, fast_path / "run"))

        def work() -> None:
            with folder.own():
                act(folder)

        finished = kill_before_call(number, work)
        weight = 2.0 if finished and act is scenario_weights else None
        assert folder.load_weights()["w"].tolist() in ([[weight] * 9] if weight else [[1.0] * 9, [2.0] * 9])
        assert folder.status()["status"] in ("created", "interrupted")
        assert folder.metrics() in ([{"step": 1}], [{"step": 1}, {"step": 2}])
        with folder.own():
            folder.append_metrics([{"step": 3}])
        assert folder.metrics()[-1] == {"step": 3}
        assert leftovers(folder.path) == []
        return finished

    list(crash_points(killed_at, least=least))


def test_kills_at_random_moments_lose_no_acknowledged_checkpoint(fast_path: Path) -> None:
    """One folder suffers them all. LAYERWISE_KILLS=1000 for the full count."""
    store = CheckpointStore(fast_path / "run")
    chance = random.Random(0)
    reached = 0
    for _ in range(KILLS):
        reader, writer = os.pipe()

        def save_without_end(first: int = reached + 1, writer: int = writer) -> None:
            for step in range(first, first + 100_000):
                save_step(store, step, size=20_000)
                os.write(writer, f"{step}\n".encode())

        child = fork(save_without_end)
        os.close(writer)
        time.sleep(chance.uniform(0.002, 0.04))
        os.kill(child, signal.SIGKILL)
        assert ended(child) == -signal.SIGKILL
        with os.fdopen(reader) as acknowledged:
            last = max([reached, *map(int, acknowledged.read().split())])
        checkpoint = store.newest()
        reached = assert_whole(checkpoint, {last, last + 1}) if checkpoint else 0
        assert reached >= last
    assert reached > KILLS, "the saves were too slow to be killed in their midst"


@pytest.mark.skipif(not can_trace(), reason="strace is not installed or may not attach to processes here")
def test_the_index_killed_at_any_system_call_keeps_every_acknowledged_row(fast_path: Path) -> None:
    parent = fast_path / "runs"
    first = RunFolder.create(parent, "first")
    Index(parent).put(first)
    old = copy_of(parent, fast_path / "old")

    def killed_at(call: str, number: int) -> bool:
        copy_of(old, parent)

        def work() -> None:
            folder = RunFolder.create(parent, "second")
            folder.set_status("finished")
            Index(parent).put(folder)

        finished = kill_at_system_call(call, number, work)
        index = Index(parent)
        names = {row.name: row.status for row in index.runs()}
        assert index.notices == []
        assert names["first"] == "created"
        assert names.get("second") in (("finished",) if finished else (None, "created", "finished"))
        return finished

    system_crash_points(killed_at, least=50)


@pytest.mark.skipif(not can_trace(), reason="strace is not installed or may not attach to processes here")
def test_a_save_killed_at_any_system_call_leaves_the_old_or_the_new_checkpoint(fast_path: Path) -> None:
    old = CheckpointStore(fast_path / "old")
    save_step(old, 1)
    save_step(old, 2)
    store = CheckpointStore(fast_path / "run")

    def killed_at(call: str, number: int) -> bool:
        copy_of(old.folder, store.folder)
        finished = kill_at_system_call(call, number, lambda: save_step(store, 3))
        assert_whole(store.newest(), {3} if finished else {2, 3})
        return finished

    system_crash_points(killed_at, least=30)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave not one free block."""
    ballast = folder / "ballast"
    with pytest.raises(OSError, match="No space left"), ballast.open("wb", buffering=0) as file:
        while True:
            assert file.write(bytes(4096))
    return ballast


def test_a_full_disk_keeps_the_old_checkpoints_pauses_the_run_and_goes_on_when_freed(small_disk: Path) -> None:
    run = RunFolder.create(small_disk, "run")
    store = run.checkpoint_store()
    run.append_metrics([{"step": 1}])
    save_step(store, 1, size=100_000)
    save_step(store, 2, size=100_000)
    with pytest.raises(StorageError, match=r"step-00000003 could not be written: the disk is full; free") as caught:
        save_step(store, 3, size=1_000_000)
    assert caught.value.exit_code == 74
    ballast = fill(small_disk)
    with pytest.raises(StorageError, match="disk is full"):
        save_step(store, 3, size=100_000)
    with pytest.raises(StorageError, match="disk is full"):
        run.append_metrics([{"step": 2, "text": "x" * 5000}])
    run.set_status("paused", reason="the disk is full")
    assert run.status()["status"] == "paused"
    assert run.metrics() == [{"step": 1}]
    assert assert_whole(store.newest(), {2}) == 2
    assert leftovers(small_disk) == []
    ballast.unlink()
    save_step(store, 3, size=100_000)
    run.append_metrics([{"step": 2}])
    run.set_status("running")
    assert assert_whole(store.newest(), {3}) == 3
    assert run.metrics() == [{"step": 1}, {"step": 2}]


def test_a_full_disk_keeps_the_list_of_runs(small_disk: Path) -> None:
    RunFolder.create(small_disk, "run")
    index = Index(small_disk)
    assert [row.name for row in index.runs()] == ["run"]
    ballast = fill(small_disk)
    with pytest.raises(StorageError, match=r"index\.sqlite could not be written: the disk is full"):
        for _ in range(50):  # SQLite writes into blocks it has before it asks for new ones
            index.put(RunFolder.open("run", small_disk))
    ballast.unlink()
    assert [row.name for row in index.runs()] == ["run"]
    assert index.notices == []


def test_a_limit_of_file_size_is_a_storage_error_and_leaves_the_old_checkpoint(fast_path: Path) -> None:
    store = CheckpointStore(fast_path)
    save_step(store, 1)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        with pytest.raises(StorageError, match="size limit of this process"):
            save_step(store, 2, size=50_000)

    assert ended(fork(limited)) == 0
    assert assert_whole(store.newest(), {1}) == 1
    assert leftovers(fast_path) == []


def test_two_processes_that_save_the_same_steps_into_one_store_both_succeed(fast_path: Path) -> None:
    store = CheckpointStore(fast_path)
    children = [fork(lambda: [save_step(store, step) for step in range(1, 40)]) for _ in range(2)]
    assert [ended(child) for child in children] == [0, 0]
    assert assert_whole(store.newest(), {39}) == 39
    assert leftovers(fast_path) == []


def test_a_reader_beside_a_saving_owner_always_gets_a_whole_checkpoint(fast_path: Path) -> None:
    store = CheckpointStore(fast_path, keep=1)
    save_step(store, 1)
    child = fork(lambda: [save_step(store, step) for step in range(2, 300)])
    steps = [assert_whole(store.newest(), set(range(1, 300))) for _ in range(150)]
    assert ended(child) == 0
    assert steps == sorted(steps)
    assert not list(fast_path.glob("damaged-*"))
