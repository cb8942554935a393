"""Models as schemas: plain enough for every framework, and nothing lost that a description can say."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from agents.execution_agent.model_schemas import DoesNotFit, plain_schema, types_of, whole_schema


class Address(BaseModel):
    """Where somebody lives."""

    city: str
    title: str = Field(default="", description="Dr. or none.")


class Everything(BaseModel):
    """A parameter of each kind."""

    title: str
    kind: Literal["new", "old"]
    code: Annotated[str, Field(pattern="^[A-Z]+$", min_length=2, max_length=8)]
    share: Annotated[float, Field(gt=0, le=1, description="A part of the whole.", examples=[0.5])] = 1.0
    since: datetime | None = None
    home: Address | None = None
    others: list[Address] = []
    names: list[Any] = []
    fields: dict[str, Any] = {}


class Either(BaseModel):
    amount: int | str
    anything: Any = None
    name: str = ""


class Tree(BaseModel):
    name: str
    branches: list[Tree] = []


def test_a_plain_schema_has_five_words_and_says_the_rest_in_its_descriptions() -> None:
    address = {
        "type": "object",
        "description": "Where somebody lives.",
        "properties": {
            "city": {"type": "string", "description": "city"},
            "title": {"type": "string", "description": "Dr. or none."},
        },
        "required": ["city"],
    }
    assert plain_schema(Everything) == {
        "type": "object",
        "properties": {
            "title": {"type": "string", "description": "title"},
            "kind": {"type": "string", "description": "One of new, old."},
            "code": {
                "type": "string",
                "description": "Matches ^[A-Z]+$ . At least 2 characters. At most 8 characters.",
            },
            "share": {
                "type": "number",
                "description": "A part of the whole. At most 1. More than 0. For example 0.5.",
            },
            "since": {"type": "string", "description": "A date-time."},
            "home": address,
            "others": {"type": "array", "description": "others", "items": address},
            "names": {"type": "array", "description": "names"},
            "fields": {"type": "object", "description": "fields"},
        },
        "required": ["title", "kind", "code"],
    }


def test_where_nothing_is_required_nothing_says_so() -> None:
    class Nothing(BaseModel):
        pass

    class Optional(BaseModel):
        name: str = ""

    assert plain_schema(Nothing) == {"type": "object", "properties": {}}
    assert set(plain_schema(Optional)) == {"type", "properties"}


def test_what_is_null_or_something_is_something() -> None:
    types = types_of(Everything)
    assert (types["since"], types["home"], types["others"], types["share"]) == ("string", "object", "array", "number")


def test_a_parameter_of_several_types_has_none_of_them() -> None:
    assert types_of(Either) == {"name": "string"}
    with pytest.raises(DoesNotFit, match="amount"):
        plain_schema(Either)


def test_a_model_that_holds_itself_fits_nowhere_but_has_types() -> None:
    assert types_of(Tree) == {"name": "string", "branches": "array"}
    with pytest.raises(DoesNotFit, match="branches"):
        plain_schema(Tree)


def test_a_whole_schema_keeps_all_but_the_titles_that_nobody_wrote() -> None:
    whole = whole_schema(Everything)
    assert "title" not in whole
    assert whole["properties"]["title"] == {"type": "string"}
    assert whole["properties"]["kind"] == {"enum": ["new", "old"], "type": "string"}
    assert set(whole["$defs"]["Address"]["properties"]) == {"city", "title"}
    assert "title" not in whole["$defs"]["Address"]


def test_an_example_may_have_a_member_that_is_called_title() -> None:
    class Letter(BaseModel):
        head: dict[str, Any] = Field(examples=[{"title": "Dear Ada"}])

    assert whole_schema(Letter)["properties"]["head"]["examples"] == [{"title": "Dear Ada"}]
