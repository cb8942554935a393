"""Old events, made to say what events of their kind say today.

    stored: schema 1 ── upcast 1 ──► schema 2 ── upcast 2 ──► schema 3: what the class of today takes

An upcast is a pure function of what an event of one schema said; it answers what an event of the next schema would have
said. Nothing is rewritten: what is stored stays as it is, and is upcast each time that it is read.

To raise the schema of a kind: raise `schema` in its class, add the upcast here, and put rows of the schema that is left
behind, and what they must read as, into `tests/history/`. Its tests ask for both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Said: TypeAlias = dict[str, Any]
"""What a stored event says: its own fields, and `at`."""

Upcast: TypeAlias = Callable[[Said], Said]
Upcasts: TypeAlias = Mapping[tuple[str, int], Upcast]
"""By topic, and by the schema that an upcast begins with."""

UPCASTS: Upcasts = {}
"""All that there are: none, as every kind still has the schema that it began with."""


def upcast(topic: str, said: Said, schema: int, *, known: int, upcasts: Upcasts = UPCASTS) -> Said:
    """What an event of `schema` says in the words of the schema `known`. Raises KeyError where a step is missing."""
    for step in range(schema, known):
        said = upcasts[topic, step](said)
    return said
