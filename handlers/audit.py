"""The audit: trails of an action or a run, or of all that came of a decision, with the trails that they lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from eventsourcing.persistence import Mapper

from domain.errors import ActionNotFound, Code, ErrorReport, FieldError, Refused
from domain.journal import Journal
from domain.ledger import require_possible, translated
from projections.audit_trail import trail_of
from projections.reading import NOW, AsOf, Reading, read
from projections.status import error_as_dict

MOST_TRAILS = 1_000
"""That one answer tells; whoever wants more exports them."""


class Audit:
    """Reads lives out of the journal, and never acts."""

    def __init__(self, journal: Journal, mapper: Mapper[str]) -> None:
        self._journal = journal
        self._mapper = mapper

    def of_one(self, action_id: str, as_of: AsOf = NOW) -> dict[str, Any]:
        """`{trails, more, error}` of an action or a run, as of then. Raises LedgerUnavailable."""
        return self._answer([action_id], as_of, f"nothing is known of {action_id[:80]!a}")

    def of_many(self, ids: Iterable[str], as_of: AsOf, what: str) -> dict[str, Any]:
        """The same of all these; `what` says in the answer what was looked for. Raises Refused for a version."""
        if as_of.version is not None:
            message = "a version is one action's: of several, say a time"
            raise Refused(message, details=[FieldError("at", Code.INVALID_OPTIONS, message)], code=Code.INVALID_OPTIONS)
        return self._answer(ids, as_of, f"nothing is known of {what}")

    def _answer(self, ids: Iterable[str], as_of: AsOf, nothing: str) -> dict[str, Any]:
        found = self._trails(ids, as_of, set())
        trails = list(islice(found, MOST_TRAILS))
        more = next(found, None) is not None
        error = None if trails else error_as_dict(ErrorReport(Code.NOT_FOUND, nothing + _then(as_of)))
        return {"trails": trails, "more": more, "error": error}

    def _trails(self, ids: Iterable[str], as_of: AsOf, told: set[str]) -> Iterator[dict[str, Any]]:
        for action_id in ids:
            reading = None if action_id in told else self._reading(action_id, as_of)
            if reading is not None:
                told.add(action_id)
                yield self._with_what_it_leads_to(reading, as_of, told)

    def _reading(self, action_id: str, as_of: AsOf) -> Reading | None:
        with suppress(ActionNotFound), translated():
            require_possible(action_id)
            life = self._journal.life(action_id)
            reading = None if life is None else read(life, self._mapper, as_of)
            return reading if reading is not None and (reading.entries or reading.damaged) else None
        return None

    def _with_what_it_leads_to(self, reading: Reading, as_of: AsOf, told: set[str]) -> dict[str, Any]:
        trail = trail_of(reading)
        then = as_of if as_of.version is None else reading.last_moment
        for link in trail["linked"]:
            link["trail"] = next(self._trails([link["id"]], then, told), None)
        return trail


def ids_found(find: Callable[..., Mapping[str, Any]], **key: str) -> Iterator[str]:
    """The ids of all that is found by this key, page after page."""
    cursor: str | None = None
    while True:
        page = find(**key, cursor=cursor)
        yield from (row["action_id"] for row in page["actions"])
        cursor = page["next"]
        if cursor is None:
            return


def _then(as_of: AsOf) -> str:
    return "" if as_of == NOW else ", or was known then"
