"""The report: a matrix that can stand in a README, totals, and every violation as a story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby

from domain.policy import Delivery
from tests.storm.findings import ENOUGH, Cell, Findings
from tests.storm.model import ABSENT
from tests.storm.points import OF_A_RUN, PHASES, POINTS_OF, SENDS, Append

_WHO = ("caller", "caller who asks again", "worker", "undo", "undo, asked for again")
_NONE = "-"
"""There is no such action."""
_BEFORE = (Append.ACCEPT, Append.UNDO, Append.INTENT)
_AFTER = (Append.OUTCOME, Append.LAPSE, Append.UNDONE, Append.REPORT)
_CAST = ("run", "step", "undo")
_IN_A_RUN = (*OF_A_RUN, Append.LOOK, *_BEFORE, "send", *_AFTER, Append.LATE)
_RUN_ENDS = ("completed", "compensated", "partially_compensated", "needs_operator", ABSENT)
_POINTS = (
    *(f"{append}:{phase.name}" for append in _BEFORE for phase in PHASES["sqlite"]),
    *SENDS,
    *(f"{append}:{phase.name}" for append in _AFTER for phase in PHASES["sqlite"]),
)


def lines_of(findings: Findings, seconds: float) -> Iterator[str]:
    """All of it but the verdict."""
    if findings.matrix:
        yield from matrix(findings)
        yield ""
    if findings.run_matrix:
        yield from run_matrix(findings)
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
    parts, runs = findings.parts, f"{findings.runs} of {findings.steps} steps"
    yield f"in undos: {parts['undos']} kills; in workflow runs: {parts['runs']} kills, in {runs}"
    yield f"zombies: {findings.zombies}; appends that failed: {findings.outages}"
    yield "violations: " + (", ".join(f"{number} {kind}" for kind, number in broken.items()) or "none")
    yield f"lost: {broken['lost']}; duplicates: {broken['duplicate effect']}; wrong doubts: {broken['wrong doubt']}"


def points_left_out(findings: Findings, part: str, engine: str) -> list[str]:
    """Where nobody was killed, of all the points that this part of a storm has to strike at."""
    return [point for point in POINTS_OF[part](engine) if not findings.points[engine, point]]


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


def run_matrix(findings: Findings) -> Iterator[str]:
    """A Markdown table: in which append or send a process of a run was the last to die, and what became of the run."""
    yield "| a process of the run died in | " + " | ".join(_RUN_ENDS) + " |"
    yield "| --- |" + " --- |" * len(_RUN_ENDS)
    for where in sorted(findings.run_matrix, key=_place_of):
        ends = findings.run_matrix[where]
        yield f"| {where} | " + " | ".join(str(ends[end]) for end in _RUN_ENDS) + " |"


def _place_of(where: str) -> tuple[int, int]:
    who, append = where.split()
    return _CAST.index(who), _IN_A_RUN.index(append)


def _fates(row: Mapping[Delivery, Cell]) -> tuple[tuple[tuple[str, int], ...], ...]:
    return tuple(tuple(sorted(row[delivery])) for delivery in Delivery)


def _cell(cell: Cell) -> str:
    return (
        _NONE
        if not cell
        else "; ".join(f"{status}, effects {effects} ({times}x)" for (status, effects), times in sorted(cell.items()))
    )
