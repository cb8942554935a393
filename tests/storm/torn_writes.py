"""SQLite's way to its files, with points between a write and its sync, and within a write."""

from __future__ import annotations

from typing import Any

import apsw

from tests.storm.points import Points

NAME = "storm"
_SYSTEM = "unix"
_PAGE = 512
"""Bytes. What is written in one go and is smaller is a header."""


class TornWrites(apsw.VFS):
    """The system's own files, for every connection that is opened from now on. Keep the object: SQLite does not."""

    def __init__(self, points: Points) -> None:
        super().__init__(NAME, _SYSTEM, makedefault=True)
        self._points = points

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's word
        if flags[0] & apsw.SQLITE_OPEN_WAL:
            return _Wal(self._points, name, flags)
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            return _Database(self._points, name, flags)
        return apsw.VFSFile(_SYSTEM, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, points: Points, name: Any, flags: list[int]) -> None:
        super().__init__(_SYSTEM, name, flags)
        self._points = points

    def _write_in_halves(self, phase: str, data: bytes, offset: int) -> None:
        half = data[: len(data) // 2]
        self._points.reach_phase(phase, lambda: apsw.VFSFile.xWrite(self, half, offset))
        apsw.VFSFile.xWrite(self, data, offset)


class _Wal(_File):
    """The log: pages come first, and a sync makes them a commit."""

    _unsynced = False

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's word
        if len(data) >= _PAGE and not self._unsynced:
            self._unsynced = True
            self._write_in_halves("torn", data, offset)
        else:
            super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's word
        was_unsynced, self._unsynced = self._unsynced, False
        if was_unsynced:
            self._points.reach_phase("unsynced")
        super().xSync(flags)
        if was_unsynced:
            self._points.reach_phase("committed")


class _Database(_File):
    """The database itself: a checkpoint copies pages from the log into it."""

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's word
        self._write_in_halves("checkpoint", data, offset)
