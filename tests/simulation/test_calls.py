"""Handlers that are put aside and go on, without a thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.simulation.calls import GONE, MOST_QUESTIONS, Call, Diverged
from tests.simulation.faults import NONE, Kind
from tests.simulation.run import Run, Setup


def quiet_run() -> Run:
    """Nobody comes, and nothing goes wrong."""
    run = Run(Setup(0))
    run.faults = NONE
    return run


class Handler:
    """Asks, waits, and asks again; what it was told is its answer."""

    def __init__(self, run: Run, name: str, waits: float, log: list[str]) -> None:
        self._run = run
        self._name = name
        self._waits = waits
        self._log = log

    def __call__(self) -> list[str]:
        first = self._run.call.once("port", partial(self._happen, "first"))
        self._run.call.pause(self._waits, self._run.later)
        second = self._run.call.once("port", partial(self._happen, "second"))
        return [first, second]

    def _happen(self, what: str) -> str:
        self._log.append(f"{self._name} {what}")
        return f"{what} at {self._run.loop.now:.0f}"


def begin(run: Run, work: Callable[[], Any], slot: int = 0) -> list[Any]:
    """What the call is answered, once it is."""
    answers: list[Any] = []
    run.begin(run.slots[slot], "test", work, answers.append)
    return answers


def test_a_call_that_is_put_aside_asks_the_world_once_and_hears_the_same() -> None:
    run, log = quiet_run(), list[str]()
    answers = begin(run, Handler(run, "a", 5.0, log))
    assert (log, answers) == (["a first"], [])
    run.loop.run()
    assert (log, answers) == (["a first", "a second"], [["first at 0", "second at 5"]])


def test_calls_overlap_in_any_way() -> None:
    run, log = quiet_run(), list[str]()
    begin(run, Handler(run, "a", 5.0, log))
    begin(run, Handler(run, "b", 9.0, log))
    run.loop.run()
    assert log == ["a first", "b first", "a second", "b second"]


def test_nothing_that_a_crashed_process_had_begun_goes_on() -> None:
    run, log = quiet_run(), list[str]()
    answers = begin(run, Handler(run, "a", 5.0, log), slot=0)
    others = begin(run, Handler(run, "b", 5.0, log), slot=1)
    run._kill(0)
    run.loop.run()
    assert log == ["a first", "b first", "b second"]
    assert answers == [GONE]
    assert others == [["first at 0", "second at 5"]]


def test_a_process_that_dies_in_a_call_does_nothing_more() -> None:
    run, log = quiet_run(), list[str]()

    def work() -> None:
        try:
            run._answer(run.call, lambda _: None, Kind.CRASH_BEFORE)
        finally:
            # A `finally` of a process that is gone does not run: whatever it asks, nobody hears it.
            run.call.once("port", partial(log.append, "after"))

    assert begin(run, work) == []
    run.loop.run()
    assert log == []


def test_a_handler_that_does_not_do_the_same_again_is_found_out() -> None:
    run, ports = quiet_run(), iter(["one", "two"])

    def work() -> None:
        run.call.once(next(ports), lambda: None)
        run.call.pause(1.0, run.later)

    begin(run, work)
    with pytest.raises(Diverged, match="asked two where it had asked one"):
        run.loop.run()


def test_a_handler_that_never_ends_is_stopped() -> None:
    run = quiet_run()

    def work() -> None:
        while True:
            run.call.once("port", lambda: None)

    begin(run, work)
    assert [violation.rule for violation in run.books.violations] == ["a handler comes to an end"]
    assert MOST_QUESTIONS < 10_000


def test_a_handler_that_raises_what_it_did_not_promise_is_found_out() -> None:
    run = quiet_run()
    answers = begin(run, lambda: dict[str, str]()["nothing"])
    assert [violation.rule for violation in run.books.violations] == ["a handler raises what it promised"]
    assert isinstance(answers[0], KeyError)


def test_a_call_belongs_to_its_process() -> None:
    run = quiet_run()
    seen: list[Call] = []
    begin(run, lambda: seen.append(run.call))
    assert (seen[0].process, seen[0].is_done) == (run.slots[0], True)
    assert run.slots[0].calls == {}
