"""The parameters of `send_message`."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from domain.base_action import Parameters
from domain.errors import Code, FieldError, Refused
from domain.field_class import Business, Personal, Technical
from domain.validators.document import EFFECT_KEY

MOST_ATTRIBUTES = 9
"""A message has ten at most, and one is ours."""

_NAME = re.compile(r"(?!(?i:aws\.|amazon\.))[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,3}")
_VALUE = re.compile("[ -~\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]{1,256}")


class SendMessageParameters(Parameters):
    """`message` is the body; `attributes` are texts beside it, by which a topic may choose who gets it."""

    message: Personal[dict[str, Any]] = Field(description="The message, as JSON.", examples=[{"account": "ACME-1"}])
    attributes: Personal[dict[str, str]] = Field(
        default_factory=dict,
        description="Texts beside the message, by which receivers may filter; effect_key is added to them.",
        examples=[{"kind": "renewal"}],
    )
    group: Business[str | None] = Field(
        default=None,
        pattern=r"^[!-~]{1,128}$",
        description="Messages of one group arrive in order; a queue or topic that is first in, first out needs it.",
        examples=["ACME-1"],
    )
    connection: Technical[str | None] = Field(
        default=None, description="The connection of kind queue or topic; may be left out where there is only one."
    )

    @field_validator("attributes")
    @classmethod
    def _fit_attributes(cls, attributes: dict[str, str]) -> dict[str, str]:
        if len(attributes) > MOST_ATTRIBUTES:
            raise PydanticCustomError("too_many_attributes", f"at most {MOST_ATTRIBUTES} attributes")
        for name, value in attributes.items():
            if name == EFFECT_KEY:
                raise PydanticCustomError("reserved_attribute", f"{EFFECT_KEY} is set by the execution agent itself")
            if not _NAME.fullmatch(name):
                raise PydanticCustomError("unfit_attribute", "a name is letters, digits, _ and -, with single dots")
            if not _VALUE.fullmatch(value):
                raise PydanticCustomError("unfit_attribute", "a value is one line of 1 to 256 characters")
        return attributes


def check_group(group: str | None, *, needed: bool) -> None:
    """Raises Refused where a channel keeps an order, and the message says not among which."""
    if needed and group is None:
        detail = FieldError(
            "parameters.group", Code.MISSING_FIELD, "this queue or topic keeps messages in order within their group"
        )
        raise Refused(f"{detail.field}: {detail.message}", details=[detail])
