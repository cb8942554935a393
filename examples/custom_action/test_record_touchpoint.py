"""The action type keeps its word: the agent's own conformance kit says so, in this folder and without its tests."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from record_touchpoint import RecordTouchpoint

from agents.execution_agent.conformance import Case, End, Means, Sent, examine


class Touchpoints(Case):
    """A file of touchpoints, in a folder that may be away."""

    action = RecordTouchpoint

    def __init__(self) -> None:
        super().__init__()
        self._file = Path()

    def opened(self) -> AbstractContextManager[Any]:
        return self._opened()

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with TemporaryDirectory() as folder:
            self._file = Path(folder, "notes", "touchpoints.jsonl")
            self._file.parent.mkdir()
            os.environ["TOUCHPOINTS_PATH"] = str(self._file)
            yield

    def world(self) -> Mapping[str, Any]:
        return {}

    def parameters(self) -> Mapping[str, Any]:
        return {"account": "ACME-1", "note": "Sent the renewal reminder."}

    def effects(self) -> Sequence[object]:
        return self._written()

    def sent(self) -> Sequence[Sent]:
        return [Sent(json.loads(line)["key"]) for line in self._written()]

    def ends(self) -> Iterator[End]:
        yield End("the line is written", Means.SUCCEEDED, nullcontext)
        yield End("the folder is away", Means.RETRY, self._away, reaches=False)
        yield End("somebody has left half a line", Means.SUCCEEDED, self._half_a_line)

    def _written(self) -> list[str]:
        lines = self._file.read_text("utf-8").splitlines() if self._file.exists() else []
        return [line for line in lines if line.endswith("}")]

    @contextmanager
    def _away(self) -> Iterator[None]:
        folder, elsewhere = self._file.parent, self._file.parent.with_name("away")
        folder.rename(elsewhere)
        try:
            yield
        finally:
            elsewhere.rename(folder)

    @contextmanager
    def _half_a_line(self) -> Iterator[None]:
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write('{"key": "act_')
        yield


def test_it_keeps_its_word() -> None:
    examine(Touchpoints()).require()
