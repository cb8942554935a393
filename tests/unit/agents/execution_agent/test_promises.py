"""What a type promises is told as it declares it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

import pytest

from agents.execution_agent.promises import as_markdown, document_of, row_of
from domain.base_action import Compensation
from domain.gate import Limits
from domain.policy import Delivery
from tests.fakes import Greet, GreetAsked


class Wave(GreetAsked):
    """Says all that a type can say of itself."""

    action_type = "wave"
    delivery = Delivery.AT_LEAST_ONCE
    other_promises: ClassVar = {Delivery.IDEMPOTENT_BY_KEY: "somebody looks"}
    key_window = timedelta(days=90)
    limits = Limits(per_second=2.5, at_once=4)
    correction = "Wave again."

    def compensation(self, *_: Any) -> Compensation | None:
        return None

    def can_probe(self, *_: Any) -> bool:
        return True


class Nod(Greet):
    """Says no more than it must."""

    action_type = "nod"
    correction = "A nod is a nod."


def test_all_that_is_declared_is_told() -> None:
    assert document_of(Wave()) == {
        "action_type": "wave",
        "summary": "Greets somebody.",
        "delivery": "at_least_once",
        "other_promises": {"idempotent_by_key": "somebody looks"},
        "key_window_s": 90 * 86_400.0,
        "can_probe": True,
        "can_undo": True,
        "correction": "Wave again.",
        "limits": {"per_second": 2.5, "at_once": 4},
        "timeout_s": 10.0,
    }


def test_what_is_not_declared_is_not_promised() -> None:
    told = document_of(Nod())
    assert (told["delivery"], told["other_promises"], told["key_window_s"]) == ("at_most_once", {}, None)
    assert (told["can_probe"], told["can_undo"], told["correction"]) == (False, False, "A nod is a nod.")
    assert told["limits"] == {"per_second": None, "at_once": None}


def test_in_words_it_is_a_row() -> None:
    assert row_of(Wave()) == {
        "action_type": "wave",
        "promise": "at least once; idempotent by key (for 90 days) where somebody looks",
        "in_doubt": "the provider is asked, where it can be",
        "undo": "yes; where it cannot be: Wave again.",
        "limits": "2.5 a second, 4 at once",
        "summary": "Greets somebody.",
    }
    nod = row_of(Nod())
    assert (nod["promise"], nod["in_doubt"], nod["undo"], nod["limits"]) == (
        "at most once",
        "a person decides",
        "no: A nod is a nod.",
        "",
    )


@pytest.mark.parametrize(
    ("window", "told"),
    [
        (timedelta(days=1), "a day"),
        (timedelta(days=90), "90 days"),
        (timedelta(minutes=5), "5 minutes"),
        (timedelta(seconds=90), "1.5 minutes"),
    ],
)
def test_a_key_window_is_told_in_the_words_of_people(window: timedelta, told: str) -> None:
    class Once(Nod):
        delivery = Delivery.IDEMPOTENT_BY_KEY
        key_window = window

    assert row_of(Once())["promise"] == f"idempotent by key (for {told})"


def test_a_window_is_told_of_that_class_alone() -> None:
    class Never(Nod):
        key_window = timedelta(days=1)

    assert row_of(Never())["promise"] == "at most once"


def test_the_table_has_a_line_for_each_type() -> None:
    heading, rule, nod, asked = as_markdown([Nod(), GreetAsked()]).splitlines()
    assert heading == "| action type | promise | in doubt | undo | limits |"
    assert rule == "| --- | --- | --- | --- | --- |"
    assert nod == "| `nod` | at most once | a person decides | no: A nod is a nod. |  |"
    assert asked.startswith("| `greet_asked` | at most once | the provider is asked | ")
