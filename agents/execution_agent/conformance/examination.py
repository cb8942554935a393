"""The whole examination of a case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from agents.execution_agent.conformance.attempts import try_end
from agents.execution_agent.conformance.case import Case, End
from agents.execution_agent.conformance.declarations import try_declaration
from agents.execution_agent.conformance.doubts import try_probe
from agents.execution_agent.conformance.promises import try_promises
from agents.execution_agent.conformance.report import Breach, Report, Rule
from agents.execution_agent.conformance.stage import Stage
from agents.execution_agent.conformance.traces import Traces
from agents.execution_agent.conformance.undoing import try_undo

Trial: TypeAlias = Callable[[Stage], Iterable[Breach]]
TRIALS: tuple[Trial, ...] = (try_declaration, try_promises, try_probe, try_undo)


def examine(case: Case) -> Report:
    """Holds the action type to its declaration, before the provider of the case."""
    with TemporaryDirectory() as folder, case.opened(), Traces(case.secrets) as traces:
        breaches: list[Breach] = []
        for trial in TRIALS:
            with Stage(case, Path(folder), traces) as stage:
                breaches += _carried_out(trial, stage)
        outcomes = 0
        with Stage(case, Path(folder), traces, in_memory=True) as stage:
            for end in ends_of(case):
                breaches += try_end(stage, end)
                outcomes += 1
        found = dict.fromkeys((*breaches, *traces.breaches()))
        return Report(case.name, case.action.action_type, outcomes, tuple(found))


def ends_of(case: Case) -> Iterator[End]:
    """All that an attempt can come to, by what it does and by what it asks first."""
    yield from case.ends()
    if case.asks_first:
        yield from case.reads()


def _carried_out(trial: Trial, stage: Stage) -> Iterator[Breach]:
    try:
        yield from trial(stage)
    except Exception as error:  # noqa: BLE001 - it is somebody else's code
        yield Breach(Rule.ANSWERS, f"the agent raised {type(error).__name__}: {error}")
