"""Ids and keys: unique where they must be, the same where they must be, and never changed once released."""

from __future__ import annotations

import re
from datetime import timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.identity import (
    bulk_given_at,
    decided_action_id,
    effect_key,
    is_run_id,
    keyed_action_id,
    keyed_run_id,
    new_action_id,
    new_bulk_id,
    new_run_id,
    step_action_id,
)
from tests.given import NOON

FORM = re.compile(r"act_[0-7][0-9a-hjkmnp-tv-z]{25}")


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10), st.integers(1, 10**9))
def test_new_ids_have_the_form_and_the_order_of_time(first: bytes, second: bytes, milliseconds: int) -> None:
    earlier = new_action_id(NOON, first)
    later = new_action_id(NOON + timedelta(milliseconds=milliseconds), second)
    assert FORM.fullmatch(earlier)
    assert FORM.fullmatch(later)
    assert earlier < later


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_the_random_bits_of_an_id_are_kept(first: bytes, second: bytes) -> None:
    def random_bits(entropy: bytes) -> tuple[int, ...]:
        return (entropy[0] & 0x0F, entropy[1], entropy[2] & 0x3F, *entropy[3:])

    same = new_action_id(NOON, first) == new_action_id(NOON, second)
    assert same == (random_bits(first) == random_bits(second))


@settings(deadline=None)
@given(st.text(min_size=1), st.text(min_size=1))
def test_a_key_names_one_action(one: str, other: str) -> None:
    assert FORM.fullmatch(keyed_action_id(one))
    assert (keyed_action_id(one) == keyed_action_id(other)) == (one == other)


def test_no_two_decisions_run_together() -> None:
    told = [("ab", "c", b"d"), ("a", "bc", b"d"), ("a", "b", b"cd"), ("abc", "", b"d")]
    assert len({decided_action_id(*parts) for parts in told}) == len(told)


def test_an_effect_key_is_fit_for_every_provider_and_one_for_each_route() -> None:
    key = effect_key(keyed_action_id("order-7"))
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key)
    assert key != effect_key(keyed_action_id("order-7"), route=1)


def test_what_was_released_stays() -> None:
    """A key that was used years ago must still be recognised: these may never change."""
    assert keyed_action_id("order-7") == "act_1hxjvjmxj4wr1c8ghebv40swk9"
    assert decided_action_id("d-1", "send_email", b"{}") == "act_0abtzb3rm0nxzthnhct7sa3rzn"
    assert effect_key("act_x") == "act_x-r0"
    assert keyed_run_id("order-7") == "run_4znkqst2zp0rde01gbje5wqvhg"
    assert step_action_id("run_x", "a") == "act_39n7c3kxy984sx3k81qnp5tfqm"


def test_a_run_and_its_steps_have_ids_of_their_own() -> None:
    assert re.fullmatch(r"run_[0-9a-hjkmnp-tv-z]{26}", new_run_id(NOON, bytes(10)))
    assert keyed_run_id("order-7")[4:] != keyed_action_id("order-7")[4:]
    assert len({step_action_id("run_x", "a"), step_action_id("run_x", "b"), step_action_id("run_y", "a")}) == 3
    assert is_run_id(keyed_run_id("k"))
    assert not is_run_id(keyed_action_id("k"))


def test_a_bulk_id_holds_when_its_order_was_given() -> None:
    at = (NOON + timedelta(microseconds=7)).astimezone(timezone(timedelta(hours=2)))
    bulk_id = new_bulk_id(at, b"\x0a\x1b\x2c\x3d")
    assert bulk_id == "blk_20260301T120000.000007Z-0a1b2c3d"
    assert bulk_given_at(bulk_id) == at


@pytest.mark.parametrize(
    "other", ["", "b-1", "blk_", "blk_-0a", "blk_20261301T120000.000007Z-0a", "20260301T120000.000007Z-0a"]
)
def test_other_words_of_an_order_hold_no_time(other: str) -> None:
    assert bulk_given_at(other) is None
