"""The life of an action: every command, as given / when / then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from domain import outcome
from domain.action import Action, Lease, Order, Verdict
from domain.errors import ErrorReport, FieldError, IllegalTransition
from domain.gate import Closed
from domain.lifecycle import MAY_FOLLOW, Life, Status
from domain.policy import Delivery, Doubt, FallBack, GiveUp, InDoubt, Reason, RetryAt
from tests.given import ACTION_ID, ATTEMPTED, LEADING_TO, NOON, REQUESTED, RETRY, VALIDATED, action_after, given

SOON = NOON + timedelta(seconds=5)
LATER = NOON + timedelta(minutes=1)
UNKNOWN = outcome.Unknown("timed_out", "no answer")
NOT_SENT = outcome.Retry("connection_refused", "nobody listens")
NEVER = outcome.Permanent("http_404", "no such thing")
ORDER = Order("ada", "it was asked for")
SAID = {"by": "ada", "why": "it was asked for"}
WISH = ("cancel_requested", SAID)
DOUBTED = ("attempt_failed", {"failure": "unknown"})


def test_a_request_begins_a_life() -> None:
    action = Action.requested(ACTION_ID, request={"action_type": "greet"}, fingerprint="f", effect_key="k", at=NOON)
    assert [event.life for event in action.pending_events] == [Life.REQUESTED]
    assert (action.id, action.version, action.status) == (ACTION_ID, 1, Status.REQUESTED)


def test_a_refused_request_is_rejected_with_what_to_repair() -> None:
    detail = FieldError("parameters.name", "missing_field", "Field required")
    error = ErrorReport("invalid_parameters", "name is missing", (detail,))
    action = (
        given(REQUESTED)
        .when(lambda action: action.reject(error, at=NOON))
        .then(
            (
                "rejected",
                {
                    "code": "invalid_parameters",
                    "details": [{"field": "parameters.name", "code": "missing_field", "message": "Field required"}],
                },
            )
        )
    )
    assert action.status is Status.REJECTED
    assert action.error == error
    assert action.due_at is None


def test_a_valid_request_is_scheduled_and_due_at_once() -> None:
    action = given(REQUESTED).when(lambda action: action.validate(at=SOON)).then(("validated", {"not_before": None}))
    assert (action.status, action.due_at) == (Status.SCHEDULED, SOON)


def test_a_request_for_later_is_due_later_and_never_after_it_expired() -> None:
    waits = (
        given(REQUESTED)
        .when(lambda action: action.validate(not_before=LATER, expires_at=LATER + timedelta(hours=1), at=NOON))
        .then(("validated", {"not_before": "2026-03-01T12:01:00.000000Z", "expires_at": "2026-03-01T13:01:00.000000Z"}))
    )
    assert waits.due_at == LATER
    assert not waits.is_expired(LATER)
    assert waits.is_expired(LATER + timedelta(hours=1))


def test_an_attempt_is_counted_leased_and_told_before_it_starts() -> None:
    def begin(action: Action) -> None:
        lease = Lease(LATER, holder="me")
        action.begin_attempt(lease, delivery=Delivery.AT_MOST_ONCE, facts={"template": "hello"}, at=NOON)

    action = (
        given(REQUESTED, VALIDATED)
        .when(begin)
        .then(("attempted", {"attempt": 1, "delivery": "at_most_once", "facts": {"template": "hello"}}))
    )
    assert (action.status, action.attempts, action.epoch, action.due_at) == (Status.ATTEMPTED, 1, 3, LATER)


def test_success_keeps_result_reference_and_what_a_rollback_needs() -> None:
    success = outcome.Succeeded({"message_id": "m1"}, reference="p1", undo={"before": 1})
    action = (
        given(REQUESTED, VALIDATED, ATTEMPTED)
        .when(lambda action: action.succeed(success, epoch=3, at=SOON))
        .then(("succeeded", {"epoch": 3, "result": {"message_id": "m1"}, "reference": "p1", "undo": {"before": 1}}))
    )
    assert (action.status, action.result, action.due_at) == (Status.SUCCEEDED, {"message_id": "m1"}, None)


def test_what_certainly_did_not_happen_is_tried_again() -> None:
    action = (
        given(REQUESTED, VALIDATED, ATTEMPTED)
        .when(lambda action: action.fail_attempt(NOT_SENT, RetryAt(LATER), epoch=3, at=SOON))
        .then(("attempt_failed", {"epoch": 3, "failure": "retry", "retry_at": "2026-03-01T12:01:00.000000Z"}))
    )
    assert (action.status, action.due_at, action.doubted) == (Status.RETRYING, LATER, False)
    assert action.error == ErrorReport("connection_refused", "nobody listens")


def test_a_retry_is_due_no_later_than_its_expiry() -> None:
    expires = ("validated", {"expires_at": "2026-03-01T12:00:30.000000Z"})
    action = (
        given(REQUESTED, expires, ATTEMPTED)
        .when(lambda action: action.fail_attempt(NOT_SENT, RetryAt(LATER), epoch=3, at=SOON))
        .then(("attempt_failed", {}))
    )
    assert action.due_at == NOON + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("failure", "decision", "reason"),
    [(NEVER, GiveUp(Reason.PERMANENT), "permanent"), (NOT_SENT, GiveUp(Reason.EXHAUSTED), "exhausted")],
)
def test_giving_up_ends_the_life_in_the_same_breath(failure: outcome.Failure, decision: GiveUp, reason: str) -> None:
    action = (
        given(REQUESTED, VALIDATED, ATTEMPTED)
        .when(lambda action: action.fail_attempt(failure, decision, epoch=3, at=SOON))
        .then(("attempt_failed", {"retry_at": None}), ("failed", {"reason": reason, "code": failure.code}))
    )
    assert (action.status, action.due_at) == (Status.FAILED, None)


def test_an_unknown_outcome_is_shown_as_in_doubt() -> None:
    action = (
        given(REQUESTED, VALIDATED, ATTEMPTED)
        .when(lambda action: action.fail_attempt(UNKNOWN, InDoubt(Doubt.OUTCOME_UNKNOWN), epoch=3, at=SOON))
        .then(("in_doubt", {"reason": "outcome_unknown", "code": "timed_out"}))
    )
    assert (action.status, action.doubted, action.due_at) == (Status.IN_DOUBT, True, None)


def test_a_resent_unknown_outcome_leaves_its_doubt_on_the_action() -> None:
    action = (
        given(REQUESTED, VALIDATED, ATTEMPTED)
        .when(lambda action: action.fail_attempt(UNKNOWN, RetryAt(LATER), epoch=3, at=SOON))
        .then(("attempt_failed", {"failure": "unknown"}))
    )
    assert action.doubted


def test_an_action_whose_time_is_over_expires() -> None:
    action = given(REQUESTED, VALIDATED).when(lambda action: action.expire(at=LATER)).then(("expired", {}))
    assert (action.status, action.due_at) == (Status.EXPIRED, None)


def test_expiry_does_not_hide_that_an_earlier_attempt_may_stand() -> None:
    doubted = ("attempt_failed", {"failure": "unknown"})
    given(REQUESTED, VALIDATED, ATTEMPTED, doubted).when(lambda action: action.expire(at=LATER)).then(
        ("in_doubt", {"reason": "earlier_attempt_unknown"})
    )


@pytest.mark.parametrize("answer", [outcome.Succeeded({}, reference="p9"), UNKNOWN, NOT_SENT, NEVER])
@pytest.mark.parametrize("after", [Life.ATTEMPT_FAILED, Life.IN_DOUBT, Life.SUCCEEDED, Life.FAILED])
def test_the_answer_of_an_attempt_that_is_over_is_kept_and_not_applied(after: Life, answer: outcome.Outcome) -> None:
    before = action_after(*LEADING_TO[after])

    def conclude(action: Action) -> None:
        if isinstance(answer, outcome.Succeeded):
            action.succeed(answer, epoch=3, at=LATER)
        else:
            action.fail_attempt(answer, GiveUp(Reason.PERMANENT), epoch=3, at=LATER)

    action = given(*LEADING_TO[after]).when(conclude).then(("late_outcome", {"epoch": 3}))
    kept = ("status", "result", "error", "doubted", "due_at", "attempts")
    assert [getattr(action, name) for name in kept] == [getattr(before, name) for name in kept]


def test_the_answer_of_an_earlier_attempt_does_not_end_the_running_one() -> None:
    second = ("attempted", {"attempt": 2})
    action = (
        given(REQUESTED, VALIDATED, ATTEMPTED, RETRY, second)
        .when(lambda action: action.succeed(outcome.Succeeded({}), epoch=3, at=LATER))
        .then(("late_outcome", {"epoch": 3, "outcome": "succeeded"}))
    )
    assert (action.status, action.epoch) == (Status.ATTEMPTED, 5)


COMMANDS: dict[Life, Callable[[Action], None]] = {
    Life.REJECTED: lambda action: action.reject(ErrorReport("a_code", "a message"), at=LATER),
    Life.VALIDATED: lambda action: action.validate(at=LATER),
    Life.ATTEMPTED: lambda action: action.begin_attempt(Lease(LATER), delivery=Delivery.AT_MOST_ONCE, at=LATER),
    Life.EXPIRED: lambda action: action.expire(at=LATER),
    Life.REDRIVEN: lambda action: action.redrive(ORDER, at=LATER),
    Life.DEFERRED: lambda action: action.defer(LATER, reason=Closed.BUSY, target="crm", turn=True, at=NOON),
    Life.BROUGHT_FORWARD: lambda action: action.bring_forward(ORDER, at=LATER),
}
"""The commands whose event does not depend on an epoch."""


@pytest.mark.parametrize("last", [life for life in Life if life in LEADING_TO])
@pytest.mark.parametrize("event", COMMANDS)
def test_the_table_lets_through_what_it_names_and_nothing_else(event: Life, last: Life) -> None:
    told = given(*LEADING_TO[last]).when(COMMANDS[event])
    if last in MAY_FOLLOW[event]:
        told.then((event.value, {}))
    else:
        told.then_refused(IllegalTransition)


@pytest.mark.parametrize("last", [Life.REQUESTED, Life.REJECTED, Life.VALIDATED])
def test_an_answer_to_what_was_never_attempted_is_refused(last: Life) -> None:
    given(*LEADING_TO[last]).when(lambda action: action.succeed(outcome.Succeeded({}), epoch=3, at=LATER)).then_refused(
        IllegalTransition
    )


def test_reading_a_life_back_gives_the_action_that_was_decided() -> None:
    decided = action_after(REQUESTED)
    decided.validate(expires_at=LATER, at=NOON)
    decided.begin_attempt(Lease(LATER, "me", LATER), delivery=Delivery.IDEMPOTENT_BY_KEY, facts={"a": 1}, at=NOON)
    decided.fail_attempt(UNKNOWN, RetryAt(LATER), epoch=3, at=SOON)
    events = [*action_after(REQUESTED).collect_events(), *decided.collect_events()]
    read = action_after(REQUESTED)
    for event in events:
        event.mutate(read)
    assert read == decided


# -- fallbacks ------------------------------------------------------------------------------------------------------

WITH_FALLBACK = (
    "requested",
    {
        "request": {
            "action_type": "greet",
            "parameters": {"name": "Ada"},
            "options": {"fallback": [{"action_type": "greet_once", "parameters": {"name": "Bob"}}]},
        }
    },
)


def test_a_fallback_is_a_new_effect_with_retries_of_its_own() -> None:
    fell_back = (
        given(WITH_FALLBACK, VALIDATED, ATTEMPTED)
        .when(lambda action: action.fail_attempt(NEVER, FallBack(SOON), epoch=3, at=SOON))
        .then(("attempt_failed", {"next_route": 1, "retry_at": "2026-03-01T12:00:05.000000Z"}))
    )
    assert (fell_back.status, fell_back.route, fell_back.due_at) == (Status.RETRYING, 1, SOON)
    assert fell_back.effect_key == f"{ACTION_ID}-r1"
    fell_back.begin_attempt(Lease(LATER), delivery=Delivery.AT_MOST_ONCE, at=SOON)
    attempted = fell_back.pending_events[-1]
    assert (attempted.route, attempted.attempt, attempted.effect_key) == (1, 2, f"{ACTION_ID}-r1")  # type: ignore[attr-defined]
    assert (fell_back.current_route.attempt, fell_back.current_route.number) == (1, 1)


# -- people ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", [Life.VALIDATED, Life.ATTEMPT_FAILED, Life.REDRIVEN])
def test_what_waits_can_be_cancelled(last: Life) -> None:
    action = given(*LEADING_TO[last]).when(lambda action: action.cancel(ORDER, at=LATER)).then(("cancelled", SAID))
    assert (action.status, action.due_at) == (Status.CANCELLED, None)
    assert action.error == ErrorReport("cancelled", "cancelled by ada: it was asked for")


@pytest.mark.parametrize(
    "last", [Life.REQUESTED, Life.REJECTED, Life.SUCCEEDED, Life.FAILED, Life.IN_DOUBT, Life.EXPIRED]
)
def test_what_is_over_or_in_doubt_cannot_be_cancelled(last: Life) -> None:
    given(*LEADING_TO[last]).when(lambda action: action.cancel(ORDER, at=LATER)).then_refused(IllegalTransition)


def test_cancelling_does_not_hide_that_an_earlier_attempt_may_stand() -> None:
    given(REQUESTED, VALIDATED, ATTEMPTED, DOUBTED).when(lambda action: action.cancel(ORDER, at=LATER)).then(
        WISH, ("in_doubt", {"reason": "earlier_attempt_unknown", "code": "cancelled"})
    )


def test_while_an_attempt_runs_cancelling_is_a_wish() -> None:
    action = given(*LEADING_TO[Life.ATTEMPTED]).when(lambda action: action.cancel(ORDER, at=SOON)).then(WISH)
    assert (action.status, action.epoch) == (Status.ATTEMPTED, 3)


@pytest.mark.parametrize("decision", [RetryAt(LATER), FallBack(LATER)])
def test_the_wish_takes_effect_before_the_next_attempt(decision: RetryAt | FallBack) -> None:
    action = (
        given(*LEADING_TO[Life.ATTEMPTED], WISH)
        .when(lambda action: action.fail_attempt(NOT_SENT, decision, epoch=3, at=LATER))
        .then(("attempt_failed", {"retry_at": None, "next_route": None}), ("cancelled", SAID))
    )
    assert action.status is Status.CANCELLED


def test_the_wish_after_an_unknown_attempt_leaves_its_doubt() -> None:
    given(*LEADING_TO[Life.ATTEMPTED], WISH).when(
        lambda action: action.fail_attempt(UNKNOWN, RetryAt(LATER), epoch=3, at=LATER)
    ).then(("attempt_failed", {"failure": "unknown"}), ("in_doubt", {"code": "cancelled"}))


def test_the_wish_comes_too_late_when_the_attempt_succeeds() -> None:
    given(*LEADING_TO[Life.ATTEMPTED], WISH).when(
        lambda action: action.succeed(outcome.Succeeded({}), epoch=3, at=LATER)
    ).then(("succeeded", {}))


def test_a_redriven_action_keeps_its_key_and_gets_its_retries_again() -> None:
    failed = action_after(*LEADING_TO[Life.FAILED])
    action = (
        given(*LEADING_TO[Life.FAILED]).when(lambda action: action.redrive(ORDER, at=LATER)).then(("redriven", SAID))
    )
    assert (action.status, action.due_at, action.effect_key) == (Status.SCHEDULED, LATER, failed.effect_key)
    action.begin_attempt(Lease(LATER), delivery=Delivery.AT_MOST_ONCE, at=LATER)
    assert (action.attempts, action.current_route.attempt) == (2, 1)


def test_what_is_known_to_have_happened_has_succeeded() -> None:
    action = (
        given(*LEADING_TO[Life.IN_DOUBT])
        .when(lambda action: action.resolve(Verdict.EXECUTED, ORDER, evidence={"message_id": "m1"}, at=LATER))
        .then(("resolved", {"verdict": "executed", **SAID}), ("succeeded", {"result": {"message_id": "m1"}}))
    )
    assert (action.status, action.doubted) == (Status.SUCCEEDED, False)


def test_what_is_known_not_to_have_happened_has_failed_and_may_be_redriven() -> None:
    action = (
        given(*LEADING_TO[Life.IN_DOUBT])
        .when(lambda action: action.resolve(Verdict.NOT_EXECUTED, ORDER, at=LATER))
        .then(("resolved", {"verdict": "not_executed"}), ("failed", {"reason": "not_executed"}))
    )
    action.redrive(ORDER, at=LATER)
    assert (action.status, action.doubted) == (Status.SCHEDULED, False)


@pytest.mark.parametrize("last", [life for life in LEADING_TO if life not in (None, Life.IN_DOUBT)])
def test_only_doubt_can_be_resolved(last: Life) -> None:
    given(*LEADING_TO[last]).when(lambda action: action.resolve(Verdict.EXECUTED, ORDER, at=LATER)).then_refused(
        IllegalTransition
    )


def test_what_waits_can_be_brought_forward() -> None:
    action = (
        given(*LEADING_TO[Life.ATTEMPT_FAILED])
        .when(lambda action: action.bring_forward(ORDER, at=NOON))
        .then(("brought_forward", SAID))
    )
    assert (action.status, action.due_at) == (Status.RETRYING, NOON)


def test_an_action_remembers_the_bulk_orders_that_it_was_a_part_of() -> None:
    bulk = Order("ada", "all of them", bulk="b-1")
    assert given(*LEADING_TO[Life.FAILED]).when(lambda action: action.redrive(bulk, at=NOON)).then(
        ("redriven", {"bulk": "b-1"})
    ).bulks == {"b-1"}


# -- keys that are forgotten ----------------------------------------------------------------------------------------


def test_the_key_window_counts_from_the_first_attempt() -> None:
    first = ("attempted", {"delivery": "idempotent_by_key", "key_until": "2026-03-01T12:01:00.000000Z"})
    again = ("attempted", {"attempt": 2, "delivery": "idempotent_by_key"})
    action = action_after(REQUESTED, VALIDATED, first, DOUBTED, again, DOUBTED)
    assert not action.is_forgotten(LATER - timedelta(seconds=1))
    assert action.is_forgotten(LATER)


def test_a_forgotten_key_ends_in_doubt() -> None:
    given(REQUESTED, VALIDATED, ATTEMPTED, DOUBTED).when(lambda action: action.give_up_forgotten(at=LATER)).then(
        ("in_doubt", {"reason": "key_window_over"})
    )
