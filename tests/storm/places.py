"""Where a batch of actions lives: a new SQLite file, or a new DynamoDB table; and the real agent on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import cast
from uuid import uuid4

import apsw

from adapters.system import SystemChance, SystemHolders, UnknownHolders
from agents.execution_agent.agent import ExecutionAgent
from domain.ports import Holders
from handlers.actions.call_webhook import CallWebhook
from tests.fakes import fake_world
from tests.house import settings
from tests.storm.clock import ClockAhead
from tests.storm.dynamodb_watched import WatchedDynamoDBRecorder
from tests.storm.effect import ACTIONS
from tests.storm.plants import SOUND, Plant
from tests.storm.points import Points
from tests.storm.processes import Tell
from tests.storm.sqlite_watched import WatchedSQLiteRecorder
from tests.storm.torn_writes import TornWrites
from tests.storm.watch import Around, Watch
from tests.storm.webhooks import webhooks_to


class Place(ABC):
    """One ledger. `open` and `problems` are for children: the process that forks them opens no ledger."""

    engine: str
    timeout: float
    """Seconds that an attempt may take here; its lease is as long."""
    lease: float
    """Seconds to wait until a dead process may be succeeded: its lease, or none where it is seen to be dead."""

    def __init__(self, points: Points, plant: Plant) -> None:
        self.points = points
        self.ahead = timedelta(0)
        """How much later than now it is for processes that are forked from here on: looks may be far apart."""
        self._plant = plant

    @abstractmethod
    def open(self, around: Around | None = None) -> ExecutionAgent:
        """The agent, in this process, which passes `points` from now on."""

    def problems(self) -> list[str]:
        """What the store says is broken about itself."""
        return []

    def discard(self) -> None:  # noqa: B027 - a table goes with its engine
        """Nobody needs it any more."""

    def _watch(self, around: Around | None) -> Watch:
        return Watch(self.points, around or (self._plant.around() if self._plant.around else None))


class SQLitePlace(Place):
    """A file."""

    engine = "sqlite"
    timeout = 30.0
    lease = 0.0

    def __init__(self, path: Path, sink: str, plant: Plant = SOUND) -> None:
        super().__init__(Points(), plant)
        self.path = path
        self.sink = sink

    def open(self, around: Around | None = None) -> ExecutionAgent:
        self._torn_writes = TornWrites(self.points)
        agent = self.open_unwatched()
        recorder = cast("WatchedSQLiteRecorder", agent._parts.ledger.recorder)
        recorder.be_watched(self._watch(around))
        return agent

    def open_unwatched(self) -> ExecutionAgent:
        """The same without points, and without what they cost."""
        ledger = {"PERSISTENCE_MODULE": "tests.storm.sqlite_watched", "SQLITE_DBNAME": str(self.path)}
        return _with_clock(_agent(ledger, SystemHolders(), self.sink, self.points, self._plant), self.ahead)

    def problems(self) -> list[str]:
        with closing(apsw.Connection(str(self.path))) as connection:
            said = [row for (row,) in connection.execute("PRAGMA integrity_check")]
        return [] if said == ["ok"] else said

    def discard(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{self.path}{suffix}").unlink()


class DynamoDBPlace(Place):
    """A table. Its agent is made before the fork: its client is most of what a process has to load."""

    engine = "dynamodb"
    timeout = 1.0
    lease = 1.0

    def __init__(self, agent: ExecutionAgent, points: Points, plant: Plant) -> None:
        super().__init__(points, plant)
        self._agent = agent
        self._table = f"storm-{uuid4().hex}"

    @staticmethod
    def agent(url: str, sink: str, points: Points, plant: Plant) -> ExecutionAgent:
        """An agent that has sent nothing yet, for any number of places."""
        ledger = {
            "PERSISTENCE_MODULE": "tests.storm.dynamodb_watched",
            "DYNAMODB_TABLE": "storm",
            "DYNAMODB_ENDPOINT_URL": url,
        }
        agent = _agent(ledger, UnknownHolders(), sink, points, plant)
        _recorder_of(agent).connect()
        return agent

    def open(self, around: Around | None = None) -> ExecutionAgent:
        recorder = _recorder_of(self._agent)
        recorder.dynamodb.table = self._table
        recorder.be_watched(self._watch(around))
        return _with_clock(self._agent, self.ahead)

    def create(self, _: Tell) -> None:
        """Makes the table, in a child."""
        self.open()
        _recorder_of(self._agent).create_table()


def _agent(ledger: dict[str, str], holders: Holders, sink: str, points: Points, plant: Plant) -> ExecutionAgent:
    # The next attempt is due at once, and a lease is as long as its attempt may take.
    at_once = settings(
        ledger=ledger, backoff=timedelta(0), clock_skew=timedelta(0), log_level="CRITICAL", keeps_views=False
    )
    world = fake_world(
        clock=ClockAhead(),
        chance=SystemChance(),
        holders=plant.holders(holders),
        webhooks=webhooks_to(sink, points),
        extras={"send": plant.sender(sink, points)},
    )
    return plant.take_root(ExecutionAgent(at_once, world=world, actions=(*ACTIONS, CallWebhook)))


def clock_of(agent: ExecutionAgent) -> ClockAhead:
    """The clock that the agent goes by."""
    return cast("ClockAhead", agent._parts.world.clock)


def _with_clock(agent: ExecutionAgent, ahead: timedelta) -> ExecutionAgent:
    clock_of(agent).ahead = ahead
    return agent


def _recorder_of(agent: ExecutionAgent) -> WatchedDynamoDBRecorder:
    return cast("WatchedDynamoDBRecorder", agent._parts.ledger.recorder)
