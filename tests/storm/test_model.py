"""The model that a storm is judged by, against fates that a person can work out."""

from __future__ import annotations

import pytest

from domain.policy import Delivery
from tests.storm.model import ABSENT, FAILED, IN_DOUBT, SUCCEEDED, Fate, fate_of, points_ahead
from tests.storm.plan import PLAIN, UNDOS, Repertoire, stories_of_the_matrix
from tests.storm.points import POINTS_OF, Kill
from tests.storm.story import Behaviour, Story, Way

ONCE, AGAIN, BY_KEY = Delivery.AT_MOST_ONCE, Delivery.AT_LEAST_ONCE, Delivery.IDEMPOTENT_BY_KEY
ANSWER, CUT, DROP, REFUSE, DENY = (
    Behaviour.ANSWER,
    Behaviour.CUT,
    Behaviour.DROP,
    Behaviour.REFUSE,
    Behaviour.DENY,
)


def story(delivery: Delivery, *script: Behaviour, way: Way = Way.CALLER, died_at: tuple[str, ...] = ()) -> Story:
    return Story("key", delivery, way, script or (ANSWER,), tuple(Kill(point) for point in died_at))


@pytest.mark.parametrize(
    ("told", "status", "attempts", "requests", "effects"),
    [
        # Nobody dies: the receiver alone decides.
        (story(ONCE), SUCCEEDED, 1, 1, 1),
        (story(ONCE, CUT), IN_DOUBT, 1, 1, 1),
        (story(ONCE, DROP), IN_DOUBT, 1, 1, 0),
        (story(ONCE, REFUSE, ANSWER), SUCCEEDED, 2, 2, 1),
        (story(ONCE, REFUSE), FAILED, 4, 4, 0),
        (story(ONCE, DENY), FAILED, 1, 1, 0),
        (story(AGAIN, CUT, ANSWER), SUCCEEDED, 2, 2, 2),
        (story(AGAIN, CUT), IN_DOUBT, 4, 4, 4),
        (story(BY_KEY, CUT), IN_DOUBT, 4, 4, 1),
        (story(AGAIN, CUT, DENY), IN_DOUBT, 2, 2, 1),
        (story(BY_KEY, CUT, REFUSE), IN_DOUBT, 4, 4, 1),
        # A process dies before the action is accepted.
        (story(ONCE, died_at=("intent:before",)), ABSENT, 0, 0, 0),
        (story(ONCE, died_at=("intent:torn",)), ABSENT, 0, 0, 0),
        (story(ONCE, way=Way.BELL, died_at=("accept:inside",)), ABSENT, 0, 0, 0),
        (story(ONCE, way=Way.CALLER_AGAIN, died_at=("intent:before",)), SUCCEEDED, 1, 1, 1),
        # After that nothing is lost, and in the attempt its delivery class decides.
        (story(ONCE, way=Way.BELL, died_at=("accept:unsynced",)), SUCCEEDED, 1, 1, 1),
        (story(ONCE, way=Way.WORKER, died_at=("intent:before",)), SUCCEEDED, 1, 1, 1),
        (story(ONCE, died_at=("intent:unsynced",)), IN_DOUBT, 1, 0, 0),
        (story(ONCE, died_at=("send:half_sent",)), IN_DOUBT, 1, 0, 0),
        (story(ONCE, died_at=("send:delivered",)), IN_DOUBT, 1, 1, 1),
        (story(ONCE, died_at=("outcome:inside",)), IN_DOUBT, 1, 1, 1),
        (story(ONCE, died_at=("outcome:committed",)), SUCCEEDED, 1, 1, 1),
        (story(AGAIN, died_at=("send:before_connect",)), SUCCEEDED, 2, 1, 1),
        (story(AGAIN, died_at=("send:delivered",)), SUCCEEDED, 2, 2, 2),
        (story(BY_KEY, died_at=("send:delivered",)), SUCCEEDED, 2, 2, 1),
        # Whoever succeeds the dead may die as well.
        (story(ONCE, died_at=("send:delivered", "lapse:before")), IN_DOUBT, 1, 1, 1),
        (story(BY_KEY, died_at=("send:delivered", "lapse:committed", "send:delivered")), SUCCEEDED, 3, 3, 1),
        (story(AGAIN, DENY, died_at=("send:before_connect",)), IN_DOUBT, 2, 1, 0),
        # What takes another action back is lost only where nobody was told, and repeated only as its class allows.
        (story(AGAIN, way=Way.UNDO, died_at=("undo:torn",)), ABSENT, 0, 0, 0),
        (story(AGAIN, way=Way.UNDO_AGAIN, died_at=("undo:torn",)), SUCCEEDED, 1, 1, 1),
        (story(AGAIN, way=Way.UNDO, died_at=("undo:unsynced",)), SUCCEEDED, 1, 1, 1),
        (story(AGAIN, way=Way.UNDO, died_at=("intent:before",)), SUCCEEDED, 1, 1, 1),
        (story(AGAIN, way=Way.UNDO, died_at=("send:delivered",)), SUCCEEDED, 2, 2, 2),
        (story(BY_KEY, way=Way.UNDO, died_at=("send:delivered",)), SUCCEEDED, 2, 2, 1),
        (story(BY_KEY, way=Way.UNDO, died_at=("undone:before", "undone:after")), SUCCEEDED, 1, 1, 1),
        (story(BY_KEY, DENY, way=Way.UNDO, died_at=("report:before",)), FAILED, 1, 1, 0),
    ],
    ids=str,
)
def test_the_model_tells_what_a_person_would_work_out(
    told: Story, status: str, attempts: int, requests: int, effects: int
) -> None:
    assert fate_of(told, "sqlite") == Fate(status, attempts, requests, effects)


def test_a_kill_that_never_comes_up_is_no_story() -> None:
    with pytest.raises(ValueError, match="never comes up"):
        fate_of(story(ONCE, died_at=("accept:before",)), "sqlite")


@pytest.mark.parametrize("engine", ["sqlite", "dynamodb"])
@pytest.mark.parametrize(("part", "repertoires"), [("kills", PLAIN), ("undos", UNDOS)])
def test_a_storm_strikes_at_every_point_in_every_class(
    part: str, repertoires: dict[str, Repertoire], engine: str
) -> None:
    told = repertoires[engine]
    struck = {(story.delivery, story.kills[-1].point) for story in stories_of_the_matrix(told, engine)}

    assert struck == {(delivery, point) for delivery in told.deliveries for point in POINTS_OF[part](engine)}


def test_a_process_passes_its_points_in_the_order_of_an_action_s_life() -> None:
    passed = [str(kill) for kill in points_ahead(story(ONCE, REFUSE, ANSWER), "dynamodb")]

    assert passed[:5] == ["intent:before", "intent:inside", "intent:committed", "intent:after", "send:before_connect"]
    assert passed[12:14] == ["intent:before (no. 2)", "intent:inside (no. 2)"]
