"""The rows of lists, made of events alone: what the views of a store must say, whatever they do say."""

from __future__ import annotations

from typing import Any

from projections.replay import Story
from projections.status import view_of
from projections.view import row_of


class Rows:
    """`projections.replay.Projection`: a list of rows (`projections.view.row_of`), by birth."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def apply(self, story: Story) -> None:
        self._rows.append(row_of(view_of(story.standing)))

    def result(self) -> list[dict[str, Any]]:
        return sorted(self._rows, key=lambda row: (row["born"], row["action_id"]))

    def add(self, result: list[dict[str, Any]]) -> None:
        self._rows += result
