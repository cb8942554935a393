"""The parameters of `send_email`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from domain.base_action import Parameters


class SendEmailParameters(Parameters):
    """`template` names a message template, `variables` fill it; the mail goes to one bare address, `recipient`."""

    template: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
    recipient: str
    variables: dict[str, Any] = Field(default_factory=dict)
