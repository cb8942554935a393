"""A text of YAML, or of JSON, as a plain JSON value that remembers its lines.

Of YAML, as much as reads alike in every tool and version: no tags, anchors, aliases and merge keys, and no word that is
a boolean or a number to some readers and a text to others (`yes`, `012`, `1:30`): such a word is refused, and not
guessed at. Dates are texts. JSON is read as the YAML that it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from domain.errors import ConfigurationError, InvalidDefinition, MalformedRequest, Problem
from domain.json_value import MAX_BYTES, MAX_DEPTH, read_value
from domain.refusal import MAX_ECHO, MAX_PROBLEMS, dotted

if TYPE_CHECKING:
    from yaml import Event

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Located:
    """`value` is plain JSON, null where it could not be read. `lines` are by dotted path."""

    value: Any
    lines: Mapping[str, int]
    problems: tuple[Problem, ...] = ()
    doubtful: frozenset[str] = field(default_factory=frozenset)
    """Where the value is not what the text says: nothing more is to be said of it."""

    def line_of(self, path: str) -> int:
        """The line of a path, or of the nearest that there is above it."""
        while path and path not in self.lines:
            path = path.rpartition(".")[0]
        return self.lines.get(path, 1)


def read_located(data: bytes) -> Located:
    """Raises InvalidDefinition for what cannot be read at all. ConfigurationError where PyYAML is not installed."""
    text = _decoded(data)
    try:
        import yaml
    except ModuleNotFoundError:
        raise ConfigurationError('workflows need PyYAML; install "execution-agent[workflows]"') from None
    try:
        return _Reading(yaml.parse(text, Loader=yaml.SafeLoader)).whole()
    except yaml.reader.ReaderError as error:
        raise _unreadable(_line_at(text, error.position), "a character that YAML does not allow") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _unreadable(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}") from None
    except (ValueError, OverflowError):
        raise _unreadable(1, "not YAML: a number in it is too large") from None


def _decoded(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise _unreadable(1, f"a definition has at most {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(data[: error.start].count(b"\n") + 1, "not UTF-8") from None
    # YAML takes no tabs between the members of an object. JSON does, and has them nowhere else.
    return text.replace("\t", " ") if "\t" in text and _is_json(text) else text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _unreadable(line: int, message: str) -> InvalidDefinition:
    return InvalidDefinition([Problem(line, "", message)])


# From events to a value

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_READ_DIFFERENTLY = re.compile(
    r"""(?i:yes|no|on|off|true|false|null)   # booleans and nothing, but for true, false and null
    |[-+]?(?:\.[0-9]|[0-9])[0-9_]*(?:\.[0-9_]*)?(?:e[-+]?[0-9]+)?   # 012, +1, 1_000, .5, 5.
    |[-+]?0[box][0-9a-fA-F_]+ |[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?   # 0x1F, 1:30
    |[-+]?\.(?i:inf|nan) |<<|=""",
    re.VERBOSE,
)
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}
_MAX_DIGITS = 400


class _Reading:
    """One walk over the parser's events, no deeper than a request may be."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._lines: dict[str, int] = {}
        self._problems: list[Problem] = []
        self._doubtful: set[str] = set()

    def whole(self) -> Located:
        """Raises what the parser raises, and InvalidDefinition."""
        event = self._next()
        while _kind(event) in ("StreamStartEvent", "DocumentStartEvent"):
            event = self._next()
        if _kind(event) == "StreamEndEvent":
            raise _unreadable(1, "the text is empty")
        value = self._value(event, (), _line(event))
        self._next()
        if _kind(after := self._next()) != "StreamEndEvent":
            raise _unreadable(_line(after), "a text has one document only")
        return Located(value, self._lines, tuple(self._problems), frozenset(self._doubtful))

    def _next(self) -> Any:
        return next(self._events)

    def _value(self, event: Any, path: Path, line: int) -> Any:
        """The value that begins with `event`; `line` is of its name, or its own."""
        self._lines[_joined(path)] = line
        if _kind(event) == "AliasEvent":
            return self._doubt(path, line, "aliases are not read: write it out; a text that begins with * is quoted")
        if event.anchor is not None:
            self._doubt(path, line, "anchors are not read; a text that begins with & is quoted")
        if event.tag is not None:
            self._doubt(path, line, "tags are not read; a text that begins with ! is quoted")
        if _kind(event) == "ScalarEvent":
            return self._scalar(event, path, line)
        if len(path) >= MAX_DEPTH:
            raise InvalidDefinition(
                [*self._problems, Problem(line, dotted(path), f"nests more than {MAX_DEPTH} levels")]
            )
        return self._object(path) if _kind(event) == "MappingStartEvent" else self._array(path)

    def _array(self, path: Path) -> list[Any]:
        members: list[Any] = []
        while _kind(event := self._next()) != "SequenceEndEvent":
            members.append(self._value(event, (*path, len(members)), _line(event)))
        return members

    def _object(self, path: Path) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while _kind(event := self._next()) != "MappingEndEvent":
            name = self._name(event, path)
            member = (*path, name)
            if name in members:
                self._doubt(member, _line(event), "this name is given more than once in the same object")
            members[name] = self._value(self._next(), member, _line(event))
        return members

    def _name(self, event: Any, path: Path) -> str:
        line = _line(event)
        if _kind(event) != "ScalarEvent":
            raise InvalidDefinition([*self._problems, Problem(line, dotted(path), "a name is a text")])
        name = _with_whole_characters(event.value)
        if event.anchor is not None or event.tag is not None:
            self._doubt((*path, name), line, "a name has neither tag nor anchor")
        if event.implicit[0] and (_READ_DIFFERENTLY.fullmatch(name) or name in _WORDS):
            self._doubt((*path, name), line, "a name is a text: quote what could be something else")
        if flaw := _flaw_of({name: None}):
            self._doubt((*path, name), line, flaw)
        return name

    def _scalar(self, event: Any, path: Path, line: int) -> Any:
        text = _with_whole_characters(event.value)
        value = self._plain(text, path, line) if event.implicit[0] else text
        flaw = _flaw_of({"": value})
        return self._doubt(path, line, flaw) if flaw else value

    def _plain(self, text: str, path: Path, line: int) -> Any:
        if text in _WORDS:
            return _WORDS[text]
        if _JSON_NUMBER.fullmatch(text):
            return _number(text)
        if _READ_DIFFERENTLY.fullmatch(text):
            return self._doubt(path, line, f"{text[:MAX_ECHO]!r} is read in different ways: quote it if it is a text")
        return text

    def _doubt(self, path: Path, line: int, message: str) -> None:
        self._doubtful.add(_joined(path))
        self._problems.append(Problem(line, dotted(path), message))
        if len(self._problems) == MAX_PROBLEMS:
            raise InvalidDefinition(self._problems)


def _joined(path: Path) -> str:
    return ".".join(map(str, path))


def _kind(event: Any) -> str:
    return type(event).__name__


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


def _number(text: str) -> int | float:
    if text.lstrip("-").isdigit() and len(text) < _MAX_DIGITS:
        return int(text)
    return float(text)


def _with_whole_characters(text: str) -> str:
    """JSON escapes what is beyond the basic plane in two halves, and YAML leaves them so."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _flaw_of(value: dict[str, Any]) -> str | None:
    """What the front gate of requests would say of one scalar, or of one name."""
    try:
        read_value(value)
    except MalformedRequest as malformed:
        return malformed.details[0].message
    return None
