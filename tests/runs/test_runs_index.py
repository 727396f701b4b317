"""The index says what the folders say, may be lost or damaged at any time, and serves many processes at once."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest
from crash_points import ended, fork

from layerwise.errors import BusyError
from layerwise.runs.folder import RunFolder
from layerwise.runs.index import Index, journal_mode


def make_run(parent: Path, name: str, status: str = "finished") -> RunFolder:
    folder = RunFolder.create(parent, name)
    folder.write_json("experiment.json", {"model": "lenet5", "data": {"data": "mnist"}})
    folder.write_json("data.json", {"name": "mnist"})
    folder.set_status(status)  # type: ignore[arg-type]
    return folder


def test_runs_are_listed_latest_first_as_their_folders_are_now(tmp_path: Path) -> None:
    first, second = make_run(tmp_path, "first", "created"), make_run(tmp_path, "second")
    index = Index(tmp_path)
    assert [(row.name, row.status, row.metrics) for row in index.runs()] == [
        ("second", "finished", {}),
        ("first", "created", {}),
    ]
    first.append_metrics([{"kind": "evaluation", "metrics": {"accuracy": 0.5}}, {"kind": "report", "step": 3}])
    second.write_json("result.json", {"valid": {"accuracy": 0.8}})
    assert [row.metrics for row in index.runs()] == [{"accuracy": 0.8}, {"accuracy": 0.5}]
    second.write_json("result.json", {"valid": {"accuracy": 0.8}, "test": {"accuracy": 0.7}})
    first.set_status("paused", reason="disk full")
    rows = index.runs()
    assert rows[0].metrics == {"accuracy": 0.7}
    assert (rows[1].status, rows[1].reason, rows[1].model, rows[1].data) == ("paused", "disk full", "lenet5", "mnist")
    assert rows[1].path == first.path


def test_a_killed_run_is_listed_as_interrupted_though_no_file_of_it_changed(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "run")
    index = Index(tmp_path)
    with folder.own():
        folder.set_status("running")
        assert [row.status for row in index.runs()] == ["running"]
    assert [row.status for row in index.runs()] == ["interrupted"]


def test_runs_that_were_copied_in_or_taken_away_are_noticed(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "run")
    index = Index(tmp_path)
    assert len(index.runs()) == 1
    folder.path.rename(tmp_path / "moved")
    (tmp_path / "no run").mkdir()
    assert [row.name for row in index.runs()] == ["moved"]


def test_a_damaged_run_is_listed_with_what_is_wrong(tmp_path: Path) -> None:
    make_run(tmp_path, "good")
    (make_run(tmp_path, "bad").path / "status.json").write_text("{")
    rows = {row.name: row for row in Index(tmp_path).runs()}
    assert rows["good"].status == "finished"
    assert rows["bad"].status == "damaged"
    assert "status.json is damaged" in rows["bad"].reason


def overwrite_with_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def garble_a_page(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:4196] = os.urandom(1) * 100
    path.write_bytes(data)


def other_table(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE runs")
    connection.execute("CREATE TABLE runs (name, age)")
    connection.close()


DAMAGES = {
    "zeros": overwrite_with_zeros,
    "text": lambda path: path.write_text("no database, but long enough to be one" * 100),
    "half": lambda path: os.truncate(path, 4096 + 100),
    "page": garble_a_page,
    "another program's": other_table,
    "with a journal": lambda path: (overwrite_with_zeros(path), Path(f"{path}-wal").write_bytes(b"x" * 5000)),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_index_is_set_aside_and_rebuilt_with_a_notice(tmp_path: Path, kind: str) -> None:
    for name in ("first", "second"):
        make_run(tmp_path, name)
    before = Index(tmp_path).runs()
    DAMAGES[kind](tmp_path / "index.sqlite")
    index = Index(tmp_path)
    assert index.runs() == before
    [notice] = index.notices
    assert "index.sqlite is damaged (" in notice
    assert "set aside; rebuilt from the run folders" in notice
    assert (tmp_path / "damaged-index.sqlite").is_file()
    again = Index(tmp_path)
    assert again.runs() == before
    assert again.notices == []


def test_a_lost_index_loses_nothing(tmp_path: Path) -> None:
    make_run(tmp_path, "run")
    before = Index(tmp_path).runs()
    (tmp_path / "index.sqlite").unlink()
    index = Index(tmp_path)
    assert index.runs() == before
    assert index.notices == []


def test_an_empty_or_missing_parent_has_no_runs(tmp_path: Path) -> None:
    assert Index(tmp_path).runs() == []
    assert Index(tmp_path / "none").runs() == []
    assert not (tmp_path / "none").exists()


def test_runs_on_a_read_only_disk_are_listed(tmp_path: Path) -> None:
    parent = tmp_path / "runs"
    parent.mkdir()
    make_run(parent, "run")
    bind = subprocess.run(["mount", "--bind", "-o", "ro", str(parent), str(parent)], capture_output=True, check=False)
    if bind.returncode:
        pytest.skip("mounting a read-only folder needs root")
    try:
        assert [row.name for row in Index(parent).runs()] == ["run"]
        assert sorted(os.listdir(parent)) == ["run"]
    finally:
        subprocess.run(["umount", "-l", str(parent)], check=True)


def test_many_processes_write_at_once_and_every_row_is_there(fast_path: Path) -> None:
    def work() -> None:
        for _ in range(10):
            Index(fast_path).put(make_run(fast_path, "run"))
            assert Index(fast_path).runs()

    children = [fork(work) for _ in range(4)]
    assert [ended(child) for child in children] == [0] * 4
    connection = sqlite3.connect(fast_path / "index.sqlite")
    assert connection.execute("SELECT count(DISTINCT name) FROM runs WHERE status = 'finished'").fetchone() == (40,)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert not list(fast_path.glob("damaged-*"))


def test_processes_that_find_the_index_damaged_at_once_all_succeed(fast_path: Path) -> None:
    for number in range(3):
        make_run(fast_path, f"run{number}")

    def work() -> None:
        index = Index(fast_path)
        assert len(index.runs()) == 3

    for _ in range(5):
        (fast_path / "index.sqlite").write_bytes(b"damaged" * 1000)
        children = [fork(work) for _ in range(4)]
        assert [ended(child) for child in children] == [0] * 4


def test_a_locked_index_is_a_busy_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Index(tmp_path).refresh()
    monkeypatch.setattr("layerwise.runs.index.BUSY_TIMEOUT_S", 0.05)
    other = sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusyError, match=r"index\.sqlite was locked by another process for 0\.05 s"):
        Index(tmp_path).refresh()
    other.close()


def test_a_removed_run_is_gone_with_its_row_and_an_owned_one_is_refused(tmp_path: Path) -> None:
    folder, other = make_run(tmp_path, "run"), make_run(tmp_path, "other")
    index = Index(tmp_path)
    with folder.own(), pytest.raises(BusyError, match="'run' is owned by"):
        index.remove(folder)
    assert folder.path.is_dir()
    index.remove(folder)
    assert not folder.path.exists()
    assert [row.name for row in index.runs()] == [other.name]
    assert list(tmp_path.glob(".run*")) == []


def test_what_a_killed_removal_left_is_no_run_and_goes_with_the_next(tmp_path: Path) -> None:
    folder, other = make_run(tmp_path, "run"), make_run(tmp_path, "other")
    left = tmp_path / ".run.00000000-1-1-0123abcd.tmp"
    folder.path.rename(left)
    index = Index(tmp_path)
    assert [row.name for row in index.runs()] == ["other"]
    index.remove(other)
    assert not left.exists()


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 40, 1), "TRUNCATE"),
        ((3, 44, 5), "TRUNCATE"),
        ((3, 44, 6), "WAL"),
        ((3, 45, 0), "TRUNCATE"),
        ((3, 50, 6), "TRUNCATE"),
        ((3, 50, 7), "WAL"),
        ((3, 51, 0), "TRUNCATE"),
        ((3, 51, 2), "TRUNCATE"),
        ((3, 51, 3), "WAL"),
        ((3, 53, 0), "WAL"),
        ((4, 0, 0), "WAL"),
    ],
)
def test_a_write_ahead_log_is_used_only_where_its_flaw_is_mended(version: tuple[int, ...], mode: str) -> None:
    assert journal_mode(version) == mode


@pytest.mark.parametrize("mode", ["WAL", "TRUNCATE"])
def test_both_journal_modes_keep_rows_and_can_follow_each_other(
    fast_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    Index(fast_path).put(make_run(fast_path, "before"))
    monkeypatch.setattr("layerwise.runs.index.journal_mode", lambda version: mode)
    children = [fork(lambda: Index(fast_path).put(make_run(fast_path, "run"))) for _ in range(4)]
    assert [ended(child) for child in children] == [0] * 4
    connection = sqlite3.connect(fast_path / "index.sqlite")
    assert connection.execute("SELECT count(*) FROM runs").fetchone() == (5,)
    assert (connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)) == (mode == "WAL")
    connection.close()
