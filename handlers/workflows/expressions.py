"""Expressions in the values of a workflow: `${{ ... }}`, looked up in what a run knows.

    "${{ steps.find.result.amount }}"         is the value, of whatever type
    "Dear ${{ inputs.name }}, welcome!"       is a text: strings, numbers and booleans only
    "${{ '${{' }} stays"                      is how these marks themselves are written

The context is plain JSON: {"inputs": {NAME: ...}, "steps": {ID: {"status", "result", "error", "action_id"}},
"run": {"id", "started_at"}}; a step that waits for a callback has its callback_token, too. What an expression gives is
data, and is never evaluated again. Nothing is loaded for values without expressions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from domain.canonical import canonical
from domain.errors import ConfigurationError, ExpressionError, FieldError, MalformedRequest
from domain.json_value import read_value
from domain.refusal import dotted, kind_of
from handlers.workflows.allowance import Allowance

if TYPE_CHECKING:
    from handlers.workflows.expression_tree import Place, Tree

MARK = "${{"
MOST_WORK = 1_000_000
"""Of one call: nodes visited, and members and characters of values made. Well under a second."""

Path: TypeAlias = tuple[str | int, ...]


def evaluate(value: Any, context: Mapping[str, Any]) -> Any:
    """A copy of a plain JSON value, every expression in it evaluated; names of members are not.

    Raises UnresolvedReference for what is not in the context, ExpressionError for what gives nothing that fits; the
    detail names the member. What comes out is as sound as a request: finite, whole characters, 256 KiB at most.
    """
    result = _Evaluation(context).value(value, ())
    try:
        return read_value({"": result})[""]
    except MalformedRequest as unfit:
        problem = unfit.details[0]
        raise _at(problem.field.removeprefix(".").split("."), ExpressionError(problem.message)) from None


def holds(condition: str, context: Mapping[str, Any]) -> bool:
    """Whether a condition (`Step.condition`) is met.

    Raises as `evaluate` does, and ExpressionError for what is neither true nor false.
    """
    try:
        value = _Evaluation(context).outcome(condition)
        if not isinstance(value, bool):
            raise ExpressionError(f"a condition is true or false; this one is {kind_of(value)}")
    except ExpressionError as error:
        raise _at(("if",), error) from None
    return value


def references(value: Any) -> frozenset[Place]:
    """Every place that the expressions in a value refer to. Raises ExpressionError."""
    return frozenset().union(*(tree.places for _, text in texts_of(value) for tree in trees_of(text)))


def read_expression(expression: str) -> Tree:
    """One expression, without its marks. Raises ExpressionError; ConfigurationError where jmespath is not installed."""
    try:
        from handlers.workflows.expression_tree import read_tree
    except ModuleNotFoundError:
        raise ConfigurationError('workflows need jmespath; install "execution-agent[workflows]"') from None
    return read_tree(expression)


def trees_of(text: str) -> tuple[Tree, ...]:
    """The expressions in a text, read. Raises ExpressionError."""
    return tuple(read_expression(part.source) for part in parts_of(text) if isinstance(part, Expression))


def condition_of(text: str) -> str:
    """The expression that a condition is, with or without its marks. Raises ExpressionError."""
    if MARK not in text:
        return text.strip()
    parts = parts_of(text.strip())
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return parts[0].source
    raise ExpressionError("a condition is one expression, with nothing around it")


def texts_of(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every string in a plain JSON value that has an expression, with its path."""
    if isinstance(value, str):
        if MARK in value:
            yield path, value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from texts_of(member, (*path, name))
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from texts_of(member, (*path, position))


# Texts


@dataclass(frozen=True, slots=True)
class Expression:
    """What stands between the marks."""

    source: str


def parts_of(text: str) -> tuple[str | Expression, ...]:
    """A text, cut at its expressions. Raises ExpressionError for one that is not closed."""
    parts: list[str | Expression] = []
    start = 0
    while (mark := text.find(MARK, start)) >= 0:
        end = _end_of(text, mark + len(MARK))
        parts += [text[start:mark], Expression(text[mark + len(MARK) : end].strip())]
        start = end + len("}}")
    parts.append(text[start:])
    return tuple(part for part in parts if part != "")


_LONGEST = 1_100
"""Characters within which an expression has to end: what is longer is refused anyway."""
_QUOTED_OR_BRACE = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|[{}]""", re.DOTALL)


def _end_of(text: str, start: int) -> int:
    depth = 0
    for found in _QUOTED_OR_BRACE.finditer(text, start, start + _LONGEST):
        if found[0] == "{":
            depth += 1
        elif found[0] == "}" and depth:
            depth -= 1
        elif text.startswith("}}", found.start()):
            return found.start()
    raise ExpressionError(f"an expression that begins with {MARK} is not closed, or too long; it ends with }}}}")


# Values


class _Evaluation:
    """One call, with one allowance for all that it evaluates."""

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._context = context
        self._allowance = Allowance(MOST_WORK)

    def value(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {name: self.value(member, (*path, name)) for name, member in value.items()}
        if isinstance(value, list):
            return [self.value(member, (*path, position)) for position, member in enumerate(value)]
        if not isinstance(value, str) or MARK not in value:
            return value
        try:
            return self._text(parts_of(value))
        except ExpressionError as error:
            raise _at(path, error) from None

    def outcome(self, expression: str) -> Any:
        tree = read_expression(expression)
        from handlers.workflows.expression_work import value_of

        return value_of(tree, self._context, self._allowance)

    def _text(self, parts: tuple[str | Expression, ...]) -> Any:
        if len(parts) == 1 and isinstance(parts[0], Expression):
            return self.outcome(parts[0].source)
        return "".join(part if isinstance(part, str) else self._spoken(part) for part in parts)

    def _spoken(self, expression: Expression) -> str:
        value = self.outcome(expression.source)
        if value is None or isinstance(value, dict | list):
            raise ExpressionError(f"{kind_of(value)} has no place within a text")
        text = value if isinstance(value, str) else _scalar(value)
        self._allowance.take(len(text))
        return text


def _scalar(value: object) -> str:
    try:
        return canonical(value).decode()
    except (TypeError, ValueError) as error:
        raise ExpressionError(f"has no place within a text: {error}") from None


def _at(path: Path | list[str], error: ExpressionError) -> ExpressionError:
    """The same error, told of the member at `path`."""
    where = dotted(path)
    message = f"{where}: {error.message}" if where else error.message
    return type(error)(message, details=[FieldError(where, str(error.code), error.message)])
