"""An expression, read: JMESPath (https://jmespath.org), closed and bounded, with each reference told apart.

Names are looked up in a context of three roots, and a path from a root down to a member is a *place*:

    inputs.account                  ("inputs", "account")
    steps.draft.result.lines[0]     ("steps", "draft", "result", "lines", 0)
    run.started_at                  ("run", "started_at")

To JMESPath, what is missing is null. A place that is missing is an error here, but to the left of `||` and in
`not_null()`: so a misspelt name fails a step, and nobody gets a mail that calls them nothing. Within projections and
filters, which look at one member after the other, JMESPath's own rule holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from jmespath.exceptions import IncompleteExpressionError, LexerError, ParseError
from jmespath.functions import Functions
from jmespath.lexer import Lexer
from jmespath.parser import Parser

from domain.errors import ExpressionError
from domain.json_value import MAX_DEPTH
from domain.refusal import MAX_ECHO

LONGEST_EXPRESSION = 1_000
"""Characters."""
MOST_TOKENS = 100
"""Names, marks and literals of one expression. Each costs a parser three calls within one another at most."""
ROOTS = ("inputs", "steps", "run")

Place: TypeAlias = tuple[str | int, ...]
Node: TypeAlias = dict[str, Any]
"""As the library's parser makes it: `type`, `value` and `children`."""

REFERENCE = "reference"
"""The type of a node that takes the place of a path from a root; its value is a `Reference`."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One place, and whether it may be missing."""

    place: Place
    optional: bool


@dataclass(frozen=True, slots=True)
class Tree:
    """An expression that can be evaluated. `compared` are the places that are set against a literal, and it; `required`
    those of them that must equal it where a condition is to hold."""

    root: Node
    places: frozenset[Place]
    compared: tuple[tuple[Place, Any], ...]
    required: tuple[tuple[Place, Any], ...]
    may_be_boolean: bool


@lru_cache(maxsize=1024)
def read_tree(expression: str) -> Tree:
    """The expression between `${{` and `}}`. Raises ExpressionError."""
    root, _ = _resolved(_parsed(expression), (), optional=False)
    nodes = [*_nodes(root)]
    for node in nodes:
        _check(node)
    if root["type"] == "expref":
        raise _lonely_ampersand()
    references = [node["value"] for node in nodes if node["type"] == REFERENCE]
    return Tree(
        root,
        frozenset(reference.place for reference in references),
        tuple(_comparisons(nodes)),
        tuple(_comparisons(node for node in _conjuncts(root) if node["value"] == "eq")),
        _may_be_boolean(root),
    )


def told(place: Place) -> str:
    """A place as people write it, and not too long."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    return _short(text)


# Read


def _parsed(expression: str) -> Any:
    _refuse_boundless(expression)
    try:
        if sum(1 for _ in Lexer().tokenize(expression)) > MOST_TOKENS:
            raise ExpressionError(f"an expression has at most {MOST_TOKENS} names, marks and literals")
        parsed: Any = Parser().parse(expression).parsed
    except LexerError as error:
        raise _unreadable(expression, error.lexer_position, error.message.lower()) from None
    except ParseError as error:
        if isinstance(error, IncompleteExpressionError) or not error.token_value:
            raise ExpressionError(f"{_short(expression)!r} ends too early") from None
        raise _unreadable(expression, error.lex_position, f"{error.token_value} does not belong here") from None
    return parsed


def _refuse_boundless(expression: str) -> None:
    if not expression.strip():
        raise ExpressionError("an expression is empty")
    if len(expression) > LONGEST_EXPRESSION:
        raise ExpressionError(f"an expression has at most {LONGEST_EXPRESSION} characters")
    for found in _QUOTED.finditer(expression):
        if found["json"] is not None:
            _refuse_unfit_literal(found["json"].replace("\\`", "`"))


_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?P<json>(?:[^`\\]|\\.)*)`""", re.DOTALL)


def _refuse_unfit_literal(text: str) -> None:
    """The library would take what is no JSON for a string, with a warning that this is to end."""
    if text.count("[") + text.count("{") > MAX_DEPTH:
        raise ExpressionError(f"a literal between backticks has at most {MAX_DEPTH} objects and arrays")
    try:
        json.loads(text)
    except ValueError:
        raise ExpressionError(f"between backticks stands JSON, and {_short(text)!r} is none; a text is '...'") from None


def _unreadable(expression: str, position: int, message: str) -> ExpressionError:
    return ExpressionError(f"{_short(expression)!r} cannot be read at character {position + 1}: {_short(message)}")


def _short(text: str) -> str:
    if len(text) > MAX_ECHO:
        text = f"{text[:MAX_ECHO]}…"
    return text if text.isprintable() else ascii(text)[1:-1]


# Places

_CHAINS = frozenset({"subexpression", "index_expression", "pipe"})
"""One child after the other, each on what the one before has found."""
_PASS_ON = _CHAINS | {
    "projection",
    "value_projection",
    "filter_projection",
    "flatten",
    "or_expression",
    "and_expression",
}
"""What such an expression begins with may be missing where the whole may."""
_MEMBERS_FROM = {"projection": 1, "value_projection": 1, "filter_projection": 1, "expref": 0}
"""From this child on, names are those of one member after the other."""


def _resolved(node: Node, here: Place | None, *, optional: bool) -> tuple[Node, Place | None]:
    """The node with each path from a root in one piece, and where it leads; `here` is where its names are looked up,
    None for somewhere within a value."""
    if node["type"] in _CHAINS:
        return _resolved_chain(node, here, optional=optional)
    step = _step(node)
    if here is not None and step is not None:
        return _reference(here + step, optional=optional), here + step
    if node["type"] == "slice":
        return node, None
    first_of_members = _MEMBERS_FROM.get(node["type"], len(node["children"]))
    children = [
        _resolved(child, here if number < first_of_members else None, optional=_may_miss(node, number, optional))[0]
        for number, child in enumerate(node["children"])
    ]
    return {**node, "children": children}, None


def _resolved_chain(node: Node, here: Place | None, *, optional: bool) -> tuple[Node, Place | None]:
    place = here
    rest: list[Node] = []
    for child in node["children"]:
        resolved, reached = _resolved(child, None if rest else place, optional=optional)
        if reached is not None:
            place = reached
            continue
        if not rest and place is not None and place != here:
            rest.append(_reference(place, optional=optional))
        rest.append(resolved)
    if rest or place is None:
        return {**node, "children": rest}, None
    return _reference(place, optional=optional), place


def _step(node: Node) -> Place | None:
    """What the node adds to a place; None where it does more than that."""
    if node["type"] in ("field", "index"):
        return (node["value"],)
    return () if node["type"] in ("current", "identity") else None


def _may_miss(node: Node, number: int, optional: bool) -> bool:
    if node["type"] == "or_expression" and number == 0:
        return True
    if node["type"] == "function_expression":
        return bool(node["value"] == "not_null")
    return optional and node["type"] in _PASS_ON


def _reference(place: Place, *, optional: bool) -> Node:
    return {"type": REFERENCE, "value": Reference(place, optional), "children": []}


# Rules


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    if node["type"] != "slice":
        for child in node["children"]:
            yield from _nodes(child)


def _check(node: Node) -> None:
    if node["type"] == REFERENCE:
        _check_place(node["value"].place)
    elif node["type"] == "function_expression":
        _check_call(node["value"], node["children"])
    elif node["type"] in _CHAINS and node["children"][0]["type"] == "not_expression":
        raise ExpressionError("! binds before a dot: write !(...) around all that it is about")
    elif any(child["type"] == "expref" for child in node["children"] if isinstance(child, dict)):
        raise _lonely_ampersand()


def _lonely_ampersand() -> ExpressionError:
    return ExpressionError("an expression after & is only for the functions that take one")


def _check_place(place: Place) -> None:
    if not place or place[0] not in ROOTS:
        what = f"{told(place)} begins" if place else "an expression begins"
        raise ExpressionError(f"{what} with none of inputs, steps and run")
    if place[0] == "steps" and (len(place) == 1 or not isinstance(place[1], str)):
        raise ExpressionError("steps goes with the id of a step: steps.ID")


def _check_call(name: str, arguments: list[Node]) -> None:
    if name not in Functions.FUNCTION_TABLE:
        there = ", ".join(sorted(Functions.FUNCTION_TABLE))
        raise ExpressionError(f"there is no function {_short(name)}(); there are: {there}")
    signature = Functions.FUNCTION_TABLE[name]["signature"]
    is_open = bool(signature[-1].get("variadic"))
    if len(arguments) < len(signature) or (len(arguments) > len(signature) and not is_open):
        wanted = f"{len(signature)}{' or more' if is_open else ''}"
        raise ExpressionError(f"{name}() takes {wanted} argument{'s' * (wanted != '1')}, not {len(arguments)}")
    for number, argument in enumerate(arguments):
        takes_one = signature[min(number, len(signature) - 1)]["types"] == ["expref"]
        if takes_one and argument["type"] != "expref":
            raise ExpressionError(f"{name}() takes an expression after & as its argument {number + 1}")
        if argument["type"] == "expref" and not takes_one:
            raise _lonely_ampersand()


def _conjuncts(node: Node) -> Iterator[Node]:
    """The comparisons that must all hold, where the whole is to."""
    if node["type"] == "and_expression":
        for child in node["children"]:
            yield from _conjuncts(child)
    elif node["type"] == "comparator":
        yield node


def _comparisons(nodes: Iterable[Node]) -> Iterator[tuple[Place, Any]]:
    for node in nodes:
        if node["type"] == "comparator" and node["value"] in ("eq", "ne"):
            sides = {
                child["type"]: child["value"] for child in node["children"] if child["type"] in (REFERENCE, "literal")
            }
            if len(sides) == 2:
                yield sides[REFERENCE].place, sides["literal"]


_NEVER_BOOLEAN = frozenset(
    {"multi_select_list", "multi_select_dict", "projection", "value_projection", "filter_projection", "flatten"}
)
_MAY_ANSWER_BOOLEAN = frozenset({"contains", "starts_with", "ends_with", "not_null", "min_by", "max_by"})


def _may_be_boolean(node: Node) -> bool:
    """False for what is something else whatever the context."""
    kind = node["type"]
    if kind in ("or_expression", "and_expression"):
        return any(_may_be_boolean(child) for child in node["children"])
    if kind == "literal":
        return isinstance(node["value"], bool)
    if kind == "function_expression":
        return node["value"] in _MAY_ANSWER_BOOLEAN
    return kind not in _NEVER_BOOLEAN
