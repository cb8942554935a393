"""What is searched for: filters that are all to be true, and the pages of what they find.

An action has its place in every list by its birth and its id, and neither ever changes. So a page that begins after a
place stays the right one, whatever is born, moves on or drops out of the list meanwhile.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from domain.errors import Code, FieldError, Refused
from domain.instant import to_text
from domain.lifecycle import Status
from projections.search_keys import search_key, subject_key
from projections.view import ActionView

KEYS = (
    "decision",
    "correlation",
    "workflow",
    "subject",
    "error",
    "actor",
    "status",
    "target",
    "agent",
    "action_type",
)
"""By what actions are found: members of a row. The fewer have the same, the earlier it stands here: of those that are
asked for, the first says where a store looks, and the others choose among what is there."""

_NEARLY_ALL = ("status", str(Status.SUCCEEDED))
"""Says where to look only if nothing else does."""

LARGEST_PAGE = 1_000
"""Rows."""
_HOUR = len("2026-03-01T12")


class Position(NamedTuple):
    """The place of an action in all lists."""

    born: datetime
    action_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what was found, the newest first. `after` is where the next page begins, None where there is none.

    A store looks at so many rows for a page and no more. So there may be fewer than were asked for, even none, and
    still a next page.
    """

    rows: Sequence[ActionView]
    after: Position | None = None

    @classmethod
    def of(cls, rows: Sequence[ActionView], limit: int, *, otherwise: Position | None) -> Page:
        """The first `limit` of the rows; the next page begins behind them, or at `otherwise` where these are all."""
        if len(rows) <= limit:
            return cls(rows, otherwise)
        last = rows[limit - 1]
        return cls(rows[:limit], Position(last.born, last.action_id))


@dataclass(frozen=True, slots=True)
class Count:
    """How many actions were born in an hour (`2026-03-01T12`, UTC) and stand in a status now, by type."""

    hour: str
    status: str
    action_type: str
    count: int


def counts_of(rows: Iterable[ActionView]) -> list[Count]:
    """All of them, counted: by hour, status and type."""
    counted = Counter((to_text(row.born)[:_HOUR], row.status, row.action_type) for row in rows)
    return [Count(*group, count) for group, count in sorted(counted.items())]


@dataclass(frozen=True, slots=True)
class Search:
    """Rows that have all these keys, and were born at or after `since` and before `until`; None is no bound."""

    keys: Mapping[str, str]
    since: datetime | None = None
    until: datetime | None = None

    @property
    def lead(self) -> str | None:
        """The key by which a store looks, None where that is the birth."""
        asked = [key for key in KEYS if key in self.keys]
        return next((key for key in asked if (key, self.keys[key]) != _NEARLY_ALL), asked[0] if asked else None)

    @property
    def others(self) -> Mapping[str, str]:
        """The keys by which it then chooses."""
        lead = self.lead
        return {key: value for key, value in self.keys.items() if key != lead}

    def includes(self, row: ActionView) -> bool:
        """Whether it is one of those that are searched for."""
        return (
            all(getattr(row, key) == value for key, value in self.keys.items())
            and (self.since is None or self.since <= row.born)
            and (self.until is None or row.born < self.until)
        )


def search_of(said: Mapping[str, Any], *, since: object = None, until: object = None) -> Search:
    """The search for what is said; None says nothing. Moments are aware, or texts of RFC 3339; a day is a date or
    `YYYY-MM-DD`, in UTC, and as `until` it is included.

    Raises Refused (invalid_options), which names everything that is no filter.
    """
    problems: list[FieldError] = []
    keys = {}
    for name, value in said.items():
        key = subject_key(value) if name == "subject" else search_key(value)
        if name not in KEYS:
            problems.append(_problem(name, f"no such filter; there are {', '.join(KEYS)}, since, until"))
        elif value is None:
            continue
        elif key is None or not _is_text(key):
            problems.append(_problem(name, "must be text, and not empty"))
        elif name == "status" and key not in statuses():
            problems.append(_problem(name, f"there is no such status; there are {', '.join(statuses())}"))
        else:
            keys[name] = key
    first, last = (
        _moment("since", since, problems, is_end=False),
        _moment("until", until, problems, is_end=True),
    )
    if first is not None and last is not None and first >= last:
        problems.append(_problem("until", "must be later than since"))
    if problems:
        raise _refused(problems)
    return Search(keys, first, last)


def check_limit(limit: object) -> None:
    """Raises Refused for what is no size of a page."""
    if type(limit) is not int or not 1 <= limit <= LARGEST_PAGE:
        raise _refused([_problem("limit", f"must be a whole number from 1 to {LARGEST_PAGE}")])


def statuses() -> list[str]:
    """Where actions and workflow runs can stand."""
    from domain.workflow_standing import RunStatus

    return list(dict.fromkeys([*map(str, Status), *map(str, RunStatus)]))


_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_WANTED = "must be a day, such as 2026-03-01, or a time with its offset, such as 2026-03-01T09:30:00Z"


def _moment(name: str, said: object, problems: list[FieldError], *, is_end: bool) -> datetime | None:
    try:
        return None if said is None else _read_moment(said, is_end=is_end)
    except (ValueError, OverflowError):
        problems.append(_problem(name, _WANTED))
        return None


def _read_moment(said: object, *, is_end: bool) -> datetime:
    if isinstance(said, str) and _DAY.fullmatch(said):
        said = date.fromisoformat(said)
    if isinstance(said, str) and _TIME.fullmatch(said):
        said = datetime.fromisoformat(said.upper())
    if isinstance(said, datetime) and said.tzinfo is not None:
        return said.astimezone(UTC)
    if isinstance(said, date) and not isinstance(said, datetime):
        return datetime.combine(said + timedelta(days=1 if is_end else 0), time(), UTC)
    raise ValueError("neither a day nor a time")


def _is_text(key: str) -> bool:
    try:
        return bool(key.encode())
    except UnicodeEncodeError:
        return False


def _problem(name: str, message: str) -> FieldError:
    return FieldError(name[:80], Code.INVALID_OPTIONS, message)


def _refused(problems: Sequence[FieldError]) -> Refused:
    message = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
    return Refused(message, details=problems, code=Code.INVALID_OPTIONS)
