"""An export: every life in the journal that began within a span of days, redacted, in one of the formats.

One life is in memory at a time, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from eventsourcing.persistence import Mapper

from domain.field_class import REVEALABLE, FieldClass
from domain.instant import to_text
from domain.journal import Journal, Span
from domain.ledger import translated
from projections import export_csv, export_html, export_jsonl, export_ocsf
from projections.export_records import Record, records_of
from projections.field_shapes import Shapes
from projections.reading import read
from projections.redaction import Redactor

MOST_NAMED = 100
"""Findings that a tally names; all of them are counted, and stand in the export."""


class Format(StrEnum):
    """What an export is written as."""

    JSONL = "jsonl"
    CSV = "csv"
    OCSF = "ocsf"
    HTML = "html"


SCHEMAS = {
    Format.JSONL: export_jsonl.schema,
    Format.CSV: export_csv.schema,
    Format.OCSF: export_ocsf.schema,
    Format.HTML: export_html.schema,
}
"""What each format's documentation is made by."""


@dataclass(slots=True)
class Tally:
    """What an export holds so far; `named` are its first findings, `{action_id, version, problem, message}`."""

    lives: int = 0
    events: int = 0
    findings: int = 0
    named: list[dict[str, Any]] = field(default_factory=list)

    def count(self, life: Sequence[Record]) -> None:
        self.lives += 1
        self.events += sum(record.type is not None for record in life)
        for record in life:
            if record.problem is not None:
                self._name(record)

    def _name(self, record: Record) -> None:
        self.findings += 1
        if len(self.named) < MOST_NAMED:
            told = ("action_id", "version", "problem", "message")
            self.named.append({name: getattr(record, name) for name in told})


@dataclass(frozen=True, slots=True)
class About:
    """What an export says of itself."""

    span: Span
    at: datetime
    version: str
    revealed: frozenset[FieldClass] = frozenset()

    def told(self) -> dict[str, str]:
        hidden = sorted(str(one) for one in {*REVEALABLE, FieldClass.SECRET} - self.revealed)
        return {
            "Born from": "the beginning" if self.span.since is None else self.span.since.isoformat(),
            "Born until": "now" if self.span.until is None else self.span.until.isoformat(),
            "Redacted": ", ".join(hidden),
            "Made at": to_text(self.at),
            "Made by": f"execution-agent {self.version}",
        }


class Export:
    """Reads the journal, and never acts."""

    def __init__(self, journal: Journal, mapper: Mapper[str], shapes: Shapes, key: bytes) -> None:
        """`key` is what digests are made with."""
        self._journal = journal
        self._mapper = mapper
        self._shapes = shapes
        self._key = key

    def __call__(self, wanted: Format, about: About, tally: Tally) -> Iterator[str]:
        """The export, piece by piece; `tally` counts along. Raises LedgerUnavailable."""
        lives = self._lives(about, tally)
        if wanted is Format.CSV:
            return export_csv.csv(lives)
        if wanted is Format.HTML:
            return export_html.html(lives, about.told())
        if wanted is Format.OCSF:
            return export_ocsf.ocsf(lives, product_version=about.version)
        return export_jsonl.jsonl(lives)

    def _lives(self, about: About, tally: Tally) -> Iterable[list[Record]]:
        redactor = Redactor(self._key, about.revealed)
        with translated():
            for life in self._journal.lives(about.span):
                records = records_of(read(life, self._mapper), self._shapes, redactor)
                tally.count(records)
                yield records
