"""What a message says: a text as it is, or one that a template makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from domain.base_action import Parameters
from domain.errors import Code, FieldError, Refused
from domain.field_class import Personal, Technical
from domain.ports import Templates


class Worded(Parameters):
    """The parameters of a message that is `text`, or made of a `template` and `variables`."""

    text: Personal[str | None] = Field(default=None, description="What the message says. Give either this or template.")
    template: Technical[str | None] = Field(
        default=None,
        description="The name of a message template, whose body is what the message says. Give either this or text.",
    )
    variables: Personal[dict[str, Any]] = Field(
        default_factory=dict,
        description="What fills the template, by the names that it declares; a date is YYYY-MM-DD.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Worded:
        if self.text is not None and self.template is not None:
            raise PydanticCustomError("one_source", "give either text or template")
        if self.variables and self.template is None:
            raise PydanticCustomError("no_template", "variables fill a template, and none is named")
        return self


@dataclass(frozen=True, slots=True)
class Wording:
    """`text` is None where the parameters name no text at all; `source` is the parameter that it comes from, and
    `facts` tell of the template."""

    text: str | None
    source: str = "text"
    facts: Mapping[str, Any] = field(default_factory=dict)


def wording_of(parameters: Worded, templates: Templates) -> Wording:
    """The words, without the white space around them. Raises Refused for what says nothing, and what `render` does."""
    if parameters.template is None:
        return Wording(None if parameters.text is None else _spoken(parameters.text, "text"))
    rendered = templates.render(parameters.template, parameters.variables)
    facts = {"template": parameters.template, "template_sha256": rendered.sha256}
    return Wording(_spoken(rendered.text, "template"), "template", facts)


def refuse_longer(wording: Wording, most: int) -> None:
    """Raises Refused (invalid_parameters) for a text of more than `most` characters."""
    length = len(wording.text or "")
    if length > most:
        raise unfit(wording.source, f"the message has {length} characters; at most {most} can be sent")


def unfit(field_name: str, message: str) -> Refused:
    """The refusal (invalid_parameters) of one parameter."""
    detail = FieldError(f"parameters.{field_name}", Code.INVALID_PARAMETERS, message)
    return Refused(f"{detail.field}: {message}", details=[detail])


def _spoken(text: str, field_name: str) -> str:
    spoken = text.strip()
    if not spoken:
        raise unfit(field_name, "the message says nothing")
    return spoken
