"""What the world answered to an attempt: four classes, as values.

    the answer came, and says yes       -> Succeeded
    the answer came, and says never     -> Permanent
    the effect certainly did not happen -> Retry        refused connection, DNS, TLS, 429, a documented "not now"
    anything else                       -> Unknown      time-out after sending, reset, 5xx, unreadable 200, a crash

Unknown is the honest default: an exception that an action type lets escape is Unknown, never Retry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Succeeded:
    """`result` is JSON for the caller, `reference` the provider's name for the effect, `undo` what a rollback needs."""

    result: Mapping[str, Any] = field(default_factory=dict)
    reference: str | None = None
    undo: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Permanent:
    """The provider refused for good: trying again would change nothing."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Retry:
    """The effect certainly did not happen. `retry_after` is in seconds, as the provider asked."""

    code: str
    message: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can tell whether the effect happened. `retry_after` is in seconds, as the provider asked."""

    code: str
    message: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Executed:
    """A probe found the effect. `evidence` is what shows it; the rest is what `Succeeded` would have said."""

    evidence: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    reference: str | None = None
    undo: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class NotExecuted:
    """A probe found that the effect certainly did not happen, and that nothing on its way can bring it about."""

    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CannotTell:
    """A probe found nothing certain. `again`: it may know more later."""

    message: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    again: bool = True


Finding: TypeAlias = Executed | NotExecuted | CannotTell
"""What a probe of a doubtful attempt may find."""

Failure: TypeAlias = Permanent | Retry | Unknown
Outcome: TypeAlias = Succeeded | Permanent | Retry | Unknown
