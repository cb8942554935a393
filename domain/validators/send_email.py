"""The parameters of `send_email`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from domain.base_action import Parameters


class SendEmailParameters(Parameters):
    """`template` names a message template, `variables` fill it; the mail goes to one bare address, `recipient`."""

    template: str
    recipient: str
    variables: dict[str, Any] = Field(default_factory=dict)
