"""What is asked of a deployed agent."""

from __future__ import annotations

from typing import Any
from uuid import uuid4


def somebody() -> str:
    """A recipient whom nobody has mailed before."""
    return f"{uuid4().hex}@example.com"


def renewal(recipient: str, **members: Any) -> dict[str, Any]:
    """A renewal reminder for somebody."""
    return {
        "action_type": "send_email",
        "parameters": {
            "template": "renewal_reminder",
            "recipient": recipient,
            "variables": {"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"},
        },
        **members,
    }


def webhook(target: str, *, payload: str = "ACME-1", **members: Any) -> dict[str, Any]:
    """A call of a configured target."""
    return {
        "action_type": "call_webhook",
        "parameters": {"webhook": target, "payload": {"account": payload}},
        **members,
    }
