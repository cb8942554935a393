"""The parameters of `invoke_function`."""

from __future__ import annotations

from pydantic import Field

from domain.base_action import Parameters
from domain.field_class import Personal, Technical
from domain.validators.document import MarkedDocument


class InvokeFunctionParameters(Parameters):
    """`payload` is what the function is called with; which function it is says the connection."""

    payload: Personal[MarkedDocument] = Field(
        default_factory=dict,
        description="What the function is called with, as JSON; effect_key is added to it.",
        examples=[{"account": "ACME-1"}],
    )
    connection: Technical[str | None] = Field(
        default=None, description="The connection of kind function; may be left out where there is only one."
    )
