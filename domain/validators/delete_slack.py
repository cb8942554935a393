"""The parameters of `delete_slack`."""

from __future__ import annotations

from pydantic import Field

from domain.base_action import Parameters
from domain.field_class import Technical


class DeleteSlackParameters(Parameters):
    """Which message: its channel, and its own time there, by which Slack names it."""

    channel: Technical[str] = Field(
        description="The name or the id of a channel that the connection allows.", examples=["renewals"]
    )
    ts: Technical[str] = Field(
        pattern=r"^[0-9]{1,12}\.[0-9]{6}$",
        description="The message's ts, as the result of send_slack has it.",
        examples=["1503435956.000247"],
    )
    connection: Technical[str | None] = Field(
        default=None, description="Which Slack, by the name of its connection; needed where there are several."
    )
