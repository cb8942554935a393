from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.template_filters import Unfit, date, first, formatted, join, last, length, money, rounded, trim, whole
from adapters.template_language import compile_template
from tests.template_files import ANY


def shown(expression: str, **variables: Any) -> str:
    return compile_template("body.txt", f"{{{{ {expression} }}}}", ANY).render(variables)


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("a | upper", "straße", "STRASSE"),
        ("a | lower", "ÀB", "àb"),
        ("a | title", "it's o'neil's day", "It's O'neil's Day"),
        ("a | trim", "  x \n", "x"),
        ("a | upper", 5, "5"),
        ("a | default('-')", None, "-"),
        ("a | default('-')", "", ""),
        ("a | default('-', true)", "", "-"),
        ("a | default('-', false)", "", ""),
        ("a | default('-')", 0, "0"),
        ("a | default('-')", False, "False"),
        ("a | int", "12", "12"),
        ("a | int", "-12.9", "-12"),
        ("a | int", 12.9, "12"),
        ("a | float", "1.50", "1.5"),
        ("a | round", 2.5, "3"),
        ("a | round(2)", 2.675, "2.68"),
        ("a | round(1)", "9.96", "10.0"),
        ("a | length", [1, 2], "2"),
        ("a | length", "text", "4"),
        ("a | length", {"x": 1}, "1"),
        ("a | join(', ')", ["x", 1, 2.5], "x, 1, 2.5"),
        ("a | join", ["x", "y"], "xy"),
        ("a | join(', ')", [], ""),
        ("a | first", ["x", "y"], "x"),
        ("a | last", ["x", "y"], "y"),
        ("a | first | default('none')", [], "none"),
        ("a | date", "2023-12-31", "31 December 2023"),
        ("a | date", "2024-02-01", "1 February 2024"),
        ("a | money('USD')", 1234.5, "USD 1,234.50"),
        ("a | money", 1234.5, "1,234.50"),
        ("a | money('EUR')", 1_000_000, "EUR 1,000,000.00"),
        ("a | money('JPY')", 1234.5, "JPY 1,235"),
        ("a | money('KWD')", 1.2345, "KWD 1.235"),
        ("a | money('USD')", -0.001, "USD 0.00"),
        ("a | money('USD')", -12.5, "USD -12.50"),
        ("a | money('USD')", 1.005, "USD 1.01"),
        ("a | money('USD')", "99.9", "USD 99.90"),
        ("'%.2f' | format(a)", 1.5, "1.50"),
        ("'%05d|%-4s|%s%%' | format(a, a, a)", 7, "00007|7   |7%"),
        ("'%10.3e' | format(a)", 12345.678, " 1.235e+04"),
    ],
)
def test_a_filter_shows_it_so(expression: str, value: Any, expected: str) -> None:
    assert shown(expression, a=value) == expected


def test_the_currency_may_be_a_variable_with_a_default() -> None:
    assert shown("a | money(b | default('USD'))", a=5) == "USD 5.00"
    assert shown("a | money(b | default('USD'))", a=5, b="CHF") == "CHF 5.00"


UNFIT: list[tuple[Any, tuple[Any, ...]]] = [
    (trim, ([1],)), (trim, ({},)), (trim, (None,)), (whole, ("",)), (whole, ("0x10",)), (whole, ("1e5",)),
    (whole, ("١٢",)), (whole, (True,)), (whole, ([],)), (whole, (1e15,)), (whole, ("nan",)), (rounded, ("many",)),
    (rounded, (1e308, 2)), (length, (5,)), (length, (None,)), (length, (True,)), (join, ("text", ", ")), (join, ({},)),
    (join, ([[1]],)), (join, ([None],)), (first, ("text",)), (first, ({},)), (last, ("text",)), (date, ("31.12.2023",)),
    (date, (None,)), (date, (20231231,)), (money, (5, "usd")), (money, (5, "$")), (money, (5, 5)), (money, (5, "US\n")),
    (money, (None,)), (money, (True,)), (money, ("five",)), (money, (10**15, "USD")), (formatted, ("%d", "x")),
    (formatted, ("%s", None)), (formatted, ("%s", [1])), (formatted, ("%.2f", "1.5")),
]  # fmt: skip


@pytest.mark.parametrize(("function", "arguments"), UNFIT)
def test_what_a_filter_cannot_take_is_refused_and_never_guessed(function: Any, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(Unfit):
        function(*arguments)


@given(st.decimals(-(10**12), 10**12, places=2))
def test_money_keeps_every_cent(amount: Decimal) -> None:
    assert Decimal(money(str(amount), "USD").removeprefix("USD ").replace(",", "")) == amount


@given(st.floats(-(10.0**14), 10.0**14), st.integers(0, 10))
def test_rounding_stays_close(number: float, digits: int) -> None:
    # Half a digit, and what a float of this size cannot tell apart.
    assert abs(rounded(number, digits) - number) <= 0.5 * 10.0**-digits + 2 * math.ulp(number)
