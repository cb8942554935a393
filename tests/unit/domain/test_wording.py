"""What a message says."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.templates import Templates
from domain.errors import InvalidTemplate, MissingVariable, Refused
from domain.validators.parameters import read_parameters
from domain.wording import Worded, Wording, refuse_longer, wording_of

TEMPLATES = Templates()
ACME = {"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"}


def worded(**given: Any) -> Worded:
    return read_parameters(Worded, given)


def test_a_text_is_said_as_it_is_without_the_space_around_it() -> None:
    assert wording_of(worded(text="\n Hello \n"), TEMPLATES) == Wording("Hello", "text", {})


def test_a_template_is_said_by_its_body_and_known_by_its_hash() -> None:
    wording = wording_of(worded(template="renewal_reminder", variables=ACME), TEMPLATES)
    assert "Acme Inc." in (wording.text or "")
    assert wording.source == "template"
    assert wording.facts["template"] == "renewal_reminder"
    assert len(wording.facts["template_sha256"]) == 64


def test_without_either_there_is_no_text() -> None:
    assert wording_of(worded(), TEMPLATES).text is None


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_what_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        wording_of(worded(text=text), TEMPLATES)
    assert refused.value.details[0].field == "parameters.text"


@pytest.mark.parametrize(
    "given", [{"text": "a", "template": "b"}, {"variables": {"a": 1}}, {"text": "a", "variables": ACME}]
)
def test_there_is_one_source(given: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        worded(**given)
    assert refused.value.code == "invalid_parameters"


def test_what_is_wrong_with_a_template_is_told_by_the_templates() -> None:
    with pytest.raises(InvalidTemplate):
        wording_of(worded(template="no_such"), TEMPLATES)
    with pytest.raises(MissingVariable):
        wording_of(worded(template="renewal_reminder"), TEMPLATES)


def test_a_text_has_a_length() -> None:
    refuse_longer(Wording("x" * 5), 5)
    refuse_longer(Wording(None), 5)
    with pytest.raises(Refused) as refused:
        refuse_longer(Wording("x" * 6, "template"), 5)
    assert refused.value.details[0].field == "parameters.template"
    assert "6 characters; at most 5" in refused.value.message
