"""The front gate under fire: whatever comes, a sound request or a structured refusal; text and value judged alike."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Code, InvalidRequest, MalformedRequest
from domain.request import ActionRequest, fingerprint, parse_request, read_request

Refusal: TypeAlias = MalformedRequest | InvalidRequest
Judgement: TypeAlias = ActionRequest | Refusal

KIB = 1024
ROUNDS = 20_000
CODES_OF_THE_GATE = {
    Code.MALFORMED,
    Code.TOO_LARGE,
    Code.TOO_DEEP,
    Code.DUPLICATE_KEY,
    Code.MISSING_FIELD,
    Code.UNKNOWN_FIELD,
    Code.INVALID_TYPE,
    Code.INVALID_CHARACTERS,
    Code.INVALID_OPTIONS,
    Code.INVALID_IDEMPOTENCY_KEY,
}


def judged(read: Callable[[Any], ActionRequest], data: Any) -> Judgement:
    try:
        return read(data)
    except (MalformedRequest, InvalidRequest) as refusal:
        return refusal


# What must hold of every judgement


def assert_well_formed(refusal: Refusal) -> None:
    assert 1 <= len(refusal.details) <= 100
    assert refusal.code == refusal.details[0].code
    assert refusal.message.isprintable()
    ranks = [list(Code).index(Code(detail.code)) for detail in refusal.details]
    assert ranks == sorted(ranks)
    for detail in refusal.details:
        assert detail.code in CODES_OF_THE_GATE
        assert detail.message
        assert detail.message.isprintable()
        assert len(detail.message) < 200
        assert detail.field.isprintable()
        assert len(detail.field) < 1000


def assert_sound(request: ActionRequest) -> None:
    """By rules written a second time, on purpose as plainly as can be."""
    document = request.document
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    assert len(text.encode()) <= 256 * KIB
    assert depth_of(document) <= 16
    assert all(depth_of(inner) <= 5 for field in request.parameters.values() for inner in members_of(field))
    for name in names_of(document):
        assert not any(is_control(character) for character in name)
    for leaf in leaves_of(document):
        assert type(leaf) in {str, int, float, bool, type(None)}
        if isinstance(leaf, str):
            assert not any(is_control(character) for character in leaf if character not in "\t\n")
            assert len(leaf.encode()) <= 32 * KIB
        elif isinstance(leaf, int):
            assert abs(leaf) < 2**53
    wish = {name: value for name, value in document.items() if name != "idempotency_key"}
    assert fingerprint(request.document) == hashlib.sha256(rfc8785.dumps(wish)).hexdigest()
    assert read_request(document) == parse_request(text) == request


def is_control(character: str) -> bool:
    return ord(character) < 0x20 or 0x7F <= ord(character) <= 0x9F


def members_of(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def depth_of(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max((depth_of(member) for member in members_of(value)), default=0)


def containers_of(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for member in members_of(value):
            yield from containers_of(member)


def names_of(value: Any) -> Iterator[str]:
    for container in containers_of(value):
        if isinstance(container, dict):
            yield from container


def leaves_of(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for member in members_of(value):
            yield from leaves_of(member)
    else:
        yield value


# Requests that are nearly right


def nested(containers: int) -> Any:
    value: Any = {"a": 0}
    for _ in range(containers - 1):
        value = [value]
    return value


SOUND: list[dict[str, Any]] = [
    {"action_type": "send_email", "parameters": {"template": "t", "variables": {"name": "Acme Inc.", "n": 1.5}}},
    {
        "action_type": "call_webhook",
        "parameters": {"webhook": "crm", "payload": {"tags": ["a", "é", "\U0001f600"], "ok": True, "none": None}},
        "options": {"priority": "high", "retry_policy": "fixed", "max_retries": 3},
        "idempotency_key": "k-1",
    },
    {
        "action_type": "send_slack",
        "parameters": {},
        "options": {
            "mode": "accept",
            "not_before": "2026-01-01T00:00:00Z",
            "expires_at": "2026-01-02T00:00:00+01:00",
            "fallback": [{"action_type": "send_email", "parameters": {"a": {"b": [1]}}}],
        },
        "correlation_id": "c",
        "decision": {"id": "d", "agent": "a", "reason": "r\n", "scores": [0.5, {"x": -1}]},
    },
]
NAMES = [
    *("action_type", "parameters", "options", "idempotency_key", "correlation_id", "decision", "id", "reason"),
    *("priority", "retry_policy", "max_retries", "mode", "not_before", "expires_at", "fallback", "a", ""),
]
ODD_NAMES = ["\x00", "a\nb", "\ud800", "\x85", "é", "\U0001f600", "a.b", "__proto__", "__class__", "n" * (32 * KIB + 1)]
LEAVES: list[Any] = [None, True, False, 0, -1, 3, 3.0, -0.0, 1e300, "", "a", "high", "2026-01-01T00:00:00Z", [], {}]
ODD_LEAVES: list[Any] = [
    *(101, 2**53, -(2**53), 10**30, math.nan, math.inf, -math.inf, 5e-324),
    *("x\x00", "\r\n", "\x9f", "\ud800", "\udc00a", "é" * 20_000, "x" * (32 * KIB)),
    *(nested(2), nested(5), nested(6), nested(9), nested(20)),
]
VAST = ["y" * KIB * 30] * 9
FOREIGN: list[Any] = [(1,), {1}, b"x", object(), 1j, print]
BYTES = [b'"', b"\\", b"{", b"}", b"[", b",", b":", b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"NaN", b"1e999", b"\n"]


def mutate(document: dict[str, Any], chance: random.Random) -> None:
    container = chance.choice(list(containers_of(document)))
    change = chance.choice([drop, rename, replace, insert])
    if isinstance(container, dict):
        change(container, chance)
    else:
        container.insert(chance.randint(0, len(container)), some_value(chance))


def drop(container: dict[str, Any], chance: random.Random) -> None:
    if container:
        del container[chance.choice(list(container))]


def rename(container: dict[str, Any], chance: random.Random) -> None:
    if container:
        container[some_name(chance)] = container.pop(chance.choice(list(container)))


def replace(container: dict[str, Any], chance: random.Random) -> None:
    if container:
        container[chance.choice(list(container))] = some_value(chance)


def insert(container: dict[str, Any], chance: random.Random) -> None:
    container[some_name(chance)] = some_value(chance)


def some_name(chance: random.Random) -> str:
    return chance.choice(NAMES if chance.random() < 0.7 else ODD_NAMES)


def some_value(chance: random.Random) -> Any:
    return copy.deepcopy(chance.choice(LEAVES if chance.random() < 0.6 else ODD_LEAVES))


def text_of(document: dict[str, Any], chance: random.Random) -> str:
    text = json.dumps(document, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, None, 1]))
    if chance.random() < 0.2:
        start = chance.choice([position for position, character in enumerate(text[:2000]) if character == "{"])
        text = text[: start + 1] + f'"{chance.choice(NAMES)}": 1, ' + text[start + 1 :]
    return text


def damaged(text: str, chance: random.Random) -> bytes:
    raw = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(min(len(raw), 2000) + 1)
        end = start + chance.choice([0, 1, 1, 5, 50])
        raw[start:end] = chance.choice([b"", chance.randbytes(1), chance.choice(BYTES), raw[start:end] * 2])
    return bytes(raw)


def with_a_foreigner(document: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    container = chance.choice([inner for inner in containers_of(document) if isinstance(inner, dict)])
    foreigner = chance.choice(FOREIGN)
    if chance.random() < 0.7:
        container[some_name(chance)] = foreigner
    else:
        container[foreigner if foreigner.__hash__ else None] = 1
    return document


def nearly_sound(chance: random.Random) -> dict[str, Any]:
    document = copy.deepcopy(chance.choice(SOUND))
    for _ in range(chance.choice([0, 1, 1, 1, 2, 4])):
        mutate(document, chance)
    return document


def a_judgement(number: int, chance: random.Random) -> Judgement:
    document = nearly_sound(chance)
    match number % 4:
        case 0:
            return judged(parse_request, text_of(document, chance))
        case 1:
            return judged(parse_request, damaged(text_of(document, chance), chance))
        case 2:
            document |= {"vast": VAST} if chance.random() < 0.01 else {}
            return judged(read_request, document)
        case _:
            return judged(read_request, with_a_foreigner(document, chance))


def test_whatever_comes_is_a_sound_request_or_a_structured_refusal() -> None:
    chance = random.Random(ROUNDS)
    seen: Counter[str] = Counter()
    for number in range(ROUNDS):
        judgement = a_judgement(number, chance)
        if isinstance(judgement, Refusal):
            assert_well_formed(judgement)
            seen[judgement.code] += 1
        else:
            assert_sound(judgement)
            seen["sound"] += 1

    assert set(seen) == {"sound", *CODES_OF_THE_GATE}
    assert min(seen.values()) >= ROUNDS / 400, seen


# A text and its value


def assert_judged_alike(value: Any) -> None:
    of_text = judged(parse_request, json.dumps(value))
    of_value = judged(read_request, value)

    if isinstance(of_text, Refusal) or isinstance(of_value, Refusal):
        assert isinstance(of_text, Refusal)
        assert type(of_value) is type(of_text)
        assert (of_text.code, of_text.message, of_text.details) == (of_value.code, of_value.message, of_value.details)
    else:
        assert repr(of_text.document) == repr(of_value.document)
        assert of_text == of_value


def test_nearly_sound_requests_are_judged_alike_as_text_and_as_value() -> None:
    chance = random.Random(ROUNDS)
    for _ in range(ROUNDS // 4):
        assert_judged_alike(nearly_sound(chance))


TEXT = st.text(st.sampled_from("ab1~é\U0001f600\n\t\r\x00\x7f\x85\ud800\u2028"), max_size=6)
SCALARS = st.none() | st.booleans() | st.integers() | st.sampled_from([2**53 - 1, 2**53]) | st.floats() | TEXT
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | TEXT, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=600, deadline=None)
@given(value=ANYTHING)
def test_any_value_is_judged_alike_as_text_and_as_value(value: Any) -> None:
    assert_judged_alike(value)
    assert_judged_alike({"action_type": "a", "parameters": {"a": value}})
    assert_judged_alike({"action_type": "a", "parameters": {}, "options": value, "decision": value})
