"""How a definition names another one that it starts: by a path that cannot leave its folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from domain.workflow_sources import Unreadable

REFERENCE = re.compile(r"(?:\./)?((?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*\.(?:yaml|yml|json))")
LONGEST_REFERENCE = 200
"""Characters."""


class Texts:
    """Definitions at hand, by their paths."""

    def __init__(self, texts: Mapping[str, bytes | str]) -> None:
        self._texts = texts

    def text_of(self, path: str) -> bytes:
        """Raises Unreadable."""
        if path not in self._texts:
            names = ", ".join(sorted(self._texts))
            raise Unreadable(f"there is no file {path}; there {f'are: {names}' if names else 'is none'}")
        text = self._texts[path]
        return text.encode() if isinstance(text, str) else text


def path_of(reference: str, own_path: str) -> str:
    """The path that a reference in the file at `own_path` means: it begins in that file's own folder.

    Raises Unreadable for what leaves the folder, or is no file of a definition.
    """
    found = REFERENCE.fullmatch(reference) if len(reference) <= LONGEST_REFERENCE else None
    if found is None:
        raise Unreadable(
            "must be a file beside this one or in a folder below, such as provision.yaml or steps/provision.yaml"
        )
    return str(PurePosixPath(own_path).parent / found[1])
