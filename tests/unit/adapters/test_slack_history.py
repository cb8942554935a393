"""Whether a message was posted: found wherever it is, and called absent only where that is certain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http import Deadline
from adapters.slack_api import SlackApi
from adapters.slack_history import KEPT, MOST_PAGES, SETTLED, SKEW, look_for
from domain.chat import Sought
from domain.outcome import CannotTell, Failure, NotExecuted

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = "act_01m87gb1k7e4sb6d1n6rvkge9g-r0"
OURS = {"bot_id": "B0OURS", "user": "U0OURS"}


@dataclass
class FakeApi:
    """Pages of a history, and who posts under the token."""

    pages: list[list[Any]]
    identity: Mapping[str, Any] = field(default_factory=lambda: {"ok": True, "bot_id": "B0OURS", "user_id": "U0OURS"})
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def read(self, method: str, query: Mapping[str, str], *, timeout: float) -> Mapping[str, Any] | Failure:
        self.asked.append((method, query))
        number = int(query.get("cursor", "0"))
        following = {"next_cursor": str(number + 1) if number + 1 < len(self.pages) else ""}
        return {"ok": True, "messages": self.pages[number], "response_metadata": following}

    def call(self, method: str, document: Mapping[str, Any], *, timeout: float) -> Mapping[str, Any] | Failure:
        assert (method, document) == ("auth.test", {})
        return self.identity


def looked(api: FakeApi, *, age: timedelta = SETTLED, thread: str | None = None) -> str | NotExecuted | CannotTell:
    sought = Sought("C0RENEWALS", thread, KEY, NOON, NOON + age)
    return look_for(sought, cast("SlackApi", api), Deadline(5.0, lambda: 0.0))


def carrying(key: str, **says: Any) -> dict[str, Any]:
    payload = {"effect_key": key, "action_id": "act_1"}
    return {
        "ts": "1772366400.000100",
        **OURS,
        "metadata": {"event_type": "execution_agent", "event_payload": payload},
    } | says


CHATTER = st.sampled_from(
    [
        {"ts": "1.000000", "user": "U0SOMEBODY", "text": KEY},
        {"ts": "1.000000", "bot_id": "B0OTHER", "text": KEY},
        {
            "ts": "1.000000",
            "bot_id": "B0OTHER",
            "metadata": {"event_type": "other", "event_payload": {"effect_key": KEY}},
        },
        carrying("act_01m87gb1k7e4sb6d1n6rvkge9g-r1"),
        carrying(KEY[:-3]),
        {**OURS, "ts": "1.000000", "metadata": {"event_type": "execution_agent"}},
        {**OURS, "ts": "1.000000", "metadata": {"event_type": "execution_agent", "event_payload": [KEY]}},
    ]
)
PAGES = st.lists(st.lists(CHATTER, max_size=5), min_size=1, max_size=6)


@given(PAGES, st.data())
def test_a_message_is_found_wherever_it_stands(pages: list[list[Any]], data: st.DataObject) -> None:
    page = data.draw(st.sampled_from(pages))
    page.insert(data.draw(st.integers(0, len(page))), carrying(KEY))
    assert looked(FakeApi(pages), age=data.draw(st.timedeltas(timedelta(), timedelta(days=30)))) == "1772366400.000100"


@given(PAGES)
def test_what_is_nowhere_was_not_posted_once_that_is_certain(pages: list[list[Any]]) -> None:
    api = FakeApi(pages)
    assert looked(api) == NotExecuted({"channel": "C0RENEWALS", "messages_read": sum(map(len, pages))})
    assert len(api.asked) == len(pages)


@pytest.mark.parametrize(
    ("age", "again"), [(SETTLED - timedelta(seconds=1), True), (KEPT + timedelta(seconds=1), False)]
)
def test_before_and_after_its_time_absence_tells_nothing(age: timedelta, again: bool) -> None:
    found = looked(FakeApi([[]]), age=age)
    assert isinstance(found, CannotTell)
    assert found.again is again


@pytest.mark.parametrize(
    "message",
    [
        {"ts": "1.000000", "bot_id": "B0OURS"},
        {"ts": "1.000000", "user": "U0OURS"},
        {"ts": "1.000000", "subtype": "tombstone", "user": "USLACKBOT"},
    ],
)
def test_what_may_be_the_message_leaves_the_doubt(message: dict[str, Any]) -> None:
    found = looked(FakeApi([[message, carrying("another")]]))
    assert isinstance(found, CannotTell)
    assert found.again is False


@pytest.mark.parametrize("identity", [{"ok": True}, {"ok": True, "bot_id": 7, "user_id": ""}])
def test_without_a_name_of_our_own_absence_tells_nothing(identity: dict[str, Any]) -> None:
    assert isinstance(looked(FakeApi([[]], identity)), CannotTell)


def test_a_user_that_slack_does_not_name_is_nobody() -> None:
    assert isinstance(looked(FakeApi([[{"ts": "1.000000"}]], {"ok": True, "bot_id": "B0OURS"})), NotExecuted)


def test_a_history_without_end_is_not_read_to_its_end() -> None:
    api = FakeApi([[] for _ in range(MOST_PAGES + 1)])
    assert isinstance(looked(api), CannotTell)
    assert len(api.asked) == MOST_PAGES


@pytest.mark.parametrize("ts", [None, 7, "", "now", "1772366400.000100\n"])
def test_a_message_without_a_ts_is_not_found(ts: Any) -> None:
    assert isinstance(looked(FakeApi([[carrying(KEY, ts=ts)]])), CannotTell)


def test_the_time_of_the_attempt_is_read_with_a_margin_for_the_clocks() -> None:
    api = FakeApi([[]])
    looked(api, age=timedelta(hours=9))
    [(method, query)] = api.asked
    assert (method, query["channel"], query["include_all_metadata"]) == ("conversations.history", "C0RENEWALS", "true")
    assert float(query["oldest"]) == (NOON - SKEW).timestamp()
    assert float(query["latest"]) == (NOON + SETTLED + SKEW).timestamp()


def test_a_thread_is_read_as_one() -> None:
    api = FakeApi([[]])
    looked(api, thread="1772366000.000001")
    [(method, query)] = api.asked
    assert (method, query["ts"]) == ("conversations.replies", "1772366000.000001")


def test_time_ends_the_reading() -> None:
    seconds = iter([0.0, 1.0, 6.0, 6.0])
    sought = Sought("C0RENEWALS", None, KEY, NOON, NOON + SETTLED)
    found = look_for(sought, cast("SlackApi", FakeApi([[], []])), Deadline(5.0, lambda: next(seconds)))
    assert isinstance(found, CannotTell)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["messages", "metadata", "event_payload", "ts", "has_more", "response_metadata", "next_cursor"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_is_answered_it_is_neither_found_nor_certainly_absent_by_mistake(answer: Any) -> None:
    class Strange(FakeApi):
        def read(self, method: str, query: Mapping[str, str], *, timeout: float) -> Mapping[str, Any] | Failure:
            return {"ok": True, **answer} if isinstance(answer, dict) else {"ok": True, "messages": answer}

    found = looked(Strange([]))
    assert not isinstance(found, str), json.dumps(answer)
    if isinstance(found, NotExecuted):
        assert isinstance(answer, list) or isinstance(answer["messages"], list)
