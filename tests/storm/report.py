"""The report: a matrix that can stand in a README, totals, and every violation as a story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby

from domain.policy import Delivery
from tests.storm.findings import ENOUGH, Cell, Findings
from tests.storm.points import PHASES, SENDS, Append

_WHO = ("caller", "caller who asks again", "worker")
_APPENDS = (Append.ACCEPT, Append.INTENT, Append.OUTCOME, Append.LAPSE)
_POINTS = (
    *(f"{append}:{phase.name}" for append in _APPENDS[:2] for phase in PHASES["sqlite"]),
    *SENDS,
    *(f"{append}:{phase.name}" for append in _APPENDS[2:] for phase in PHASES["sqlite"]),
)


def lines_of(findings: Findings, seconds: float) -> Iterator[str]:
    """All of it but the verdict."""
    if findings.matrix:
        yield from matrix(findings)
        yield ""
    yield from totals(findings, seconds)
    for figure in findings.figures:
        yield f"{figure.name}: {figure.value}; target {figure.target}: {'PASS' if figure.is_kept else 'MISS'}"
    for violation in sorted(findings.violations, key=lambda violation: violation.gravity)[:ENOUGH]:
        yield ""
        yield str(violation)


def totals(findings: Findings, seconds: float) -> Iterator[str]:
    """What was done, and how often a promise was broken."""
    kills = ", ".join(f"{number} on {engine}" for engine, number in sorted(findings.kills.items())) or "none"
    broken = Counter(violation.kind for violation in findings.violations)
    yield f"kills: {findings.kills.total()} ({kills}), {seconds:.0f} s"
    yield (
        f"actions: {findings.actions} on {findings.ledgers} ledgers; {findings.answers} answers kept in mind,"
        f" {findings.requests} requests, {findings.effects} effects, {findings.in_doubt} in doubt"
    )
    yield f"zombies: {findings.zombies}; appends that failed: {findings.outages}"
    yield "violations: " + (", ".join(f"{number} {kind}" for kind, number in broken.items()) or "none")
    yield f"lost: {broken['lost']}; duplicates: {broken['duplicate effect']}; wrong doubts: {broken['wrong doubt']}"


def points_left_out(findings: Findings, engine: str) -> list[str]:
    """Where nobody was killed."""
    points = [f"{append}:{phase.name}" for append in _APPENDS for phase in PHASES[engine]]
    return [point for point in (*points, *SENDS) if not findings.points[engine, point]]


def matrix(findings: Findings) -> Iterator[str]:
    """A Markdown table: where the process died, and what became of the action. Points with one fate share a line."""
    yield "| carried out by | the process died at | " + " | ".join(Delivery) + " |"
    yield "| --- | --- |" + " --- |" * len(Delivery)
    rows = [
        (who, point, findings.matrix[who, point])
        for who in _WHO
        for point in _POINTS
        if (who, point) in findings.matrix
    ]
    for (who, _, _), alike in groupby(rows, key=lambda row: (row[0], row[1].partition(":")[0], _fates(row[2]))):
        group = list(alike)
        where = group[0][1].partition(":")[0]
        points = f"{where}: {', '.join(point.partition(':')[2] for _, point, _ in group)}"
        cells = [_cell(sum((row[delivery] for _, _, row in group), Cell())) for delivery in Delivery]
        yield f"| {who} | {points} | " + " | ".join(cells) + " |"


def _fates(row: Mapping[Delivery, Cell]) -> tuple[tuple[tuple[str, int], ...], ...]:
    return tuple(tuple(sorted(row[delivery])) for delivery in Delivery)


def _cell(cell: Cell) -> str:
    return "; ".join(f"{status}, effects {effects} ({times}x)" for (status, effects), times in sorted(cell.items()))
