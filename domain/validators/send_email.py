"""The parameters of `send_email`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from domain.base_action import Parameters


class SendEmailParameters(Parameters):
    """`template` names a message template, `variables` fill it; the mail goes to one bare address, `recipient`."""

    template: str = Field(description="The name of the message template.", examples=["renewal_reminder"])
    recipient: str = Field(description="One bare e-mail address.", examples=["customer@example.com"])
    variables: dict[str, Any] = Field(
        default_factory=dict,
        description="What fills the template, by the names that it declares; a date is YYYY-MM-DD.",
        examples=[{"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"}],
    )
