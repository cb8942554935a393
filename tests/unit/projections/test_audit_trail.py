"""A trail says who, what, why, how often and with what end; what cannot be read stands in it, and hides nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.commit import Commit
from domain.journal import Damaged
from projections.audit_attempts import policy_hash
from projections.audit_trail import trail_of
from projections.reading import NOW, AsOf, read
from tests.given import ACTION_ID, NOON
from tests.lives import ATTEMPTED, MAPPER, REQUEST, REQUESTED, SUCCEEDED, VALIDATED, Said, commit, greeted, life

ORDER = {"by": "ada", "why": "it was asked for"}
RETRY: Said = (
    "action.attempt_failed",
    {"epoch": 3, "failure": "retry", "code": "refused", "message": "no", "retry_at": "2026-03-01T12:00:05.000000Z"},
)
IN_DOUBT: Said = ("action.in_doubt", {"reason": "outcome_unknown", "code": "timeout", "message": "no answer"})


def attempted(number: int, **says: Any) -> Said:
    return "action.attempted", {**ATTEMPTED[1], "attempt": number, **says}


def trail(*rows: Any, as_of: AsOf = NOW) -> dict[str, Any]:
    return trail_of(read(life(*rows), MAPPER, as_of))


def test_it_says_who_wanted_what_and_why_and_where_it_stands() -> None:
    told = trail(*greeted().rows)

    assert told["status"] == "succeeded"
    assert told["result"] == {"greeting": "Hello Ada"}
    assert told["who"]["agent"] == "renewals"
    assert told["who"]["decision_id"] == "d-1"
    assert told["who"]["correlation_id"] == "c-1"
    assert told["why"] == {"reason": "it ends soon"}
    assert told["what"] == {"action_type": "greet", "parameters": {"name": "Ada"}, "options": None}
    assert [entry["type"] for entry in told["timeline"]] == ["requested", "validated", "attempted", "succeeded"]
    assert told["findings"] == []


def test_an_attempt_says_when_on_which_route_by_which_template_and_policy_and_with_what_end() -> None:
    policy = {"retries": "exponential", "limit": 3, "backoff_ms": 1000}
    facts = {"template": "renewal_reminder", "template_sha256": "f" * 64}
    first = commit(1, REQUESTED, VALIDATED, attempted(1, facts=facts, policy=policy))
    (told,) = trail(first, commit(4, SUCCEEDED))["attempts"]

    assert told["number"] == 1
    assert told["route"] == {"number": 0, "action_type": "greet"}
    assert told["template"] == "renewal_reminder"
    assert told["template_sha256"] == "f" * 64
    assert told["policy"] == policy
    assert told["policy_sha256"] == policy_hash("at_most_once", policy)
    assert told["effect_key"] == f"{ACTION_ID}-r0"
    assert told["began"] == "2026-03-01T12:00:02.000000Z"
    assert told["outcome"]["class"] == "succeeded"
    assert told["outcome"]["seconds"] == 1.0
    assert told["outcome"]["reference"] == "g-1"


def test_another_policy_has_another_hash_and_an_old_attempt_has_none() -> None:
    policy = {"retries": "exponential", "limit": 3, "backoff_ms": 1000}
    others = [{**policy, "limit": 4}, {**policy, "per_second": 2.5}]

    hashes = {policy_hash("at_most_once", one) for one in [policy, *others]} | {policy_hash("at_least_once", policy)}
    assert len(hashes) == 4
    assert policy_hash("at_most_once", None) is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (RETRY, {"class": "retry", "code": "refused", "next": {"at": "2026-03-01T12:00:05.000000Z", "route": None}}),
        (("action.attempt_failed", {**RETRY[1], "failure": "permanent", "retry_at": None}), {"class": "permanent"}),
        (IN_DOUBT, {"class": "unknown", "code": "timeout", "next": None}),
    ],
)
def test_an_answer_is_told_in_its_class(answer: Said, expected: dict[str, Any]) -> None:
    says = {name: value for name, value in answer[1].items() if value is not None}
    (told,) = trail(commit(1, REQUESTED, VALIDATED, ATTEMPTED), commit(4, (answer[0], says)))["attempts"]

    assert {name: told["outcome"][name] for name in expected} == expected


def test_of_an_attempt_without_an_answer_nobody_knows() -> None:
    (told,) = trail(commit(1, REQUESTED, VALIDATED, ATTEMPTED))["attempts"]
    assert told["outcome"] is None


def test_a_doubt_that_was_resolved_keeps_its_class_and_says_by_whom_it_was_settled() -> None:
    probed: Said = ("action.probed", {"finding": "cannot_tell", "message": "not yet"})
    resolved: Said = ("action.resolved", {"verdict": "executed", **ORDER})
    told = trail(
        commit(1, REQUESTED, VALIDATED, ATTEMPTED),
        commit(4, IN_DOUBT),
        commit(5, probed),
        commit(6, resolved, SUCCEEDED),
    )
    (attempt,) = told["attempts"]

    assert attempt["outcome"]["class"] == "unknown"
    assert attempt["outcome"]["result"] == {"greeting": "Hello Ada"}
    assert attempt["settled"]["by"] == "ada"
    assert [probe["finding"] for probe in attempt["probes"]] == ["cannot_tell"]
    assert [(act["act"], act["by"], act["why"]) for act in told["acts"]] == [("resolved", "ada", "it was asked for")]


def test_what_a_probe_resolved_is_no_act_of_a_person() -> None:
    resolved: Said = ("action.resolved", {"verdict": "executed", "by": "probe", "why": "the provider was asked"})
    told = trail(commit(1, REQUESTED, VALIDATED, ATTEMPTED, IN_DOUBT, resolved, SUCCEEDED))

    assert told["acts"] == []
    assert told["attempts"][0]["settled"]["by"] == "probe"


def test_a_late_answer_goes_to_the_attempt_that_it_names() -> None:
    late: Said = ("action.late_outcome", {"epoch": 3, "outcome": "succeeded", "reference": "g-1"})
    told = trail(commit(1, REQUESTED, VALIDATED, ATTEMPTED), commit(4, RETRY, attempted(2)), commit(6, late))

    assert [attempt["late"] and attempt["late"]["outcome"] for attempt in told["attempts"]] == ["succeeded", None]


def test_a_fallback_is_told_by_its_route() -> None:
    request = {**REQUEST, "options": {"fallback": [{"action_type": "greet_again", "parameters": {"name": "Eve"}}]}}
    requested: Said = ("action.requested", {**REQUESTED[1], "request": request})
    told = trail(commit(1, requested, VALIDATED, attempted(1, route=1, effect_key="other")))

    assert told["attempts"][0]["route"] == {"number": 1, "action_type": "greet_again"}
    assert told["attempts"][0]["effect_key"] == "other"


# -- as of ------------------------------------------------------------------------------------------------------------


def test_as_of_a_version_exactly_what_was_known_then_is_told() -> None:
    told = trail(*greeted().rows, as_of=AsOf(version=3))

    assert told["status"] == "attempted"
    assert told["result"] is None
    assert told["attempts"][0]["outcome"] is None
    assert told["as_of"] == {"version": 3, "at": "2026-03-01T12:00:02.000000Z"}
    assert "Hello" not in str(told)


def test_as_of_a_time_what_came_after_it_is_not_told_and_what_came_at_it_is() -> None:
    just_before, just_then = (NOON + timedelta(seconds=3) - timedelta(microseconds=n) for n in (1, 0))

    assert trail(*greeted().rows, as_of=AsOf(at=just_before))["status"] == "attempted"
    assert trail(*greeted().rows, as_of=AsOf(at=just_then))["status"] == "succeeded"


# -- what cannot be read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (("action.blessed", {"by": "ada"}), "unknown_topic"),
        (("action.validated", {"schema": 99}), "newer_schema"),
        (("action.validated", {"what": "is this"}), "corrupt"),
        (("elsewhere.happened", {}), "unknown_topic"),
    ],
)
def test_what_this_release_cannot_read_stands_in_its_place_with_all_that_it_says(said: Said, problem: str) -> None:
    told = trail(commit(1, REQUESTED, said, ATTEMPTED), commit(4, SUCCEEDED))

    assert [entry["problem"] for entry in told["timeline"]] == [None, problem, None, None]
    assert told["timeline"][1]["data"].items() >= said[1].items()
    assert [(finding["version"], finding["problem"]) for finding in told["findings"]] == [(2, problem)]
    assert len(told["attempts"]) == 1, "what follows is told"
    assert told["status"] == "requested", "where it stands is told up to there"


def test_a_damaged_row_is_a_finding_and_what_is_around_it_is_told() -> None:
    told = trail(commit(1, REQUESTED, VALIDATED), Damaged(ACTION_ID, 3, "it is torn"), commit(4, SUCCEEDED))

    assert [(finding["version"], finding["problem"]) for finding in told["findings"]] == [(3, "damaged")]
    assert [entry["version"] for entry in told["timeline"]] == [1, 2, 4]


def test_what_is_missing_between_two_events_is_a_finding() -> None:
    told = trail(commit(1, REQUESTED), commit(4, SUCCEEDED))

    assert [(finding["version"], finding["problem"]) for finding in told["findings"]] == [(2, "versions_missing")]
    assert told["status"] == "requested"


def test_what_stands_there_twice_is_a_finding_and_both_are_told() -> None:
    told = trail(commit(1, REQUESTED, VALIDATED, ATTEMPTED), commit(2, VALIDATED))

    assert [(finding["version"], finding["problem"]) for finding in told["findings"]] == [(2, "versions_repeated")]
    assert [entry["version"] for entry in told["timeline"]] == [1, 2, 3, 2]


def test_where_the_beginning_is_said_to_be_in_an_archive_that_is_told_and_nothing_else_is_missing() -> None:
    archived: Said = (
        "action.archived",
        {
            "file": "00000001.lives",
            "offset": 0,
            "status": "succeeded",
            "attempts": 1,
            "action_type": "greet",
            "fingerprint": "0" * 64,
            "effect_key": f"{ACTION_ID}-r0",
            "born": "2026-03-01T12:00:00.000000Z",
            **ORDER,
        },
    )
    told = trail(commit(5, archived, previous=b"h" * 32))

    assert [(finding["problem"], finding["version"]) for finding in told["findings"]] == [("archived_elsewhere", 5)]
    assert told["status"] == "succeeded"
    assert [act["act"] for act in told["acts"]] == ["archived"]


def test_bytes_that_are_no_json_are_told_by_their_number() -> None:
    told = trail(Commit(ACTION_ID, 1, "2026-03-01T12:00:00.000000Z", b"", (("action.requested", b"\xff\xfe{"),)))

    assert told["status"] == "unknown"
    assert told["timeline"][0]["data"] == {"bytes": 3}
    assert told["timeline"][0]["at"] == "2026-03-01T12:00:00.000000Z", "the time of its commit"


@pytest.mark.parametrize(
    "said",
    [
        ("action.attempted", {"attempt": "many", "lease_until": 5, "delivery": []}),
        ("action.attempted", {"attempt": 1, "lease_until": "soon", "delivery": "at_most_once", "facts": 7}),
        ("action.compensation_requested", {"compensation": {"a": 1}, "look_at": None, **ORDER}),
        ("action.late_outcome", {"epoch": None, "outcome": 3}),
        ("action.approved", {"request_hash": 1, "by": None, "why": 4}),
    ],
)
def test_an_event_that_says_what_cannot_be_breaks_nothing(said: Said) -> None:
    told = trail(commit(1, REQUESTED, VALIDATED, said, SUCCEEDED))

    assert [entry["version"] for entry in told["timeline"]] == [1, 2, 3, 4]


# -- what it leads to -------------------------------------------------------------------------------------------------


def test_it_names_what_takes_it_back_and_what_it_takes_back() -> None:
    undo: Said = (
        "action.compensation_requested",
        {"compensation": "act_undo", "look_at": ATTEMPTED[1]["lease_until"], **ORDER},
    )
    asked: Said = ("action.requested", {**REQUESTED[1], "request": {**REQUEST, "compensates": "act_original"}})

    assert trail(commit(1, REQUESTED, VALIDATED, ATTEMPTED, SUCCEEDED, undo))["linked"] == [
        {"role": "compensation", "id": "act_undo", "trail": None}
    ]
    assert trail(commit(1, asked))["links"]["compensates"] == "act_original"


def test_a_run_names_the_actions_and_the_runs_of_its_steps_once() -> None:
    started: Said = (
        "workflow.started",
        {
            "name": "renewal",
            "definition": {"name": "renewal"},
            "definition_hash": "d" * 64,
            "inputs": {"account": "ACME"},
            "cause": {"actor": "ada"},
        },
    )
    begun = [
        ("workflow.step_begun", {"step": step, **what})
        for step, what in (("a", {"action": "act_a"}), ("b", {"run": "run_b"}))
    ]
    told = trail_of(read(life(commit(1, started, *begun, begun[0], action_id="run_1"), action_id="run_1"), MAPPER))

    assert told["kind"] == "workflow_run"
    assert told["status"] == "running"
    assert told["fingerprint"] == "d" * 64
    assert told["who"]["actor"] == "ada"
    assert [(link["step"], link["id"]) for link in told["linked"]] == [("a", "act_a"), ("b", "run_b")]


def test_each_event_names_the_commit_that_it_stands_in() -> None:
    first, second = greeted().rows
    assert isinstance(first, Commit)
    assert isinstance(second, Commit)
    commits = [entry["commit"] for entry in trail(first, second)["timeline"]]

    assert [one["version"] for one in commits] == [1, 1, 1, 4]
    assert commits[3]["previous"] == commits[0]["hash"] == first.hash.hex()
    assert commits[3]["hash"] == second.hash.hex()
