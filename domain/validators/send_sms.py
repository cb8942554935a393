"""The parameters of `send_sms`, and which phones they may name."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NoReturn

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from domain.errors import Code, FieldError, InvalidRecipient
from domain.field_class import Personal, Technical
from domain.wording import Worded

LONGEST_TEXT = 1_600
"""Characters of all the parts that one message may be sent in."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class SendSmsParameters(Worded):
    """A text message: `text` or `template`, to one phone."""

    recipient: Personal[str] = Field(
        description="A phone number in the form of E.164: a plus, the country and the number, digits only.",
        examples=["+4915112345678"],
    )
    text: Personal[str | None] = Field(
        default=None,
        description="What the message says. Give either this or template.",
        examples=["ACME-1 renews on 2023-12-31."],
    )
    connection: Technical[str | None] = Field(
        default=None, description="Which way to send, by the name of its connection; needed where there are several."
    )

    @model_validator(mode="after")
    def _says_something(self) -> SendSmsParameters:
        if self.text is None and self.template is None:
            raise PydanticCustomError("says_nothing", "give text or template")
        return self


def check_number(number: str, prefixes: Collection[str]) -> str:
    """The number itself. Raises InvalidRecipient for what is none, or begins with none of the allowed prefixes."""
    if not _E164.fullmatch(number):
        _refuse("must be a plus and 7 to 15 digits, the country first, such as +4915112345678")
    if not number.startswith(tuple(prefixes)):
        _refuse(f"is in no country that the connection allows; there are: {', '.join(sorted(prefixes))}")
    return number


def _refuse(reason: str) -> NoReturn:
    detail = FieldError("parameters.recipient", Code.INVALID_RECIPIENT, reason)
    raise InvalidRecipient(f"the recipient {reason}", details=[detail])
