"""The template language: a small part of Jinja's, checked by an allow-list when a template loads.

    {{ name }} {{ order.lines[0]["unit price"] }}        declared variables, plain attributes, constant subscripts
    {{ amount | money(currency) }}                       the filters of adapters.template_filters
    {% if plan == "gold" and not trial %} {% elif %}     conditions: variables, and, or, not, one comparison at a time
    {% for line in order.lines %} {% else %}             over a variable, at most two levels, no recursion
    {# comments #} {% raw %}                             as in Jinja

Nothing else loads. The checked tree is not the parsed one: it is built anew, node by node, from what was admitted, so
what nobody thought of cannot be in it. While it is built, every `{{ }}`, loop and comparison gets a filter of ours
around it, which pays for its work (the sandbox bounds no resources) and knows the place that a value comes from.

Dots and brackets look into JSON and nowhere else: `order.items` is the key `items`, never a method of the dict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from jinja2 import Template, TemplateSyntaxError, Undefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from adapters.template_declaration import is_variable_name, unusable_template
from adapters.template_filters import (
    COMPARED,
    EACH,
    FILTERS,
    INNER_FILTERS,
    KEPT,
    SHOWN,
    Absent,
    Place,
    Rendering,
    RenderingContext,
    is_one_line,
)
from domain.errors import InvalidTemplate

MOST_NODES = 5_000
DEEPEST = 16
DEEPEST_LOOP = 2

_FILTERS_WITHOUT_ARGUMENTS = frozenset(FILTERS) - {"default", "round", "join", "money", "format"}
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_ .-]{0,63}")
_MOST_DIGITS = 10
_LONGEST_SEPARATOR = 32
# What a format may hold: %% or a conversion of at most 99 places, 99 of them decimals.
_CONVERSION = re.compile(r"%(?:%|[-+ 0]?[0-9]{0,2}(?:\.[0-9]{1,2})?[sdifeEgG])")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

_NAMES_OF_NODES = {
    nodes.Call: "a call",
    nodes.Assign: "set",
    nodes.AssignBlock: "set",
    nodes.CondExpr: "an inline if",
    nodes.Test: '"is" (write {% if x %}, which is false for what is absent)',
    nodes.Concat: "~ (write the parts one after the other)",
    nodes.Const: "a constant in this place (write the text itself)",
    nodes.Slice: "a slice",
    nodes.And: "and outside of a condition",
    nodes.Or: "or outside of a condition",
    nodes.Not: "not outside of a condition",
    nodes.Compare: "this comparison",
    nodes.FilterBlock: "a filter block",
    nodes.ScopedEvalContextModifier: "autoescape",
}


class CompiledTemplate:
    """One file of a template, ready to render any number of times, by any number of threads."""

    def __init__(self, template: Template, *, one_line: bool) -> None:
        self._template = template
        self._one_line = one_line

    def render(self, variables: Mapping[str, Any]) -> str:
        """The text. The variables have been checked. Raises InvalidVariable or MissingVariable."""
        text = _rendered(self._template, variables, Rendering(one_line=self._one_line))
        if self._one_line and not is_one_line(text):
            raise unusable_template('the subject must be one line, without tabs and without "=?"')
        return text


class CompiledString:
    """One string of a JSON document, ready to render any number of times, by any number of threads."""

    def __init__(self, template: Template) -> None:
        self._template = template

    def render(self, variables: Mapping[str, Any], rendering: Rendering) -> Any:
        """The text; where the string is one placeholder alone, its value, of whatever JSON type.

        The variables have been checked. `rendering` pays for all strings of the document. Raises InvalidVariable or
        MissingVariable.
        """
        text = _rendered(self._template, variables, rendering)
        return rendering.kept.pop() if rendering.kept else text


def compile_template(file: str, source: str, declared: Collection[str]) -> CompiledTemplate:
    """Checks and compiles one file; `.html` files escape what they show, `subject.txt` stays on one line.

    Raises InvalidTemplate, which says the line and what to write instead.
    """
    template = _compiled(file, source, _Admission(file, declared, "template.json").template, name=file)
    return CompiledTemplate(template, one_line=file == "subject.txt")


def compile_string(place: str, source: str, declared: Collection[str]) -> CompiledString:
    """Checks and compiles one string of a document; `place` is its dotted path. Raises InvalidTemplate."""
    return CompiledString(_compiled(place, source, _Admission(place, declared, "variables").string, name=None))


def _compiled(
    place: str, source: str, admitted: Callable[[nodes.Template], nodes.Template], *, name: str | None
) -> Template:
    environment = _environment()
    try:
        tree = admitted(environment.parse(source))
        tree.set_environment(environment)
        code = environment.compile(tree, name=name, filename=place)
    except TemplateSyntaxError as error:
        raise unusable_template(f"{place}, line {error.lineno}: {error.message}") from None
    except RecursionError:
        raise unusable_template(f"{place} is nested too deeply") from None
    except (ValueError, OverflowError) as error:  # a literal that Python itself refuses, such as 5000 digits
        raise unusable_template(f"{place}: {error}") from None
    return Template.from_code(environment, code, environment.globals)


def _rendered(template: Template, variables: Mapping[str, Any], rendering: Rendering) -> str:
    context = template.new_context(dict(variables))
    assert isinstance(context, RenderingContext)
    context.rendering = rendering
    return "".join(_paid(template.root_render_func(context), rendering))


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox whose values are JSON: an attribute is a key, and nothing of Python can be reached."""

    context_class = RenderingContext

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, dict) and isinstance(argument, str) and argument in obj:
            return obj[argument]
        if isinstance(obj, list) and isinstance(argument, int) and argument < len(obj):
            return obj[argument]
        return obj if isinstance(obj, Undefined) else self.undefined(name=str(argument))


@cache
def _environment() -> _Environment:
    environment = _Environment(
        undefined=Absent,
        autoescape=lambda file: file is not None and file.endswith(".html"),
        keep_trailing_newline=True,
        optimized=False,
    )
    environment.globals.clear()
    environment.tests.clear()
    environment.filters = FILTERS | INNER_FILTERS
    return environment


def _paid(pieces: Iterator[str], rendering: Rendering) -> Iterator[str]:
    for piece in pieces:
        rendering.spend(len(piece))
        yield piece


@dataclass(frozen=True, slots=True)
class _Scope:
    """The names that mean something here, each with the place it stands for."""

    places: Mapping[str, Place]
    loops: int = 0
    depth: int = 0

    def deeper(self) -> _Scope:
        return _Scope(self.places, self.loops, self.depth + 1)

    def looping(self, target: str, over: Place) -> _Scope:
        return _Scope({**self.places, target: (*over, f"*{target}")}, self.loops + 1, self.depth + 1)


class _Admission:
    """Builds the checked tree of one file, or of one string. What has no case here is refused."""

    def __init__(self, file: str, declared: Collection[str], declared_in: str) -> None:
        self._file = file
        self._declared = declared
        self._declared_in = declared_in
        self._admitted = 0

    def template(self, tree: nodes.Template) -> nodes.Template:
        scope = _Scope({name: (name,) for name in self._declared})
        return nodes.Template(self._block(tree.body, scope), lineno=1)

    def string(self, tree: nodes.Template) -> nodes.Template:
        """The same, but that a placeholder which stands alone keeps its value."""
        match tree.body:
            case [nodes.Output(nodes=[only])] if not isinstance(only, nodes.TemplateData):
                scope = _Scope({name: (name,) for name in self._declared})
                value = self._inner(KEPT, self._expression(only, scope), self._place(only, scope))
                return nodes.Template([nodes.Output([value], lineno=only.lineno)], lineno=1)
            case _:
                return self.template(tree)

    # Statements

    def _block(self, body: Sequence[nodes.Node], scope: _Scope) -> list[nodes.Node]:
        return [self._statement(node, scope) for node in body]

    def _statement(self, node: nodes.Node, scope: _Scope) -> nodes.Node:
        self._count(node, scope)
        match node:
            case nodes.Output():
                return nodes.Output([self._output(child, scope) for child in node.nodes], lineno=node.lineno)
            case nodes.If():
                return self._if(node, scope)
            case nodes.For():
                return self._for(node, scope)
            case _:
                raise self._not_in_language(node)

    def _output(self, node: nodes.Expr, scope: _Scope) -> nodes.Expr:
        if isinstance(node, nodes.TemplateData):
            return nodes.TemplateData(node.data, lineno=node.lineno)
        return self._inner(SHOWN, self._expression(node, scope), self._place(node, scope))

    def _if(self, node: nodes.If, scope: _Scope) -> nodes.If:
        inside = scope.deeper()
        test, body, else_ = self._condition(node.test, inside), self._block(node.body, inside), node.else_
        elif_ = [self._if(branch, scope) for branch in node.elif_]
        return nodes.If(test, body, elif_, self._block(else_, inside), lineno=node.lineno)

    def _for(self, node: nodes.For, scope: _Scope) -> nodes.For:
        if node.recursive or node.test is not None:
            raise self._refused(node, "a loop may not be recursive or have a condition; put an if inside")
        if scope.loops == DEEPEST_LOOP:
            raise self._refused(node, f"loops nest at most {DEEPEST_LOOP} levels deep")
        target = self._loop_variable(node.target, scope)
        over = self._path(node.iter, scope)
        place = self._place(node.iter, scope)
        body = self._block(node.body, scope.looping(target, place))
        items = self._inner(EACH, over, place, f"*{target}", _cost(body))
        name = nodes.Name(target, "store", lineno=node.lineno)
        else_ = self._block(node.else_, scope.deeper())
        return nodes.For(name, items, body, else_, None, False, lineno=node.lineno)

    def _loop_variable(self, target: nodes.Node, scope: _Scope) -> str:
        if not isinstance(target, nodes.Name) or not is_variable_name(target.name):
            raise self._refused(target, "a loop has one variable, named like any other")
        if target.name in scope.places:
            raise self._refused(target, f"{target.name} is a variable already; call the loop's variable otherwise")
        return target.name

    # Conditions

    def _condition(self, node: nodes.Node, scope: _Scope) -> nodes.Expr:
        self._count(node, scope)
        inside = scope.deeper()
        match node:
            case nodes.And() | nodes.Or():
                left, right = self._condition(node.left, inside), self._condition(node.right, inside)
                return type(node)(left, right, lineno=node.lineno)
            case nodes.Not():
                return nodes.Not(self._condition(node.node, inside), lineno=node.lineno)
            case nodes.Compare(ops=[nodes.Operand(op="eq" | "ne" | "lt" | "lteq" | "gt" | "gteq")]):
                return self._comparison(node, inside)
            case _:
                return self._expression(node, scope)

    def _comparison(self, node: nodes.Compare, scope: _Scope) -> nodes.Expr:
        (operand,) = node.ops
        left, right = self._argument(node.expr, scope), self._argument(operand.expr, scope)
        place = self._place(node.expr, scope) or self._place(operand.expr, scope)
        return self._inner(COMPARED, left, place, operand.op, right)

    # Expressions

    def _expression(self, node: nodes.Node, scope: _Scope) -> nodes.Expr:
        return self._filter(node, scope) if isinstance(node, nodes.Filter) else self._path(node, scope)

    def _argument(self, node: nodes.Node, scope: _Scope) -> nodes.Expr:
        return self._constant(node) if isinstance(node, nodes.Const) else self._expression(node, scope)

    def _path(self, node: nodes.Node, scope: _Scope) -> nodes.Expr:
        self._count(node, scope)
        match node:
            case nodes.Name():
                return self._name(node, scope)
            case nodes.Getattr():
                if not is_variable_name(node.attr):
                    raise self._refused(node, f"{node.attr[:64]!a} is not a plain attribute")
                return nodes.Getattr(self._path(node.node, scope.deeper()), node.attr, "load", lineno=node.lineno)
            case nodes.Getitem(arg=nodes.Const(value=key)):
                if not _is_subscript(key):
                    raise self._refused(node, "a subscript is a name in quotes or a position from 0")
                item = nodes.Const(key, lineno=node.lineno)
                return nodes.Getitem(self._path(node.node, scope.deeper()), item, "load", lineno=node.lineno)
            case nodes.Getitem():
                raise self._refused(node, "a subscript must be a constant")
            case _:
                raise self._not_in_language(node)

    def _name(self, node: nodes.Name, scope: _Scope) -> nodes.Name:
        if node.name not in scope.places:
            known = ", ".join(sorted(scope.places)[:20]) or "none"
            raise self._refused(node, f"{node.name[:64]!a} is not declared in {self._declared_in}; declared: {known}")
        return nodes.Name(node.name, "load", lineno=node.lineno)

    def _filter(self, node: nodes.Filter, scope: _Scope) -> nodes.Expr:
        self._count(node, scope)
        if node.name not in FILTERS:
            raise self._refused(node, f"no filter {node.name[:64]!a}; there are {', '.join(sorted(FILTERS))}")
        if node.kwargs or node.dyn_args or node.dyn_kwargs:
            raise self._refused(node, f"{node.name} takes its arguments by position")
        assert node.node is not None  # only a filter block has nothing to filter
        inside = scope.deeper()
        self._check_arguments(node)
        subject = self._constant(node.node) if node.name == "format" else self._expression(node.node, inside)
        arguments = [self._argument(argument, inside) for argument in node.args]
        return self._call(node.name, subject, self._place(node, scope), arguments)

    def _check_arguments(self, node: nodes.Filter) -> None:
        """Every filter says here what it takes."""
        match node.name, node.args:
            case name, [] if name in _FILTERS_WITHOUT_ARGUMENTS or name in {"round", "join", "money"}:
                return
            case "default", [_] | [_, nodes.Const(value=True | False)]:
                return
            case "round", [nodes.Const(value=int(digits))] if 0 <= digits <= _MOST_DIGITS:
                return
            case "join", [nodes.Const(value=str(separator))] if len(separator) <= _LONGEST_SEPARATOR:
                return
            case "money", [_]:
                return
            case "format", values if _takes(node.node, len(values)):
                return
            case name, _:
                raise self._refused(node, f"{name} does not take this; {_USAGE.get(name, 'it has no arguments')}")

    def _constant(self, node: nodes.Node) -> nodes.Const:
        match node:
            case nodes.Const(value=None | bool() | int() | float()):
                return nodes.Const(node.value, lineno=node.lineno)
            case nodes.Const(value=str(text)) if not _UNPRINTABLE.search(text):
                return nodes.Const(text, lineno=node.lineno)
            case nodes.Const():
                raise self._refused(node, "a constant has a control character")
            case _:
                raise self._not_in_language(node)

    # Places

    def _place(self, node: nodes.Node | None, scope: _Scope) -> Place:
        """The variable that an admitted expression is about; a format is about its first value."""
        match node:
            case nodes.Name():
                return scope.places[node.name]
            case nodes.Getattr():
                return (*self._place(node.node, scope), node.attr)
            case nodes.Getitem(arg=nodes.Const(value=key)):
                return (*self._place(node.node, scope), str(key))
            case nodes.Filter():
                about = (self._place(part, scope) for part in (node.node, *node.args))
                return next(filter(None, about), ())
            case _:
                return ()

    def _inner(self, name: str, subject: nodes.Expr, place: Place, *arguments: Any) -> nodes.Filter:
        constants = [item if isinstance(item, nodes.Node) else nodes.Const(item) for item in arguments]
        return self._call(name, subject, place, constants)

    def _call(self, name: str, subject: nodes.Expr, place: Place, arguments: Sequence[nodes.Node]) -> nodes.Filter:
        return nodes.Filter(subject, name, [nodes.Const(place), *arguments], [], None, None, lineno=subject.lineno)

    # Bounds and refusals

    def _count(self, node: nodes.Node, scope: _Scope) -> None:
        self._admitted += 1
        if self._admitted > MOST_NODES:
            raise self._refused(node, f"a file has at most {MOST_NODES} tags and expressions")
        if scope.depth > DEEPEST:
            raise self._refused(node, f"tags and expressions nest at most {DEEPEST} levels deep")

    def _not_in_language(self, node: nodes.Node) -> InvalidTemplate:
        what = _NAMES_OF_NODES.get(type(node), type(node).__name__.lower())
        return self._refused(node, f"{what} is not in the template language")

    def _refused(self, node: nodes.Node, reason: str) -> InvalidTemplate:
        return unusable_template(f"{self._file}, line {node.lineno}: {reason}")


_USAGE = {
    "default": "write default(other) or default(other, true)",
    "round": f"write round or round(2), with 0 to {_MOST_DIGITS} digits",
    "join": f'write join or join(", "), with a separator of at most {_LONGEST_SEPARATOR} characters',
    "money": 'write money, money("USD") or money(currency)',
    "format": 'write "%.2f" | format(amount): a constant text, widths up to 99, one value for each %',
}


def _takes(pattern: nodes.Node | None, values: int) -> bool:
    """Whether a format's pattern is a constant, of fixed widths, and takes that many values."""
    if not isinstance(pattern, nodes.Const) or not isinstance(pattern.value, str):
        return False
    conversions = [found for found in _CONVERSION.findall(pattern.value) if found != "%%"]
    return "%" not in _CONVERSION.sub("", pattern.value) and len(conversions) == values > 0


def _is_subscript(key: object) -> bool:
    if isinstance(key, str):
        return _KEY.fullmatch(key) is not None
    return type(key) is int and key >= 0


def _cost(body: Sequence[nodes.Node]) -> int:
    """How many steps one turn of a loop takes, at most."""
    return sum(1 for _ in chain.from_iterable(node.find_all(nodes.Node) for node in body)) + 1
