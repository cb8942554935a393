"""Those who come to the agent: callers, workers, and people who act on actions."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from domain.action import Verdict
from domain.errors import LedgerError
from domain.instant import to_text
from domain.request import ActionRequest, read_request
from projections.status import Response
from tests.simulation.books import Told
from tests.simulation.calls import GONE
from tests.simulation.processes import BEGINNING, Process
from tests.simulation.provider import WISHED_FOR

if TYPE_CHECKING:
    from tests.simulation.run import Run

REQUESTS_UNTIL = 240.0
"""Seconds in which all requests come, but for those that are sent again."""
ACTIVE_UNTIL = 600.0
"""Seconds in which people act, and in which there are faults."""
MOST_TRIES = 4
"""Times that a caller sends a request of which it heard nothing."""


@dataclass(frozen=True, slots=True)
class Wished:
    """A request, and how long its caller waits for an answer, in seconds."""

    request: ActionRequest
    wait: float


class Callers:
    """Agents that ask, ask again, and ask twice."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def come(self, count: int) -> None:
        """All requests of the run, each at its time."""
        run, random = self._run, self._run.random
        for number in range(count):
            at = random.uniform(0.0, REQUESTS_UNTIL)
            document = _wish(random, number, at)
            wished = Wished(read_request(document), random.choice((0.0, 0.5, 2.0, 12.0, 30.0)))
            run.loop.after(at, partial(self.send, wished))
            if wished.request.idempotency_key or wished.request.decision_id:
                self._come_again(document, wished, at)

    def _come_again(self, document: dict[str, Any], wished: Wished, at: float) -> None:
        """The same once more, at once or later; or something else under the same key."""
        run, random = self._run, self._run.random
        drawn = random.random()
        if drawn < 0.3:
            run.loop.after(at + random.choice((0.0, 1.0, 60.0, 200.0)), partial(self.send, wished))
        elif drawn < 0.38:
            other = deepcopy(document)
            other["parameters"]["wish"] = -1
            run.loop.after(at + random.uniform(0.0, 60.0), partial(self.send, Wished(read_request(other), 1.0)))

    def send(self, wished: Wished, tries: int = 1) -> None:
        process = self._run.somewhere()
        if process is None:
            self._run.loop.after(5.0, partial(self.send, wished, tries))
            return
        receive = partial(process.receive, wished.request, wished.wait)
        self._run.begin(process, "receive", receive, partial(self._answered, wished, tries))

    def _answered(self, wished: Wished, tries: int, answer: Any) -> None:
        run, request = self._run, wished.request
        if isinstance(answer, Response):
            run.books.told.append(Told(answer.action_id, answer.status, request.parameters))
            return
        has_key = bool(request.idempotency_key or request.decision_id)
        if tries < MOST_TRIES and (has_key or run.random.random() < 0.3):
            run.loop.after(run.random.uniform(0.5, 40.0), partial(self.send, wished, tries + 1))


def _wish(random: Random, number: int, at: float) -> dict[str, Any]:
    """A request that comes `at` seconds after the beginning."""
    names = WISHED_FOR
    wish: dict[str, Any] = {"action_type": random.choice(names), "parameters": {"wish": number}}
    options = _options(random, at)
    if random.random() < 0.3:
        options["fallback"] = [
            {"action_type": random.choice(names), "parameters": {"wish": number}}
            for _ in range(random.choice((1, 1, 2)))
        ]
    if options:
        wish["options"] = options
    drawn = random.random()
    if drawn < 0.45:
        wish["idempotency_key"] = f"key-{number}"
    elif drawn < 0.55:
        wish["decision"] = {"id": f"decision-{number}"}
    if random.random() < 0.03:
        wish["parameters"]["wish"] = "none"
    return wish


def _options(random: Random, at: float) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if random.random() < 0.4:
        options["mode"] = "accept"
    if random.random() < 0.7:
        options["retry_policy"] = random.choice(("none", "fixed", "exponential", "exponential"))
    if random.random() < 0.6:
        options["max_retries"] = random.randrange(5)
    starts = at
    if random.random() < 0.15:
        starts = at + random.uniform(2.0, 300.0)
        options["not_before"] = _moment(starts)
    if random.random() < 0.25:
        options["expires_at"] = _moment(starts + random.choice((0.5, 20.0, 120.0, 300.0)))
    return options


def _moment(seconds: float) -> str:
    return to_text(BEGINNING + timedelta(seconds=seconds))


class Workers:
    """Processes that look at the agenda from time to time, and whoever is rung."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def start(self, count: int) -> None:
        for number in range(count):
            self._run.loop.after(self._run.random.uniform(0.0, 20.0), partial(self._look, number))

    def _look(self, number: int) -> None:
        run = self._run
        if run.loop.now > ACTIVE_UNTIL:
            return
        process = run.slots[number % len(run.slots)]
        if process.is_alive:
            run.begin(process, "look", process.look, partial(self._take, process))
        run.loop.after(run.random.uniform(6.0, 60.0), partial(self._look, number))

    def _take(self, process: Process, found: Any) -> None:
        """Each worker takes what is due in an order of its own."""
        if isinstance(found, list):
            self._run.random.shuffle(found)
            for action_id in found:
                self.advance(process, action_id)

    def advance(self, process: Process | None, action_id: str) -> None:
        if process is not None and process.is_alive:
            self._run.begin(process, "advance", partial(process.advance, action_id), _ignore)


def _ignore(_: Any) -> None:
    """A worker keeps nothing: the agenda will tell again what is due."""


class Operators:
    """People with a command line, at any time, sometimes twice. What they say of the world is true."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def come(self, count: int) -> None:
        for _ in range(count):
            self._run.loop.after(self._run.random.uniform(5.0, ACTIVE_UNTIL), self._act)

    def _act(self) -> None:
        run, random = self._run, self._run.random
        process = run.somewhere()
        if process is None or not run.books.status:
            return
        action_id = random.choice(list(run.books.status))
        verb = self._verb(run.books.status[action_id])
        act = partial(self._order, verb, action_id)
        act()
        if random.random() < 0.25:
            run.loop.after(random.choice((0.0, 0.1, 30.0)), act)

    def _verb(self, status: str) -> str:
        """What makes sense mostly, and anything sometimes."""
        sensible = _SENSIBLE.get(status, _VERBS)
        return self._run.random.choice(sensible if self._run.random.random() < 0.8 else _VERBS)

    def _order(self, verb: str, action_id: str) -> None:
        process = self._run.somewhere()
        if process is None:
            return
        if verb == "resolve":
            self._resolve(process, action_id)
        else:
            self._begin(process, verb, partial(process.operate, verb, action_id))

    def _resolve(self, process: Process, action_id: str) -> None:
        """Whoever cannot tell yet says nothing. Nothing comes between looking and saying."""
        books = self._run.books
        if books.effects[action_id]:
            verdict = Verdict.EXECUTED
        elif not books.may_still_happen(action_id):
            verdict = Verdict.NOT_EXECUTED
        else:
            return
        self._begin(process, "resolve", partial(process.operate, "resolve", action_id, verdict), at_once=True)

    def _begin(self, process: Process, verb: str, act: Callable[[], Response], *, at_once: bool = False) -> None:
        self._run.begin(process, verb, act, partial(self._answered, verb), at_once=at_once)

    def _answered(self, verb: str, answer: Any) -> None:
        if answer is GONE or isinstance(answer, LedgerError):
            return
        if answer.error is None or answer.error.code not in ("conflict", "too_late", "irreversible"):
            self._run.books.count[f"verb: {verb}"] += 1


_VERBS = ("cancel", "retry_now", "redrive", "resolve", "approve", "deny", "undo")
_SENSIBLE = {
    "scheduled": ("cancel", "retry_now"),
    "attempted": ("cancel",),
    "retrying": ("cancel", "retry_now"),
    "in_doubt": ("resolve",),
    "failed": ("redrive",),
    "held": ("approve", "approve", "deny", "cancel"),
    "succeeded": ("undo",),
    "compensating": ("undo",),
    "compensation_failed": ("undo",),
}
