"""JSON texts from strangers: strict UTF-8 and strict JSON, with a cost that is bounded before a parser starts.

The parser refuses only what it cannot turn into a value. The rest is judged by the inspection of values.
"""

from __future__ import annotations

import re
from collections import Counter
from json import JSONDecodeError, JSONDecoder
from typing import Any

from domain.canonical import MAX_INTEGER
from domain.errors import Code
from domain.json_value import MAX_BYTES, MAX_DEPTH, RepeatedNames, read_value, too_deep, too_large
from domain.refusal import kind_of, refusal_of_all


def read_text(data: bytes | bytearray | str) -> dict[str, Any]:
    """The JSON object that `data` is the text of. Raises MalformedRequest."""
    return read_value(_parsed(data))


def _parsed(data: bytes | bytearray | str) -> object:
    text = _decoded(data)
    if _nesting(text) > MAX_DEPTH:
        raise too_deep()
    try:
        return _PARSER.decode(text)
    except JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise refusal_of_all(Code.MALFORMED, f"not JSON: {error.msg.removesuffix(' at')} at {where}") from None


def _decoded(data: bytes | bytearray | str) -> str:
    encoded = _encoded(data)
    if len(encoded) > MAX_BYTES:
        raise too_large()
    try:
        text = encoded.decode()
    except UnicodeDecodeError as error:
        raise refusal_of_all(Code.MALFORMED, f"not UTF-8: byte {error.start} cannot be decoded") from None
    if text.startswith("\ufeff"):
        raise refusal_of_all(Code.MALFORMED, "the text starts with a byte order mark: send UTF-8 without it")
    return text


def _encoded(data: bytes | bytearray | str) -> bytes | bytearray:
    if type(data) is bytes or type(data) is bytearray:
        return data
    if type(data) is not str:
        raise refusal_of_all(Code.MALFORMED, f"a text is bytes or str, this is {kind_of(data)}")
    if len(data) > MAX_BYTES:
        raise too_large()
    try:
        return data.encode()
    except UnicodeEncodeError as error:
        raise refusal_of_all(
            Code.MALFORMED, f"not UTF-8: character {error.start} is half of a surrogate pair"
        ) from None


def _nesting(text: str) -> int:
    """At least as deep as a parser would go, whatever is wrong with the text. Stops counting beyond the limit."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        if token[0] in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MAX_DEPTH:
                break
        elif token[0] in _CLOSING:
            depth -= 1
    return deepest


# An unfinished string takes the rest of the text; a parser goes no further either.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)
_OPENING = frozenset("[{")
_CLOSING = frozenset("]}")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object] | RepeatedNames:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    times = Counter(name for name, _ in pairs)
    return RepeatedNames(members, tuple(name for name in times if times[name] > 1))


def _integer(digits: str) -> int:
    """More digits than the limit has are beyond it, and not worth the time of converting them."""
    return int(digits) if len(digits) <= _MAX_DIGITS else MAX_INTEGER + 1


_MAX_DIGITS = len(str(-MAX_INTEGER))

# NaN and Infinity pass here: they are refused with their path.
_PARSER = JSONDecoder(object_pairs_hook=_object, parse_int=_integer)
