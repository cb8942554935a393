"""Definitions of workflows in a folder on this machine. What a link leads out of it to is not there."""

from __future__ import annotations

from pathlib import Path

from domain.json_value import MAX_BYTES
from domain.workflow_sources import Unreadable


class WorkflowFiles:
    """The files of a folder, and of those below it."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def text_of(self, path: str) -> bytes:
        """At most one byte more than a definition may have: its reader says the rest. Raises Unreadable."""
        try:
            folder = self._folder.resolve(strict=True)
            file = (folder / path).resolve(strict=True)
            if not file.is_relative_to(folder):
                raise Unreadable(f"{path} leads out of the folder")
            if not file.is_file():
                raise Unreadable(f"{path} is no file")
            with file.open("rb") as stream:
                return stream.read(MAX_BYTES + 1)
        except FileNotFoundError:
            raise Unreadable(f"there is no file {path}") from None
        except (OSError, RuntimeError, ValueError) as error:
            raise Unreadable(f"{path} cannot be read ({type(error).__name__})") from None
