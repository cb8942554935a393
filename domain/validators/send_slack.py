"""The parameters of `send_slack`, and what a message to Slack may hold.

Slack reads `&`, `<` and `>` as marks: `<https://example.com|a link>`, `<@U123>` for a person, `<#C123>` for a channel,
`<!channel>` for everybody in it (https://docs.slack.dev/messaging/formatting-message-text). In a text these marks stay,
and what only looks like one is escaped, as Slack asks. Blocks are in Slack's own language, and are left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from domain.errors import Refused
from domain.field_class import Personal, Technical
from domain.wording import Worded, Wording, refuse_longer, unfit

LONGEST_TEXT = 40_000
"""Characters, escaped. Slack cuts off what is longer."""
MOST_BLOCKS = 50

_MARK = re.compile(
    r"<(?:https?://[^<>|\s]+|mailto:[^<>|\s]+|@[UW][A-Z0-9]+|\#C[A-Z0-9]+|![a-z]+(?:\^[^<>|\n]*)?)(?:\|[^<>\n]*)?>"
    r"|&(?:amp|lt|gt);"
)
_SPECIAL = re.compile(r"<\s*!(?!date\^)", re.IGNORECASE)
"""What begins a word of Slack's to a machine: all of them call people, but for a date."""
_CALLS = ("broadcast", "usergroup")
"""The elements of a rich text that do so."""
_FOLLOWED = ("title_url",)
"""What is named like a URL that Slack fetches, and is a link for people."""


class SendSlackParameters(Worded):
    """A message to a configured channel: `text` or `template`, `blocks`, or both."""

    channel: Technical[str] = Field(
        description="The name or the id of a channel that the connection allows.", examples=["renewals"]
    )
    text: Personal[str | None] = Field(
        default=None,
        description="What the message says, in Slack's mrkdwn; beside blocks, what a notification shows.",
        examples=["*ACME-1* renews on 2023-12-31."],
    )
    blocks: Personal[list[dict[str, Any]]] = Field(
        default_factory=list, max_length=MOST_BLOCKS, description="The message in blocks of Slack's Block Kit."
    )
    thread_ts: Technical[str | None] = Field(
        default=None,
        pattern=r"^[0-9]{1,12}\.[0-9]{6}$",
        description="The ts of the message that this one answers, in its thread.",
    )
    connection: Technical[str | None] = Field(
        default=None, description="Which Slack, by the name of its connection; needed where there are several."
    )

    @field_validator("blocks")
    @classmethod
    def _typed_blocks(cls, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not all(isinstance(block.get("type"), str) and block["type"] for block in blocks):
            raise PydanticCustomError("untyped_block", "every block has a type")
        return blocks

    @model_validator(mode="after")
    def _says_something(self) -> SendSlackParameters:
        if self.text is None and self.template is None and not self.blocks:
            raise PydanticCustomError("says_nothing", "give text, template or blocks")
        return self


def slack_wording(wording: Wording) -> Wording:
    """The same as Slack takes it. Raises Refused (invalid_parameters) for what is too long then."""
    fit = wording if wording.text is None else replace(wording, text=escaped(wording.text))
    refuse_longer(fit, LONGEST_TEXT)
    return fit


def escaped(text: str) -> str:
    """The text with Slack's own marks as they are, and every other `&`, `<` and `>` as people shall see it."""
    kept = (found[0] for found in _MARK.finditer(text))
    return "".join(between + next(kept, "") for between in map(_plain, _MARK.split(text)))


def refuse_mentions(wording: Wording, blocks: Sequence[Mapping[str, Any]]) -> None:
    """Raises Refused (invalid_parameters) for a message that calls many people at once, or a group of them.

    A text that an agent wrote may hold whatever somebody else made it write.
    """
    if _SPECIAL.search(wording.text or ""):
        raise _mention(wording.source)
    if any(_calls_many(part) for part in _parts(blocks)):
        raise _mention("blocks")


def refuse_images(blocks: Sequence[Mapping[str, Any]]) -> None:
    """Raises Refused (invalid_parameters) for blocks with an image or a video that Slack would fetch.

    Its URL, which an agent was made to write, could carry anything to anybody.
    """
    if any(_is_fetched(part) for part in _parts(blocks)):
        raise unfit("blocks", "images and videos by URL are not allowed on this connection")


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _mention(field_name: str) -> Refused:
    return unfit(field_name, "<!channel>, <!here>, <!everyone> and groups are not allowed on this connection")


def _calls_many(part: Any) -> bool:
    if isinstance(part, str):
        return _SPECIAL.search(part) is not None
    return isinstance(part, Mapping) and part.get("type") in _CALLS


def _is_fetched(part: Any) -> bool:
    """Slack calls `url` what people follow, and `image_url`, `thumbnail_url` and the like what it fetches."""
    if not isinstance(part, Mapping):
        return False
    if part.get("type") == "markdown" and "![" in str(part.get("text")):
        return True
    return any(isinstance(name, str) and name.endswith("_url") and name not in _FOLLOWED for name in part)


def _parts(value: Any) -> Iterator[Any]:
    """The value and all that is in it. A request nests no deeper than the front gate lets it."""
    yield value
    if isinstance(value, Mapping):
        for member in value.values():
            yield from _parts(member)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for member in value:
            yield from _parts(member)
