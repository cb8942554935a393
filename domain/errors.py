"""Everything that can go wrong, in one tree.

ExecutionAgentError
├── Refused                     a rule refuses; nothing was done (structured: code and field details)
│   ├── MalformedRequest        the request could not be parsed: no action id, no ledger entry
│   ├── InvalidRequest          it is sound JSON, but not the request of the contract: recorded as rejected
│   ├── InvalidTemplate         the template is missing, undeclared or not in the allowed language
│   ├── MissingVariable         a variable that the template requires was not given
│   ├── InvalidVariable         a variable has another type than the template declares
│   ├── InvalidRecipient        the recipient is not one bare, deliverable address
│   ├── InvalidMessage          the built message is not the message that was meant
│   ├── UnsafeTarget            the URL or one of its addresses may not be reached
│   ├── InvalidDefinition       a workflow's definition cannot be carried out (structured: each problem with its line)
│   └── ExpressionError         a workflow's expression cannot be read, or gives nothing that fits
│       └── UnresolvedReference it names what is not there
├── NeedsApproval               a person has to approve it first; nothing was done
├── IllegalTransition           the action's life does not allow this now
├── ConfigurationError          a setting is wrong; says what to do (exit code 3)
└── LedgerError
    ├── LedgerUnavailable       the ledger cannot be reached or written (exit code 3)
    ├── LedgerConflict          another writer was first; load and decide again
    ├── ActionNotFound          no action has this id
    ├── EventTooLarge           an event over 350 KB; refused before anything is written
    └── UnreadableEvent         a stored event that this release cannot read: nothing is decided on it
        ├── UnknownTopic        it is of a topic that is not in the registry
        ├── NewerSchema         it was written by a later version of this program
        └── CorruptEvent        it is damaged
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domain.hold import Hold


class Code(StrEnum):
    """The error codes of the contract. They outlive the code: add, never rename."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    DUPLICATE_KEY = "duplicate_key"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    INVALID_TYPE = "invalid_type"
    INVALID_CHARACTERS = "invalid_characters"
    INVALID_OPTIONS = "invalid_options"
    INVALID_IDEMPOTENCY_KEY = "invalid_idempotency_key"
    UNKNOWN_ACTION_TYPE = "unknown_action_type"
    INVALID_PARAMETERS = "invalid_parameters"
    INVALID_RECIPIENT = "invalid_recipient"
    INVALID_TEMPLATE = "invalid_template"
    MISSING_VARIABLE = "missing_variable"
    INVALID_VARIABLE = "invalid_variable"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    TOO_LATE = "too_late"
    IRREVERSIBLE = "irreversible"
    UNREADABLE = "unreadable"
    ARCHIVED = "archived"
    NOT_ALLOWED = "not_allowed"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing to repair. `field` is a dotted path from the request's root, "" for the whole."""

    field: str
    code: str
    message: str


class ExecutionAgentError(Exception):
    """The root of the tree."""


class Refused(ExecutionAgentError):
    """A rule refuses. `code` is of the contract; `details` say what to repair, one by one."""

    code: str = Code.INVALID_PARAMETERS

    def __init__(self, message: str, *, details: Sequence[FieldError] = (), code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.message = message
        self.details = tuple(details)


class MalformedRequest(Refused):
    """The request could not be parsed: it gets no action id and no ledger entry."""

    code = Code.MALFORMED


class InvalidRequest(Refused):
    """It is sound JSON, but not the request of the contract: recorded as rejected. `document` is what was asked."""

    def __init__(self, message: str, *, document: Mapping[str, Any], details: Sequence[FieldError], code: str) -> None:
        super().__init__(message, details=details, code=code)
        self.document = document


class InvalidTemplate(Refused):
    """The template is missing, undeclared or not in the allowed language."""

    code = Code.INVALID_TEMPLATE


class MissingVariable(Refused):
    """A variable that the template requires was not given."""

    code = Code.MISSING_VARIABLE


class InvalidVariable(Refused):
    """A variable has another type than the template declares, or a forbidden name."""

    code = Code.INVALID_VARIABLE


class InvalidRecipient(Refused):
    """The recipient is not one bare, deliverable address."""

    code = Code.INVALID_RECIPIENT


class InvalidMessage(Refused):
    """The built message, parsed back, is not the message that was meant."""

    code = Code.INVALID_VARIABLE


class UnsafeTarget(Refused):
    """The URL or one of its addresses may not be reached."""

    code = "unsafe_target"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to repair in a text. `line` counts from 1, and is 0 where there is no text; `path` is dotted from its
    root, "" for the whole."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}, {self.path}" if self.path else f"line {self.line}"
        return f"{where}: {self.message}" if self.line else self.message


class InvalidDefinition(Refused):
    """A workflow's definition cannot be carried out: `problems` are all of it, in the order of their lines."""

    code = "invalid_definition"

    def __init__(self, problems: Sequence[Problem]) -> None:
        more = f" (the first of {len(problems)} problems)" if len(problems) > 1 else ""
        details = [
            FieldError(problem.path, self.code, f"line {problem.line}: {problem.message}") for problem in problems
        ]
        super().__init__(f"{problems[0]}{more}", details=details)
        self.problems = tuple(problems)


class ExpressionError(Refused):
    """A workflow's expression cannot be read, or gives nothing that fits. `details` name the parameter."""

    code = "invalid_expression"


class UnresolvedReference(ExpressionError):
    """An expression names what is not there."""

    code = "unresolved_reference"


class NeedsApproval(ExecutionAgentError):
    """A person has to approve it first. Nothing was done. `hold` says by which rule, and what there is to decide on."""

    def __init__(self, hold: Hold) -> None:
        super().__init__(hold.message)
        self.hold = hold


class IllegalTransition(ExecutionAgentError):
    """The action's life does not allow this now."""


class ConfigurationError(ExecutionAgentError):
    """A setting is wrong. The message is one line that says what to do."""


class LedgerError(ExecutionAgentError):
    """What the ledger has to say."""


class LedgerUnavailable(LedgerError):
    """The ledger cannot be reached, or cannot be written."""


class LedgerConflict(LedgerError):
    """Another writer was first: load the action and decide again."""


class ActionNotFound(LedgerError):
    """No action has this id."""


class EventTooLarge(LedgerError):
    """An event over 350 KB; refused before anything is written."""


class UnreadableEvent(LedgerError):
    """A stored event that this release cannot read. Nothing is decided on an action that is only known in part."""


class UnknownTopic(UnreadableEvent):
    """A stored event of a topic that is not in the registry. Nothing is imported to find out."""


class NewerSchema(UnreadableEvent):
    """A stored event written by a later version of this program."""


class CorruptEvent(UnreadableEvent):
    """A stored event that cannot be read."""


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """What a response says of an error: `{"code", "message", "details"}`."""

    code: str
    message: str
    details: tuple[FieldError, ...] = field(default=())

    @classmethod
    def of(cls, refusal: Refused) -> ErrorReport:
        return cls(str(refusal.code), refusal.message, refusal.details)
