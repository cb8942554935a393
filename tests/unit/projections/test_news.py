"""What others are told, in words that receivers choose by."""

from __future__ import annotations

import pytest

from domain.lifecycle import ENDED, Life, Status
from projections.news import TOLD, is_told, news_as_of, news_of, title_of
from projections.status import response_of
from tests.given import ACTION_ID, LEADING_TO, NOON, action_after, life_of
from tests.workflow_house import ADA, House, step

TITLES = {
    "succeeded": "Action Succeeded",
    "failed": "Action Failed",
    "in_doubt": "Action In Doubt",
    "held": "Action Held",
    "compensated": "Action Compensated",
    "compensation_failed": "Action Compensation Failed",
    "rejected": "Action Rejected",
    "cancelled": "Action Cancelled",
    "expired": "Action Expired",
    "denied": "Action Denied",
}


def test_each_end_each_doubt_and_each_hold_has_its_title() -> None:
    assert {str(status): title_of(status) for status in TOLD} == TITLES
    assert set(TOLD) == ENDED | {Status.IN_DOUBT, Status.HELD}


@pytest.mark.parametrize("life", [life for life in LEADING_TO if life is not None])
def test_an_event_is_news_when_it_leaves_the_action_in_such_a_state(life: Life) -> None:
    told = LEADING_TO[life]
    action = action_after(*told)
    news = news_as_of(life_of(*told), len(told))
    assert is_told(life) == (news is not None) == (str(action.status) in TITLES)
    if news is not None:
        assert news == news_of(action)
        assert (news.event_id, news.title) == (f"{ACTION_ID}:{len(told)}", TITLES[action.status])
        assert news.response == response_of(action).as_dict()


def test_news_are_of_their_time() -> None:
    told = [*LEADING_TO[Life.FAILED], ("redriven", {}), ("attempted", {"attempt": 2}), ("succeeded", {"epoch": 7})]
    failed = news_as_of(life_of(*told), 5)
    succeeded = news_as_of(life_of(*told), 8)
    assert failed is not None
    assert succeeded is not None
    assert (failed.response["status"], failed.response["attempts"], failed.at) == ("failed", 1, NOON.replace(second=4))
    assert (succeeded.response["status"], succeeded.response["attempts"]) == ("succeeded", 2)
    assert [news_as_of(life_of(*told), version) for version in (0, 6, 7, 9)] == [None] * 4


@pytest.mark.parametrize("word", ["late_outcome", "probed", "deferred", "resolved", "redriven", "", "a_later_word"])
def test_what_moves_nothing_or_goes_on_is_no_news(word: str) -> None:
    assert not is_told(word)


# -- runs -----------------------------------------------------------------------------------------------------------


def test_the_ends_of_a_workflow_run_have_titles_of_their_own() -> None:
    house = House()
    run = house.start(step("a"), step("b", "tell", needs=["a"]))
    house.agent.undo_run(run["run_id"], **ADA)
    life = house.agent._parts.ledger.events_of(run["run_id"])
    told = {event.originator_version: news_as_of(life, event.originator_version) for event in life}
    news = [one for one in told.values() if one is not None]
    assert [one.title for one in news] == ["Workflow Completed", "Workflow Partially Compensated"]
    assert news[-1].event_id == f"{run['run_id']}:{len(life)}"
    assert [left["step"] for left in news[-1].response["result"]["remaining"]] == ["b"]
    assert all(is_told(event.life.value) == (told[event.originator_version] is not None) for event in life)
