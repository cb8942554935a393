"""A process: the real handlers on a real ledger, in a world whose ports are the run's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from adapters.memory_gates import MemoryGates
from agents.execution_agent.assembly import assemble
from domain.action import Action
from domain.gate import Entry, Health, Limits, Pass
from domain.instant import to_text
from domain.ports import EmailSender, Templates, Webhooks, World
from domain.request import ActionRequest
from domain.workflow import WorkflowRun
from domain.workflow_definition import Definition
from domain.workflow_ledger import Remembered
from handlers.execute import Deadline
from projections.agenda import StoredAgenda
from projections.status import Response
from projections.workflow_status import RunResponse
from tests.simulation.calls import Call
from tests.simulation.faults import Kind, Port
from tests.simulation.provider import TYPES
from tests.simulation.store import put_under

if TYPE_CHECKING:
    from tests.simulation.run import Run

KEY = b"the key of a run"
BEGINNING = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MOST_DUE = 32
"""Rows of the agenda that a worker looks at in one go."""
PATIENCE = 12.0
"""Seconds that a person waits for an undo."""
FEW_SLEEPS = 8
"""After so many in one call a sleeper oversleeps, longer each time: on a busy machine nobody polls for minutes."""


class ProcessClock:
    """The clock of a process, right or wrong."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.offset = 0.0
        """Seconds by which it is ahead."""

    def now(self) -> datetime:
        return self._run.call.once("now", self._read)

    def monotonic(self) -> float:
        return self._run.call.once("monotonic", self._seconds)

    def sleep(self, seconds: float) -> None:
        run, call = self._run, self._run.call
        run.ask(Port.SLEEP, _nothing)
        call.slept += 1
        # In steps of 50 ms, rounded up: some of the jitter that is slept is drawn where no seed reaches.
        seconds = (int(seconds * 20) + 1) / 20
        call.pause(seconds * 1.5 ** max(0, call.slept - FEW_SLEEPS), run.later)

    def text(self) -> str:
        """The time, past all ports."""
        return to_text(self._read())

    def _read(self) -> datetime:
        return BEGINNING + timedelta(seconds=self._run.loop.now + self.offset)

    def _seconds(self) -> float:
        return self._run.loop.now


class RunChance:
    """Chance, from the run's seed."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def uniform(self, low: float, high: float) -> float:
        return self._run.call.once("chance", partial(self._run.random.uniform, low, high))

    def entropy(self, size: int) -> bytes:
        return self._run.call.once("entropy", partial(self._run.random.randbytes, size))


class RunHolders:
    """Who is alive, where that can be seen."""

    def __init__(self, run: Run, name: str) -> None:
        self._run = run
        self._name = name

    def me(self) -> str | None:
        return self._name if self._run.sees_deaths else None

    def is_dead(self, holder: str | None) -> bool:
        return self._run.call.once("dead", lambda: self._run.sees_deaths and holder in self._run.books.deaths)


class RunGates:
    """The gates that all processes share. One that cannot be read is open."""

    def __init__(self, run: Run, shared: MemoryGates) -> None:
        self._run = run
        self._shared = shared

    def enter(
        self, target: str, limits: Limits, token: str, *, now: float, lease_until: float, turn: float | None
    ) -> Entry:
        def enter(kind: Kind | None) -> Entry:
            if kind is Kind.UNREADABLE:
                return Pass(token)
            return self._shared.enter(target, limits, token, now=now, lease_until=lease_until, turn=turn)

        return self._run.ask(Port.GATE, enter)

    def leave(
        self, target: str, limits: Limits, token: str, health: Health, *, now: float, retry_after: float | None
    ) -> None:
        def leave(kind: Kind | None) -> None:
            if kind is not Kind.UNREADABLE:
                self._shared.leave(target, limits, token, health, now=now, retry_after=retry_after)

        self._run.ask(Port.GATE, leave)


class Process:
    """One process, from its start to its crash."""

    def __init__(self, run: Run, name: str) -> None:
        self.name = name
        self.is_alive = True
        self.calls: dict[int, Call] = {}
        """What runs in it, put aside or not."""
        self.clock = ProcessClock(run)
        self._holders = RunHolders(run, name)
        self._agenda = StoredAgenda(run.store)
        world = World(
            clock=self.clock,
            chance=RunChance(run),
            holders=self._holders,
            gates=RunGates(run, run.gates),
            templates=cast("Templates", None),
            email=cast("EmailSender", None),
            webhooks=cast("Webhooks", None),
            extras={"provider": run.provider},
            callback_key=lambda: KEY,
        )
        parts = assemble(run.settings, world=world, actions=TYPES)
        put_under(parts.ledger, run.store)
        self._receive = parts.receive
        self._advance = parts.advance
        self._operate = parts.operate
        self._compensate = parts.compensate
        self._workflows = parts.workflows()
        # A call that is put aside asks the same again, so nothing may be remembered from one call to the next.
        self._workflows.runs._starts = Forgetful()

    def receive(self, request: ActionRequest, wait: float) -> Response:
        """A caller asks, and waits for so many seconds."""
        return self._receive(request, Deadline(self.clock, wait))

    def advance(self, action_id: str) -> Action | WorkflowRun:
        """The doorbell."""
        return self._advance(action_id)

    def look(self) -> list[str]:
        """What a worker finds to do: what is due, and what the dead have left."""
        due = self._agenda.due(self.clock.now(), MOST_DUE)
        attempted = self._agenda.views("attempted", MOST_DUE)
        return [*due, *(row.action_id for row in attempted if self._holders.is_dead(row.holder))]

    def operate(self, verb: str, *arguments: Any) -> Response:
        """A person acts."""
        order = {"actor": "ada", "reason": "it was asked for"}
        if verb == "undo":
            return self._compensate(*arguments, Deadline(self.clock, PATIENCE), **order)
        act = getattr(self._operate, verb)
        response: Response = act(*arguments, **order)
        return response

    def start(self, definition: Definition, key: str, wait: float) -> RunResponse:
        """Somebody starts a workflow, and waits for so many seconds."""
        return self._workflows.start(definition, {}, Deadline(self.clock, wait), idempotency_key=key)

    def schedule(self, definition: Definition) -> RunResponse:
        """Somebody has a workflow begin by itself."""
        return self._workflows.schedules.add(definition, {})

    def operate_run(self, verb: str, run_id: str) -> RunResponse:
        """A person acts on a run."""
        act = getattr(self._workflows.operate, verb)
        response: RunResponse = act(run_id, Deadline(self.clock, PATIENCE), actor="ada", reason="it was asked for")
        return response

    def call_back(self, token: str) -> RunResponse:
        """Somebody brings an answer."""
        return self._workflows.call_back(token, {"wish": 1}, Deadline(self.clock, PATIENCE))


class Forgetful(Remembered[Any]):
    """Asks each time."""

    def get(self, name: str, find: Callable[[], Any]) -> Any:
        return find()


def _nothing(_: Kind | None) -> None:
    """Nobody is asked by a sleep; it may still never end."""
