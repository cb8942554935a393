"""Workflows on an agent whose world is in the hands of the test: what is done at a desk, and what is not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from adapters.memory_events import MemoryRecorder
from agents.execution_agent.agent import ExecutionAgent
from domain.base_action import Attempt, BaseAction, Compensation, Done, Intent, Parameters, Prepared
from domain.errors import NeedsApproval
from domain.hold import Hold
from domain.outcome import Outcome, Succeeded
from domain.policy import Delivery
from domain.ports import World
from projections.agenda import StoredAgenda
from tests.fakes import FakeChance, FakeClock, FakeHolders, fake_world
from tests.house import agent_with

ADA = {"actor": "ada", "reason": "it was asked for"}


class Died(BaseException):
    """The process is gone: nothing after it is carried out."""


class Desk:
    """Does what it is asked, or answers from a script, by name; an exception in a script is raised.

    `done` are the names of what was done and taken back (`undo NAME`), in order; `effects` count by effect key. Whoever
    says `idempotent` is not done twice under one key.
    """

    def __init__(self) -> None:
        self.script: dict[str, list[Outcome | BaseException]] = {}
        self.held: set[str] = set()
        self.done: list[str] = []
        self.brought: dict[str, Any] = {}
        self.effects: Counter[str] = Counter()
        self.delivery: dict[str, Delivery] = {}
        self.clock: FakeClock | None = None
        """Whose second each thing takes, where one is given."""

    def ask(self, name: str, attempt: Attempt, delivery: Delivery, value: Any) -> Outcome:
        if self.clock is not None:
            self.clock.pass_time(1.0)
        answers = self.script.get(name)
        answer = answers.pop(0) if answers else Succeeded({"name": name, "value": value})
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Succeeded):
            self.do(name, attempt.effect_key, delivery)
            self.brought[name] = value
        return answer

    def do(self, name: str, key: str, delivery: Delivery) -> None:
        self.delivery[key] = delivery
        if delivery is Delivery.IDEMPOTENT_BY_KEY and self.effects[key]:
            return
        self.effects[key] += 1
        self.done.append(name)


class TaskParameters(Parameters):
    """What to do."""

    name: str
    value: Any = None


class Do(BaseAction[TaskParameters]):
    """Done once for each key, and can be taken back. A person looks first at what the desk holds."""

    action_type = "do"
    summary = "Does something."
    parameters = TaskParameters
    delivery = Delivery.IDEMPOTENT_BY_KEY
    timeout = 10.0

    def prepare(self, parameters: TaskParameters, intent: Intent, world: World) -> Prepared[TaskParameters]:
        desk: Desk = world.extras["desk"]
        hold = Hold("held", "a person looks first", {"name": parameters.name})
        if self.named(parameters) in desk.held and not intent.approves(hold):
            raise NeedsApproval(hold)
        return Prepared(parameters)

    def execute(self, prepared: Prepared[TaskParameters], attempt: Attempt, world: World) -> Outcome:
        desk: Desk = world.extras["desk"]
        return desk.ask(self.named(prepared.parameters), attempt, self.delivery, prepared.parameters.value)

    def named(self, parameters: TaskParameters) -> str:
        return parameters.name

    def compensation(self, done: Done) -> Compensation | None:
        return Compensation("undo", {"name": done.parameters["name"]})


class Undo(Do):
    """Takes it back."""

    action_type = "undo"

    def named(self, parameters: TaskParameters) -> str:
        return f"undo {parameters.name}"

    def compensation(self, done: Done) -> Compensation | None:
        return None


class Tell(Do):
    """Told at most once, and never untold."""

    action_type = "tell"
    delivery = Delivery.AT_MOST_ONCE
    correction = "What is told is told."

    def compensation(self, done: Done) -> Compensation | None:
        return None


TASKS: tuple[type[BaseAction[Any]], ...] = (Do, Undo, Tell)


def step(name: str, uses: str = "do", **more: Any) -> dict[str, Any]:
    """A step that does something of its own name."""
    return {"id": name, "uses": uses, "with": {"name": name}, **more}


def child_step(name: str, file: str = "child.yaml", **more: Any) -> dict[str, Any]:
    """A step that is a run of its own."""
    return {"id": name, "workflow": file, **more}


def workflow(*steps: Mapping[str, Any], name: str = "onboarding", **more: Any) -> str:
    """A definition's text."""
    return json.dumps({"name": name, "steps": list(steps), **more})


class House:
    """One store, one desk, and processes on them one after the other."""

    def __init__(self, *, callback_key: bytes | None = b"a secret of the test", **settings: Any) -> None:
        self.clock, self.chance, self.holders = FakeClock(), FakeChance(), FakeHolders()
        self.desk = Desk()
        self.store = MemoryRecorder()
        self._key = callback_key
        self._settings = settings
        self._processes = 0
        self.agent = self.process()

    def process(self) -> ExecutionAgent:
        """A process that knows only what is in the store; the one before is dead."""
        if self.holders.name is not None:
            self.holders.dead.add(self.holders.name)
        self._processes += 1
        self.holders = FakeHolders(f"process {self._processes}", self.holders.dead)
        world = fake_world(
            clock=self.clock,
            chance=self.chance,
            holders=self.holders,
            extras={"desk": self.desk},
            callback_key=None if self._key is None else lambda: self._key or b"",
        )
        self.agent = agent_with(world=world, actions=TASKS, **self._settings)
        parts = self.agent._parts  # the only way to have one store for several processes
        parts.ledger.recorder = parts.ledger.events.recorder = self.store
        object.__setattr__(parts, "agenda", StoredAgenda(self.store))
        return self.agent

    def dies_before(self, is_recorded: Callable[[Any], bool]) -> None:
        """The process is gone as soon as it is to record such an action or run."""
        ledger = self.agent._parts.ledger
        record = ledger.record

        def dies(what: Any) -> None:
            if is_recorded(what):
                raise Died
            record(what)

        # This one ledger, of a process that is given up: the store behind it stays as it is.
        ledger.record = dies  # type: ignore[method-assign]

    def start(self, *steps: Mapping[str, Any], wait: float | None = None, **more: Any) -> dict[str, Any]:
        """A run of these steps. `files` are the definitions that they start, by path."""
        inputs, key, files = more.pop("given", {}), more.pop("key", None), more.pop("files", None)
        text = workflow(*steps, **more)
        return self.agent.start_workflow_run(text, inputs, idempotency_key=key, wait=wait, files=files)

    def child(self, run: Mapping[str, Any], step: str) -> dict[str, Any]:
        """The run that a step is, as it stands."""
        (run_id,) = [one["run_id"] for one in self.agent.workflow_status(run["run_id"])["steps"] if one["id"] == step]
        return self.agent.workflow_status(run_id)

    def drive(self, rounds: int = 400) -> None:
        """Does whatever is due, and lets time pass until something is, until nothing is to come."""
        for _ in range(rounds):
            times = [view.due_at for view in self.store.views(None, 10_000) if view.due_at is not None]
            if not times:
                return
            self.clock.pass_time(max((min(times) - self.clock.now()).total_seconds(), 0.0))
            for any_id in [place.action_id for place in self.store.line(self.clock.now(), 10_000)]:
                self.agent.advance(any_id)
        raise AssertionError("it never comes to an end")

    def status(self, run: Mapping[str, Any]) -> str:
        found: str = self.agent.workflow_status(run["run_id"])["status"]
        return found

    def steps(self, run: Mapping[str, Any]) -> dict[str, str]:
        return {one["id"]: one["status"] for one in self.agent.workflow_status(run["run_id"])["steps"]}

    def action(self, run: Mapping[str, Any], step: str) -> str:
        """The id of a step's action."""
        found = {one["id"]: one["action_id"] for one in self.agent.workflow_status(run["run_id"])["steps"]}
        action_id: str = found[step]
        return action_id

    def words(self, run: Mapping[str, Any]) -> list[str]:
        return [entry["type"] for entry in self.agent.workflow_history(run["run_id"])]
