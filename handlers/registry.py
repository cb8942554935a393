"""The closed registry of action types: what is not in it cannot be carried out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from domain.base_action import BaseAction
from domain.errors import Code, ConfigurationError, FieldError, Refused

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class ActionTypes:
    """One instance for each registered type, by name."""

    def __init__(self, classes: Iterable[type[BaseAction[Any]]]) -> None:
        self._by_name: dict[str, BaseAction[Any]] = {}
        for action_class in classes:
            name = getattr(action_class, "action_type", None)
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ConfigurationError(f"{action_class.__qualname__} has no action_type of the form [a-z][a-z0-9_]*")
            if name in self._by_name:
                raise ConfigurationError(f"two action types are called {name!r}; remove one of them")
            self._by_name[name] = action_class()

    def __iter__(self) -> Iterator[BaseAction[Any]]:
        return iter(self._by_name.values())

    def named(self, name: str) -> BaseAction[Any]:
        """Raises Refused (unknown_action_type), and says which there are."""
        try:
            return self._by_name[name]
        except KeyError:
            message = f"no action type is called {name[:80]!r}; there are: {', '.join(sorted(self._by_name))}"
            detail = FieldError("action_type", Code.UNKNOWN_ACTION_TYPE, message)
            raise Refused(message, details=[detail], code=Code.UNKNOWN_ACTION_TYPE) from None
