"""A call of a handler that can be put aside, without a thread.

A handler is a stack of ordinary calls; nothing can stop it half-way and let another one run. But all that it knows of
the world it hears from its ports. So a call keeps what it heard. To put it aside, its stack is given up; when its time
comes, the handler runs again from its first line and hears the same, until it is where it was. The world is asked once,
so whatever happened has happened once. Any two calls can thus overlap in any way, and every way can be had again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tests.simulation.processes import Process

T = TypeVar("T")

MOST_QUESTIONS = 5_000
"""That a call may ask. The longest life takes a few hundred."""


class Crashed(BaseException):
    """The process is gone, in the middle of whatever it did. Nothing in it can catch this."""


class PutAside(BaseException):
    """The stack is given up for now."""


class Diverged(BaseException):
    """A handler that heard the same did not do the same: it knows something that no port told it."""


class Endless(BaseException):
    """A handler that asks and asks, and never comes to an end."""


class Gone:
    """What a caller gets of a process that crashed: no answer."""


GONE = Gone()


class Call:
    """One call of a handler, on one process. `answered` is told its answer, the error that it raised, or GONE."""

    __slots__ = (
        "answered",
        "at_once",
        "heard",
        "is_done",
        "is_over",
        "is_unwinding",
        "name",
        "number",
        "position",
        "process",
        "refused",
        "slept",
        "work",
    )

    def __init__(
        self,
        number: int,
        name: str,
        process: Process,
        work: Callable[[], Any],
        answered: Callable[[Any], None],
        *,
        at_once: bool = False,
    ) -> None:
        self.number = number
        self.name = name
        self.process = process
        self.work = work
        self.answered = answered
        self.at_once = at_once
        """Nothing comes in between: what its caller knew when it began holds until it is done."""
        self.heard: list[tuple[str, Any]] = []
        self.position = 0
        self.slept = 0
        self.is_unwinding = False
        self.is_over = False
        self.is_done = False
        """It came to its own end: it did not crash, and raised nothing."""
        self.refused = False
        """It has just found that its route cannot be prepared: the attempt that it records next will not be sent."""

    def once(self, port: str, ask: Callable[[], T]) -> T:
        """What the port answers, or answered when the handler was here before."""
        position = self.position
        if position < len(self.heard):
            asked, answer = self.heard[position]
            if asked != port:
                raise Diverged(f"{self}: asked {port} where it had asked {asked}")
            self.position = position + 1
            return answer  # type: ignore[no-any-return]
        if self.is_unwinding:
            raise PutAside
        if position > MOST_QUESTIONS:
            raise Endless
        answer = ask()
        self.heard.append((port, answer))
        self.position = position + 1
        return answer

    def pause(self, seconds: float, later: Callable[[float, Call], None]) -> None:
        """Others run for so long. Returns when the handler comes here again."""
        if self.position < len(self.heard):
            self.once("pause", _never)
            return
        self.once("pause", lambda: later(seconds, self))
        self.give_up()
        raise PutAside

    def begin_again(self) -> None:
        self.position = 0
        self.slept = 0
        self.is_unwinding = False

    def end(self) -> None:
        """It is over: what it heard is of no use to anybody."""
        self.is_over = True
        self.is_unwinding = True
        self.heard.clear()

    def give_up(self) -> None:
        """From here on the stack only unwinds: whatever it still asks, in a `finally`, is not heard."""
        self.is_unwinding = True

    def __str__(self) -> str:
        return f"{self.process.name}/{self.name}-{self.number}"


def _never() -> None:
    raise AssertionError("a pause that is over is not taken again")
