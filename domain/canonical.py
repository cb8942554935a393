"""The canonical form of a JSON value, RFC 8785: equal values are equal bytes, in every language.

Only what the RFC can say has a form: finite numbers, integers of at most 53 bits, strings of whole characters.
"""

from __future__ import annotations

from json.encoder import encode_basestring as quoted  # escapes exactly what section 3.2.2.2 escapes
from math import isfinite

MAX_INTEGER = 2**53 - 1
"""The largest integer that every reader of JSON reads exactly; the smallest is its negative."""


def canonical(value: object) -> bytes:
    """The canonical form, in UTF-8.

    Raises ValueError for a number or a string that has no form, TypeError for what is not JSON.
    Nested as deep as `value`: check foreign values first.
    """
    return _text(value).encode()


def _text(value: object) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{quoted(name)}:{_text(value[name])}" for name in _in_order(value)]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_text(member) for member in value]) + "]"
    if value is None or isinstance(value, bool):
        return _LITERALS[value]
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _number(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


_LITERALS = {None: "null", True: "true", False: "false"}


def _in_order(names: dict[str, object]) -> list[str]:
    """Sorted by UTF-16 code units. Code points give the same order unless a name leaves the basic plane."""
    if "".join(names).isascii():
        return sorted(names)
    return sorted(names, key=lambda name: name.encode("utf-16-be"))


def _integer(value: int) -> str:
    if -MAX_INTEGER <= value <= MAX_INTEGER:
        return str(value)
    raise ValueError("an integer beyond 53 bits has no canonical form")


def _number(value: float) -> str:
    """The form of ECMAScript (Number::toString): plain from 1e-6 up to, but without, 1e21; else with an exponent.

    `repr` gives the same digits, the shortest that read back as `value`; it only sets them differently.
    """
    if not isfinite(value):
        raise ValueError("a number that is not finite has no canonical form")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    digits, point = _digits(abs(value))
    return sign + _positioned(digits, point)


def _digits(value: float) -> tuple[str, int]:
    """The significant digits, and the power of ten that sets their decimal point: value = 0.DIGITS * 10**point."""
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return digits.rstrip("0"), point


def _positioned(digits: str, point: int) -> str:
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
