"""The parameters of `publish_event`."""

from __future__ import annotations

from pydantic import Field

from domain.base_action import Parameters
from domain.field_class import Personal, Technical
from domain.validators.document import MarkedDocument


class PublishEventParameters(Parameters):
    """`detail_type` says what kind of event it is; who hears of it decides by that. The source is configured."""

    detail_type: Technical[str] = Field(
        pattern=r"^[!-~](?:[ -~]{0,126}[!-~])?$",
        description="What kind of event it is.",
        examples=["Renewal At Risk"],
    )
    detail: Personal[MarkedDocument] = Field(
        description="What happened, as JSON; effect_key is added to it.", examples=[{"account": "ACME-1"}]
    )
    connection: Technical[str | None] = Field(
        default=None, description="The connection of kind event_bus; may be left out where there is only one."
    )
