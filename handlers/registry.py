"""The closed registry of action types: what is not in it cannot be carried out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import Any

from domain.base_action import BaseAction
from domain.errors import Code, ConfigurationError, FieldError, Refused

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SUBJECT = re.compile(r"(parameters|result)(\.[A-Za-z_][A-Za-z0-9_]{0,63}){1,4}")


class ActionTypes:
    """One instance for each registered type, by name.

    `built_in` names types whose classes are loaded when they are first wanted; `installed` finds the types of other
    distributions. To look for them costs a cold start, so they are looked for when a type is wanted that is not built
    in, or all are.
    """

    def __init__(
        self,
        classes: Iterable[type[BaseAction[Any]]] = (),
        *,
        built_in: Iterable[str] = (),
        load: Callable[[str], type[BaseAction[Any]]] | None = None,
        installed: Callable[[], Iterable[type[BaseAction[Any]]]] = tuple,
    ) -> None:
        self._by_name: dict[str, BaseAction[Any]] = {}
        self._to_load = dict.fromkeys(built_in, load)
        self._installed: Callable[[], Iterable[type[BaseAction[Any]]]] | None = installed
        self._lock = Lock()
        self._register(classes)

    def __iter__(self) -> Iterator[BaseAction[Any]]:
        for name in list(self._to_load):
            self._load(name)
        self._look_for_installed()
        return iter(self._by_name.values())

    def named(self, name: str) -> BaseAction[Any]:
        """Raises Refused (unknown_action_type), and says which there are; ConfigurationError for what is installed."""
        if name in self._to_load:
            self._load(name)
        if name not in self._by_name:
            # Also waits for whoever is just loading it.
            self._look_for_installed()
        try:
            return self._by_name[name]
        except KeyError:
            known = sorted({*self._by_name, *self._to_load})
            message = f"no action type is called {name[:80]!r}; there are: {', '.join(known)}"
            detail = FieldError("action_type", Code.UNKNOWN_ACTION_TYPE, message)
            raise Refused(message, details=[detail], code=Code.UNKNOWN_ACTION_TYPE) from None

    def _load(self, name: str) -> None:
        with self._lock:
            load = self._to_load.pop(name, None)
            if load is not None:
                self._register([load(name)])

    def _look_for_installed(self) -> None:
        with self._lock:
            if self._installed is not None:
                self._register(self._installed())
                self._installed = None

    def _register(self, classes: Iterable[type[BaseAction[Any]]]) -> None:
        for action_class in classes:
            name = getattr(action_class, "action_type", None)
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ConfigurationError(f"{action_class.__qualname__} has no action_type of the form [a-z][a-z0-9_]*")
            if name in self._by_name or name in self._to_load:
                raise ConfigurationError(f"two action types are called {name!r}; remove one of them")
            if action_class.subject is not None and not _is_subject(action_class):
                raise ConfigurationError(
                    f"the action type {name} has no such subject as {action_class.subject!r}; it is like"
                    " parameters.recipient or result.id"
                )
            self._by_name[name] = action_class()


def _is_subject(action_class: type[BaseAction[Any]]) -> bool:
    """A path, which begins with a member that its parameters have, or with one of its result."""
    subject: object = action_class.subject
    if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
        return False
    root, first, *_ = subject.split(".")
    return root == "result" or first in action_class.parameters.model_fields
