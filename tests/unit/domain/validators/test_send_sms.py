"""Which phones a text message may name."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRecipient
from domain.validators.send_sms import check_number

GERMANY = ("+49",)


@pytest.mark.parametrize("number", ["+4915112345678", "+4930123456", "+49301234567890"])
def test_a_number_of_an_allowed_country_is_taken_as_it_is(number: str) -> None:
    assert check_number(number, GERMANY) == number


@pytest.mark.parametrize(
    "number",
    [
        "",
        "+",
        "+49",
        "4915112345678",
        "004915112345678",
        "+4915112345678 ",
        "+4915112345678\n",
        "+49 151 12345678",
        "+49-151-12345678",
        "+0915112345678",
        "+491511234567890123",
        "tel:+4915112345678",
        "+4915112345678;ext=1",
        "+\N{ARABIC-INDIC DIGIT FOUR}915112345678",
        "+43123456789",
        "+1234567890",
    ],
)
def test_what_is_no_number_or_of_another_country_is_refused(number: str) -> None:
    with pytest.raises(InvalidRecipient) as refused:
        check_number(number, GERMANY)
    assert refused.value.code == "invalid_recipient"
    assert refused.value.details[0].field == "parameters.recipient"


@given(st.text(st.sampled_from("+0123456789 ")) | st.from_regex(r"\+[1-9][0-9]{5,15}", fullmatch=True))
def test_what_passes_is_a_number_of_an_allowed_country(number: str) -> None:
    try:
        passed = check_number(number, ("+49", "+1212"))
    except InvalidRecipient:
        return
    assert re.fullmatch(r"\+(49|1212)[0-9]+", passed)
    assert 8 <= len(passed) <= 16
