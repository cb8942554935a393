"""The canonical form of JSON values, beside the RFC's own examples and beside another implementation."""

from __future__ import annotations

import json
import math
import random
import struct
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.canonical import MAX_INTEGER, canonical

RFC_8785_APPENDIX_B = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


def double(bits: str) -> float:
    number: float = struct.unpack(">d", bytes.fromhex(bits))[0]
    return number


@pytest.mark.parametrize(("bits", "form"), RFC_8785_APPENDIX_B)
def test_numbers_have_the_form_of_appendix_b(bits: str, form: str) -> None:
    assert canonical(double(bits)) == form.encode()


def test_the_sample_of_section_3_2_2() -> None:
    text = (
        r'{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        r' "string": "\u20ac$\u000F\u000aA\u0027\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}'
    )
    assert (
        canonical(json.loads(text))
        == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


def test_names_are_sorted_by_utf_16_code_units_as_in_section_3_2_3() -> None:
    given_names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]

    form = canonical(dict.fromkeys(given_names))

    assert list(json.loads(form)) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, MAX_INTEGER + 1, -MAX_INTEGER - 1, "\ud800"])
def test_what_the_rfc_cannot_say_has_no_form(value: object) -> None:
    with pytest.raises(ValueError):
        canonical([value])


@pytest.mark.parametrize("value", [(1,), {1}, b"1", object()])
def test_what_is_not_json_has_no_form(value: object) -> None:
    with pytest.raises(TypeError):
        canonical({"a": value})


def test_thirty_thousand_numbers_agree_with_another_implementation() -> None:
    chance = random.Random(8785)
    for _ in range(10_000):
        for number in (
            double(chance.randbytes(8).hex()),
            chance.uniform(-10, 10) * 10.0 ** chance.randint(-9, 23),
            round(chance.uniform(-1e6, 1e6), chance.randint(0, 6)),
        ):
            if math.isfinite(number):
                assert canonical(number) == rfc8785.dumps(number)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=1500, deadline=None)
@given(value=JSON)
@example(value={"\ufb33": 1, "\U0001f600": 2})
@example(value="".join(map(chr, range(0x120))) + "\u2028\u2029\ufeff\U0010ffff")
@example(value=[1.0, -0.0, True, 1, False, 0, MAX_INTEGER, -MAX_INTEGER])
def test_every_value_agrees_with_another_implementation_and_reads_back(value: Any) -> None:
    form = canonical(value)

    assert form == rfc8785.dumps(value)
    assert json.loads(form, parse_int=float) == value
