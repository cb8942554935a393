"""The error tree is what its drawing says."""

from __future__ import annotations

import inspect

from domain import errors
from domain.errors import Code


def drawn() -> dict[str, str]:
    """Each class in the drawing, and the class that it hangs from."""
    parents: dict[str, str] = {}
    path: list[str] = []
    assert errors.__doc__
    for line in errors.__doc__.splitlines():
        name = line.lstrip("│├└─ ").split(" ")[0]
        if not name or not hasattr(errors, name):
            continue
        depth = (len(line) - len(line.lstrip("│├└─ "))) // 4
        path[depth:] = [name]
        parents[name] = path[depth - 1] if depth else "Exception"
    return parents


def test_the_drawing_is_the_tree() -> None:
    tree = {
        name: found.__base__.__name__
        for name, found in inspect.getmembers(errors, inspect.isclass)
        if issubclass(found, Exception) and found.__base__ is not None
    }
    assert drawn() == tree


def test_the_codes_of_the_contract_never_change() -> None:
    assert [code.value for code in Code] == [
        "malformed",
        "too_large",
        "too_deep",
        "duplicate_key",
        "missing_field",
        "unknown_field",
        "invalid_type",
        "invalid_characters",
        "invalid_options",
        "invalid_idempotency_key",
        "unknown_action_type",
        "invalid_parameters",
        "invalid_recipient",
        "invalid_template",
        "missing_variable",
        "invalid_variable",
        "idempotency_mismatch",
        "not_found",
        "conflict",
        "too_late",
        "irreversible",
        "unreadable",
        "archived",
        "not_allowed",
    ]
