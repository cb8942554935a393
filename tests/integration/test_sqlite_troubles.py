"""When the file cannot be used: one line that names it and says what to do, and nothing is broken by trying."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest
from eventsourcing.persistence import OperationalError

from adapters.sqlite_events import SQLiteRecorder
from tests.sqlite_ledger import Naps, being_written, commit, versions, view

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that everybody may enter, wherever they are allowed to write."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory
        directory.chmod(0o755)


@contextmanager
def without_privileges() -> Iterator[None]:
    """As root may do everything, root becomes nobody for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@contextmanager
def told(path: Path, reason: str, advice: str) -> Iterator[None]:
    with pytest.raises(OperationalError) as trouble:
        yield
    line = str(trouble.value)
    assert line.startswith(f"The ledger {path} cannot be used (")
    assert reason in line
    assert advice in line
    assert "\n" not in line


def a_ledger(path: Path) -> None:
    with closing(SQLiteRecorder(str(path))) as recorder:
        for number in range(200):
            recorder.insert_events(commit(f"act_{number}", 1, os.urandom(300)), view=view(f"act_{number}", 1))


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as tool:
        tool.execute(statement)


def test_a_directory_that_may_not_be_written(open_to_all: Path) -> None:
    open_to_all.chmod(0o555)
    path = open_to_all / "ledger.db"
    with without_privileges(), told(path, "unable to open", "check that its directory exists and may be written"):
        SQLiteRecorder(str(path))


def test_a_directory_that_may_not_be_made(open_to_all: Path) -> None:
    open_to_all.chmod(0o555)
    path = open_to_all / "new" / "ledger.db"
    with without_privileges(), told(path, "Permission denied", "choose a path that can be written"):
        SQLiteRecorder(str(path))


def test_a_path_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "ledger.db"
    with told(path, f"{tmp_path}/file", "choose a path that can be written"):
        SQLiteRecorder(str(path))


def test_a_directory_in_the_place_of_the_file(path: Path) -> None:
    path.mkdir()
    with told(path, "unable to open", "check that its directory exists"):
        SQLiteRecorder(str(path))


def test_a_file_that_may_only_be_read(open_to_all: Path) -> None:
    path = open_to_all / "ledger.db"
    a_ledger(path)
    path.chmod(0o444)
    open_to_all.chmod(0o555)
    with without_privileges(), told(path, "readonly", "give this user write permission"):
        SQLiteRecorder(str(path)).insert_events(commit("act_1", 2))


def test_a_file_that_is_no_database(path: Path) -> None:
    text = "Dear diary, " * 1000
    path.write_text(text)
    with told(path, "file is not a database", "choose another path, or move that file away"):
        SQLiteRecorder(str(path))
    assert path.read_text() == text


def test_the_database_of_another_program(path: Path) -> None:
    change(path, "CREATE TABLE customers (name TEXT)")
    before = path.read_bytes()
    with told(path, "it belongs to another program", "choose another path"):
        SQLiteRecorder(str(path))
    assert path.read_bytes() == before


def test_a_file_of_a_newer_release(path: Path) -> None:
    a_ledger(path)
    change(path, "PRAGMA user_version = 2")
    with told(path, "its schema is version 2, this program knows 1", "use a newer release"):
        SQLiteRecorder(str(path))


def test_a_file_that_is_damaged(path: Path) -> None:
    a_ledger(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xa5" * (len(whole) - 8192))
    with closing(SQLiteRecorder(str(path))) as recorder:
        with told(path, "malformed", "stop writing to it and restore it from a backup"):
            for number in range(200):
                versions(recorder, f"act_{number}")
        with told(path, "malformed", "stop writing to it and restore it from a backup"):
            recorder.insert_events(commit("act_100", 2))


def test_a_file_that_another_process_keeps_locked(path: Path) -> None:
    naps: list[float] = []
    with closing(SQLiteRecorder(str(path), lock_timeout_s=3, sleep=naps.append)) as recorder:
        with being_written(path), told(path, "locked", "another process keeps it locked"):
            recorder.insert_events(commit("act_1", 1))
        assert 2.9 < sum(naps) < 3.1
        recorder.insert_events(commit("act_1", 1))
        assert versions(recorder, "act_1") == [1]


def test_a_file_that_is_locked_while_it_is_created(path: Path) -> None:
    naps = Naps()
    with closing(apsw.Connection(str(path))) as creator:
        creator.execute("BEGIN EXCLUSIVE")
        with told(path, "locked", "another process keeps it locked"):
            SQLiteRecorder(str(path), lock_timeout_s=0.05, sleep=naps)
        assert naps.taken > 10
        creator.execute("ROLLBACK")
    with closing(SQLiteRecorder(str(path))) as recorder:
        recorder.insert_events(commit("act_1", 1))
