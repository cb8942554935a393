"""Workflows, as the action types see them: state machines that a configuration names, and their executions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, TypeAlias

from domain.outcome import Finding, Outcome

LARGEST_INPUT = 262_144
"""Bytes of an execution's input, and of a task's output."""


@dataclass(frozen=True, slots=True)
class StateMachine:
    """A configured state machine. An express one starts an execution for every request, whatever its name."""

    connection: str
    name: str
    is_express: bool = False


@dataclass(frozen=True, slots=True)
class TaskSucceeded:
    """What a workflow waits for has come. `output` is JSON."""

    output: str


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """What a workflow waits for will not come: `error` is a word for its Catch, `cause` is for people."""

    error: str
    cause: str = ""


Signal: TypeAlias = TaskSucceeded | TaskFailed


@dataclass(frozen=True, slots=True)
class Waiting:
    """The task that waits. Whoever holds the token may end it, so no repr tells it."""

    token: str = field(repr=False)


class Workflows(Protocol):
    """One place where workflows run."""

    @property
    def connection(self) -> str:
        """Its name in the configuration."""
        ...

    def machine(self, name: str) -> StateMachine:
        """Raises Refused (invalid_parameters) when the configuration names no such state machine."""
        ...

    def start(self, machine: StateMachine, document: str, *, effect_key: str, timeout: float) -> Outcome:
        """Starts the execution that is called `effect_key`. `document` is its input, JSON; `timeout` is in seconds.

        The result names the execution. Started once more, one that is not express is the same.
        """
        ...

    def find(self, machine: StateMachine, document: str, *, effect_key: str, age: timedelta, timeout: float) -> Finding:
        """Whether that execution was started, by an attempt that began `age` ago."""
        ...

    def stop(self, machine: StateMachine, execution: str, *, cause: str, effect_key: str, timeout: float) -> Outcome:
        """Stops the execution of this name. One that had come to an end of its own is Permanent."""
        ...

    def signal(self, waiting: Waiting, signal: Signal, *, timeout: float) -> Outcome:
        """Ends the task that waits. A task is ended once: what comes later is Permanent."""
        ...
