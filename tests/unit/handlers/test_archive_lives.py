"""Years of a ledger that is copied, pruned, interrupted at any moment: no story gets shorter, nothing is repeated."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from domain.commit import Commit
from domain.outcome import Permanent
from tests.archive_house import ADA, ArchiveHouse, Died
from tests.house import greet

KEYS = st.sampled_from(["ada-1", "ada-2", "ada-3"])
MATTERS = st.sampled_from(["case-7", "case-8"])


class YearsOfALedger(RuleBasedStateMachine):
    """Keeps beside the ledger what its stories were, and what must not leave it."""

    reached: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.house = ArchiveHouse(Permanent("http_404", "no such thing"))
        self.stories: dict[str, list[Commit]] = {}
        self.holds: dict[str, set[str]] = {}
        self.redriven: Counter[str] = Counter()

    @initialize(key=KEYS)
    def begin(self, key: str) -> None:
        self.ask(key)

    @rule(key=KEYS)
    def ask(self, key: str) -> None:
        known = set(self.stories)
        told = self.house.agent.process(greet(idempotency_key=key))
        assert told["duplicate"] is (told["action_id"] in known)
        self.stories.setdefault(told["action_id"], [])
        self.holds.setdefault(told["action_id"], set())

    @rule(key=KEYS)
    def ask_for_something_else(self, key: str) -> None:
        known = set(self.stories)
        told = self.house.agent.process({**greet(idempotency_key=key), "parameters": {"name": "Eve"}})
        if told["error"] is not None and told["error"]["code"] == "idempotency_mismatch":
            assert known
        else:
            self.stories.setdefault(told["action_id"], [])
            self.holds.setdefault(told["action_id"], set())

    @rule(data=st.data())
    def redrive(self, data: st.DataObject) -> None:
        if self.stories:
            action_id = data.draw(st.sampled_from(sorted(self.stories)))
            if self.house.agent.redrive(action_id, **ADA)["error"] is None:
                self.redriven[action_id] += 1
                self.house.agent.advance(action_id)

    @rule(data=st.data(), matter=MATTERS)
    def place(self, data: st.DataObject, matter: str) -> None:
        if self.stories:
            action_id = data.draw(st.sampled_from(sorted(self.stories)))
            is_here = self.is_here(action_id)
            self.house.agent.place_legal_hold(action_id, matter=matter, **ADA)
            if is_here:
                self.holds[action_id].add(matter)

    @rule(data=st.data(), matter=MATTERS)
    def lift(self, data: st.DataObject, matter: str) -> None:
        if self.stories:
            action_id = data.draw(st.sampled_from(sorted(self.stories)))
            self.house.agent.lift_legal_hold(action_id, matter=matter, **ADA)
            self.holds[action_id].discard(matter)

    @rule(years=st.integers(0, 3), copies=st.booleans(), prunes=st.booleans())
    def archive(self, years: int, copies: bool, prunes: bool) -> None:
        self.house.years_pass(years)
        self.archived(copies, prunes)

    @rule(key=KEYS, matter=MATTERS)
    def a_matter_lasts_longer_than_the_retention(self, key: str, matter: str) -> None:
        self.ask(key)
        for action_id in sorted(self.stories):
            if self.is_here(action_id):
                self.house.agent.place_legal_hold(action_id, matter=matter, **ADA)
                self.holds[action_id].add(matter)
        self.archive(years=2, copies=True, prunes=True)

    @rule(dies_at=st.integers(1, 12), before=st.booleans())
    def archive_and_die(self, dies_at: int, before: bool) -> None:
        self.house.years_pass()
        self.archived(True, True, dies_at=dies_at, before=before)

    def archived(self, copies: bool, prunes: bool, *, dies_at: int | None = None, before: bool = True) -> None:
        shelf = self.house.shelf
        shelf.steps, shelf.dies_at, shelf.before = 0, dies_at, before
        try:
            self.reached["copied"] += self.house.copy().lives if copies else 0
            if prunes:
                report = self.house.prune()
                self.reached.update(report.stay)
                self.reached["pruned"] += report.pruned
        except Died:
            self.reached["died"] += 1
        shelf.dies_at = None

    def is_here(self, action_id: str) -> bool:
        return self.house.commits(action_id)[0].version == 1

    @invariant()
    def every_story_goes_on_from_where_it_was(self) -> None:
        for action_id, before in self.stories.items():
            now = self.house.commits(action_id, whole=True)
            assert now[: len(before)] == before
            self.stories[action_id] = now

    @invariant()
    def what_is_held_is_in_the_ledger(self) -> None:
        for action_id, matters in self.holds.items():
            assert self.is_here(action_id) or not matters

    @invariant()
    def nothing_was_done_more_often_than_somebody_said(self) -> None:
        done = Counter(attempt.action_id for attempt in self.house.provider.attempts)
        for action_id, times in done.items():
            assert times <= 1 + self.redriven[action_id]

    @invariant()
    def what_is_archived_is_sound(self) -> None:
        findings = self.house.verify().findings
        assert [finding for finding in findings if "there is no archive" not in finding.problem] == []


def test_no_story_is_ever_shorter() -> None:
    run_state_machine_as_test(
        YearsOfALedger, settings=settings(max_examples=60, stateful_step_count=25, deadline=None, derandomize=True)
    )
    wanted = ("copied", "pruned", "died", "legal hold", "pruned before")
    assert [what for what in wanted if not YearsOfALedger.reached[what]] == []
