"""What the agent promises, each promise a rule: it tells what of an action's life does not keep it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from tests.simulation.books import Written
from tests.simulation.lives import (
    DELIVERY,
    ENDED,
    HAPPENED,
    MAY_FOLLOW,
    MAY_STAND,
    SETTLED,
    TAKEN_BACK,
    WINDOW,
    Life,
    Try,
    moment,
)

MOST_PROBES = 6
SHORTEST_MARGIN = timedelta(seconds=60)
"""By which a lease outlasts its attempt's deadline."""

Rule = Callable[[Life], Iterator[str]]


# -- the course of a life -------------------------------------------------------------------------------------------


def _legal_order(life: Life) -> Iterator[str]:
    last: str | None = None
    for version, event in enumerate(life.events, start=1):
        if event.version != version:
            yield f"version {event.version} stands where {version} should"
        if event.kind in MAY_STAND:
            if last not in MAY_STAND[event.kind]:
                yield f"{event.kind} may not stand after {last}"
        elif last not in MAY_FOLLOW.get(event.kind, ()):
            yield f"{event.kind} may not follow {last}"
        else:
            last = event.kind


def _nothing_stuck(life: Life) -> Iterator[str]:
    if life.end not in SETTLED and not _is_being_taken_back(life):
        yield f"nothing is due any more, and it still is {life.end}"


def _counting_up(life: Life) -> Iterator[str]:
    for number, one in enumerate(life.tries, start=1):
        if one.event.says["attempt"] != number:
            yield f"attempt {one.event.says['attempt']} stands where {number} should"
        epoch = one.ending.says.get("epoch") if one.ending else None
        if epoch not in (None, one.event.version):
            yield f"attempt {number} began at {one.event.version} and was ended for {epoch}"


def _retries_as_asked(life: Life) -> Iterator[str]:
    """On each route, and once more for each redrive."""
    left = 0
    route = -1
    for event in life.events:
        if event.kind == "redriven":
            left = life.retries + 1
        elif event.kind == "attempted":
            if event.says.get("route", 0) != route:
                route, left = event.says.get("route", 0), life.retries + 1
            left -= 1
            if left < 0:
                yield f"attempt {event.says['attempt']} is one more than was asked for"


def _cancel_is_heeded(life: Life) -> Iterator[str]:
    wished = False
    for event in life.events:
        if event.kind in ("cancel_requested", "redriven"):
            wished = event.kind == "cancel_requested"
        elif event.kind == "attempted" and wished:
            yield f"attempt {event.says['attempt']} began after somebody had cancelled"


# -- effects --------------------------------------------------------------------------------------------------------


def _one_key(life: Life) -> Iterator[str]:
    for one in life.tries:
        key = life.key(one.route)
        stored = one.event.says.get("effect_key", life.events[0].says["effect_key"] if not one.route else None)
        if stored != key or one.sent.keys not in ([], [key]):
            yield f"attempt {one.sent.number} has the key {key}, {stored} is stored, {one.sent.keys} was sent"


def _effects_as_promised(life: Life) -> Iterator[str]:
    by_key = Counter(effect.key for effect in life.effects)
    for route in {one.route for one in life.tries}:
        name, count = life.action_type(route), by_key.pop(life.key(route), 0)
        if count > 1 and DELIVERY[name] != "at_least_once" and name not in WINDOW:
            yield f"{name} took effect {count} times"
    if by_key:
        yield f"effects under keys of no route: {dict(by_key)}"
    for earlier, later in zip(life.effects, life.effects[1:], strict=False):
        name = next(life.action_type(one.route) for one in life.tries if one.sent.number == later.number)
        apart = timedelta(seconds=later.when - earlier.when)
        if later.key == earlier.key and name in WINDOW and apart < WINDOW[name]:
            yield f"{name} took effect twice within {apart}"


def _success_is_true(life: Life) -> Iterator[str]:
    if life.end in HAPPENED and not life.effects:
        yield "it succeeded, and nothing has happened"


def _failure_is_true(life: Life) -> Iterator[str]:
    if life.end in ENDED - HAPPENED and life.effects:
        yield f"it is {life.end}, and {life.effects[0].key} took effect: a doubt is hidden"


def _no_fallback_from_doubt(life: Life) -> Iterator[str]:
    for one in life.tries:
        if any(earlier.route < one.route for earlier in life.doubts_before(one)):
            yield f"route {one.route} began, and an earlier one may have taken effect"
    last = max((one.route for one in life.tries), default=0)
    if any(effect.key != life.key(last) for effect in life.effects):
        yield f"route {last} began, and an earlier one took effect"


# -- what is known, and what is not ---------------------------------------------------------------------------------


def _doubt_as_it_is(life: Life) -> Iterator[str]:
    """At most once: in doubt if and only if the process did not learn what became of its attempt."""
    for one in life.tries:
        if DELIVERY[life.action_type(one.route)] != "at_most_once" or one.ending is None or _was_refused(one):
            continue
        if one.was_doubtful != (one.ending.kind == "in_doubt"):
            told = one.sent.told or "nothing"
            yield f"attempt {one.sent.number} was told {told} and ended with {one.ending.kind}"


def _was_refused(one: Try) -> bool:
    """It could not even be prepared: whoever takes over may think what it likes, nothing was sent."""
    return not one.was_sent and one.sent.told == "permanent"


def _doubt_has_a_reason(life: Life) -> Iterator[str]:
    for position, event in enumerate(life.events):
        if event.kind == "in_doubt":
            before = [one for one in life.tries if one.position < position]
            if not any(one.was_doubtful for one in before):
                yield f"version {event.version} doubts, and every attempt was certain"


def _outcome_as_told(life: Life) -> Iterator[str]:
    for one in life.tries:
        if one.ending is None:
            continue
        said, carries_doubt = _class_of(one.ending), one.ending.kind == "in_doubt" and any(life.doubts_before(one))
        if one.ending.call is not one.sent.call:
            if said != "unknown" or one.ending.says["code"] not in ("lease_lapsed", "holder_died"):
                yield f"attempt {one.sent.number} was ended by {one.ending.call}, with {one.ending.kind}"
        elif not one.was_sent:
            if said not in ("permanent", "retry") and not carries_doubt:
                yield f"attempt {one.sent.number} was never sent, and ended with {one.ending.kind}"
        elif said != one.sent.told and not carries_doubt:
            yield f"attempt {one.sent.number} was told {one.sent.told}, and ended with {one.ending.kind}"


def _class_of(ending: Written) -> str:
    if ending.kind == "attempt_failed":
        failure: str = ending.says["failure"]
        return failure
    return "unknown" if ending.kind == "in_doubt" else ending.kind


def _answers_are_kept(life: Life) -> Iterator[str]:
    """Each answer once: applied, or as a late outcome. None that nobody gave."""
    late: Counter[int] = Counter()
    tries = {one.event.version: one for one in life.tries}
    for event in life.events:
        if event.kind == "late_outcome":
            epoch = event.says["epoch"]
            late[epoch] += 1
            if epoch not in tries or tries[epoch].sent.call is not event.call:
                yield f"version {event.version} is a late outcome of nobody ({event.call})"
    for epoch, one in tries.items():
        applied = int(one.ending is not None and one.ending.call is one.sent.call)
        kept = applied + late[epoch]
        if kept > 1 or (kept == 0 and one.sent.told and one.sent.call.is_done):
            yield f"the answer to attempt {one.sent.number} was kept {kept} times"


def _intent_of_the_living_is_sent(life: Life) -> Iterator[str]:
    """Or whoever recorded it says what became of it: that it was not sent after all."""
    for one in life.tries:
        if one.sent.call.is_done and not one.was_sent and not _is_spoken_for(life, one):
            yield f"attempt {one.sent.number} was recorded by {one.sent.call}, which went on without it"


def _is_spoken_for(life: Life, one: Try) -> bool:
    later = life.events[one.position + 1 :]
    return any(event.call is one.sent.call and event.says.get("epoch") == one.event.version for event in later) or (
        one.ending is not None and one.ending.call is one.sent.call
    )


def _probe_is_true(life: Life) -> Iterator[str]:
    """What a probe resolved is as it said, now and ever after."""
    for position, event in enumerate(life.events):
        if event.kind != "resolved" or event.says["by"] != "probe":
            continue
        numbers = {one.sent.number for one in life.tries if one.position < position}
        happened = [effect for effect in life.effects if effect.number in numbers and effect.when <= event.when]
        later = [effect for effect in life.effects if effect.number in numbers and effect.when > event.when]
        if (event.says["verdict"] == "executed") != bool(happened):
            yield f"version {event.version} says {event.says['verdict']}, and there were {len(happened)} effects"
        if event.says["verdict"] == "not_executed" and later:
            yield f"version {event.version} says not_executed, and {later[0].key} took effect after it"


def _probes_end(life: Life) -> Iterator[str]:
    asked = 0
    for event in life.events:
        asked = 0 if event.kind == "attempted" else asked + (event.kind == "probed")
        if asked > MOST_PROBES:
            yield f"version {event.version} is probe number {asked} of one attempt"


# -- people ---------------------------------------------------------------------------------------------------------


def _approved_first(life: Life) -> Iterator[str]:
    approved = False
    for event in life.events:
        approved = approved or event.kind == "approved"
        if event.kind == "attempted" and not approved and _is_fifth(life, event):
            yield f"attempt {event.says['attempt']} began, and nobody had approved it"


def _is_fifth(life: Life, attempted: Written) -> bool:
    route = attempted.says.get("route", 0)
    asked = life.options["fallback"][route - 1] if route else life.request
    # One that could not be prepared was not looked at either, and nothing was sent.
    sent = life.books.sent[life.action_id][attempted.says["attempt"]]
    return life.action_type(route) == "ticket" and asked["parameters"]["wish"] % 5 == 0 and bool(sent.keys)


def _is_being_taken_back(life: Life) -> bool:
    """Its compensation waits for a person."""
    return life.end == "compensation_requested" and life.books.end_of(_compensation(life)) in ("held", "in_doubt")


def _compensation(life: Life) -> str:
    asked = [event for event in life.events if event.kind == "compensation_requested"]
    compensation: str = asked[-1].says["compensation"]
    return compensation


def _taken_back_as_it_is_told(life: Life) -> Iterator[str]:
    if life.end not in TAKEN_BACK or _is_being_taken_back(life):
        return
    became = life.books.end_of(_compensation(life))
    if became is None:
        yield "it shall be taken back, and there is no compensation"
    elif (life.end == "compensated") != (
        became in ("succeeded", "compensation_requested", "compensating", "compensated", "compensation_failed")
    ):
        yield f"it is {life.end}, and its compensation is {became}"


# -- time -----------------------------------------------------------------------------------------------------------


def _not_before(life: Life) -> Iterator[str]:
    if life.not_before and life.tries:
        first = life.tries[0]
        if first.event.at < life.not_before and not life.is_between("brought_forward", 0, first.position):
            yield f"it was attempted at {first.event.at}, and not before {life.not_before} was wished"


def _not_after(life: Life) -> Iterator[str]:
    for one in life.tries:
        sent_at = one.sent.at or one.event.at
        if life.expires_at is not None and sent_at >= life.expires_at:
            yield f"attempt {one.sent.number} was sent at {sent_at}, and it expired at {life.expires_at}"


def _retry_when_due(life: Life) -> Iterator[str]:
    for earlier, later in zip(life.tries, life.tries[1:], strict=False):
        failed = earlier.ending
        retry_at = failed.says.get("retry_at") if failed and failed.kind == "attempt_failed" else None
        if failed is None or retry_at is None or later.event.at >= retry_at:
            continue
        # A clock that was set back hides that the time is over. Whoever expires meanwhile is woken for that.
        due_at = min(retry_at, life.expires_at or retry_at)
        has_waited = later.event.when - failed.when >= (moment(due_at) - moment(failed.at)).total_seconds() - 0.001
        if not has_waited and not life.is_between("brought_forward", earlier.position, later.position):
            yield f"attempt {later.sent.number} began at {later.event.at}, before {retry_at}"


def _lease_is_kept(life: Life) -> Iterator[str]:
    """An attempt belongs to its holder until its lease is over, or the holder is dead."""
    for one in life.tries:
        lease_until = one.event.says["lease_until"]
        if one.ending is not None and one.ending.call is not one.sent.call and one.ending.at < lease_until:
            died = life.books.deaths.get(one.event.says.get("holder", ""))
            if died is None or died > one.ending.when:
                yield f"attempt {one.sent.number} was taken over at {one.ending.at}, its lease until {lease_until}"


def _lease_is_long_enough(life: Life) -> Iterator[str]:
    """And nothing is sent when it is over: by then somebody else may have decided what comes next."""
    for one in life.tries:
        lease, timeout = (
            moment(one.event.says["lease_until"]) - moment(one.event.at),
            timedelta(seconds=one.sent.timeout),
        )
        if lease < timeout + SHORTEST_MARGIN:
            yield f"attempt {one.sent.number} may take {timeout}, and its lease is {lease}"
        if one.was_sent and one.sent.left - one.sent.recorded >= lease.total_seconds():
            waited = timedelta(seconds=one.sent.left - one.sent.recorded)
            yield f"attempt {one.sent.number} was sent {waited} after its intent, and its lease was {lease}"


def _no_key_is_used_too_late(life: Life) -> Iterator[str]:
    first_use: dict[int, Written] = {}
    for one in life.tries:
        window = WINDOW.get(life.action_type(one.route))
        if window is None or _was_refused(one):
            continue
        first = first_use.setdefault(one.route, one.event)
        is_over = moment(one.event.at) >= moment(first.at) + window
        if is_over and any(earlier.route == one.route for earlier in life.doubts_before(one)):
            yield f"attempt {one.sent.number} used a key that the provider has forgotten"


RULES: Mapping[str, Rule] = {
    "the order of a life": _legal_order,
    "nothing is stuck": _nothing_stuck,
    "attempts count up": _counting_up,
    "as many retries as asked": _retries_as_asked,
    "a cancelled action is not attempted again": _cancel_is_heeded,
    "one effect key for each route": _one_key,
    "no more effects than promised": _effects_as_promised,
    "what succeeded has happened": _success_is_true,
    "what ended otherwise has not happened": _failure_is_true,
    "no fallback from doubt": _no_fallback_from_doubt,
    "at most once: unknown is in doubt": _doubt_as_it_is,
    "a doubt has a reason": _doubt_has_a_reason,
    "an outcome is what was told": _outcome_as_told,
    "each answer is kept once": _answers_are_kept,
    "what is recorded is sent": _intent_of_the_living_is_sent,
    "a probe is believed when it is certain": _probe_is_true,
    "nobody is asked for ever": _probes_end,
    "nothing begins that was to be approved": _approved_first,
    "what is taken back is as it is told": _taken_back_as_it_is_told,
    "not before its time": _not_before,
    "not after its time": _not_after,
    "no retry before it is due": _retry_when_due,
    "a lease is kept": _lease_is_kept,
    "a lease is long enough": _lease_is_long_enough,
    "no key after its window": _no_key_is_used_too_late,
}
"""By what is promised."""
