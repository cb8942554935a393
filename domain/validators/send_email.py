"""The parameters of `send_email`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from domain.base_action import Parameters
from domain.field_class import Personal, Technical


class MailAddresses(Parameters):
    """Who else a mail concerns. Each is one bare address that the template allows."""

    cc: Personal[list[str]] = Field(
        default_factory=list, max_length=49, description="Who gets a copy, and is seen to get it."
    )
    bcc: Personal[list[str]] = Field(default_factory=list, max_length=49, description="Who gets a copy unseen.")
    reply_to: Personal[str | None] = Field(default=None, description="Who gets the answers.")


class SendEmailParameters(Parameters):
    """`template` names a message template, `variables` fill it; the mail goes to one bare address, `recipient`.

    What else it may have is for the template to allow.
    """

    template: Technical[str] = Field(description="The name of the message template.", examples=["renewal_reminder"])
    recipient: Personal[str] = Field(description="One bare e-mail address.", examples=["customer@example.com"])
    variables: Personal[dict[str, Any]] = Field(
        default_factory=dict,
        description="What fills the template, by the names that it declares; a date is YYYY-MM-DD.",
        examples=[{"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"}],
    )
    addresses: Personal[MailAddresses | None] = Field(
        default=None,
        description="Who else gets the mail (cc, bcc) and its answers (reply_to), where the template allows.",
    )
    attachments: Personal[list[str]] = Field(
        default_factory=list,
        max_length=20,
        description="Files that the template allows: FILE of its folder, or STORE:PATH, such as invoices:acme/7.pdf.",
    )
