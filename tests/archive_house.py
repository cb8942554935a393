"""An agent with an archive beside it: on a shelf that a test can look into, and that can fail at any step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

from agents.execution_agent.agent import ExecutionAgent
from domain.action import Order
from domain.base_action import Attempt
from domain.commit import Commit
from domain.journal import Journal, JournaledRecorder
from domain.ledger import ActionLedger
from domain.outcome import Outcome
from domain.unreadable import known_of, life_in
from handlers.archive.candidates import Candidates
from handlers.archive.copy import Copy, CopyReport
from handlers.archive.prune import ALWAYS, Prune, PruneReport
from handlers.recall import Recall
from projections.archived import Archive, Verified, WholeJournal, verify
from projections.status import Response, response_of
from tests.fakes import FakeClock, ScriptedProvider, fake_world
from tests.house import MEMORY, agent_with, greet

ADA: dict[str, Any] = {"actor": "ada", "reason": "a customer went to court"}
RETENTION = Order("retention", "older than 400 days")
AGE = timedelta(days=400)


class Died(BaseException):
    """The process that archives ends here."""


@dataclass
class MemoryShelf:
    """Files in memory. `dies_at` is the step at which whoever works here dies; `before` it is done, or right after."""

    files: dict[str, bytes] = field(default_factory=dict)
    dies_at: int | None = None
    before: bool = True
    steps: int = 0
    where: str = "memory"
    read_whole: list[str] = field(default_factory=list)

    def names(self) -> list[str]:
        with self._step():
            return list(self.files)

    def read(self, name: str) -> BinaryIO | None:
        self.read_whole.append(name)
        with self._step():
            return BytesIO(self.files[name]) if name in self.files else None

    def read_from(self, name: str, offset: int) -> BinaryIO | None:
        with self._step():
            return BytesIO(self.files[name][offset:]) if name in self.files else None

    def put(self, name: str, file: BinaryIO) -> bool:
        with self._step():
            data = file.read()
            return self.files.setdefault(name, data) == data

    @contextmanager
    def _step(self) -> Iterator[None]:
        self.steps += 1
        dies = self.steps == self.dies_at
        if dies and self.before:
            raise Died
        yield
        if dies:
            raise Died

    def damage(self, name: str, place: int = 40) -> None:
        """One bit of a file is another."""
        data = bytearray(self.files[name])
        data[place % len(data)] ^= 1
        self.files[name] = bytes(data)

    @property
    def lives(self) -> list[str]:
        """The names of the files of lives."""
        return sorted(name for name in self.files if name.endswith(".gz"))


class ArchiveHouse:
    """Years pass in a second; what is archived is on `shelf`."""

    def __init__(
        self, *answers: Any, path: Path | None = None, provider: Callable[[Attempt], Outcome] | None = None
    ) -> None:
        self.clock, self.shelf = FakeClock(), MemoryShelf()
        self.provider = ScriptedProvider(*answers)
        world = fake_world(clock=self.clock, extras={"provider": provider or self.provider})
        sqlite = {"PERSISTENCE_MODULE": "adapters.sqlite_events", "SQLITE_DBNAME": str(path)}
        self.agent: ExecutionAgent = agent_with(world=world, ledger=MEMORY if path is None else sqlite)

    @property
    def ledger(self) -> ActionLedger:
        return self.agent._parts.ledger

    @property
    def journal(self) -> Journal:
        return cast("JournaledRecorder", self.ledger.recorder).journal()

    @property
    def archive(self) -> Archive:
        return Archive(self.shelf)

    @property
    def long_ago(self) -> datetime:
        return self.clock.now() - AGE

    def act(self, **members: Any) -> str:
        """The id of an action that is carried out."""
        told: str = self.agent.process(greet(**members))["action_id"]
        return told

    def years_pass(self, years: int = 2) -> None:
        self.clock.pass_time(years * 365 * 86_400)

    def copy(self, before: datetime | None = None) -> CopyReport:
        candidates = Candidates(self.journal, self.ledger.mapper)
        return Copy(self.journal, candidates, self.archive, self.clock)(before or self.long_ago)

    def prune(self, *, before: datetime = ALWAYS, journal: Journal | None = None) -> PruneReport:
        journal = journal or self.journal
        candidates = Candidates(journal, self.ledger.mapper)
        return Prune(self.ledger, journal, candidates, self.archive, self.clock)(RETENTION, before=before)

    def verify(self) -> Verified:
        return verify(self.archive)

    def recall(self, *, archive: bool = True) -> Recall:
        return Recall(self.ledger, self.journal, self.archive if archive else None)

    def at_hand(self) -> None:
        """From now on the agent knows of the archive."""
        object.__setattr__(self.agent._parts, "recall", self.recall)
        self.agent._parts.receive._recall = self.recall

    def commits(self, any_id: str, *, whole: bool = False) -> list[Commit]:
        """What the ledger has of it; the `whole` with what the archive has."""
        journal = WholeJournal(self.journal, self.archive) if whole else self.journal
        life = journal.life(any_id)
        return [] if life is None else [row for row in life.rows if isinstance(row, Commit)]

    def response(self, action_id: str) -> Response:
        """Where it stands, told by ledger and archive together."""
        commits = self.commits(action_id, whole=True)
        events = [event for commit in commits for event in commit.stored_events()]
        known = known_of(life_in(events, self.ledger.mapper)).as_of
        assert known is not None
        return response_of(known)
