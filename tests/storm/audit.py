"""What was found, against what had to come; and every difference as a story that a person can read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.policy import Delivery
from tests.storm.model import ABSENT, FAILED, IN_DOUBT, SUCCEEDED, Fate
from tests.storm.processes import Said
from tests.storm.sink import Seen
from tests.storm.story import RETRIES, Story

SETTLED = frozenset({SUCCEEDED, FAILED, IN_DOUBT, ABSENT})

DEATHS = ("lease_lapsed", "holder_died")
"""The codes of attempts whose process died."""

ASKED_WHERE = {
    ABSENT: "succeeded",
    SUCCEEDED: "compensated",
    FAILED: "compensation_failed",
    IN_DOUBT: "compensating",
}
"""Where an action stands that is to be taken back, by what became of its compensation."""

GRAVEST = (
    "lost",
    "duplicate effect",
    "broken store",
    "effect that nobody ordered",
    "orphan action",
    "undone out of turn",
    "not settled",
)
"""What a reader wants to see first."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was not kept. `kind` is one of a few words, to be counted."""

    kind: str
    story: str

    @property
    def gravity(self) -> int:
        """Smaller is graver."""
        return GRAVEST.index(self.kind) if self.kind in GRAVEST else len(GRAVEST)

    def __str__(self) -> str:
        return f"{self.kind.upper()}\n{self.story}"


@dataclass
class Told:
    """All that is known of one action: what its callers were answered, what the ledger says, what the sink saw."""

    answers: list[Said] = field(default_factory=list)
    status: str = ABSENT
    history: list[Said] = field(default_factory=list)
    asked: str = ABSENT
    """The status of the action that was asked for: another one where the story is that of an undo."""
    seen: Sequence[Seen] = ()
    seen_of_asked: Sequence[Seen] = ()
    remarks: list[str] = field(default_factory=list)
    """What went otherwise than it was planned."""

    @property
    def attempted(self) -> list[int]:
        return [event["data"]["attempt"] for event in self.history if event["type"] == "attempted"]

    def died_too_often(self, delivery: Delivery) -> bool:
        """Whether deaths alone brought it to where nobody may try it again: one, or one in each of its attempts."""
        ends = [event["data"]["code"] for event in self.history if event["type"] in ("attempt_failed", "in_doubt")]
        most = 1 if delivery is Delivery.AT_MOST_ONCE else 1 + RETRIES
        return all(code in DEATHS for code in ends) and len(ends) == len(self.attempted) == most

    @property
    def late(self) -> int:
        return sum(event["type"] == "late_outcome" for event in self.history)

    @property
    def fate(self) -> Fate:
        effects = sum(request.took_effect for request in self.seen)
        return Fate(self.status, len(self.attempted), len(self.seen), effects)


def gather(said: Iterable[Said], told: defaultdict[str, Told]) -> None:
    """Sorts what processes said under the keys of their stories."""
    for what in said:
        if "answer" in what:
            told[what["key"]].answers.append(what["answer"])
        elif "history" in what:
            about = told[what["key"]]
            about.history = what["history"]
            about.status = what["status"]["status"] if about.history else ABSENT
            about.asked = what["asked"]


def check(story: Story, told: Told, expected: Fate | None) -> Violation | None:
    """The gravest thing that is wrong, or None. Where `expected` is None, what no death excuses is checked alone."""
    for kind, is_wrong in _wrongs(story, told, expected):
        if is_wrong:
            return Violation(kind, as_story(story, told, expected))
    return None


def _wrongs(story: Story, told: Told, expected: Fate | None) -> Iterable[tuple[str, bool]]:
    fate = told.fate
    yield "lost", bool(told.answers) and told.status == ABSENT
    yield "not settled", told.status not in SETTLED
    yield "duplicate effect", story.delivery is not Delivery.AT_LEAST_ONCE and fate.effects > 1
    yield "effect without intent", not {seen.attempt for seen in told.seen} <= set(told.attempted)
    yield "success without effect", told.status == SUCCEEDED and not fate.effects
    yield "failure with effect", told.status == FAILED and fate.effects > 0
    yield "answer not kept", any(_is_settled(answer) and answer["status"] != told.status for answer in told.answers)
    yield "duplicate not recognised", sum(not answer["duplicate"] for answer in told.answers) > 1
    if story.way.is_undo:
        yield "undo not heard of", told.asked != ASKED_WHERE[told.status]
        yield "effect that was not asked for", [seen.took_effect for seen in told.seen_of_asked] != [True]
    if expected is not None:
        yield "wrong doubt", (told.status == IN_DOUBT) != (expected.status == IN_DOUBT)
        yield "wrong end", fate != expected
        yield "outcome taken for late", told.late > 0
    yield "otherwise than planned", bool(told.remarks)


def _is_settled(answer: Mapping[str, Any]) -> bool:
    return answer["status"] in SETTLED


def as_story(story: Story, told: Told, expected: Fate | None) -> str:
    """The whole of it, on a few lines."""
    lines = [f"  the action   {story.action_id}: {story}"]
    if expected is not None:
        lines.append(f"  expected     {expected}")
    lines.append(f"  found        {told.fate}")
    lines += (f"  but          {remark}" for remark in told.remarks)
    lines += (f"  answered     {_answer(answer)}" for answer in told.answers)
    lines += (f"  history      {_event(event)}" for event in told.history)
    lines += (f"  the sink saw attempt {seen.attempt}: {_request(seen)}" for seen in told.seen)
    return "\n".join(lines)


def _answer(answer: Mapping[str, Any]) -> str:
    return f"{answer['status']}{' (a duplicate)' if answer['duplicate'] else ''}"


def _event(event: Mapping[str, Any]) -> str:
    told = ("attempt", "epoch", "code", "reason", "failure", "outcome", "holder", "lease_until", "by", "why")
    said = {name: event["data"][name] for name in told if event["data"].get(name) is not None}
    return f"{event['version']:2} {event['at']} {event['type']}" + "".join(f" {k}={v}" for k, v in said.items())


def _request(seen: Seen) -> str:
    return f"{seen.behaviour}{', took effect' if seen.took_effect else ', without effect'}"
