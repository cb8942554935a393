"""The part of the front door behind which auditors are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from agents.execution_agent.assembly import whole_journal_of
from agents.execution_agent.searches import Searches
from domain.errors import Refused
from domain.field_class import REVEALABLE, FieldClass

if TYPE_CHECKING:
    from handlers.export import Tally

KEY_SIZE = 32
"""Bytes of a key that is drawn for one export."""
MOST_FOUND = 100
"""Rows of a page, when what belongs together is looked for."""


class Audits(Searches):
    """Tells of everything, and changes nothing."""

    def audit(
        self,
        action_id: str | None = None,
        *,
        decision: str | None = None,
        correlation: str | None = None,
        workflow: str | None = None,
        at: datetime | int | None = None,
    ) -> dict[str, Any]:
        """The trails of one action or workflow run, or of all that came of a decision, or belongs to a correlation id.

        `{trails, more, error}`: who, what, why, each attempt and its end, acts of people, and in `linked` the trails of
        compensations and steps. `at` is a time (aware) or, of one action, a version: exactly what was known then. The
        error says `not_found` where there is no trail; `more`, that there are more than are told. Raises Refused where
        it is not said what is wanted, LedgerUnavailable.
        """
        from handlers.audit import Audit, ids_found
        from projections.reading import AsOf

        keys = {"decision": decision, "correlation": correlation}
        wanted = {name: value for name, value in keys.items() if value is not None}
        one = [value for value in (action_id, workflow) if value is not None]
        if len(wanted) + len(one) != 1:
            raise Refused("say either an id, or a decision, a correlation id or a workflow run")
        as_of = AsOf(version=at) if isinstance(at, int) else AsOf(at)
        audit = Audit(whole_journal_of(self._parts), self._parts.ledger.mapper)
        if one:
            return audit.of_one(one[0], as_of)
        ((name, value),) = wanted.items()
        return audit.of_many(
            ids_found(partial(self.find, limit=MOST_FOUND), **{name: value}), as_of, f"{name} {value[:80]!a}"
        )

    def export(
        self,
        format: str,  # noqa: A002 - the word for it
        *,
        since: date | str | None = None,
        until: date | str | None = None,
        reveal: Iterable[str] = (),
        key: bytes | None = None,
    ) -> tuple[Iterator[str], Tally]:
        """An export, piece by piece, and what counts along: the lives that began from the day `since` to the day
        `until`, such as 2026-11-25, both included, in UTC. `format` is jsonl, csv, ocsf or html.

        Fields are redacted but for technical ones, for who acted, and for the classes in `reveal` (business, personal,
        undeclared). `key` makes the digests of several exports agree; without it they are this export's own. Raises
        Refused before anything is read; the pieces raise LedgerUnavailable.
        """
        from importlib.metadata import version

        from agents.execution_agent.replaying import span_of
        from handlers.export import About, Export, Format, Tally
        from projections.field_shapes import Shapes

        span = span_of(_text(since), _text(until))
        about = About(span, self._parts.world.clock.now(), version("execution-agent"), _revealed(reveal))
        shapes, tally = Shapes(self._parts.action_types), Tally()
        drawn = self._parts.world.chance.entropy(KEY_SIZE) if key is None else key
        export = Export(whole_journal_of(self._parts), self._parts.ledger.mapper, shapes, drawn)
        return export(_one_of(Format, format), about, tally), tally


def _text(day: date | str | None) -> str | None:
    return None if day is None else str(day)


def _revealed(names: Iterable[str]) -> frozenset[FieldClass]:
    revealed = frozenset(_one_of(FieldClass, name) for name in names)
    if kept := revealed - REVEALABLE - {FieldClass.TECHNICAL, FieldClass.ACTOR}:
        raise Refused(f"what is {min(kept)} is shown to nobody")
    return revealed


def _one_of(words: Any, word: str) -> Any:
    try:
        return words(word)
    except ValueError:
        raise Refused(f"there are {', '.join(words)}, and no {str(word)[:40]!a}") from None
