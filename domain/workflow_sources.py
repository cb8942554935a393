"""Where the definitions are found that a definition starts: files of its own folder, by their paths in it."""

from __future__ import annotations

from typing import Protocol


class Unreadable(Exception):
    """There is nothing to be read at a path. The message says why, in words for whoever wrote the path."""


class Sources(Protocol):
    """A folder of definitions."""

    def text_of(self, path: str) -> bytes:
        """What stands in the file at a path that begins in the folder, and cannot leave it. Raises Unreadable."""
        ...
