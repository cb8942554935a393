"""Documents that travel: JSON objects, on their way to a system that bounds their size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from domain.canonical import canonical
from domain.errors import Code, FieldError, Refused

EFFECT_KEY = "effect_key"
"""The member, or attribute, by which a receiver knows an effect again."""


def _without_our_member(document: dict[str, Any]) -> dict[str, Any]:
    if EFFECT_KEY in document:
        raise PydanticCustomError("reserved_member", f"the member {EFFECT_KEY} is set by the execution agent itself")
    return document


MarkedDocument = Annotated[dict[str, Any], AfterValidator(_without_our_member)]
"""A JSON object to which the effect key will be added."""


def text_of(document: Mapping[str, Any], *, field: str, at_most: int) -> str:
    """The document as text, the same on every attempt. Raises Refused (too_large) over `at_most` bytes of UTF-8.

    `field` is its path within the parameters.
    """
    data = canonical(dict(document))
    if len(data) > at_most:
        detail = FieldError(f"parameters.{field}", Code.TOO_LARGE, f"takes {len(data)} bytes; at most {at_most} travel")
        raise Refused(f"{detail.field}: {detail.message}", details=[detail], code=Code.TOO_LARGE)
    return data.decode()
