"""Documents that travel: their text, its size, and the member that is ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.errors import Refused
from domain.validators.document import MarkedDocument, text_of

DOCUMENTS = st.dictionaries(st.text(), st.integers(-(2**53) + 1, 2**53 - 1) | st.text() | st.booleans() | st.none())


@given(DOCUMENTS)
def test_equal_documents_are_equal_texts_and_lose_nothing(document: dict[str, Any]) -> None:
    try:
        text = text_of(document, field="input", at_most=1_000_000)
    except ValueError:  # half of a surrogate pair, which the gate refuses
        return
    assert json.loads(text) == document
    assert text_of(dict(reversed(document.items())), field="input", at_most=1_000_000) == text


def test_a_text_is_measured_in_bytes() -> None:
    document = {"a": "ü" * 10}
    size = len('{"a":""}') + 20
    assert len(text_of(document, field="input", at_most=size).encode()) == size
    with pytest.raises(Refused) as refused:
        text_of(document, field="input", at_most=size - 1)
    assert refused.value.code == "too_large"
    assert [(detail.field, detail.code) for detail in refused.value.details] == [("parameters.input", "too_large")]


def test_the_member_that_is_ours_is_nobody_elses() -> None:
    documents: TypeAdapter[dict[str, Any]] = TypeAdapter(MarkedDocument)
    assert documents.validate_python({"key": 1, "nested": {"effect_key": 2}}) == {"key": 1, "nested": {"effect_key": 2}}
    with pytest.raises(ValidationError, match="effect_key"):
        documents.validate_python({"effect_key": 1})
