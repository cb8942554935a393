"""What a message to Slack may hold."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refused
from domain.validators.send_slack import LONGEST_TEXT, escaped, refuse_images, refuse_mentions, slack_wording
from domain.wording import Wording

MARKS = [
    "<https://example.com>",
    "<https://example.com/?a=1&b=2|the accounts>",
    "<http://example.com|x>",
    "<mailto:ada@example.com|Ada>",
    "<@U012AB3CD>",
    "<@W012AB3CD|ada>",
    "<#C012AB3CD|renewals>",
    "<!date^1392734382^{date_num}|2014-02-18>",
    "<!here>",
    "<!subteam^SAZ94GDB8|@sales>",
    "&amp;",
    "&lt;",
    "&gt;",
]


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_of_slack_stays_as_it_is(mark: str) -> None:
    assert escaped(f"a {mark} b") == f"a {mark} b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("<b>bold</b>", "&lt;b&gt;bold&lt;/b&gt;"),
        ("<ftp://example.com>", "&lt;ftp://example.com&gt;"),
        ("<javascript:alert(1)|x>", "&lt;javascript:alert(1)|x&gt;"),
        ("<@ada>", "&lt;@ada&gt;"),
        ("&nbsp;", "&amp;nbsp;"),
        ("<https://a.example", "&lt;https://a.example"),
        ("<<https://a.example>>", "&lt;<https://a.example>&gt;"),
        ("> a quote", "&gt; a quote"),
        ("", ""),
    ],
)
def test_what_only_looks_like_a_mark_is_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


PIECES = st.lists(st.sampled_from([*MARKS, "<", ">", "&", "|", "!", "@", "a", " ", "\n", "<!", "amp;"])).map("".join)


@given(PIECES | st.text())
def test_to_escape_twice_is_to_escape_once(text: str) -> None:
    assert escaped(escaped(text)) == escaped(text)


@given(PIECES | st.text())
def test_an_escaped_text_holds_marks_and_nothing_that_could_begin_one(text: str) -> None:
    rest = escaped(text)
    for mark in re.findall(r"<[^<>]*>|&(?:amp|lt|gt);", rest):
        rest = rest.replace(mark, "", 1)
    assert not {"<", ">", "&"} & set(rest)


CALLS = [
    "<!channel>",
    "<!here>",
    "<!everyone>",
    "<!group>",
    "<!here|here>",
    "<!CHANNEL>",
    "< !channel>",
    "<!subteam^S1>",
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("source", ["text", "template"])
def test_a_text_calls_nobody(call: str, source: str) -> None:
    with pytest.raises(Refused) as refused:
        refuse_mentions(Wording(f"Look, {call}!", source), [])
    assert refused.value.details[0].field == f"parameters.{source}"


@given(st.text(), st.sampled_from(CALLS), st.text())
def test_whatever_stands_around_it_a_call_is_found(before: str, call: str, after: str) -> None:
    with pytest.raises(Refused):
        refuse_mentions(Wording(before + call + after), [])


@pytest.mark.parametrize(
    "block",
    [
        {"type": "section", "text": {"type": "mrkdwn", "text": "<!here>"}},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}, {"type": "mrkdwn", "text": "<!channel>"}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "broadcast"}]}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_quote", "elements": [{"type": "usergroup"}]}]},
    ],
)
def test_a_block_calls_nobody(block: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        refuse_mentions(Wording(None), [{"type": "divider"}, block])
    assert refused.value.details[0].field == "parameters.blocks"


def test_a_person_a_channel_and_a_date_may_be_named() -> None:
    text = "<@U012AB3CD> see <#C012AB3CD> by <!date^1392734382^{date_num}|then>, @channel"
    refuse_mentions(Wording(text), [{"type": "section", "text": {"type": "mrkdwn", "text": text}}])


IMAGE = {"type": "image", "image_url": "https://example.com/?d=ACME-1", "alt_text": "x"}
TEXT = {"type": "mrkdwn", "text": "x"}


@pytest.mark.parametrize(
    "block",
    [
        IMAGE,
        {"type": "section", "text": TEXT, "accessory": IMAGE},
        {"type": "context", "elements": [TEXT, IMAGE]},
        {"type": "video", "video_url": "https://example.com/v", "title": TEXT, "alt_text": "x"},
        {"type": "video", "thumbnail_url": "https://example.com/t"},
        {"type": "video", "provider_icon_url": "https://example.com/i"},
        {"type": "carousel", "elements": [{"type": "card", "hero_image": {"image_url": "https://example.com/"}}]},
        {"type": "a block of tomorrow", "poster_url": "https://example.com/"},
        {"type": "markdown", "text": "Look: ![x](https://example.com/?d=ACME-1)"},
    ],
)
def test_a_block_has_slack_fetch_nothing(block: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        refuse_images([{"type": "divider"}, block])
    assert refused.value.details[0].field == "parameters.blocks"


def test_links_that_people_follow_may_stand_in_a_block() -> None:
    link = {"type": "link", "url": "https://example.com/"}
    button = {"type": "button", "text": {"type": "plain_text", "text": "!["}, "url": "https://example.com/"}
    rich = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [link]}]}
    file = {"type": "image", "slack_file": {"id": "F0123ABCD"}, "alt_text": "image_url"}
    titled = {"type": "a block of tomorrow", "title_url": "https://example.com/"}
    refuse_images(
        [rich, {"type": "actions", "elements": [button]}, {"type": "markdown", "text": "[x](y)!"}, file, titled]
    )


def test_the_length_that_counts_is_that_of_what_is_sent() -> None:
    longest = Wording("x" * LONGEST_TEXT, "template")
    assert slack_wording(longest) == longest
    with pytest.raises(Refused) as refused:
        slack_wording(Wording("x" * (LONGEST_TEXT - 4) + "&", "template"))
    assert refused.value.details[0].field == "parameters.template"
    assert slack_wording(Wording(None)) == Wording(None)
