"""The filters of the template language, and the budget that a render lives on.

    upper lower title trim       of a text or a number
    escape                       for HTML; body.html escapes by itself
    default(other)               `other` where it is absent or null; default(other, true) also where it is empty
    int float round(digits)      of a number, or of a text that is one; round without digits gives a whole number
    length                       of a text, a list or an object
    first last join(", ")        of a list
    date                         {{ renewal_date | date }}                    31 December 2023
    money                        {{ amount | money("USD") }}                  USD 1,234.50
                                 {{ amount | money(currency) }}               JPY 1,235
                                 {{ amount | money }}                         1,234.50
    format                       {{ "%05.1f %s" | format(amount, plan) }}     a constant text of fixed widths, up to 99

They are the same in every locale. A value that a filter cannot take is refused, never guessed: the message is not sent.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeAlias

from jinja2 import StrictUndefined, Undefined, pass_context
from jinja2.filters import do_title
from jinja2.runtime import Context
from markupsafe import Markup, escape

from adapters.template_declaration import VARIABLES_FIELD, calendar_date, kind_of, unfit_variable
from domain.errors import Code, FieldError, InvalidVariable, MissingVariable

Place: TypeAlias = tuple[str, ...]
"""Where a value comes from: `("order", "lines", "*line", "total")`; `*line` is the position of the loop with `line`."""

MOST_WORK = 1024 * 1024
"""How many characters one file may read and write, and steps its loops may take, in one render."""

_LARGEST_AMOUNT = Decimal(10) ** 15
_NUMBER = re.compile(r"[-+]?[0-9]{1,18}(?:\.[0-9]{1,18})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
# ISO 4217: currencies with another number of decimals than two.
_WITHOUT_DECIMALS = frozenset(
    {
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    }
)
_WITH_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
# calendar.month_name speaks the language of the machine.
_MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September"]
_MONTHS += ["October", "November", "December"]
_MORE_THAN_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}


class Unfit(Exception):
    """A filter cannot take this value. The message completes "parameters.variables.x ..."."""


class Absent(StrictUndefined):
    """A variable that was not given: `if` and `for` see nothing there, everything else refuses it."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]  # the parent raises
        return False


class Rendering:
    """One render of one file, or of all strings of one document: what it may still spend, and where in its lists it
    stands. `field` is where the variables stand in the request; `kept` is the value of a placeholder that stands alone.
    """

    def __init__(self, *, one_line: bool, field: str = VARIABLES_FIELD) -> None:
        self.one_line = one_line
        self.field = field
        self.kept: list[Any] = []
        self._left = MOST_WORK
        self._positions: dict[str, int] = {}

    def spend(self, work: int) -> None:
        """Raises InvalidVariable when these variables ask for more work than a message may take."""
        self._left -= work
        if self._left < 0:
            reason = "make the message too long; give shorter texts or lists"
            details = [FieldError(self.field, Code.TOO_LARGE, reason)]
            raise InvalidVariable(f"{self.field} {reason}", details=details)

    def each(self, items: list[Any], loop: str, cost: int) -> Iterator[Any]:
        """The items, each paid for when it is taken."""
        for position, item in enumerate(items):
            self._positions[loop] = position
            self.spend(cost)
            yield item

    def missing(self, place: Place) -> MissingVariable:
        """The refusal of a render that needs a value which is not there."""
        field, reason = self._path(place), "is not there, and the template needs it here"
        details = [FieldError(field, Code.MISSING_VARIABLE, reason)]
        return MissingVariable(f"{field} {reason}", details=details)

    def unfit(self, place: Place, reason: str) -> InvalidVariable:
        """The refusal of a render that cannot use a value."""
        return unfit_variable(self._path(place), reason)

    def _path(self, place: Place) -> str:
        return ".".join([self.field, *(str(self._positions.get(part, part)) for part in place)])


class RenderingContext(Context):
    """Jinja's context, with our rendering on board."""

    rendering: Rendering


def is_one_line(text: str) -> bool:
    """Whether a subject may hold it. An encoded word (`=?`) of a user's own could smuggle header lines past the library
    that builds the message."""
    return "=?" not in text and not _MORE_THAN_A_LINE.search(text)


def upper(value: Any) -> str:
    return _text(value).upper()


def lower(value: Any) -> str:
    return _text(value).lower()


def title(value: Any) -> str:
    return do_title(_text(value))


def trim(value: Any) -> str:
    return _text(value).strip()


def escaped(value: Any) -> Markup:
    return escape(value if isinstance(value, Markup) else _text(value))


def whole(value: Any) -> int:
    return int(_decimal(value))


def decimal_fraction(value: Any) -> float:
    return float(_decimal(value))


def rounded(value: Any, digits: int = 0) -> int | float:
    exact = _to_decimals(_decimal(value), digits)
    return float(exact) if digits else int(exact)


def length(value: Any) -> int:
    if isinstance(value, str | list | dict):
        return len(value)
    raise Unfit(f"must be a text, a list or an object here; it is {kind_of(value)}")


def first(value: Any) -> Any:
    return next(iter(_list(value)), None)


def last(value: Any) -> Any:
    return next(reversed(_list(value)), None)


def join(value: Any, separator: str = "") -> str:
    return separator.join(_text(item) for item in _list(value))


def date(value: Any) -> str:
    day = calendar_date(value)
    if day is None:
        raise Unfit("must be a real date in the form YYYY-MM-DD here")
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def money(value: Any, currency: Any = None) -> str:
    if currency is not None and not (isinstance(currency, str) and _CURRENCY.fullmatch(currency)):
        raise Unfit("needs a currency of three capital letters, such as USD")
    amount = _to_decimals(_decimal(value), _decimals_of(currency))
    return f"{currency} {amount:,}" if currency else f"{amount:,}"


def formatted(pattern: str, *values: Any) -> str:
    try:
        return pattern % tuple(str(value) if isinstance(value, Markup) else _scalar(value) for value in values)
    except TypeError:
        raise Unfit(f"is not what the format {pattern!r} takes") from None


def _text(value: Any) -> str:
    return str(_scalar(value))


def _scalar(value: Any) -> str | int | float:
    """A text, a number or a boolean; what has no one form for people is refused."""
    if isinstance(value, str | int | float):
        return value
    raise Unfit(f"must be a text or a number here; it is {kind_of(value)}")


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise Unfit(f"must be a list here; it is {kind_of(value)}")


def _decimal(value: Any) -> Decimal:
    """The number as it was written, so that 2.675 is not a little less. At most 15 digits before the point."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unfit(f"must be a number here; it is {kind_of(value)}")
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise Unfit("must be a number here, written like 1234.5; this string is not")
    number = Decimal(str(value))
    if abs(number) >= _LARGEST_AMOUNT:
        raise Unfit(f"must be a number under {_LARGEST_AMOUNT:,} here")
    return number


def _to_decimals(number: Decimal, decimals: int) -> Decimal:
    """Rounded half away from zero, as people do; adding zero drops the sign of -0."""
    return number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP) + 0


def _decimals_of(currency: str | None) -> int:
    if currency in _WITHOUT_DECIMALS:
        return 0
    return 3 if currency in _WITH_THREE_DECIMALS else 2


def _metered(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter as Jinja calls it: paid for, and refused with the place that the value comes from."""

    @pass_context
    def metered(context: RenderingContext, value: Any, place: Place, *arguments: Any) -> Any:
        rendering = context.rendering
        if any(isinstance(given, Undefined) for given in (value, *arguments)):
            raise rendering.missing(place)
        rendering.spend(_size(value))
        try:
            made = function(value, *arguments)
        except Unfit as unfit:
            raise rendering.unfit(place, str(unfit)) from None
        rendering.spend(_size(made))
        return made

    return metered


def _size(value: Any) -> int:
    return 1 + len(value) if isinstance(value, str | list) else 1


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _default(value: Any, _place: Place, other: Any, instead_of_empty: bool = False) -> Any:
    lacks = value is None or isinstance(value, Undefined) or (instead_of_empty and not value)
    return other if lacks else value


@pass_context
def _shown(context: RenderingContext, value: Any, place: Place) -> str:
    """What stands in the message: every `{{ }}` ends here."""
    rendering = context.rendering
    if isinstance(value, Undefined):
        raise rendering.missing(place)
    if not isinstance(value, str | int | float):
        raise rendering.unfit(place, f"must be a text or a number here; it is {kind_of(value)}")
    text = value if isinstance(value, str) else str(value)
    rendering.spend(_size(text))
    if rendering.one_line and not is_one_line(text):
        raise rendering.unfit(place, 'stands in the subject and must be one line, without tabs and without "=?"')
    return text


@pass_context
def _kept(context: RenderingContext, value: Any, place: Place) -> str:
    """Keeps the value itself, of whatever type, and shows nothing."""
    rendering = context.rendering
    if isinstance(value, Undefined):
        raise rendering.missing(place)
    rendering.spend(len(_encode(value)))
    rendering.kept.append(str(value) if isinstance(value, Markup) else value)
    return ""


@pass_context
def _each(context: RenderingContext, value: Any, place: Place, loop: str, cost: int) -> Iterator[Any]:
    """The items of a loop: every `for` takes them from here."""
    rendering = context.rendering
    if isinstance(value, Undefined):
        return iter(())
    if not isinstance(value, list):
        raise rendering.unfit(place, f"must be a list here; it is {kind_of(value)}")
    return rendering.each(value, loop, cost)


def _compared(value: Any, comparison: str, other: Any) -> bool:
    """Whether the comparison holds: every `==` or `<` is decided here, and only between texts, numbers and null."""
    for operand in (value, other):
        if operand is not None:
            _scalar(operand)
    try:
        return _COMPARISONS[comparison](value, other)
    except TypeError:
        raise Unfit(f"is {kind_of(value)} and cannot be compared with {kind_of(other)}") from None


FILTERS: dict[str, Callable[..., Any]] = {
    "upper": _metered(upper),
    "lower": _metered(lower),
    "title": _metered(title),
    "trim": _metered(trim),
    "default": _default,
    "round": _metered(rounded),
    "int": _metered(whole),
    "float": _metered(decimal_fraction),
    "length": _metered(length),
    "join": _metered(join),
    "first": _metered(first),
    "last": _metered(last),
    "escape": _metered(escaped),
    "date": _metered(date),
    "money": _metered(money),
    "format": _metered(formatted),
}
"""What a template may name."""

SHOWN, KEPT, EACH, COMPARED = "shown", "kept", "each", "compared"
"""What only the admitted tree names: the names are not in FILTERS, so no template can write them."""

INNER_FILTERS: dict[str, Callable[..., Any]] = {
    SHOWN: _shown,
    KEPT: _kept,
    EACH: _each,
    COMPARED: _metered(_compared),
}
