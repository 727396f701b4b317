"""A run folder has one name, one owner, each metric once, and works where it is copied to."""

from __future__ import annotations

import errno
import json
import os
import signal
import string
import time
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
from crash_points import ended, fork
from hypothesis import HealthCheck, given, settings

from layerwise.errors import BusyError, CheckpointError, NotFoundError, StorageError, UsageError
from layerwise.runs.folder import RunFolder, default_parent, run_folders
from layerwise.runs.metrics import append_records, read_records
from layerwise.runs.processes import Process


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    names = [RunFolder.create(tmp_path / "runs", "lenet5-mnist").name for _ in range(3)]
    assert names == ["lenet5-mnist", "lenet5-mnist-2", "lenet5-mnist-3"]


def test_processes_that_create_the_same_name_at_once_get_runs_of_their_own(fast_path: Path) -> None:
    children = [fork(lambda: [RunFolder.create(fast_path, "run") for _ in range(20)]) for _ in range(4)]
    assert [ended(child) for child in children] == [0] * 4
    assert {folder.name for folder in run_folders(fast_path)} == {"run", *(f"run-{n}" for n in range(2, 81))}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8")))
def test_any_text_becomes_a_folder_directly_in_the_parent_that_its_name_opens(fast_path: Path, name: str) -> None:
    folder = RunFolder.create(fast_path, name)
    assert folder.path.parent == fast_path
    assert RunFolder.open(folder.name, fast_path) == folder
    assert not set(folder.name) & set("/\\ \n\t:*?\"<>|'$&;")
    assert folder.name[0] not in ".-"


def test_a_run_is_found_by_path_name_beginning_and_as_the_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mlp-wine", "lenet5-mnist", "lenet5-digits"):
        RunFolder.create(tmp_path / "runs", name)
    monkeypatch.chdir(tmp_path)
    parent = Path("runs")
    for reference in ("runs/mlp-wine", str(tmp_path / "runs" / "mlp-wine"), "mlp-wine", "ml"):
        assert RunFolder.open(reference, parent).name == "mlp-wine"
    RunFolder.open("mlp-wine", parent).set_status("running")
    assert RunFolder.open("latest", parent).name == "lenet5-digits"
    assert RunFolder(Path("runs/mlp-wine/.")).name == "mlp-wine"


def test_an_exact_name_wins_over_longer_ones(tmp_path: Path) -> None:
    for name in ("mlp-wine", "mlp-wine"):
        RunFolder.create(tmp_path, name)
    assert RunFolder.open("mlp-wine", tmp_path).name == "mlp-wine"


def test_an_unknown_run_suggests_the_nearest_and_an_unclear_one_names_the_choices(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, "lenet5-mnist")
    RunFolder.create(tmp_path, "lenet5-digits")
    with pytest.raises(NotFoundError, match=r"no run 'lennet5-mnist' in .*Did you mean 'lenet5-mnist'\?"):
        RunFolder.open("lennet5-mnist", tmp_path)
    with pytest.raises(UsageError, match="'lenet5' can be lenet5-digits, lenet5-mnist; give more of the name"):
        RunFolder.open("lenet5", tmp_path)
    for parent in (tmp_path / "none", tmp_path):
        with pytest.raises(NotFoundError, match="no run ''"):
            RunFolder.open("", parent)
    with pytest.raises(NotFoundError, match="no run 'latest'"):
        RunFolder.open("latest", tmp_path / "none")


def test_runs_are_kept_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERWISE_RUNS", "/some/where")
    assert default_parent() == Path("/some/where")
    monkeypatch.setenv("LAYERWISE_RUNS", "")
    assert default_parent() == Path("runs")


def test_the_status_keeps_its_facts_and_knows_only_its_words(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    created = folder.status()["created"]
    folder.set_status("paused", reason="disk full", step=7)
    folder.set_status("finished")
    status = folder.status()
    assert (status["status"], status["reason"], status["step"], status["created"]) == ("finished", "", 7, created)
    assert status["updated"] > created
    with pytest.raises(ValueError, match="status is 'done'; expected one of"):
        folder.set_status("done")  # type: ignore[arg-type]


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    (folder.path / "experiment.json").write_text('{"model": "len')
    with pytest.raises(CheckpointError, match=r"experiment\.json is damaged \(Unterminated string.*put back a copy"):
        folder.read_json("experiment.json")
    with pytest.raises(NotFoundError, match=r"result\.json does not exist"):
        folder.read_json("result.json")
    for damage in ("[]", "", "{}"):
        (folder.path / "status.json").write_text(damage)
        with pytest.raises(CheckpointError, match=r"status\.json is damaged"):
            folder.status()
    folder.set_status("paused")
    assert folder.status()["status"] == "paused"


def test_a_read_only_place_is_a_storage_error_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder.create(tmp_path, "run")

    def refuse(*arguments: object, **options: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StorageError, match=r"experiment\.json could not be written: the file system is read-only"):
        folder.write_json("experiment.json", {})
    with pytest.raises(StorageError, match="read-only"), folder.own():
        pass


# --- metrics

RECORDS = st.lists(st.dictionaries(st.text(string.printable), st.integers() | st.floats(allow_nan=False) | st.text()))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=RECORDS, after=RECORDS, torn=st.binary(max_size=80).filter(lambda data: b"\n" not in data))
def test_records_come_back_in_order_after_any_torn_end(
    fast_path: Path, before: list[dict[str, object]], after: list[dict[str, object]], torn: bytes
) -> None:
    path = fast_path / "metrics.jsonl"
    path.write_bytes(b"")
    append_records(path, before)
    with path.open("ab") as file:
        file.write(torn)
    assert read_records(path) == before
    append_records(path, after)
    assert read_records(path) == before + after


def test_a_file_cut_at_any_byte_gives_the_records_that_are_whole(tmp_path: Path) -> None:
    records = [{"step": step, "loss": step / 7} for step in range(5)]
    path = tmp_path / "metrics.jsonl"
    append_records(path, records)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert read_records(path) == records[: whole[:size].count(b"\n")]


def test_a_torn_end_longer_than_a_block_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n' + b"x" * 200_000)
    append_records(path, [{"step": 2}])
    assert path.read_bytes() == b'{"step": 1}\n{"step": 2}\n'


def test_zeros_that_a_power_failure_left_at_the_end_do_not_count_but_damage_in_the_middle_is_named(
    tmp_path: Path,
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n\0\0\0\n\0\0\n')
    assert read_records(path) == [{"step": 1}]
    path.write_bytes(b'{"step": 1}\n\0\0\0\n{"step": 3}\n')
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl: line 2 is damaged; remove this line"):
        read_records(path)


def test_metrics_after_a_step_are_dropped_so_that_none_comes_twice(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    folder.append_metrics([{"step": step} for step in range(1, 9)])
    folder.truncate_metrics(after_step=5)
    folder.append_metrics([{"step": step} for step in range(6, 9)])
    assert [record["step"] for record in folder.metrics()] == list(range(1, 9))


# --- weights


def test_weights_come_back_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    with pytest.raises(NotFoundError, match=r"has no weights yet"):
        folder.load_weights()
    for value in (1.0, 2.0):
        path = folder.save_weights({"w": torch.full((3,), value, dtype=torch.bfloat16)})
        assert folder.load_weights()["w"].tolist() == [value] * 3
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged \(SHA-256 differs\)"):
        folder.load_weights()


# --- one owner


def wait_for(folder: RunFolder) -> None:
    deadline = time.monotonic() + 20
    while folder.owner is None:
        assert time.monotonic() < deadline, "the other process does not own the run"
        time.sleep(0.005)


def test_a_second_owner_is_refused_by_name_until_the_first_is_killed(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")

    def stay() -> None:
        with folder.own():
            folder.set_status("running")
            time.sleep(30)

    child = fork(stay)
    try:
        wait_for(folder)
        with (
            pytest.raises(BusyError, match=rf"'run' is owned by process {child} since 20\d\d-.*`kill {child}`"),
            folder.own(),
        ):
            pass
        while folder.status()["status"] == "created":
            time.sleep(0.005)
        assert folder.status()["status"] == "running"
    finally:
        os.kill(child, signal.SIGKILL)
    assert ended(child) == -signal.SIGKILL
    assert folder.owner is None
    assert folder.status()["status"] == "interrupted"
    with folder.own():
        assert folder.owner
        assert folder.owner.process == Process.current()
    assert folder.owner is None


def test_one_process_cannot_own_a_run_twice(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    with folder.own(), pytest.raises(BusyError, match=r"owned by this process"), folder.own():
        pass
    with folder.own():
        pass


def test_a_forked_worker_that_outlives_the_owner_does_not_keep_the_run(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    reader, writer = os.pipe()

    def own_with_a_worker() -> None:
        with folder.own():
            os.write(writer, str(fork(lambda: time.sleep(30))).encode())
            time.sleep(30)

    child = fork(own_with_a_worker)
    worker = int(os.read(reader, 20))
    os.close(reader)
    os.close(writer)
    try:
        os.kill(child, signal.SIGKILL)
        ended(child)
        os.kill(worker, 0)
        with folder.own():
            pass
    finally:
        os.kill(worker, signal.SIGKILL)


def test_a_forked_child_that_leaves_does_not_end_its_parents_lease(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    owning = folder.own()
    with owning:
        assert ended(fork(lambda: owning.__exit__(None, None, None))) == 0
        assert folder.owner
        with pytest.raises(BusyError), folder.own():
            pass


def test_a_copy_of_an_owned_run_is_free_and_works_by_itself(tmp_path: Path) -> None:
    import shutil

    folder = RunFolder.create(tmp_path / "here", "run")
    store = folder.checkpoint_store()
    store.save(1, {"model": {"w": torch.ones(2)}}, {})
    with folder.own():
        folder.set_status("running")
        copy = RunFolder(Path(shutil.copytree(folder.path, tmp_path / "there" / "run")))
        shutil.rmtree(tmp_path / "here" / "run" / "checkpoints")
        assert copy.owner is None
        assert copy.status()["status"] == "interrupted"
        with copy.own():
            checkpoint = copy.checkpoint_store().newest()
            assert checkpoint
            assert checkpoint.tensors["model"]["w"].tolist() == [1, 1]
        assert folder.owner


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_where_the_file_system_knows_no_locks_the_living_owner_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    folder = RunFolder.create(tmp_path, "run")
    with folder.own(), pytest.raises(BusyError), folder.own():
        pass
    me = Process.current()
    lease = folder.path / "lease.json"
    dead = {"pid": me.pid, "started": me.started + "0", "boot": me.boot}
    lease.write_text(json.dumps({"process": dead, "since": "", "inode": lease.stat().st_ino}))
    with folder.own():
        pass


def test_a_process_is_known_by_number_start_and_boot() -> None:
    me = Process.current()
    assert Process.from_tag(me.tag) == me
    assert me.is_alive()
    assert not Process(me.pid, me.started + "1", me.boot).is_alive()
    assert not Process(me.pid, me.started, "00000000").is_alive()
    child = fork(lambda: time.sleep(30))
    other = Process(child, Process.current().started, me.boot)
    assert not other.is_alive()
    os.kill(child, signal.SIGKILL)
    ended(child)
    assert not Process(child, "", me.boot).is_alive()
