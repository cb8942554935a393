"""What an action type says about itself.

    class Greet(BaseAction[GreetParameters]):
        action_type = "greet"
        parameters = GreetParameters
        delivery = Delivery.AT_MOST_ONCE

        def execute(self, prepared, attempt, world):
            return Succeeded({"greeting": f"Hello {prepared.parameters.name}"})

`prepare` has no side effect and runs before the attempt is recorded: whatever can be refused is refused there.
`execute` runs once for each attempt, after its intent is on disk. It answers with one of the four classes of
`domain.outcome`; an exception that escapes from it means that nobody knows: Unknown. Then `probe`, where a type has it,
asks the provider what became of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from domain.field_class import FieldClass
from domain.gate import Limits
from domain.hold import Hold
from domain.outcome import Finding, Outcome
from domain.policy import Delivery
from domain.ports import World


class Parameters(BaseModel):
    """The base of every type's parameters: strict, closed, frozen."""

    # Built when first used: a function that only sends mail does not build the rest.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)


P = TypeVar("P", bound=BaseModel)


LONGEST_PREPARATION = 10.0
"""Seconds."""


def _nobody(_: Hold) -> bool:
    return False


@dataclass(frozen=True)
class Intent:
    """Which effect is meant. `effect_key` is the same on every try, and is what a provider deduplicates by."""

    action_id: str
    effect_key: str
    at: datetime
    approved: Callable[[Hold], bool] = field(default=_nobody, kw_only=True, repr=False)
    within: float = field(default=LONGEST_PREPARATION, kw_only=True)
    """Seconds that `prepare` may take to ask others; with none it checks what it can without asking anybody, and what
    it makes is not executed."""
    earlier: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    """The facts of the attempt before, where one may have taken effect: what it found is not there to be read again."""

    def approves(self, hold: Hold) -> bool:
        """Whether a person has approved exactly this. `prepare` raises NeedsApproval(hold) unless one has."""
        return self.approved(hold)


@dataclass(frozen=True)
class Attempt(Intent):
    """One try, its intent on disk. `timeout` is the total deadline, in seconds from now."""

    number: int
    timeout: float


@dataclass(frozen=True)
class Inquiry(Intent):
    """A question about the attempt number `number`, which began at `at` with these `facts` and is in doubt.

    `timeout` is the total deadline of the question, in seconds from now.
    """

    number: int
    facts: Mapping[str, Any]
    timeout: float


@dataclass(frozen=True, slots=True)
class Done:
    """What the ledger knows of an action that has succeeded: all that a compensation is made of."""

    action_id: str
    effect_key: str
    parameters: Mapping[str, Any]
    result: Mapping[str, Any]
    reference: str | None
    undo: Mapping[str, Any] | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Compensation:
    """The request of an action that takes another one back. It is validated and carried out as any other."""

    action_type: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prepared(Generic[P]):
    """An attempt's effect, ready to leave.

    `facts` are stored with the attempt (names and hashes, never a secret); `work` is what `execute` needs beyond the
    parameters, such as a rendered message; `delivery` overrides the type's own class where a target promises more;
    `target` names who bears the effect, for breaker and limits, where that is not the type itself; `limits` are what
    this one bears, where that is not what the type says.
    """

    parameters: P
    work: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    delivery: Delivery | None = None
    timeout: float | None = None
    target: str | None = None
    limits: Limits | None = None


class BaseAction(ABC, Generic[P]):
    """An action type. Stateless: one instance serves every action."""

    action_type: ClassVar[str]
    """The word in a request: `[a-z][a-z0-9_]{0,63}`, for ever."""
    summary: ClassVar[str] = ""
    """One line for people and for an agent that chooses a tool."""
    parameters: type[P]
    """The model of the request's `parameters`."""
    delivery: ClassVar[Delivery] = Delivery.AT_MOST_ONCE
    """What it promises. The default is the careful one."""
    other_promises: ClassVar[Mapping[Delivery, str]] = {}
    """Other classes that `prepare` may answer with, where a target promises more or less: each with where that is."""
    key_window: ClassVar[timedelta | None] = None
    """How long the provider remembers an effect key, for types that are idempotent by key; None is for ever."""
    limits: ClassVar[Limits] = Limits()
    """What its target can bear, and when a breaker opens before it."""
    timeout: ClassVar[float] = 30.0
    """Seconds, the total deadline of an attempt."""
    correction: ClassVar[str] = ""
    """For types that cannot be taken back: what can be done instead, in a sentence."""
    subject: ClassVar[str | None] = None
    """Whom or what an action is about, so that it is found by that: where in the request, `parameters.recipient`, or,
    where an action makes what it is about, in the result, `result.id`. What stands there should be a string."""
    tells: ClassVar[Mapping[str, FieldClass]] = {}
    """What the members of its facts, results and undo data hold, and its `reference`; an export shows of them what is
    technical. (Of the parameters the model says it.)"""

    def prepare(self, parameters: P, intent: Intent, world: World) -> Prepared[P]:  # noqa: ARG002 - for those who override
        """Everything that can be known before acting. Without side effect; raises Refused.

        Raises NeedsApproval(hold) where a person has to decide first, unless `intent.approves(hold)`.
        """
        return Prepared(parameters)

    @abstractmethod
    def execute(self, prepared: Prepared[P], attempt: Attempt, world: World) -> Outcome:
        """The side effect, once."""

    def probe(self, parameters: P, inquiry: Inquiry, world: World) -> Finding:
        """What became of an attempt in doubt? Asks the provider by the effect key, and changes nothing.

        Types that can ask override this. NotExecuted is for what is certain and final; an exception tells nothing.
        """
        raise NotImplementedError  # nobody asks a type whose `can_probe` says no

    def compensation(self, done: Done) -> Compensation | None:  # noqa: ARG002 - for those who override
        """What takes it back, from stored facts alone; None where nothing can. Types that can be undone override it."""
        return None

    def can_probe(self, world: World) -> bool:  # noqa: ARG002 - for those whose provider decides
        """Whether the provider can be asked at all."""
        return type(self).probe is not BaseAction.probe
