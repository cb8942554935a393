"""Every action type that is built in, before its provider, held to its declaration by the kit that authors get, too.

    python -m tests.contract.action_conformance [--all] [CASE ...]

tells of each case how many ends were brought about, how many were misclassed, and every breach. `--all` tries each
status from 000 to 999. Whoever has installed the agent finds the kit itself in `agents.execution_agent.conformance`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain

from agents.execution_agent.conformance import (
    EVERY_STATUS,
    SOME_STATUSES,
    Answer,
    Case,
    End,
    HttpCase,
    Means,
    Report,
    Request,
    Rule,
    Sent,
    examine,
)
from tests.contract.cases import aws, chats, crms, mails, webhooks

__all__ = ["Answer", "Case", "End", "HttpCase", "Means", "Report", "Request", "Rule", "Sent", "examine"]

CASES: Sequence[Callable[[], Case]] = tuple(chain(mails.CASES, webhooks.CASES, chats.CASES, crms.CASES, aws.CASES))
"""At least one for each registered type."""


def case_with(made: Callable[[], Case], statuses: Sequence[int]) -> Case:
    """The case, in which these statuses are tried."""
    case = made()
    if isinstance(case, HttpCase | mails.SendsMailBySmtp):
        case.statuses = statuses
    return case


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where every type keeps its word, else 1."""
    asked = _read(arguments)
    began, reports = time.monotonic(), []
    for made in CASES:
        case = case_with(made, EVERY_STATUS if asked.all else SOME_STATUSES)
        if not asked.cases or case.name in asked.cases:
            reports.append(examine(case))
            _tell(reports[-1])
    _say(_summary(reports, time.monotonic() - began))
    return 1 if any(report.breaches for report in reports) else 0


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.contract.action_conformance")
    parser.add_argument("--all", action="store_true", help="every status from 000 to 999")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="only this one, by its name")
    return parser.parse_args(arguments)


def _tell(report: Report) -> None:
    _say(f"{report.case:42} {report.outcomes:6,} ends, {report.misclassed} misclassed")
    for breach in report.breaches:
        _say(f"    {breach}")


def _summary(reports: Sequence[Report], seconds: float) -> str:
    ends = Counter[str]()
    for report in reports:
        ends[report.action_type] += report.outcomes
    misclassed = sum(report.misclassed for report in reports)
    breaches = sum(len(report.breaches) for report in reports)
    fewest = f"at least {min(ends.values())} of each" if ends else "none"
    return (
        f"{len(ends)} action types in {len(reports)} cases: {ends.total():,} ends, {fewest}; {misclassed} misclassed,"
        f" {breaches} breaches, {seconds:.0f} s"
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
