"""Taking back: by an action of its own, once, and nothing is lost between the two."""

from __future__ import annotations

from typing import Any

import pytest

from domain.base_action import Compensation
from domain.errors import LedgerConflict
from domain.outcome import Permanent, Retry, Succeeded, Unknown
from projections.news import news_of
from tests.fakes import FakeClock, Greet, GreetReversibly, ScriptedProvider, Ungreet, fake_world
from tests.house import agent_with, greet, words

ADA = {"actor": "ada", "reason": "the wrong customer"}
DONE = Succeeded({"greeting": "Hello"})
NEVER = Permanent("http_404", "no such thing")


class Died(BaseException):
    """The process is gone: nothing after it is carried out."""


class House:
    """An agent that has greeted somebody, and can take it back."""

    def __init__(self, *answers: Any, name: str = "Ada", action_type: str = "greet_reversibly") -> None:
        self.clock, self.provider = FakeClock(), ScriptedProvider(DONE, *answers)
        self.extras: dict[str, Any] = {"provider": self.provider}
        self.agent = agent_with(world=fake_world(clock=self.clock, extras=self.extras))
        self.done = self.agent.process({"action_type": action_type, "parameters": {"name": name}})
        self.id: str = self.done["action_id"]

    def undo(self, **more: Any) -> dict[str, Any]:
        return self.agent.undo(self.id, **{**ADA, **more})

    @property
    def words(self) -> list[str]:
        return words(self.agent, self.done)

    @property
    def compensation(self) -> dict[str, Any]:
        return self.agent.status(self.agent.status(self.id)["result"]["compensation"])


def test_what_was_done_is_taken_back_by_an_action_of_its_own() -> None:
    house = House()
    answer = house.undo()
    assert (answer["action_id"], answer["status"], answer["error"]) == (house.id, "compensated", None)
    assert house.words[-3:] == ["succeeded", "compensation_requested", "compensated"]
    first = house.agent.history(house.compensation["action_id"])[0]["data"]["request"]
    assert first == {
        "action_type": "ungreet",
        "parameters": {"name": "Ada"},
        "compensates": house.id,
        "decision": {"agent": "ada", "reason": "the wrong customer"},
    }
    assert house.compensation["status"] == "succeeded"
    assert answer["result"] == {"greeting": "Hello", "compensation": house.compensation["action_id"]}


def test_undone_twice_is_undone_once() -> None:
    house = House()
    first = house.undo()
    assert house.undo() == {**first, "duplicate": True}
    assert len(house.provider.attempts) == 2
    assert house.words.count("compensation_requested") == 1


def test_what_cannot_be_taken_back_says_so_and_what_can_be_done_instead() -> None:
    house = House(action_type="greet")
    answer = house.undo()
    assert (answer["status"], answer["error"]["code"]) == ("succeeded", "irreversible")
    assert house.words[-1] == "succeeded"


def test_undo_needs_an_actor_a_reason_and_an_action() -> None:
    house = House()
    assert house.undo(actor="")["error"]["code"] == "missing_field"
    assert house.undo(reason="")["error"]["code"] == "missing_field"
    assert house.agent.undo("act_nobody", **ADA)["error"]["code"] == "not_found"
    assert house.words[-1] == "succeeded"


def test_what_is_in_doubt_is_resolved_before_it_is_taken_back() -> None:
    agent = agent_with(ScriptedProvider(Unknown("timed_out", "no answer")))
    doubtful = agent.process(greet())
    answer = agent.undo(doubtful["action_id"], **ADA)
    assert (answer["status"], answer["error"]["code"]) == ("in_doubt", "conflict")
    assert "resolve" in answer["error"]["message"]


def test_what_did_not_happen_cannot_be_taken_back() -> None:
    agent = agent_with(ScriptedProvider(NEVER))
    failed = agent.process({"action_type": "greet_reversibly", "parameters": {"name": "Ada"}})
    assert agent.undo(failed["action_id"], **ADA)["error"]["code"] == "conflict"


def test_a_compensation_that_fails_is_shown_and_can_be_redriven() -> None:
    house = House(NEVER)
    answer = house.undo()
    assert (answer["status"], answer["error"]["code"]) == ("compensation_failed", "http_404")
    compensation_id = house.compensation["action_id"]
    assert answer["result"] == {"greeting": "Hello", "compensation": compensation_id, "owner": ADA["actor"]}
    assert news_of(house.agent._parts.ledger.load(house.id)).response["result"]["owner"] == ADA["actor"]
    assert house.agent.redrive(compensation_id, **ADA)["status"] == "scheduled"
    assert house.agent.advance(compensation_id)["status"] == "succeeded"
    assert house.agent.status(house.id)["status"] == "compensated"


def test_a_compensation_that_is_refused_is_shown_as_failed() -> None:
    house = House(name="Mallory")
    answer = house.undo()
    assert answer["status"] == "compensation_failed"
    assert house.compensation["status"] == "rejected"


def test_a_compensation_that_retries_is_compensating_until_it_has_succeeded() -> None:
    house = House(Retry("connection_refused", "nobody listens"))
    assert house.undo(wait=0.7)["status"] == "compensating"
    house.clock.pass_time(30)
    assert house.agent.advance(house.compensation["action_id"])["status"] == "succeeded"
    assert house.agent.status(house.id)["status"] == "compensated"


def test_a_compensation_in_doubt_keeps_its_action_compensating_until_a_person_resolves_it() -> None:
    unknown = Unknown("timed_out", "no answer")
    house = House(unknown, unknown, unknown, unknown)
    assert house.undo()["status"] == "compensating"
    compensation_id = house.compensation["action_id"]
    assert house.compensation["status"] == "in_doubt"
    house.agent.resolve(compensation_id, executed=True, **ADA)
    assert house.agent.status(house.id)["status"] == "compensated"


# -- a person looks -------------------------------------------------------------------------------------------------


def test_what_was_changed_since_is_held_with_the_difference_and_goes_on_by_force() -> None:
    house = House()
    house.extras["changed"] = {"answer": "hello yourself"}
    assert house.undo()["status"] == "compensating"
    held = house.compensation
    assert held["result"]["held"]["details"] == {"answer": "hello yourself"}
    again = house.undo(force=True, reason="they agree")
    assert (again["status"], again["duplicate"]) == ("compensating", True)
    house.agent.advance(held["action_id"])
    assert house.agent.status(house.id)["status"] == "compensated"
    approved = next(entry for entry in house.agent.history(held["action_id"]) if entry["type"] == "approved")
    assert approved["data"]["why"] == "they agree"


def test_force_goes_past_nothing_that_nobody_has_seen() -> None:
    house = House()
    house.extras["changed"] = {"answer": "hello yourself"}
    house.undo(force=True)
    assert house.compensation["status"] == "held"
    shown = house.compensation["result"]["held"]["request_hash"]
    assert house.undo(force=True, request_hash="0" * 64)["error"]["code"] == "conflict"
    assert house.compensation["status"] == "held"
    house.undo(force=True, request_hash=shown)
    assert house.compensation["status"] == "scheduled"
    house.agent.advance(house.compensation["action_id"])
    assert house.agent.status(house.id)["status"] == "compensated"


def test_force_that_meets_another_writer_decides_anew() -> None:
    house = House()
    house.extras["changed"] = {"answer": "hello yourself"}
    house.undo()
    ledger = house.agent._parts.ledger
    record, beaten = ledger.record, []

    def beaten_once(action: Any) -> None:
        if not beaten:
            beaten.append(action)
            raise LedgerConflict("another writer was first")
        record(action)

    ledger.record = beaten_once  # type: ignore[method-assign]
    house.undo(force=True)
    assert house.compensation["status"] == "scheduled"


def test_what_was_denied_by_mistake_can_be_asked_for_anew() -> None:
    house = House()
    house.extras["changed"] = {"answer": "hello yourself"}
    house.undo()
    first = house.compensation["action_id"]
    house.agent.deny(first, **ADA)
    assert house.undo()["status"] == "compensating"
    second = house.compensation["action_id"]
    assert second != first
    house.agent.approve(second, **ADA)
    house.agent.advance(second)
    assert house.agent.status(house.id)["status"] == "compensated"
    assert house.agent.history(second)[0]["data"]["request"]["compensation_number"] == 2
    assert house.undo()["duplicate"] is True


def test_what_was_refused_once_can_be_taken_back_when_its_cause_is_mended() -> None:
    house = House()
    types = house.agent._parts.action_types
    ungreet = types._by_name.pop("ungreet")
    assert house.undo()["status"] == "compensation_failed"
    assert house.compensation["status"] == "rejected"
    types._by_name["ungreet"] = ungreet
    assert house.undo()["status"] == "compensated"


def test_what_failed_is_redriven_and_not_begun_anew() -> None:
    house = House(NEVER)
    first = house.undo()
    assert house.undo() == {**first, "duplicate": True}
    assert house.words.count("compensation_requested") == 1


@pytest.mark.parametrize(("length", "end"), [(150_000, "compensated"), (300_000, "succeeded")])
def test_what_would_take_it_back_may_be_as_large_as_a_request_and_no_larger(length: int, end: str) -> None:
    class Wordy(GreetReversibly):
        def compensation(self, done: Any) -> Compensation:
            return Compensation("ungreet", {"name": "x" * length})

    agent = agent_with(world=fake_world(extras={"provider": ScriptedProvider()}), actions=(Wordy, Ungreet))
    done = agent.process({"action_type": "greet_reversibly", "parameters": {"name": "Ada"}})
    answer = agent.undo(done["action_id"], **ADA)
    assert answer["status"] == end
    assert (answer["error"] or {}).get("code") == (None if end == "compensated" else "too_large")


def test_a_denied_compensation_has_failed() -> None:
    house = House()
    house.extras["changed"] = {"answer": "hello yourself"}
    house.undo()
    house.agent.deny(house.compensation["action_id"], **ADA)
    answer = house.agent.status(house.id)
    assert (answer["status"], answer["error"]["code"]) == ("compensation_failed", "denied")


# -- nothing is lost ------------------------------------------------------------------------------------------------


def test_a_process_that_dies_after_the_request_leaves_it_to_the_next_one() -> None:
    house = House(Died())
    with pytest.raises(Died):
        house.undo()
    compensation_id = house.agent.history(house.id)[-1]["data"]["compensation"]
    assert house.agent.status(compensation_id)["status"] == "attempted"
    house.clock.pass_time(120)
    assert house.agent.advance(compensation_id)["status"] == "retrying"
    house.clock.pass_time(60)
    house.agent.advance(compensation_id)
    assert house.agent.status(house.id)["status"] == "compensated"


def test_a_compensation_that_was_never_made_is_made_by_whoever_looks() -> None:
    house = House()
    ledger = house.agent._parts.ledger  # the only way to die between two commits
    record, asked = ledger.record, []

    def dies_after_the_first(action: Any) -> None:
        if asked:
            raise Died
        asked.append(record(action))

    ledger.record = dies_after_the_first  # type: ignore[method-assign]
    with pytest.raises(Died):
        house.undo()
    ledger.record = record  # type: ignore[method-assign]
    assert house.words[-1] == "compensation_requested"
    assert house.agent.advance(house.id)["status"] == "compensating"
    house.clock.pass_time(60)
    assert house.agent.advance(house.id)["status"] == "compensated"


def test_an_end_that_was_not_told_is_found_by_whoever_looks() -> None:
    house = House()
    ledger = house.agent._parts.ledger
    record = ledger.record

    def dies_at_the_end(action: Any) -> None:
        if any(event.life == "compensated" for event in action.pending_events):
            raise Died
        record(action)

    ledger.record = dies_at_the_end  # type: ignore[method-assign]
    with pytest.raises(Died):
        house.undo()
    ledger.record = record  # type: ignore[method-assign]
    assert house.words[-1] == "compensation_requested"
    house.clock.pass_time(60)
    assert house.agent.advance(house.id)["status"] == "compensated"


def test_whoever_looks_for_nothing_looks_less_and_less_often() -> None:
    house = House()
    house.extras["changed"] = {"answer": "hello yourself"}
    house.undo()
    before = len(house.words)
    for _ in range(365):
        house.clock.pass_time(86_400)
        house.agent.advance(house.id)
    assert 10 <= len(house.words) - before <= 30


def test_whoever_undoes_again_finds_what_nobody_told() -> None:
    house = House()
    ledger = house.agent._parts.ledger
    record = ledger.record

    def dies_at_the_end(action: Any) -> None:
        if any(event.life == "compensated" for event in action.pending_events):
            raise Died
        record(action)

    ledger.record = dies_at_the_end  # type: ignore[method-assign]
    with pytest.raises(Died):
        house.undo()
    ledger.record = record  # type: ignore[method-assign]
    assert house.undo()["status"] == "compensated"


def test_what_was_done_in_time_is_taken_back_after_its_time() -> None:
    house = House()
    house.extras["changed"] = {"answer": "hello yourself"}
    expiring = {"action_type": "greet_reversibly", "parameters": {"name": "Ada"}}
    asked = house.agent.process({**expiring, "options": {"expires_at": "2026-03-01T12:00:30Z"}})
    house.agent.undo(asked["action_id"], **ADA)
    house.clock.pass_time(60)
    house.agent.advance(asked["action_id"])
    told = words(house.agent, asked)
    for _ in range(3):
        house.agent.advance(asked["action_id"])
    assert words(house.agent, asked) == told
    assert told[-1] == "deferred"


def test_two_who_undo_at_once_make_one_compensation() -> None:
    house = House()
    ledger = house.agent._parts.ledger
    record = ledger.record
    rival: list[Any] = []

    def beaten_once(action: Any) -> None:
        if not rival:
            rival.append(None)
            rival.append(house.agent.undo(house.id, actor="bob", reason="me first"))
            raise LedgerConflict("another writer was first")
        record(action)

    ledger.record = beaten_once  # type: ignore[method-assign]
    answer = house.undo()
    assert (answer["status"], answer["duplicate"]) == ("compensated", True)
    assert len(house.provider.attempts) == 2


def test_a_type_that_is_gone_fails_the_compensation_and_not_the_worker() -> None:
    house = House()
    house.extras["changed"] = {}
    types = house.agent._parts.action_types
    reversible = types._by_name["greet_reversibly"]

    class Broken(type(reversible)):  # type: ignore[misc]
        def compensation(self, done: Any) -> Any:
            raise ValueError("cannot say")

    types._by_name["greet_reversibly"] = Broken()
    answer = house.undo()
    assert answer["error"]["code"] == "action_type_broken"
    assert house.words[-1] == "succeeded"


def test_the_wish_of_a_client_to_compensate_is_refused() -> None:
    house = House()
    forged = house.agent.process({**greet(), "compensates": house.id})
    assert forged["error"]["code"] == "unknown_field"
    assert house.words[-1] == "succeeded"


def test_what_takes_something_back_is_not_taken_back_itself() -> None:
    """Or its action would go on saying that it is."""

    class Regreet(Ungreet):
        def compensation(self, done: Any) -> Compensation:
            return Compensation("greet", {"name": done.parameters["name"]})

    agent = agent_with(
        world=fake_world(extras={"provider": ScriptedProvider()}), actions=(Greet, GreetReversibly, Regreet)
    )
    done = agent.process({"action_type": "greet_reversibly", "parameters": {"name": "Ada"}})
    compensation = agent.undo(done["action_id"], **ADA)["result"]["compensation"]
    assert agent.undo(compensation, **ADA)["error"]["code"] == "irreversible"
    order = {"act": lambda action_id: agent.undo(action_id, **ADA), "status": "succeeded"}
    report = agent.carry_out_bulk(bulk_id=agent.count_bulk("succeeded")["bulk_id"], **order)
    assert [item["error"]["code"] for item in report] == ["irreversible"]
    assert agent.status(done["action_id"])["status"] == "compensated"
