"""Every registered action type keeps its word; and the kit names each lie that a type can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from agents.execution_agent.config import ACTIONS
from agents.execution_agent.conformance import SOME_STATUSES, Case, HttpCase, Report, Request, Rule, examine
from agents.execution_agent.conformance.examination import ends_of
from domain.base_action import BaseAction
from tests.contract import lies
from tests.contract.action_conformance import CASES, case_with
from tests.contract.lies import NoteCase

ENOUGH = 150
"""Ends of each type."""


@pytest.mark.parametrize("made", CASES, ids=lambda made: str(made().name))
def test_a_registered_type_keeps_its_word(made: Callable[[], Case]) -> None:
    report = examine(case_with(made, SOME_STATUSES))
    report.require()


def test_every_registered_type_is_examined_in_enough_ways() -> None:
    ends = Counter[str]()
    for made in CASES:
        case = case_with(made, SOME_STATUSES)
        ends[case.action.action_type] += len(list(ends_of(case)))
    assert set(ends) == {action.action_type for action in ACTIONS}
    assert {name: count for name, count in ends.items() if count < ENOUGH} == {}


# -- lies -------------------------------------------------------------------------------------------------------------


def told(report: Report) -> set[Rule]:
    return {breach.rule for breach in report.breaches}


def test_an_honest_type_breaks_no_rule() -> None:
    report = examine(NoteCase(statuses=SOME_STATUSES, is_patient=True))
    assert report.breaches == ()
    assert (report.case, report.action_type, report.misclassed) == ("note", "note", 0)
    report.require()


@pytest.mark.parametrize(
    ("liar", "rule"),
    [
        (lies.SaysNothing, Rule.DECLARES),
        (lies.DescribesNothing, Rule.DECLARES),
        (lies.HasNoCorrection, Rule.DECLARES),
        (lies.PromisesMoreInPassing, Rule.DECLARES),
        (lies.HasAWindowForNothing, Rule.DECLARES),
        (lies.CannotSayWhetherItProbes, Rule.ANSWERS),
        (lies.TakesAnything, Rule.DECLARES),
        (lies.DoesNotReadBack, Rule.READS_BACK),
        (lies.FactsAreNoJson, Rule.READS_BACK),
        (lies.ActsEarly, Rule.ONLY_PREPARES),
        (lies.AsksWithoutTime, Rule.ONLY_PREPARES),
        (lies.BreaksEarly, Rule.ONLY_PREPARES),
        (lies.TakesALossForARefusal, Rule.CLASSES),
        (lies.TakesA500ForARefusal, Rule.CLASSES),
        (lies.TakesA408ForARefusal, Rule.CLASSES),
        (lies.BelievesEveryYes, Rule.CLASSES),
        (lies.SendsAgain, Rule.SENDS_ONCE),
        (lies.FollowsRedirects, Rule.SENDS_ONCE),
        (lies.InsistsOnA401, Rule.SENDS_ONCE),
        (lies.ChangesItsKey, Rule.KEEPS_ITS_KEY),
        (lies.ChangesItsKey, Rule.KEEPS_ITS_PROMISE),
        (lies.CountsInItsKey, Rule.KEEPS_ITS_KEY),
        (lies.OneKeyForAllRoutes, Rule.KEEPS_ITS_KEY),
        (lies.OneKeyForAll, Rule.KEEPS_ITS_KEY),
        (lies.TakesSilenceForAbsence, Rule.PROBES_HONESTLY),
        (lies.ConcludesAtOnce, Rule.PROBES_HONESTLY),
        (lies.FindsWhatIsNotThere, Rule.PROBES_HONESTLY),
        (lies.FindsNothing, Rule.PROBES_HONESTLY),
        (lies.ShowsNoEvidence, Rule.PROBES_HONESTLY),
        (lies.ProbesBySending, Rule.PROBES_HONESTLY),
        (lies.RemembersInMemory, Rule.UNDOES),
        (lies.UndoesByChance, Rule.UNDOES),
        (lies.AsksToUndo, Rule.UNDOES),
        (lies.UndoesSomethingElse, Rule.UNDOES),
        (lies.KeepsTheToken, Rule.TELLS_NO_SECRET),
        (lies.LogsTheToken, Rule.TELLS_NO_SECRET),
        (lies.RepeatsWhatItIsTold, Rule.TELLS_NO_SECRET),
        (lies.ShowsTheToken, Rule.TELLS_NO_SECRET),
    ],
)
def test_a_lie_is_named(liar: type[BaseAction[Any]], rule: Rule) -> None:
    report = examine(NoteCase(liar))
    assert rule in told(report)
    with pytest.raises(AssertionError, match=f"note does not keep its word:\n  {report.breaches[0].rule}"):
        report.require()
    assert lies.TOKEN not in str(report)


def test_a_deadline_that_is_not_kept_is_named() -> None:
    assert Rule.KEEPS_ITS_TIME in told(examine(NoteCase(lies.IgnoresItsDeadline, is_patient=True)))


def test_what_a_process_remembers_is_no_stored_fact() -> None:
    told = [breach.told for breach in examine(NoteCase(lies.RemembersInMemory)).breaches]
    assert "its compensation is another one in another process: it is not made of stored facts" in told


def test_a_provider_that_does_not_deduplicate_is_named() -> None:
    assert Rule.KEEPS_ITS_PROMISE in told(examine(lies.Forgetful()))


def test_a_lie_breaks_its_own_rule_alone_where_it_is_the_only_one() -> None:
    for liar, rule in ((lies.TakesALossForARefusal, Rule.CLASSES), (lies.UndoesByChance, Rule.UNDOES)):
        assert told(examine(NoteCase(liar))) == {rule}


def test_the_kit_is_what_an_installed_agent_brings() -> None:
    assert HttpCase.__module__.startswith("agents.execution_agent.conformance")


def test_a_case_that_is_wrong_itself_says_so() -> None:
    class Wrong(NoteCase):
        def key_of(self, request: Request) -> str | None:
            return request.headers["no-such-header"]

    with pytest.raises(KeyError, match="no-such-header"):
        examine(Wrong())
