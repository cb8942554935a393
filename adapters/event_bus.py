"""Amazon EventBridge: others choose by the detail-type what they want to hear of.

source `revops.execution-agent`, detail-type `Action Succeeded` and the like, detail: the response and `event_id`.
The bus takes the same event twice and hands it on twice: receivers know it again by its `event_id`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.aws import AwsService
from domain.outcome import Failure, Retry
from domain.ports import News

SOURCE = "revops.execution-agent"
MOST_ENTRIES = 10
"""Of one PutEvents."""
MOST_BYTES = 256 * 1024
"""Of all entries of one PutEvents together."""
LONGEST_CALL = 5.0
"""Seconds."""


class EventBus:
    """The port `domain.ports.Announcer`. `bus` is a name or an ARN."""

    def __init__(self, bus: str, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._bus = bus
        self._events = AwsService("events", title="EventBridge", region=region, endpoint_url=endpoint_url)

    def announce(self, news: Sequence[News], *, timeout: float) -> Mapping[str, Failure]:
        refused: dict[str, Failure] = {}
        calls = list(_calls([_Entry.of(piece) for piece in news]))
        for call in calls:
            refused |= self._put(call, min(timeout / len(calls), LONGEST_CALL))
        return refused

    def _put(self, entries: Sequence[_Entry], timeout: float) -> Mapping[str, Failure]:
        answer = self._events.call("put_events", timeout=timeout, Entries=[entry.on(self._bus) for entry in entries])
        if not isinstance(answer, Mapping):
            return {entry.news.event_id: answer for entry in entries}
        if answer.get("FailedEntryCount") == 0:
            return {}
        said = answer.get("Entries")
        if not isinstance(said, list) or len(said) != len(entries):
            unreadable = self._events.unreadable("does not say which entries it took")
            return {entry.news.event_id: unreadable for entry in entries}
        return {
            entry.news.event_id: _refusal(one)
            for entry, one in zip(entries, said, strict=True)
            if not one.get("EventId")
        }


@dataclass(frozen=True, slots=True)
class _Entry:
    """A piece of news as the bus takes it. `detail` is JSON."""

    news: News
    detail: str

    @classmethod
    def of(cls, news: News) -> _Entry:
        """Whole, or with a note in the place of a result that makes it too large."""
        entry = cls(news, _detail(news, news.response))
        if entry.size <= MOST_BYTES:
            return entry
        note = {"not_sent": f"it is too large for an event; ask for the status of {news.action_id}"}
        return cls(news, _detail(news, {**news.response, "result": note}))

    @property
    def size(self) -> int:
        """Bytes, as EventBridge counts them: 14 for the time."""
        return 14 + sum(len(text.encode()) for text in (SOURCE, self.news.title, self.detail))

    def on(self, bus: str) -> dict[str, Any]:
        """The entry of a PutEvents."""
        return {
            "Time": self.news.at,
            "Source": SOURCE,
            "DetailType": self.news.title,
            "Detail": self.detail,
            "EventBusName": bus,
        }


def _detail(news: News, response: Mapping[str, Any]) -> str:
    return json.dumps({**response, "event_id": news.event_id}, ensure_ascii=False)


def _calls(entries: Sequence[_Entry]) -> Iterator[list[_Entry]]:
    """The entries in their order, as many together as one PutEvents takes."""
    call: list[_Entry] = []
    for entry in entries:
        if len(call) == MOST_ENTRIES or sum(one.size for one in call) + entry.size > MOST_BYTES:
            yield call
            call = []
        call.append(entry)
    if call:
        yield call


def _refusal(said: Mapping[str, Any]) -> Failure:
    return Retry("entry_failed", f"EventBridge did not take an event: {said.get('ErrorCode')}")
