"""What the kit has to know of an action type: a request, a provider that does as it is told, and what that has seen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from domain.base_action import BaseAction


class Means(StrEnum):
    """What an end proves: the four classes of `domain.outcome`."""

    SUCCEEDED = "succeeded"
    PERMANENT = "permanent"
    RETRY = "retry"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class End:
    """One way in which an attempt can end.

    It comes about while the context that `arranged` gives lasts. `means` is what it proves, None where any class will
    do that is true. `patience` is the deadline of the attempt, in seconds; `reaches`: the provider has the request.
    """

    name: str
    means: Means | None
    arranged: Callable[[], AbstractContextManager[Any]]
    patience: float = 10.0
    reaches: bool = True


@dataclass(frozen=True, slots=True)
class Sent:
    """What the provider was asked to do, once. `key` is how it would know the effect again, None where it cannot.

    `refused`: it has said that it did nothing, as a 401 does.
    """

    key: str | None = None
    refused: bool = False


class StillClock:
    """The port `domain.ports.Clock`: it stands still until somebody sleeps, or time is passed."""

    def __init__(self, start: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.pass_time(timedelta(seconds=seconds))

    def pass_time(self, time: timedelta) -> None:
        self._now += time
        self._monotonic += time.total_seconds()


class Case(ABC):
    """One action type before its provider. The methods are asked again and again, in any order."""

    action: ClassVar[type[BaseAction[Any]]]
    """What is examined. Another process must be able to import it by its name."""
    others: ClassVar[Sequence[type[BaseAction[Any]]]] = ()
    """The types of its compensations, where they are others."""
    secrets: Sequence[str] = ()
    """What must never be told, of the configuration in `world`."""
    can_be_asked: ClassVar[bool] = True
    """Whether a probe finds an effect of this very case; of types that can probe, but not everywhere."""
    asks_first: ClassVar[bool] = False
    """Whether an attempt puts a question to the provider before it acts."""
    says_yes_again: ClassVar[bool] = True
    """Whether a provider that deduplicates says yes again to what it has done, or leaves that in doubt."""
    absence_is_certain_after: ClassVar[timedelta] = timedelta(minutes=15)
    """How long after an attempt an effect that is not there may still come. No attempt is longer than the default."""

    def __init__(self) -> None:
        self.clock = StillClock()

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.action.action_type

    def opened(self) -> AbstractContextManager[Any]:
        """The provider is there while this lasts."""
        return nullcontext()

    @abstractmethod
    def world(self) -> Mapping[str, Any]:
        """The parts of `domain.ports.World` that lead to the provider, by name, as a new process makes them."""

    @abstractmethod
    def parameters(self) -> Mapping[str, Any]:
        """Of a request for one more effect. What it presupposes at the provider is there when it is answered."""

    @abstractmethod
    def effects(self) -> Sequence[object]:
        """What has taken effect at the provider by now and was not taken back: one entry for each effect."""

    @abstractmethod
    def sent(self) -> Sequence[Sent]:
        """What the provider was asked to do by now, whether it did it or not. Questions are not among it."""

    def asked(self) -> int:
        """How often the provider was asked for anything by now, questions included."""
        return len(self.sent())

    @abstractmethod
    def ends(self) -> Iterable[End]:
        """Every way in which an attempt can end."""

    def reads(self) -> Iterable[End]:
        """Ways in which the provider does not answer a question: a probe's, or that of `prepare`."""
        return ()
