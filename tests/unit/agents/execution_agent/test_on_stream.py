"""Batches of the stream and of the queue: each action is looked at once, a poison hurts nobody else, and exactly what
could not be done comes again."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.execution_agent.handler import answer_knocks
from domain.action import Action
from domain.base_action import Attempt
from domain.errors import ConfigurationError, LedgerConflict, LedgerUnavailable
from domain.outcome import Outcome, Permanent, Retry, Unknown
from domain.ports import Case
from handlers.batch import UnnamedFailure
from tests.bells import Bells, FakeAnnouncer, Record, failures, message, named
from tests.fakes import ScriptedProvider
from tests.house import greet
from tests.lambda_calls import Context

EVENTS = Path(__file__).parents[4] / "infra" / "events"
ACCEPTED = {"options": {"mode": "accept"}}
NOTHING = failures()


def accepted(bells: Bells, count: int) -> list[str]:
    return [bells.process(greet(**ACCEPTED)) for _ in range(count)]


def without_keys(record: Record) -> Record:
    broken = copy.deepcopy(record)
    del broken["dynamodb"]["Keys"]
    return broken


# -- a batch -----------------------------------------------------------------------------------------------------------


def test_what_was_accepted_is_carried_out() -> None:
    bells = Bells()
    ids = accepted(bells, 5)
    assert bells.hand_on(bells.stream) == NOTHING
    assert [bells.status(action_id) for action_id in ids] == ["succeeded"] * 5


def test_the_records_of_one_action_ring_for_it_once() -> None:
    bells = Bells()
    bells.process(greet())
    loaded: list[str] = []
    load = bells.agent._parts.ledger.load

    def counted(action_id: str) -> Action:
        loaded.append(action_id)
        return load(action_id)

    bells.agent._parts.ledger.load = counted  # type: ignore[method-assign]
    bells.hand_on(bells.stream * 3)
    assert len(loaded) == 1


def test_nothing_to_do_is_a_success() -> None:
    assert Bells().hand_on([]) == NOTHING


POISONS = ("unreadable", "without keys", "breaks its worker", "no such action")


@pytest.mark.parametrize("place", range(100))
def test_a_poison_among_a_hundred_is_set_aside_once_and_the_others_are_handled(place: int) -> None:
    bells = Bells()
    ids = accepted(bells, 100)
    records, poisoned = bells.stream, ids[place]
    match POISONS[place % len(POISONS)]:
        case "unreadable":
            bells.poison(poisoned)
        case "without keys":
            records[place] = without_keys(records[place])
        case "breaks its worker":
            break_on(bells, poisoned, RuntimeError("nobody thought of this"))
        case "no such action":
            text = json.dumps(records[place]).replace(poisoned, "act_00000000000000000000000000")
            records[place] = json.loads(text)
    assert bells.hand_on(records) == NOTHING
    assert [case.event_id for case in bells.quarantine.cases] == [records[place]["eventID"]]
    assert Counter(bells.effects) == Counter(ids[:place] + ids[place + 1 :])
    assert bells.hand_on([records[place]]) == NOTHING
    assert len(bells.quarantine.cases) == 1


def break_on(bells: Bells, action_id: str, error: Exception) -> None:
    """From now on, whoever records anything of this action meets the error."""
    record = bells.agent._parts.ledger.record

    def broken(action: Action) -> None:
        if action.id == action_id:
            raise error
        record(action)

    bells.agent._parts.ledger.record = broken  # type: ignore[method-assign]


def test_what_is_set_aside_says_what_it_was(caplog: pytest.LogCaptureFixture) -> None:
    bells = Bells()
    (action_id,) = accepted(bells, 1)
    record = bells.poison(action_id)
    bells.hand_on([record])
    (case,) = bells.quarantine.cases
    assert (case.action_id, case.event_id, case.announce) == (action_id, record["eventID"], ())
    assert "os.system" in case.problem
    assert f"{action_id} is set aside" in caplog.text


def test_what_a_broken_worker_says_stays_in_the_log() -> None:
    bells = Bells()
    (action_id,) = accepted(bells, 1)
    break_on(bells, action_id, RuntimeError("the password is hunter2"))
    bells.hand_on(bells.stream)
    (case,) = bells.quarantine.cases
    assert case.problem == "whoever works on it fails: RuntimeError"


def test_what_is_due_and_cannot_be_moved_is_set_aside() -> None:
    bells = Bells()
    (action_id,) = accepted(bells, 1)
    break_on(bells, action_id, LedgerConflict("another was first, and nobody sees them"))
    assert bells.hand_on(bells.stream) == NOTHING
    assert bells.quarantine.cases[0].problem == "whoever works on it fails: Stuck"


def test_what_cannot_be_set_aside_comes_again() -> None:
    bells = Bells()
    ids = accepted(bells, 3)
    bells.poison(ids[1])
    bells.quarantine.answers = [Unknown("sqs_500", "SQS answered 500")]
    records = bells.stream[:3]
    assert bells.hand_on(records) == failures(records[1])
    assert bells.hand_on(records[1:]) == NOTHING
    assert [case.action_id for case in bells.quarantine.cases] == [ids[1]]


def test_without_a_quarantine_the_log_has_it(caplog: pytest.LogCaptureFixture) -> None:
    bells = Bells(world={"quarantine": None})
    (action_id,) = accepted(bells, 1)
    assert bells.hand_on([bells.poison(action_id)]) == NOTHING
    assert f"{action_id} is set aside: it cannot be read" in caplog.text


def test_records_that_come_three_times_and_shuffled_have_no_further_effect() -> None:
    bells = Bells()
    ids = accepted(bells, 40) + [bells.process(greet()) for _ in range(10)]
    for seed in range(3):
        records = bells.stream * 3
        random.Random(seed).shuffle(records)
        assert bells.hand_on(records) == NOTHING
    assert sorted(bells.effects) == sorted(ids)
    assert {bells.status(action_id) for action_id in ids} == {"succeeded"}


def test_what_the_stream_loses_the_sweep_finds_within_two_periods() -> None:
    bells, chance = Bells(), random.Random(7)
    ids = accepted(bells, 100)
    kept = [record for record in bells.stream if chance.random() >= 0.3]
    bells.hand_on(kept)
    assert 50 < len(bells.effects) < 90
    for _ in range(2):
        bells.clock.pass_time(60)
        bells.agent.sweep(within=57.0)
    assert sorted(bells.effects) == sorted(ids)


# -- what comes again --------------------------------------------------------------------------------------------------


def test_exactly_what_the_ledger_did_not_take_comes_again() -> None:
    bells = Bells()
    ids = accepted(bells, 5)
    break_on(bells, ids[2], LedgerUnavailable("throttled"))
    records = bells.stream
    assert bells.hand_on(records) == failures(records[2])
    assert sorted(bells.effects) == sorted(ids[:2] + ids[3:])
    assert bells.quarantine.cases == []


def test_all_the_records_of_an_action_come_again_in_their_order() -> None:
    bells = Bells()
    first, second = accepted(bells, 2)
    bells.agent.retry_now(first, actor="ada", reason="now")
    break_on(bells, first, LedgerUnavailable("throttled"))
    records = bells.stream
    assert bells.hand_on(records) == failures(records[0], records[2])
    assert bells.effects == [second]


def test_a_configuration_that_is_wrong_fails_the_whole_batch() -> None:
    bells = Bells()
    ids = accepted(bells, 3)
    break_on(bells, ids[1], ConfigurationError("install botocore"))
    with pytest.raises(ConfigurationError, match="botocore"):
        bells.hand_on(bells.stream)


def test_a_failure_that_has_no_name_fails_the_whole_batch() -> None:
    bells = Bells()
    accepted(bells, 2)
    nameless = bells.stream[0]
    del nameless["dynamodb"]["SequenceNumber"]
    break_on(bells, nameless["dynamodb"]["Keys"]["pk"]["S"], LedgerUnavailable("throttled"))
    with pytest.raises(UnnamedFailure):
        bells.hand_on([nameless, *bells.stream[1:]])


def test_a_record_without_a_name_may_succeed() -> None:
    bells = Bells()
    accepted(bells, 1)
    (nameless,) = bells.stream
    del nameless["dynamodb"]["SequenceNumber"]
    assert bells.hand_on([nameless]) == NOTHING


@pytest.mark.parametrize(("seconds", "done"), [(5.0, 3), (4.9, 0), (0.5, 0)])
def test_with_less_than_five_seconds_left_nothing_is_begun(seconds: float, done: int) -> None:
    bells = Bells()
    accepted(bells, 3)
    records = bells.stream
    assert bells.hand_on(records, seconds=seconds) == (NOTHING if done else failures(*records))
    assert len(bells.effects) == done


def test_an_attempt_ends_three_seconds_before_lambda_does() -> None:
    bells = Bells()
    accepted(bells, 1)
    bells.hand_on(bells.stream, seconds=8.0)
    assert bells.provider.attempts[0].timeout == 5.0


def test_what_there_is_no_time_for_comes_again() -> None:
    bells = Bells()
    ids = accepted(bells, 20)
    record = bells.agent._parts.ledger.record

    def slowly(action: Action) -> None:
        bells.clock.pass_time(1.0)
        record(action)

    bells.agent._parts.ledger.record = slowly  # type: ignore[method-assign]
    records = bells.stream
    again = bells.hand_on(records, seconds=15.0)["batchItemFailures"]
    unfinished = [
        named(record) for record, action_id in zip(records, ids, strict=True) if not ends_well(bells, action_id)
    ]
    assert [failure["itemIdentifier"] for failure in again] == unfinished
    assert 0 < len(unfinished) < 20
    for _ in range(20):
        bells.hand_on(records, seconds=15.0)
    assert sorted(bells.effects) == sorted(ids)


def ends_well(bells: Bells, action_id: str) -> bool:
    return bells.status(action_id) == "succeeded"


# -- whoever tampers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["MODIFY", "REMOVE"])
def test_a_ledger_that_was_tampered_with_is_a_case_for_a_person(what: str, caplog: pytest.LogCaptureFixture) -> None:
    bells = Bells()
    action_id = bells.process(greet())
    tampered = [{**bells.stream[0], "eventName": what, "eventID": name} for name in ("e-1", "e-2")]
    for _ in range(2):
        assert bells.hand_on(tampered) == NOTHING
    told = [f"the ledger was tampered with: {what} of {action_id}.1, says the record e-{number}" for number in (1, 2)]
    assert sorted(case.problem for case in bells.quarantine.cases) == told
    assert {case.action_id for case in bells.quarantine.cases} == {action_id}
    loud = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert sorted(loud) == [f"{action_id} is set aside: {problem}" for problem in told]


# -- the queue ---------------------------------------------------------------------------------------------------------


def test_a_message_has_its_action_looked_at() -> None:
    bells = Bells()
    (action_id,) = accepted(bells, 1)
    assert bells.hand_on([message({"action_id": action_id})]) == NOTHING
    assert bells.effects == [action_id]


def test_exactly_the_messages_that_failed_come_again() -> None:
    bells = Bells()
    ids = accepted(bells, 3)
    break_on(bells, ids[1], LedgerUnavailable("throttled"))
    messages = [message({"action_id": action_id}, number) for number, action_id in enumerate(ids)]
    assert bells.hand_on(messages) == failures(messages[1])


def test_a_message_that_is_no_doorbell_is_set_aside() -> None:
    bells = Bells()
    assert bells.hand_on([message("ding dong", 7)]) == NOTHING
    (case,) = bells.quarantine.cases
    assert (case.action_id, case.event_id) == (None, message("", 7)["messageId"])


def test_what_was_set_aside_is_a_doorbell_once_its_cause_is_mended() -> None:
    bells = Bells()
    (action_id,) = accepted(bells, 1)
    record = bells.agent._parts.ledger.record
    break_on(bells, action_id, RuntimeError("a mistake of this release"))
    bells.hand_on(bells.stream)
    bells.agent._parts.ledger.record = record  # type: ignore[method-assign]
    (case,) = bells.quarantine.cases
    assert bells.hand_on([message(as_sent(case))]) == NOTHING
    assert bells.status(action_id) == "succeeded"


def test_what_was_moved_back_too_early_is_kept_again() -> None:
    bells = Bells()
    (action_id,) = accepted(bells, 1)
    bells.poison(action_id)
    bells.hand_on(bells.stream)
    for _ in range(2):
        case = bells.quarantine.cases.pop()
        assert bells.hand_on([message(as_sent(case))]) == NOTHING
        assert [kept.action_id for kept in bells.quarantine.cases] == [action_id]


def test_what_was_moved_back_and_cannot_be_kept_again_stays_in_the_queue() -> None:
    bells = Bells()
    (action_id,) = accepted(bells, 1)
    bells.poison(action_id)
    bells.hand_on(bells.stream)
    bells.quarantine.answers = [Unknown("sqs_500", "SQS answered 500")]
    moved_back = message(as_sent(bells.quarantine.cases.pop()))
    assert bells.hand_on([moved_back]) == failures(moved_back)


def as_sent(case: Case) -> dict[str, Any]:
    """The message of the quarantine's queue."""
    return {
        "action_id": case.action_id,
        "event_id": case.event_id,
        "problem": case.problem,
        "announce": list(case.announce),
    }


# -- what is pushed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "title"),
    [
        ((), "Action Succeeded"),
        ((Permanent("http_404", "no"),), "Action Failed"),
        ((Unknown("timeout", "no answer"),), "Action In Doubt"),
    ],
)
def test_others_hear_of_each_end_and_each_doubt(answers: tuple[Any, ...], title: str) -> None:
    bells = Bells(*answers)
    action_id = bells.process(greet())
    version = len(bells.agent.history(action_id))
    assert bells.hand_on(bells.stream) == NOTHING
    assert bells.announcer.told == [(f"{action_id}:{version}", title)]
    (news,) = bells.announcer.taken
    assert news.response == bells.agent.status(action_id)


def test_others_hear_of_what_was_refused() -> None:
    bells = Bells()
    action_id = bells.process({"action_type": "greet", "parameters": {}})
    bells.hand_on(bells.stream)
    assert bells.announcer.told == [(f"{action_id}:2", "Action Rejected")]


def test_nobody_hears_of_what_goes_on() -> None:
    bells = Bells(Retry("refused", "nobody listens"))
    accepted(bells, 1)
    bells.hand_on(bells.stream, seconds=300.0)
    assert bells.announcer.told == []


def test_others_hear_what_it_was_then_whatever_came_after() -> None:
    bells = Bells(Permanent("http_404", "no such account"))
    action_id = bells.process(greet())
    bells.agent.redrive(action_id, actor="ada", reason="there is one now")
    bells.agent.advance(action_id)
    bells.hand_on(bells.stream)
    failed, succeeded = bells.announcer.taken
    assert (failed.event_id, failed.title) == (f"{action_id}:5", "Action Failed")
    assert failed.response["status"] == "failed"
    assert failed.response["error"]["code"] == "http_404"
    assert (succeeded.event_id, succeeded.response["status"]) == (f"{action_id}:8", "succeeded")
    assert succeeded.response["error"] is None


DOWN = Retry("connect_failed", "nobody listens")


def test_news_that_are_not_taken_now_hold_up_no_record_and_are_told_later() -> None:
    bells = Bells()
    action_id = bells.process(greet())
    bells.announcer.refusals = {f"{action_id}:4": DOWN}
    assert bells.hand_on(bells.stream) == NOTHING
    assert bells.doorbells.asked == [(action_id, 60.0)]
    assert bells.doorbells.announced == [(action_id, [4])]
    later = message({"action_id": action_id, "announce": [4]})
    assert bells.hand_on([later]) == failures(later), "the queue brings it again, and keeps it in the end"
    assert len(bells.doorbells.announced) == 1
    bells.announcer.refusals = {}
    assert bells.hand_on([later]) == NOTHING
    assert bells.announcer.told == [(f"{action_id}:4", "Action Succeeded")]


def test_news_for_which_no_doorbell_is_taken_on_come_again() -> None:
    bells = Bells()
    action_id = bells.process(greet())
    bells.announcer.refusals = {f"{action_id}:4": DOWN}
    bells.doorbells.failure = Unknown("sqs_500", "SQS answered 500")
    assert bells.hand_on(bells.stream) == failures(*bells.stream)


def test_without_doorbells_news_that_are_not_taken_now_are_told_again() -> None:
    bells = Bells(world={"doorbells": None})
    first, second = (bells.process(greet()) for _ in range(2))
    bells.announcer.refusals = {f"{first}:4": Retry("entry_failed", "throttled")}
    records = bells.stream
    assert bells.hand_on(records) == failures(*[record for record in records if of(record) == first])
    assert [event_id for event_id, _ in bells.announcer.told] == [f"{second}:4"]
    bells.announcer.refusals = {}
    assert bells.hand_on(records) == NOTHING
    assert {event_id for event_id, _ in bells.announcer.told} == {f"{first}:4", f"{second}:4"}
    assert sorted(bells.effects) == sorted([first, second])


def of(record: Record) -> str:
    action_id: str = record["dynamodb"]["Keys"]["pk"]["S"]
    return action_id


def test_news_that_nobody_will_ever_take_are_set_aside_and_can_be_told_later() -> None:
    bells = Bells()
    action_id = bells.process(greet())
    bells.announcer.refusals = {f"{action_id}:4": Permanent("http_410", "webhook crm answered 410")}
    assert bells.hand_on(bells.stream) == NOTHING
    (case,) = bells.quarantine.cases
    assert (case.action_id, case.event_id, case.announce) == (action_id, f"{action_id}:4", (4,))
    assert case.problem == "Action Succeeded was not taken: webhook crm answered 410"
    bells.announcer.refusals = {}
    assert bells.hand_on([message(as_sent(case))]) == NOTHING
    assert bells.announcer.told == [(f"{action_id}:4", "Action Succeeded")]


def test_news_that_are_refused_again_after_they_were_moved_back_are_kept_again() -> None:
    bells = Bells()
    action_id = bells.process(greet())
    bells.announcer.refusals = {f"{action_id}:4": Permanent("http_410", "webhook crm answered 410")}
    bells.hand_on(bells.stream)
    for _ in range(2):
        case = bells.quarantine.cases.pop()
        assert bells.hand_on([message(as_sent(case))]) == NOTHING
        assert [kept.announce for kept in bells.quarantine.cases] == [(4,)]
    assert bells.hand_on(bells.stream) == NOTHING
    assert len(bells.quarantine.cases) == 1, "a record that comes again is not set aside again"


def test_news_that_can_neither_be_told_nor_set_aside_come_again() -> None:
    bells = Bells(world={"doorbells": None})
    action_id = bells.process(greet())
    bells.announcer.refusals = {f"{action_id}:4": Permanent("http_410", "gone")}
    bells.quarantine.answers = [Unknown("sqs_500", "SQS answered 500")]
    assert bells.hand_on(bells.stream) == failures(*bells.stream)


def test_an_announcer_that_breaks_hurts_nobody_else() -> None:
    class Broken:
        def announce(self, news: Any, *, timeout: float) -> Any:
            raise KeyError("the password is hunter2")

    listening = FakeAnnouncer()
    bells = Bells(world={"announcers": (Broken(), listening)})
    action_id = bells.process(greet())
    assert bells.hand_on(bells.stream) == NOTHING
    assert listening.told == [(f"{action_id}:4", "Action Succeeded")]
    assert bells.quarantine.cases[0].problem == "Action Succeeded was not taken: the announcer fails: KeyError"


def test_news_for_which_there_is_no_time_come_again() -> None:
    class Slow(ScriptedProvider):
        def __call__(self, attempt: Attempt) -> Outcome:
            bells.clock.pass_time(57.0)
            return super().__call__(attempt)

    bells = Bells(world={"extras": {"provider": Slow()}})
    bells.process({"action_type": "greet", "parameters": {}})
    (action_id,) = accepted(bells, 1)
    refused, waits = bells.stream
    assert bells.hand_on([waits], seconds=60.0) == NOTHING
    assert bells.hand_on([refused, bells.stream[-1]], seconds=3.4) == failures(refused, bells.stream[-1])
    assert bells.announcer.told == []
    bells.hand_on([refused, bells.stream[-1]])
    assert (f"{action_id}:4", "Action Succeeded") in bells.announcer.told


@pytest.mark.parametrize("versions", [[1], [2], [3], [5], [999], []])
def test_a_message_cannot_announce_what_was_no_news(versions: list[int]) -> None:
    bells = Bells()
    action_id = bells.process(greet())
    assert bells.hand_on([message({"action_id": action_id, "announce": versions})]) == NOTHING
    assert bells.announcer.told == []


def test_a_poison_that_was_to_be_told_says_so_in_quarantine() -> None:
    bells = Bells()
    action_id = bells.process(greet())
    ends = bells.stream[-1]
    bells.poison(action_id)
    bells.hand_on([ends])
    (case,) = bells.quarantine.cases
    assert case.announce == (4,)


# -- what is counted ---------------------------------------------------------------------------------------------------


def metrics(printed: str) -> list[dict[str, Any]]:
    """The lines of metrics, each without what every line has."""
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith('{"_aws"')]
    for line in lines:
        (about,) = line.pop("_aws")["CloudWatchMetrics"]
        assert about["Namespace"] == "ExecutionAgent"
    return lines


def test_ends_are_counted_by_status(capsys: pytest.CaptureFixture[str]) -> None:
    bells = Bells(Permanent("http_404", "no"), Unknown("timeout", "no answer"))
    for _ in range(5):
        bells.process(greet())
    bells.hand_on(bells.stream)
    assert metrics(capsys.readouterr().out) == [
        {"Status": "failed", "ActionsEnded": [1.0]},
        {"Status": "in_doubt", "ActionsEnded": [1.0]},
        {"Status": "succeeded", "ActionsEnded": [3.0]},
    ]


def test_what_comes_again_is_counted_when_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    bells = Bells(world={"doorbells": None})
    ids = [bells.process(greet()) for _ in range(3)]
    bells.announcer.refusals = {f"{ids[1]}:4": Retry("entry_failed", "throttled")}
    records = [record for record in bells.stream if "attempted" not in json.dumps(record)]
    assert bells.hand_on(records) == failures(records[1])
    bells.announcer.refusals = {}
    bells.hand_on(records[1:])
    counted = [line["ActionsEnded"] for line in metrics(capsys.readouterr().out)]
    assert counted == [[1.0], [2.0]]


def test_an_end_that_others_hear_of_later_is_counted_at_once_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    bells = Bells()
    action_id = bells.process(greet())
    bells.announcer.refusals = {f"{action_id}:4": DOWN}
    bells.hand_on(bells.stream)
    bells.announcer.refusals = {}
    bells.hand_on([message({"action_id": action_id, "announce": [4]})])
    assert metrics(capsys.readouterr().out) == [{"Status": "succeeded", "ActionsEnded": [1.0]}]


def test_a_record_that_is_there_twice_counts_once(capsys: pytest.CaptureFixture[str]) -> None:
    bells = Bells()
    action_id = bells.process(greet())
    bells.hand_on([*bells.stream, *bells.stream, message({"action_id": action_id, "announce": [4]})])
    assert metrics(capsys.readouterr().out) == [{"Status": "succeeded", "ActionsEnded": [1.0]}]


def test_what_is_set_aside_is_counted_once(capsys: pytest.CaptureFixture[str]) -> None:
    bells = Bells()
    ids = accepted(bells, 2)
    for action_id in ids:
        bells.poison(action_id)
    for _ in range(2):
        bells.hand_on(bells.stream)
    assert metrics(capsys.readouterr().out) == [{"Quarantined": [2.0]}]


def test_nothing_is_counted_where_nothing_ends(capsys: pytest.CaptureFixture[str]) -> None:
    bells = Bells()
    accepted(bells, 2)
    bells.hand_on(bells.stream)
    assert capsys.readouterr().out == ""


# -- events that anybody might send ------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
NAMES = [
    *("Records", "eventSource", "eventName", "eventID", "eventSourceARN", "dynamodb", "Keys", "NewImage", "pk", "sk"),
    *("SequenceNumber", "events", "S", "N", "L", "M", "B", "type", "body", "messageId", "action_id", "announce"),
]
RECORDS = st.recursive(
    JSON | st.sampled_from(["aws:dynamodb", "aws:sqs", "INSERT", "MODIFY", "succeeded", "1", '{"action_id": "act_1"}']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=150)
@given(event=JSON | RECORDS | st.fixed_dictionaries({"Records": st.lists(RECORDS, max_size=4)}))
def test_whatever_comes_is_answered_or_shows_that_the_trigger_is_wrong(event: Any) -> None:
    bells = Bells()
    answer = NOTHING
    with suppress(ConfigurationError):
        answer = answer_knocks(bells.agent, event, Context(60.0))
    assert answer == NOTHING


@settings(max_examples=100)
@given(data=st.data())
def test_a_record_that_was_damaged_is_answered_too(data: st.DataObject) -> None:
    bells = Bells()
    (action_id,) = accepted(bells, 1)
    healthy, damaged = bells.stream[0], copy.deepcopy(bells.stream[0])
    place: Any = damaged
    while isinstance(place, dict) and place:
        parent, member = place, data.draw(st.sampled_from(sorted(place)))
        place = parent[member]
        if data.draw(st.booleans()):
            break
    parent[member] = data.draw(JSON)
    assert bells.hand_on([damaged, healthy]) == NOTHING
    assert bells.effects == [action_id]


@pytest.mark.parametrize("event", [None, {}, {"Records": None}, greet(), {"Records": [{"eventSource": "aws:s3"}]}])
def test_a_wrong_trigger_fails_loudly(event: Any) -> None:
    with pytest.raises(ConfigurationError, match="mend its trigger"):
        answer_knocks(Bells().agent, event, Context(60.0))


def test_a_console_has_no_context() -> None:
    bells = Bells()
    (action_id,) = accepted(bells, 1)
    assert answer_knocks(bells.agent, {"Records": bells.stream}, None) == NOTHING
    assert bells.effects == [action_id]
