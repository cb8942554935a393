"""What an action type promises, told from its declaration: as a document, and as the table of the README."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from domain.base_action import BaseAction
from domain.policy import Delivery

COLUMNS: Mapping[str, str] = {
    "action type": "action_type",
    "promise": "promise",
    "in doubt": "in_doubt",
    "undo": "undo",
    "limits": "limits",
}
"""The headings of the table, and the words of `row_of` below them."""


def document_of(action: BaseAction[Any]) -> dict[str, Any]:
    """The declaration in plain JSON values; times are in seconds."""
    window = action.key_window
    return {
        "action_type": action.action_type,
        "summary": action.summary,
        "delivery": str(action.delivery),
        "other_promises": {str(delivery): where for delivery, where in action.other_promises.items()},
        "key_window_s": None if window is None else window.total_seconds(),
        "can_probe": _overrides(action, "probe"),
        "can_undo": _overrides(action, "compensation"),
        "correction": action.correction,
        "limits": {"per_second": action.limits.per_second, "at_once": action.limits.at_once},
        "timeout_s": action.timeout,
    }


def row_of(action: BaseAction[Any]) -> Mapping[str, str]:
    """The same in words, a cell each."""
    return {
        "action_type": action.action_type,
        "promise": _promise(action),
        "in_doubt": _in_doubt(action),
        "undo": _undo(action),
        "limits": _limits(action),
        "summary": action.summary,
    }


def as_markdown(actions: Iterable[BaseAction[Any]]) -> str:
    """The table of the README."""
    lines = [_line(COLUMNS), _line("---" for _ in COLUMNS)]
    for action in actions:
        row = row_of(action)
        lines.append(_line((f"`{row['action_type']}`", *(row[word] for word in list(COLUMNS.values())[1:]))))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


# -- cells ------------------------------------------------------------------------------------------------------------


def _promise(action: BaseAction[Any]) -> str:
    others = (f"{_class(action, delivery)} where {where}" for delivery, where in action.other_promises.items())
    return "; ".join((_class(action, action.delivery), *others))


def _class(action: BaseAction[Any], delivery: Delivery) -> str:
    words = str(delivery).replace("_", " ")
    if delivery is not Delivery.IDEMPOTENT_BY_KEY or action.key_window is None:
        return words
    return f"{words} (for {_time(action.key_window)})"


def _time(time: timedelta) -> str:
    if time.days:
        return "a day" if time.days == 1 else f"{time.days} days"
    return f"{time.total_seconds() / 60:g} minutes"


def _in_doubt(action: BaseAction[Any]) -> str:
    if not _overrides(action, "probe"):
        return "a person decides"
    return "the provider is asked, where it can be" if _overrides(action, "can_probe") else "the provider is asked"


def _undo(action: BaseAction[Any]) -> str:
    if not _overrides(action, "compensation"):
        return f"no: {action.correction}"
    return f"yes; where it cannot be: {action.correction}" if action.correction else "yes"


def _limits(action: BaseAction[Any]) -> str:
    rate, number = action.limits.per_second, action.limits.at_once
    cells = (f"{rate:g} a second" if rate is not None else "", f"{number} at once" if number is not None else "")
    return ", ".join(filter(None, cells))


def _overrides(action: BaseAction[Any], method: str) -> bool:
    return getattr(type(action), method) is not getattr(BaseAction, method)
