"""An expression, evaluated: the library's own interpreter, with an allowance.

JMESPath can double a value with each few characters. So every visit of a node costs 1, and every value that a list, an
object or a function makes costs its size, as if nothing in it were shared. Paths, projections, slices and filters only
tell again what is in the context, or was paid for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jmespath.exceptions import JMESPathError, JMESPathTypeError
from jmespath.functions import Functions
from jmespath.visitor import Options, TreeInterpreter

from domain.errors import ExpressionError, UnresolvedReference
from handlers.workflows.allowance import Allowance
from handlers.workflows.expression_tree import Place, Tree, told

_MAKE_VALUES = frozenset({"multi_select_list", "multi_select_dict", "function_expression"})


def value_of(tree: Tree, context: Mapping[str, Any], allowance: Allowance) -> Any:
    """What the expression gives; parts of it may be parts of the context.

    Raises UnresolvedReference, and ExpressionError for whatever else goes wrong.
    """
    try:
        return _Interpreter(context, allowance).visit(tree.root, context)
    except JMESPathTypeError as error:
        wanted = " or ".join(error.expected_types)
        raise ExpressionError(f"{error.function_name}() was not given what it takes: {wanted}") from None
    except TypeError:
        raise ExpressionError("sets a text against a number") from None
    except (JMESPathError, ArithmeticError, ValueError) as error:
        raise ExpressionError(f"cannot be evaluated ({type(error).__name__})") from None


class _Interpreter(TreeInterpreter):
    def __init__(self, context: Mapping[str, Any], allowance: Allowance) -> None:
        super().__init__(Options(custom_functions=_Functions(allowance)))
        self._context = context
        self._allowance = allowance

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._allowance.take(1)
        value = super().visit(node, *args, **kwargs)
        if node["type"] in _MAKE_VALUES:
            self._allowance.take_for(value)
        return value

    def visit_reference(self, node: Any, _: Any) -> Any:
        reference = node["value"]
        try:
            return _found(self._context, reference.place)
        except UnresolvedReference:
            if reference.optional:
                return None
            raise


def _found(context: Mapping[str, Any], place: Place) -> Any:
    value: Any = context
    for number, part in enumerate(place):
        if not _has(value, part):
            why = f", for {told(place[:number])} is null" if value is None else ""
            raise UnresolvedReference(f"{told(place[: number + 1])} is not there{why}")
        value = value[part]
    return value


def _has(value: object, part: str | int) -> bool:
    if isinstance(part, int):
        return isinstance(value, list) and -len(value) <= part < len(value)
    return isinstance(value, Mapping) and part in value


class _Functions(Functions):
    """The library's own, and no others."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance

    def call_function(self, function_name: str, resolved_args: Any) -> Any:
        if function_name == "join":
            # It alone makes more than it is given, and would be in memory before anybody has paid for it.
            self._allowance.take(_glue(*resolved_args))
        return super().call_function(function_name, resolved_args)


def _glue(glue: object, texts: object) -> int:
    """The characters that `join` puts between texts."""
    return len(glue) * len(texts) if isinstance(glue, str) and isinstance(texts, list) else 0
