"""The parameters of `send_teams`."""

from __future__ import annotations

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from domain.base_action import Parameters
from domain.field_class import Personal, Technical
from domain.wording import Worded


class Fact(Parameters):
    """One line of a card's facts."""

    title: str = Field(min_length=1, description="What it is.", examples=["Account"])
    value: str = Field(description="Its value.", examples=["ACME-1"])


class SendTeamsParameters(Worded):
    """A card: `text` or `template`, facts, or both, under a title."""

    text: Personal[str | None] = Field(
        default=None,
        description="What the card says, in the Markdown of Adaptive Cards; a blank line begins a new paragraph.",
        examples=["**ACME-1** renews on 2023-12-31."],
    )
    title: Personal[str | None] = Field(
        default=None, min_length=1, description="The card's first line.", examples=["A renewal is due"]
    )
    facts: Personal[list[Fact]] = Field(
        default_factory=list,
        max_length=50,
        description="Names and values, shown as a table below the text.",
        examples=[[{"title": "Account", "value": "ACME-1"}]],
    )
    connection: Technical[str | None] = Field(
        default=None, description="Which channel, by the name of its connection; needed where there are several."
    )

    @model_validator(mode="after")
    def _says_something(self) -> SendTeamsParameters:
        if self.text is None and self.template is None and not self.facts:
            raise PydanticCustomError("says_nothing", "give text, template or facts")
        return self
