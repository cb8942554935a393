"""Counts the syncs that SQLite asks of the operating system, whatever a recorder says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import apsw


@dataclass
class Syncs:
    """How many there were, of all files."""

    count: int = 0


@contextmanager
def counted_syncs() -> Iterator[Syncs]:
    """Of every connection of apsw that is opened within; close them within, too."""
    syncs = Syncs()
    below = apsw.vfs_names()[0]

    class CountedFile(apsw.VFSFile):
        def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
            syncs.count += 1
            super().xSync(flags)

    class CountingVFS(apsw.VFS):
        def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's
            return CountedFile(below, name, flags)

    vfs = CountingVFS("counted-syncs", below, makedefault=True)
    try:
        yield syncs
    finally:
        vfs.unregister()
