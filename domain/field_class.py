"""What kind of thing a field holds: by this an export knows what it may show.

    class InviteParameters(Parameters):
        event: Business[str]
        guest: Personal[str] = Field(description="Whom to invite.")

A model of parameters declares it with the field, `BaseAction.tells` for the members of facts, results and undo data.
What nobody has declared is not shown: to forget a declaration tells nothing about anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, TypeAlias, TypeVar

from pydantic import BaseModel

T = TypeVar("T")


class FieldClass(StrEnum):
    """What a field holds. The words stand in exports and in their options: they outlive the code."""

    TECHNICAL = "technical"
    """Ids, hashes, codes, times, names that a configuration gives."""
    ACTOR = "actor"
    """Who decided, and who acted."""
    BUSINESS = "business"
    """What a record, a message or a workflow is about."""
    PERSONAL = "personal"
    """Who it is about, how to reach them, and texts in which anybody may be named."""
    UNDECLARED = "undeclared"
    """Nobody has said."""
    SECRET = "secret"  # noqa: S105 - the word
    """Whoever has it can do something with it."""


SHOWN = frozenset({FieldClass.TECHNICAL, FieldClass.ACTOR})
"""What an export shows of itself: that somebody did something, and who, is what it is for."""
REVEALABLE = frozenset({FieldClass.BUSINESS, FieldClass.PERSONAL, FieldClass.UNDECLARED})
"""What it shows to those who may see it. A secret is shown to nobody."""

Technical: TypeAlias = Annotated[T, FieldClass.TECHNICAL]
Business: TypeAlias = Annotated[T, FieldClass.BUSINESS]
Personal: TypeAlias = Annotated[T, FieldClass.PERSONAL]
Secret: TypeAlias = Annotated[T, FieldClass.SECRET]


def technical(*names: str) -> dict[str, FieldClass]:
    """Members that hold nothing but what is technical."""
    return dict.fromkeys(names, FieldClass.TECHNICAL)


def personal(*names: str) -> dict[str, FieldClass]:
    """Members that may name anybody."""
    return dict.fromkeys(names, FieldClass.PERSONAL)


def declared_classes(model: type[BaseModel]) -> Mapping[str, FieldClass]:
    """The class of each field of a model of parameters, by its name; whatever it holds within is of the same class."""
    return {name: _declared(info.metadata) for name, info in model.model_fields.items()}


def _declared(metadata: list[object]) -> FieldClass:
    """The last word counts: a model may narrow what an alias says."""
    said = [found for found in metadata if isinstance(found, FieldClass)]
    return said[-1] if said else FieldClass.UNDECLARED
