"""A queue of requests: done once, in their order, and back in the queue only where nothing was recorded."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.handler import answer
from domain.base_action import Attempt
from domain.outcome import Outcome, Permanent, Unknown
from tests.fakes import FakeClock, ScriptedProvider, fake_world
from tests.house import agent_with, greet
from tests.lambda_calls import Context, failing_ledger

QUEUE = "arn:aws:sqs:eu-central-1:123456789012:requests"


def message(name: str, body: Any, *, group: str | None = None) -> dict[str, Any]:
    """A message; `body` is text, or what becomes JSON. With a group it is of a FIFO queue."""
    return {
        "messageId": name,
        "receiptHandle": "handle",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"} | ({} if group is None else {"MessageGroupId": group}),
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE if group is None else f"{QUEUE}.fifo",
        "awsRegion": "eu-central-1",
    }


def batch(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(messages)}


def failures(*names: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": name} for name in names]}


def test_a_message_is_carried_out_once_however_often_it_comes() -> None:
    agent = agent_with(provider := ScriptedProvider())
    event = batch(message("m-1", greet()), message("m-2", greet()), message("m-1", greet()))
    for _ in range(2):
        assert answer(agent, event, Context()) == failures()
    assert len(provider.attempts) == 2


def test_the_message_id_is_the_key_unless_the_request_brings_a_name_of_its_own() -> None:
    agent = agent_with(provider := ScriptedProvider())
    answer(agent, batch(message("m-1", greet())), Context())
    assert agent.process(greet(idempotency_key="m-1"))["duplicate"] is True
    keyed, decided = greet(idempotency_key="k-1"), greet(decision={"id": "d-1"})
    answer(agent, batch(*[message(f"m-{n}", body) for n, body in enumerate([keyed, keyed, decided, decided], 2)]), None)
    assert len(provider.attempts) == 3


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "7", {}, {"actions": [greet()]}, greet("fly"), greet(surprise=1), "x" * 300_000]
)
def test_what_is_refused_is_done_and_stops_nobody(body: Any) -> None:
    agent = agent_with(provider := ScriptedProvider())
    assert answer(agent, batch(message("m-1", body), message("m-2", greet())), Context()) == failures()
    assert len(provider.attempts) == 1


@pytest.mark.parametrize("outcome", [Permanent("gone", "never"), Unknown("reset", "the connection broke")])
def test_what_failed_or_is_in_doubt_is_done_as_well(outcome: Outcome) -> None:
    agent = agent_with(provider := ScriptedProvider(outcome))
    for _ in range(2):
        assert answer(agent, batch(message("m-1", greet())), Context()) == failures()
    assert len(provider.attempts) == 1


def test_what_could_not_be_recorded_comes_again_and_is_done_then() -> None:
    agent = agent_with(provider := ScriptedProvider())
    event = batch(message("m-1", greet()), message("m-2", greet()), message("m-3", greet()))
    # Two commits for each message: the third one finds a ledger that cannot be used.
    with failing_ledger(agent, after=4):
        assert answer(agent, event, Context()) == failures("m-3")
    assert answer(agent, event, Context()) == failures()
    assert len(provider.attempts) == 3


def test_a_ledger_that_is_not_there_at_all_brings_all_of_them_again() -> None:
    event = batch(message("m-1", greet()), message("m-2", greet()))
    agent = agent_with()
    with failing_ledger(agent):
        assert answer(agent, event, Context()) == failures("m-1", "m-2")


class Slow(ScriptedProvider):
    """Takes its time for each."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__()
        self._clock, self._seconds = clock, seconds

    def __call__(self, attempt: Attempt) -> Outcome:
        self._clock.pass_time(self._seconds)
        return super().__call__(attempt)


def slow_house(seconds: float = 4.0) -> tuple[ExecutionAgent, Slow, FakeClock]:
    clock = FakeClock()
    provider = Slow(clock, seconds)
    return agent_with(world=fake_world(clock=clock, extras={"provider": provider})), provider, clock


def test_with_too_little_time_left_for_an_attempt_the_rest_is_accepted() -> None:
    agent, provider, clock = slow_house()
    event = batch(*[message(f"m-{number}", greet()) for number in range(4)])
    assert answer(agent, event, Context(12.0, clock=clock)) == failures()
    assert Counter(row["status"] for row in agent.list_actions()) == {"succeeded": 2, "scheduled": 2}
    assert provider.attempts[1].timeout == pytest.approx(12.0 - 4.0 - 3.0 - 2 * 0.02)


def test_targets_that_take_all_the_time_that_there_is_keep_no_request_from_being_recorded() -> None:
    agent, _, clock = slow_house(56.0)
    event = batch(*[message(f"m-{number}", greet()) for number in range(10)])
    assert answer(agent, event, Context(60.0, clock=clock)) == failures()
    assert Counter(row["status"] for row in agent.list_actions()) == {"succeeded": 1, "scheduled": 9}


def test_without_the_time_to_record_anything_the_rest_comes_again() -> None:
    agent, _, clock = slow_house(11.1)
    event = batch(*[message(f"m-{number}", greet()) for number in range(3)])
    assert answer(agent, event, Context(12.0, clock=clock)) == failures("m-1", "m-2")
    assert len(agent.list_actions()) == 1


def test_of_a_fifo_queue_what_follows_a_failed_message_in_its_group_waits_for_it() -> None:
    event = batch(
        message("m-1", greet(), group="a"),
        message("m-2", greet(), group="b"),
        message("m-3", greet("fly"), group="b"),
        message("m-4", greet(), group="a"),
        message("m-5", greet(), group="b"),
        message("m-6", greet(), group="a"),
    )
    agent = agent_with(provider := ScriptedProvider())
    # The disk is full for a moment, when the first message of group b comes.
    with failing_ledger(agent, after=2, times=1):
        assert answer(agent, event, Context()) == failures("m-2", "m-3", "m-5")
    assert len(provider.attempts) == 3


def test_a_standard_queue_with_groups_promises_no_order() -> None:
    agent = agent_with()
    grouped = [{**message(name, greet(), group="a"), "eventSourceARN": QUEUE} for name in ("m-1", "m-2", "m-3")]
    with failing_ledger(agent, after=2, times=1):
        assert answer(agent, batch(*grouped), Context()) == failures("m-2")


def test_a_queue_of_fifo_that_fails_as_a_whole_names_every_message() -> None:
    agent = agent_with()
    event = batch(message("m-1", greet(), group="a"), message("m-2", greet(), group="b"))
    with failing_ledger(agent):
        assert answer(agent, event, Context()) == failures("m-1", "m-2")
