"""One run: a store, providers, processes, callers, workers and people, all out of one seed.

For ten minutes everything may go wrong. Then the faults stop, time passes until nothing is due any more, and the books
are compared with the ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any, TypeVar

from adapters.memory_gates import MemoryGates
from agents.execution_agent.config import Settings
from domain.errors import LedgerError
from projections.view import ActionView
from tests.simulation.books import Books, Violation
from tests.simulation.calls import GONE, Call, Crashed, Endless, PutAside
from tests.simulation.faults import CALM, NONE, PROFILES, Faults, Kind, Port, Trouble
from tests.simulation.judgement import broken_promises, totals_of
from tests.simulation.loop import Loop
from tests.simulation.people import ACTIVE_UNTIL, Callers, Operators, Workers
from tests.simulation.processes import BEGINNING, Process
from tests.simulation.provider import Provider
from tests.simulation.run_promises import broken_run_promises
from tests.simulation.store import SimulatedStore
from tests.simulation.story import Story
from tests.simulation.workflows import Starters

T = TypeVar("T")

MOST_ROUNDS = 400
"""Times that something is due after the faults have stopped. More means that it never ends."""
JUMP = 600.0
"""Seconds by which a clock jumps, to either side."""
MEMORY = {"PERSISTENCE_MODULE": "adapters.memory_events"}
DEFAULTS = replace(Settings.from_environment({}), ledger=MEMORY)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a run is made of."""

    seed: int
    actions: int = 30
    workers: int = 3
    processes: int = 2
    faults: str = "heavy"
    workflows: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a run."""

    seed: int
    digest: str
    totals: Counter[str]
    violations: tuple[Violation, ...]


class Run:
    """One seed."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.random = Random(setup.seed)
        self.loop = Loop()
        self.story = Story()
        self.books = Books()
        self.faults: Faults = PROFILES[setup.faults]
        self.sees_deaths = self.random.random() < 0.5
        self.settings = replace(
            DEFAULTS,
            max_retries=self.random.randrange(4),
            backoff=timedelta(seconds=self.random.choice((0.2, 1.0, 5.0))),
        )
        self.store = SimulatedStore(self)
        self.gates = MemoryGates()
        self.provider = Provider(self)
        self.workers = Workers(self)
        self.starters = Starters(self)
        self.slots = [Process(self, f"p{number}.1") for number in range(setup.processes)]
        self._calls = 0
        self._call: Call | None = None
        self._starts = 1

    @property
    def call(self) -> Call:
        """Whose question it is."""
        if self._call is None:
            raise AssertionError("a port was asked, and nobody runs")
        return self._call

    # -- from beginning to end --------------------------------------------------------------------------------------

    def invite(self) -> None:
        """Everybody who will come, each at a time of their own."""
        Callers(self).come(self.setup.actions)
        Operators(self).come(self.setup.actions + 3 * self.setup.workflows)
        self.starters.come(self.setup.workflows)
        self._plan_kills()

    def finish(self) -> Result:
        """Lives through it all, and judges it."""
        self.invite()
        self.workers.start(self.setup.workers)
        self.loop.run(until=ACTIVE_UNTIL)
        self.faults = NONE
        self.loop.run()
        self._drain()
        self._require_answers()
        violations = [
            *self.books.violations,
            *broken_promises(self.books, self.settings.max_retries),
            *broken_run_promises(self.books),
        ]
        totals = self.books.count + totals_of(self.books)
        return Result(self.setup.seed, self.story.digest(), totals, tuple(violations))

    def forget(self) -> None:
        """Lets go of everything at once. Whoever plays thousands of runs has no time for a garbage collector."""
        for part in (self, self.books, self.store, self.provider, self.loop, self.story):
            vars(part).clear()

    def _plan_kills(self) -> None:
        for slot in range(len(self.slots)):
            if self.random.random() < self.faults.kills:
                self.loop.after(self.random.uniform(10.0, ACTIVE_UNTIL), partial(self._kill, slot))

    def _drain(self) -> None:
        """Whatever is due is done, by a process that is well."""
        well = Process(self, "well")
        self.starters.end_all_schedules(well)
        for _ in range(MOST_ROUNDS):
            due_at = self.store.next_due(self._waits_for_a_person)
            if due_at is None:
                return
            # A few seconds late: what is due soon after is done in the same go.
            self.loop.now = max(self.loop.now, (due_at - BEGINNING).total_seconds() + 2.0)
            self.begin(well, "look", well.look, partial(self._advance_all, well))
            self.loop.run()
        self.books.broken("", "it comes to an end", f"after {MOST_ROUNDS} looks there is still something due")

    def _waits_for_a_person(self, view: ActionView) -> bool:
        """What is taken back by an action that is held or in doubt is looked at for ever, and nothing comes of it.

        Nor does a run go on that somebody has paused.
        """
        if view.status == "paused":
            return True
        if view.status != "compensating":
            return False
        asked = [event for event in self.books.lives[view.action_id] if event.kind == "compensation_requested"]
        return self.books.end_of(asked[-1].says["compensation"]) in ("held", "in_doubt")

    def _require_answers(self) -> None:
        for process in self.slots:
            for call in process.calls.values():
                self.books.broken("", "a handler comes to an end", f"{call} was put aside and forgotten")

    def _advance_all(self, process: Process, found: list[str]) -> None:
        for action_id in found:
            self.workers.advance(process, action_id)

    # -- calls ------------------------------------------------------------------------------------------------------

    def begin(
        self,
        process: Process,
        name: str,
        work: Callable[[], Any],
        answered: Callable[[Any], None],
        *,
        at_once: bool = False,
    ) -> None:
        """A handler is called on a process."""
        self._calls += 1
        call = Call(self._calls, name, process, work, answered, at_once=at_once)
        process.calls[call.number] = call
        self._go_on(call)

    def later(self, seconds: float, call: Call) -> None:
        """A call that is put aside goes on then, if its process still lives."""
        self.loop.after(seconds, partial(self._go_on, call))

    def _go_on(self, call: Call) -> None:
        if call.is_over:
            return
        call.begin_again()
        self._call = call
        try:
            answer = call.work()
        except (PutAside, Crashed):
            return
        except LedgerError as error:
            answer = error
        except Endless as error:
            self.books.broken("", "a handler comes to an end", str(call))
            answer = error
        except Exception as error:  # noqa: BLE001 - a handler promises to raise nothing else
            self.books.broken("", "a handler raises what it promised", f"{call}: {error!r}")
            answer = error
        finally:
            self._call = None
        call.end()
        call.is_done = not isinstance(answer, BaseException)
        del call.process.calls[call.number]
        call.answered(answer)

    # -- trouble ----------------------------------------------------------------------------------------------------

    def ask(self, port: Port, act: Callable[[Kind | None], T]) -> T:
        """A question to the world: `act` answers it, once, with the trouble that there is."""
        call = self.call
        trouble: Trouble = call.once(port, partial(self._trouble, call, port))
        if trouble is CALM:
            return call.once("answer", partial(act, None))
        if trouble.before:
            call.pause(trouble.before, self.later)
        answer = call.once("answer", partial(self._answer, call, act, trouble.kind))
        if trouble.after:
            call.pause(trouble.after, self.later)
        return answer

    def _trouble(self, call: Call, port: Port) -> Trouble:
        trouble = self.faults.trouble(port, self.random)
        if trouble is CALM:
            return CALM
        if call.at_once:
            trouble = Trouble(trouble.kind) if trouble.kind in _LEAVES_THE_EFFECT else CALM
        if trouble.kind is not None:
            self.count(port, trouble.kind)
            self.tell(f"{port}: {trouble.kind}", detail=f"{trouble.before:.1f}s before, {trouble.after:.1f}s after")
        return trouble

    def _answer(self, call: Call, act: Callable[[Kind | None], T], kind: Kind | None) -> T:
        if kind is Kind.CRASH_BEFORE:
            self._crash(call.process)
            raise Crashed
        if kind is Kind.CLOCK_JUMP:
            clock = call.process.clock
            clock.offset = self.random.choice((-JUMP, JUMP)) if clock.offset == 0.0 else 0.0
        answer = act(None if kind in _NO_MATTER else kind)
        if kind is Kind.CRASH_AFTER:
            self._crash(call.process)
            raise Crashed
        return answer

    def _kill(self, slot: int) -> None:
        if self.slots[slot].is_alive:
            self._crash(self.slots[slot])

    def _crash(self, process: Process) -> None:
        """Nothing that the process had begun goes on; whoever waits for it hears nothing."""
        process.is_alive = False
        self.books.deaths[process.name] = self.loop.now
        self.books.count["crashes"] += 1
        self.story.tell(self.loop.now, process.name, "crashes")
        for call in process.calls.values():
            call.end()
            self.loop.after(0.0, partial(call.answered, GONE))
        process.calls.clear()
        self.loop.after(self.random.uniform(1.0, 60.0), partial(self._restart, self.slots.index(process)))

    def _restart(self, slot: int) -> None:
        self._starts += 1
        self.slots[slot] = Process(self, f"p{slot}.{self._starts}")

    def somewhere(self) -> Process | None:
        """A process that lives, None when there is none."""
        alive = [process for process in self.slots if process.is_alive]
        return self.random.choice(alive) if alive else None

    def ring(self, action_id: str) -> None:
        """The store's stream says that something has changed: mostly, some time, once or twice."""
        kind = self.faults.kind(Port.DOORBELL, self.random)
        if kind is not None:
            self.count(Port.DOORBELL, kind)
        if kind is Kind.LOST:
            return
        for _ in range(2 if kind is Kind.DOUBLED else 1):
            delay = self.random.uniform(1.0, 200.0) if kind is Kind.LATE else self.random.uniform(0.0, 0.5)
            self.loop.after(delay, lambda: self.workers.advance(self.somewhere(), action_id))

    # -- what is told -----------------------------------------------------------------------------------------------

    def count(self, port: Port, kind: Kind) -> None:
        self.books.count[f"{port}: {kind}"] += 1

    def tell(self, what: str, action_id: str = "", detail: str = "") -> None:
        """The call that runs did something."""
        self.story.tell(self.loop.now, str(self.call), what, action_id, detail)

    def tell_of(self, what: str, action_id: str, detail: str = "") -> None:
        """Something happened by itself."""
        self.story.tell(self.loop.now, "world", what, action_id, detail)


_NO_MATTER = frozenset({None, Kind.SLOW, Kind.FROZEN, Kind.CRASH_AFTER, Kind.CLOCK_JUMP})
"""What changes nothing in how a question is answered."""
_LEAVES_THE_EFFECT = frozenset({Kind.TIME_OUT_AFTER, Kind.CRASH_AFTER})
