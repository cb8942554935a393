"""The front gate: what is let in, what is refused, and in which words."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import sys
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, NoReturn

import pytest
import rfc8785

from domain.errors import Code, FieldError, InvalidRequest, MalformedRequest, Refused
from domain.request import ActionOptions, ActionRequest, Fallback, fingerprint, parse_request, read_request

REMINDER: dict[str, Any] = {
    "action_type": "send_email",
    "parameters": {
        "template": "renewal_reminder",
        "recipient": "customer@example.com",
        "variables": {"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"},
    },
}
URGENT_REMINDER = {**REMINDER, "options": {"priority": "high", "retry_policy": "exponential", "max_retries": 3}}
KIB = 1024
MAX_INTEGER = 2**53 - 1


def refused(read: Callable[[], ActionRequest]) -> Refused:
    with pytest.raises((MalformedRequest, InvalidRequest)) as refusal:
        read()
    return refusal.value


def told(refusal: Refused) -> list[tuple[str, str]]:
    return [(detail.code, detail.field) for detail in refusal.details]


def with_parameters(**parameters: Any) -> dict[str, Any]:
    return {"action_type": "send_email", "parameters": parameters}


def with_options(**options: Any) -> dict[str, Any]:
    return {**REMINDER, "options": options}


def nested(containers: int) -> Any:
    value: Any = 0
    for _ in range(containers):
        value = [value]
    return value


def text_of(size: int) -> bytes:
    """A request of exactly `size` bytes, in strings of at most 32 KiB."""
    chunks = [f"{number:_<{16 * KIB}}" for number in range(15)]
    room = size - len(json.dumps(with_parameters(chunks=chunks, rest=""), separators=(",", ":")))
    return json.dumps(with_parameters(chunks=chunks, rest="x" * room), separators=(",", ":")).encode()


# What is let in


def test_a_request_without_options_is_carried_out_as_configured() -> None:
    request = parse_request(json.dumps(REMINDER))

    assert request.action_type == "send_email"
    assert request.parameters == REMINDER["parameters"]
    assert request.options == ActionOptions()
    assert (request.options.priority, request.options.mode) == ("normal", "wait")
    assert (request.options.retry_policy, request.options.max_retries) == (None, None)
    assert (request.idempotency_key, request.correlation_id, request.decision) == (None, None, None)
    assert request.document == REMINDER


def test_options_are_read() -> None:
    request = parse_request(json.dumps(URGENT_REMINDER).encode())

    assert request.options == ActionOptions(priority="high", retry_policy="exponential", max_retries=3)
    assert request.document == URGENT_REMINDER


def test_everything_that_the_contract_names_is_read() -> None:
    document = {
        **REMINDER,
        "options": {
            "mode": "accept",
            "not_before": "2026-03-01T09:00:00+01:00",
            "expires_at": "2026-03-01T08:00:00.25Z",
            "fallback": [{"action_type": "send_slack", "parameters": {"channel": "#renewals"}}],
        },
        "idempotency_key": "renewal:42.a_B~c-9",
        "correlation_id": "Vorgang №7",
        "decision": {"id": "d-1", "agent": "renewals", "reason": "due\nsoon", "confidence": 0.9, "inputs": None},
    }

    request = parse_request(bytearray(json.dumps(document), "ascii"))

    assert request.options.mode == "accept"
    assert repr(request.options.not_before) == repr(datetime(2026, 3, 1, 8, tzinfo=UTC))
    assert repr(request.options.expires_at) == repr(datetime(2026, 3, 1, 8, 0, 0, 250_000, tzinfo=UTC))
    assert request.options.fallback == (Fallback(action_type="send_slack", parameters={"channel": "#renewals"}),)
    assert request.idempotency_key == "renewal:42.a_B~c-9"
    assert request.correlation_id == "Vorgang №7"
    assert request.decision == document["decision"]
    assert request.decision_id == "d-1"
    assert request.document == document


@pytest.mark.parametrize(
    "document",
    [
        with_parameters(),
        with_parameters(text="tab\tand\nline feed, \u2028, \ufeff, e\u0301, \U0001f600"),
        with_parameters(low=-MAX_INTEGER, high=MAX_INTEGER, zero=-0.0, tiny=5e-324, huge=1.7e308),
        with_parameters(text="x" * 32 * KIB),
        with_parameters(text="\U0001f600" * 8 * KIB),
        with_parameters(variables={"deep": nested(5)}, list=[nested(5)]),
        {**REMINDER, "decision": {"deep": nested(5)}},
        with_options(fallback=[{"action_type": "a", "parameters": {"b": {"deep": nested(5)}}}] * 10),
        with_options(max_retries=0),
        with_options(max_retries=100),
        with_options(expires_at="9998-12-31T23:59:59.123456789Z"),
        {**REMINDER, "idempotency_key": "k" * 255, "correlation_id": "é" * 255, "decision": {"id": "d" * 255}},
        {**REMINDER, "action_type": "Whether there is one of this name, the registry says"},
        with_options(not_before="2026-01-01t00:00:00z"),
        {**REMINDER, "decision": {}, "options": {}},
    ],
)
def test_values_up_to_their_limits_are_let_in_as_text_and_as_value(document: dict[str, Any]) -> None:
    assert repr(parse_request(json.dumps(document)).document) == repr(document)
    assert repr(read_request(document).document) == repr(document)


def test_a_text_is_let_in_up_to_256_kib() -> None:
    assert len(text_of(256 * KIB)) == 256 * KIB

    assert read_request(parse_request(text_of(256 * KIB)).document)
    assert refused(lambda: parse_request(text_of(256 * KIB + 1))).code == Code.TOO_LARGE
    assert refused(lambda: read_request(json.loads(text_of(256 * KIB + 1)))).code == Code.TOO_LARGE


def test_an_escaped_surrogate_pair_is_one_character() -> None:
    text = r'{"action_type": "a", "parameters": {"b": "\ud83d\ude00"}}'

    assert parse_request(text).parameters == {"b": "\U0001f600"}


def test_null_means_that_an_optional_field_is_absent() -> None:
    document = {
        **REMINDER,
        "options": {"priority": None, "max_retries": 1, "not_before": None, "fallback": None},
        "idempotency_key": None,
        "correlation_id": None,
        "decision": {"id": None, "agent": None, "score": None},
    }

    request = read_request(document)

    assert request.document == {**REMINDER, "options": {"max_retries": 1}, "decision": {"score": None}}
    assert request.options == ActionOptions(max_retries=1)
    assert request.decision_id is None


def test_nulls_within_parameters_are_values() -> None:
    assert read_request(with_parameters(a=None)).document == with_parameters(a=None)


# What is refused

LONG = "x" * (32 * KIB + 1)
DEEP_LINE = "[" * (256 * KIB)

TEXTS: list[tuple[bytes | str, str, str]] = [
    (b"", "malformed", ""),
    (b"{", "malformed", ""),
    (b"not json", "malformed", ""),
    (b'{"action_type": "a", "parameters": {}} x', "malformed", ""),
    (b"{'action_type': 'a'}", "malformed", ""),
    (b'{"action_type": "a", "parameters": {},}', "malformed", ""),
    (b'{"action_type": "a", "parameters": {"a": 01}}', "malformed", ""),
    (b'{"action_type": "a", "parameters": {"a": "raw \x00"}}', "malformed", ""),
    (b'{"action_type": "a", "parameters": {"a": "raw\n"}}', "malformed", ""),
    (b'{"action_type": "a\xff", "parameters": {}}', "malformed", ""),
    (b'{"action_type": "\xc0\xaf", "parameters": {}}', "malformed", ""),
    (b'{"action_type": "\xed\xa0\x80", "parameters": {}}', "malformed", ""),
    ('{"action_type": "\ud800", "parameters": {}}', "malformed", ""),
    (b'\xef\xbb\xbf{"action_type": "a", "parameters": {}}', "malformed", ""),
    ('\ufeff{"action_type": "a", "parameters": {}}', "malformed", ""),
    ('{"action_type": "a", "parameters": {}}'.encode("utf-16"), "malformed", ""),
    (b"[]", "malformed", ""),
    (b"null", "malformed", ""),
    (b'"{}"', "malformed", ""),
    (b'{"action_type": "a", "parameters": {"b": [1, NaN]}}', "malformed", "parameters.b.1"),
    (b'{"action_type": "a", "parameters": {"b": -Infinity}}', "malformed", "parameters.b"),
    (b'{"action_type": "a", "parameters": {"b": 1e999}}', "malformed", "parameters.b"),
    (b'{"action_type": "a", "parameters": {"b": -1e309}}', "malformed", "parameters.b"),
    (b" " * (256 * KIB + 1), "too_large", ""),
    ("é" * (128 * KIB + 1), "too_large", ""),
    (DEEP_LINE, "too_deep", ""),
    ('{"a":' * 40_000, "too_deep", ""),
    ('["\\"",' * 17 + "0" + "]" * 17, "too_deep", ""),
    ('{"a": ' + "[" * 16 + "]" * 16 + "}", "too_deep", ""),
    (b'{"action_type": "a", "action_type": "b", "parameters": {}}', "duplicate_key", "action_type"),
    (b'{"action_type": "a", "parameters": {"b": [{"c": 1, "d": 2, "c": 1}]}}', "duplicate_key", "parameters.b.0.c"),
    (b'{"action_type": "a", "parameters": {"b": 1, "\\u0062": 2}}', "duplicate_key", "parameters.b"),
    (b'{"action_type": "a", "parameters": {"b": "\\ud800"}}', "invalid_characters", "parameters.b"),
    (b'{"action_type": "a", "parameters": {"b": "\\ude00\\ud83d"}}', "invalid_characters", "parameters.b"),
    (b'{"action_type": "a", "parameters": {"\\udfff": 1}}', "invalid_characters", "parameters.\\udfff"),
    (b'{"action_type": "a", "parameters": {"b": 9007199254740992}}', "invalid_type", "parameters.b"),
    (b'{"action_type": "a", "parameters": {"b": -9007199254740992}}', "invalid_type", "parameters.b"),
    (b'{"action_type": "a", "parameters": {"b": ' + b"9" * 200_000 + b"}}", "invalid_type", "parameters.b"),
    (b'{"action_type": "a", "parameters": {"b": -' + b"9" * 17 + b"}}", "invalid_type", "parameters.b"),
]


@pytest.mark.parametrize(("text", "code", "field"), TEXTS, ids=lambda part: ascii(part)[:60])
def test_a_text_is_refused(text: bytes | str, code: str, field: str) -> None:
    refusal = refused(lambda: parse_request(text))

    assert refusal.code == code
    assert told(refusal) == [(code, field)]


VALUES: list[tuple[dict[str, Any], str, str]] = [
    # the values of section 7
    *(
        (with_parameters(variables={"name": f"a{character}b"}), "invalid_characters", "parameters.variables.name")
        for character in "\x00\x01\x08\x0b\x0c\r\x1b\x1f\x7f\x80\x85\x9f"
    ),
    (with_parameters(**{"a\tb": 1}), "invalid_characters", "parameters.a\\tb"),
    (with_parameters(**{"a\n": 1}), "invalid_characters", "parameters.a\\n"),
    ({**REMINDER, "decision": {"reason": "a\rb"}}, "invalid_characters", "decision.reason"),
    ({**REMINDER, "idempotency_key": "a\x00"}, "invalid_characters", "idempotency_key"),
    ({**REMINDER, "\x7f": 1}, "invalid_characters", "\\x7f"),
    (with_parameters(a=[LONG]), "too_large", "parameters.a.0"),
    (with_parameters(a="é" * (16 * KIB + 1)), "too_large", "parameters.a"),
    (with_parameters(a="\U0001f600" * (8 * KIB) + "x"), "too_large", "parameters.a"),
    (with_parameters(variables={"name": nested(6)}), "too_deep", "parameters.variables.name"),
    (with_parameters(variables={"name": {"a": [{"b": [{"c": {}}]}]}}), "too_deep", "parameters.variables.name"),
    (with_parameters(list=[0, nested(6)]), "too_deep", "parameters.list.1"),
    ({**REMINDER, "decision": {"inputs": nested(6)}}, "too_deep", "decision.inputs"),
    (
        with_options(fallback=[{"action_type": "a", "parameters": {"b": {"c": nested(6)}}}]),
        "too_deep",
        "options.fallback.0.parameters.b.c",
    ),
    ({**REMINDER, "unheard_of": nested(16)}, "too_deep", ""),
    ({**REMINDER, "unheard_of": nested(15)}, "unknown_field", "unheard_of"),
    # required and unknown fields
    ({"action_type": "a"}, "missing_field", "parameters"),
    ({"parameters": {}}, "missing_field", "action_type"),
    ({**REMINDER, "document": {}}, "unknown_field", "document"),
    ({**REMINDER, "unheard_of": None}, "unknown_field", "unheard_of"),
    (with_options(retries=3), "unknown_field", "options.retries"),
    (
        with_options(fallback=[{"action_type": "a", "parameters": {}, "options": {}}]),
        "unknown_field",
        "options.fallback.0.options",
    ),
    # types
    ({**REMINDER, "action_type": None}, "invalid_type", "action_type"),
    ({**REMINDER, "action_type": 7}, "invalid_type", "action_type"),
    ({**REMINDER, "parameters": None}, "invalid_type", "parameters"),
    ({**REMINDER, "parameters": []}, "invalid_type", "parameters"),
    ({**REMINDER, "parameters": "{}"}, "invalid_type", "parameters"),
    ({**REMINDER, "options": []}, "invalid_type", "options"),
    ({**REMINDER, "options": "fast"}, "invalid_type", "options"),
    ({**REMINDER, "decision": "d-1"}, "invalid_type", "decision"),
    ({**REMINDER, "decision": {"id": 1}}, "invalid_type", "decision.id"),
    ({**REMINDER, "decision": {"id": ""}}, "invalid_type", "decision.id"),
    ({**REMINDER, "decision": {"agent": ["a"]}}, "invalid_type", "decision.agent"),
    ({**REMINDER, "decision": {"reason": {}}}, "invalid_type", "decision.reason"),
    ({**REMINDER, "correlation_id": 1}, "invalid_type", "correlation_id"),
    ({**REMINDER, "correlation_id": ""}, "invalid_type", "correlation_id"),
    ({**REMINDER, "correlation_id": "a\nb"}, "invalid_characters", "correlation_id"),
    ({**REMINDER, "correlation_id": "a\u202eb"}, "invalid_characters", "correlation_id"),
    ({**REMINDER, "correlation_id": "c" * 256}, "too_large", "correlation_id"),
    ({**REMINDER, "decision": {"id": "d" * 256}}, "too_large", "decision.id"),
    # options
    *((with_options(priority=value), "invalid_options", "options.priority") for value in ["urgent", 1, "", "High"]),
    *((with_options(retry_policy=value), "invalid_options", "options.retry_policy") for value in ["linear", True]),
    *(
        (with_options(max_retries=value), "invalid_options", "options.max_retries")
        for value in [-1, 101, 3.0, "3", True, [3]]
    ),
    *((with_options(mode=value), "invalid_options", "options.mode") for value in ["async", False]),
    *(
        (with_options(not_before=value), "invalid_options", "options.not_before")
        for value in [
            1_767_225_600,
            "",
            "tomorrow",
            "2026-01-01",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00Z",
            "20260101T000000Z",
            "2026-W01-1T00:00:00Z",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00,5Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00Z\n",
            "２０２６-01-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-06-30T23:59:60Z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "1969-12-31T23:59:59Z",
            "9999-01-01T00:00:00Z",
            "9999-12-31T23:59:59-01:00",
        ]
    ),
    (
        with_options(not_before="2026-01-01T01:00:00+01:00", expires_at="2026-01-01T00:00:00Z"),
        "invalid_options",
        "options.expires_at",
    ),
    *((with_options(fallback=value), "invalid_options", "options.fallback") for value in [{}, "a", 1]),
    (with_options(fallback=[{"action_type": "a", "parameters": {}}] * 11), "invalid_options", "options.fallback"),
    (with_options(fallback=["send_slack"]), "invalid_options", "options.fallback.0"),
    (with_options(fallback=[{"action_type": "a"}]), "invalid_options", "options.fallback.0.parameters"),
    # idempotency keys
    *(
        ({**REMINDER, "idempotency_key": key}, "invalid_idempotency_key", "idempotency_key")
        for key in ["", "k" * 256, "a b", "a/b", "clé", "a\n", "a\t", 7, [], {}, True]
    ),
]


@pytest.mark.parametrize(("document", "code", "field"), VALUES, ids=lambda part: ascii(part)[-60:])
def test_a_request_is_refused_as_text_and_as_value_alike(document: dict[str, Any], code: str, field: str) -> None:
    of_text = refused(lambda: parse_request(json.dumps(document)))
    of_value = refused(lambda: read_request(document))

    assert of_text.code == of_value.code == code
    assert told(of_text) == told(of_value) == [(code, field)]


@pytest.mark.parametrize("data", [None, 7, {}, memoryview(b"{}"), ["{}"]])
def test_what_is_no_text_is_refused_as_text(data: Any) -> None:
    assert told(refused(lambda: parse_request(data))) == [("malformed", "")]


def test_a_small_text_of_a_large_value_is_too_large() -> None:
    numbers = ",".join(["1e15"] * 50_000)
    text = f'{{"action_type": "a", "parameters": {{"b": [{numbers}]}}}}'
    assert len(text) < 256 * KIB

    assert told(refused(lambda: parse_request(text))) == [("too_large", "")]


# In which words


def test_all_problems_are_told_at_once_in_the_order_of_the_codes() -> None:
    document = {
        "parameters": {"variables": {"name": nested(6)}},
        "options": {"priority": "urgent", "max_retries": 3.0, "retries": 1, "fallback": [{}]},
        "idempotency_key": "a b",
        "correlation_id": 1,
        "unheard_of": 1,
    }

    refusal = refused(lambda: read_request(document))

    assert refusal.code == "too_deep"
    assert told(refusal) == [
        ("too_deep", "parameters.variables.name"),
        ("missing_field", "action_type"),
        ("unknown_field", "options.retries"),
        ("unknown_field", "unheard_of"),
        ("invalid_type", "correlation_id"),
        ("invalid_options", "options.priority"),
        ("invalid_options", "options.max_retries"),
        ("invalid_options", "options.fallback.0.action_type"),
        ("invalid_options", "options.fallback.0.parameters"),
        ("invalid_idempotency_key", "idempotency_key"),
    ]
    assert refusal.message.startswith("parameters.variables.name: ")
    assert refusal.message.endswith("(the first of 10 problems)")


def test_all_flaws_of_the_values_are_told_at_once() -> None:
    text = (
        r'{"action_type": "a", "parameters": {"b": "\r", "c": NaN, "d": {"e": 1, "e": 9e999}, "f": 9999999999999999}}'
    )

    assert told(refused(lambda: parse_request(text))) == [
        ("malformed", "parameters.c"),
        ("malformed", "parameters.d.e"),
        ("duplicate_key", "parameters.d.e"),
        ("invalid_type", "parameters.f"),
        ("invalid_characters", "parameters.b"),
    ]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({**REMINDER, "optoins": {}}, ["unknown", "action_type", "options", "idempotency_key", "decision"]),
        (with_options(retries=3), ["unknown", "retry_policy", "max_retries"]),
        (with_options(fallback=[{"type": "a", "action_type": "a", "parameters": {}}]), ["action_type, parameters"]),
        ({"action_type": "a"}, ["required"]),
        ({**REMINDER, "parameters": []}, ["object"]),
        ({**REMINDER, "options": []}, ["object"]),
        (with_options(priority="urgent"), ["low", "normal", "high"]),
        (with_options(max_retries=101), ["100"]),
        (with_options(max_retries="3"), ["integer"]),
        (with_options(not_before="tomorrow"), ["RFC 3339", "2024-01-31T09:00:00Z"]),
        (with_options(not_before=1), ["RFC 3339", "2024-01-31T09:00:00Z"]),
        ({**REMINDER, "idempotency_key": "a b"}, ["A-Za-z0-9._:~-", "255"]),
        (with_parameters(a=2**53), ["send it as a string"]),
        (with_parameters(a="ab\r"), ["U+000D", "character 2", "tab and line feed"]),
        (with_parameters(a="\ud800"), ["surrogate"]),
        (with_parameters(a=LONG), ["32768"]),
        (with_parameters(a=(1,)), ["tuple"]),
        (with_parameters(a=math.nan), ["NaN"]),
    ],
)
def test_a_message_says_how_to_repair_the_request(document: dict[str, Any], words: list[str]) -> None:
    (detail,) = refused(lambda: read_request(document)).details

    for word in words:
        assert word in detail.message


def test_a_byte_order_mark_is_called_by_its_name() -> None:
    assert "byte order mark" in refused(lambda: parse_request("\ufeff{}")).message


def test_a_message_says_where_a_text_ceases_to_be_json() -> None:
    assert "line 2, column 16" in refused(lambda: parse_request('{\n"action_type": a}')).message


@pytest.mark.parametrize(
    "document",
    [
        {**REMINDER, "SECRET" * 5000: 1},
        with_parameters(**{"SECRET" * 6000: 1}),
        with_parameters(**{"SECRET" * 5000: "\r"}),
        with_parameters(**{"SECRET" * 10: {"SECRET" * 11: {"SECRET" * 12: "\r"}}}),
        with_options(priority="SECRET"),
        with_options(not_before="SECRET", **{"SECRET" * 100: 1}),
        {**REMINDER, "idempotency_key": "SECRET SECRET"},
        {**REMINDER, "decision": {"id": "SECRET" * 50}},
    ],
)
def test_little_of_the_request_is_repeated(document: dict[str, Any]) -> None:
    refusal = refused(lambda: read_request(document))

    for detail in refusal.details:
        assert detail.field.count("SECRET") <= 80 // len("SECRET")
        assert "SECRET" not in detail.message
    assert len(refusal.message) < 300


def test_what_is_repeated_cannot_move_a_terminal() -> None:
    refusal = refused(lambda: read_request({**REMINDER, "a\u202e\x1b[2J\ud800": 1}))

    assert refusal.details[0].field == "a\\u202e\\x1b[2J\\ud800"
    assert refusal.message.isprintable()


def test_only_the_first_hundred_problems_are_told() -> None:
    of_values = refused(lambda: read_request(with_parameters(a=["\r"] * 1000)))
    of_schema = refused(lambda: read_request(REMINDER | {f"f{number}": 1 for number in range(1000)}))

    assert len(of_values.details) == len(of_schema.details) == 100


# What a caller in Python may hand over


class Explosive:
    """Every way to look at it raises."""

    def _explode(self, *_: object) -> NoReturn:
        raise RuntimeError("touched")

    __eq__ = __ne__ = __lt__ = __bool__ = __len__ = __iter__ = __getitem__ = _explode
    __repr__ = __str__ = __int__ = __float__ = __index__ = __getattr__ = _explode
    __class__ = property(_explode)

    def __hash__(self) -> int:
        return 1


class ExplosiveKind(type):
    """A class that raises when it is named, compared or hashed."""

    def _explode(cls, *_: object) -> NoReturn:
        raise RuntimeError("touched")

    __name__ = __module__ = property(_explode)
    __eq__ = __hash__ = __repr__ = __instancecheck__ = _explode


class Unnameable(metaclass=ExplosiveKind):
    pass


class SlyDict(dict[str, Any]):
    def items(self) -> NoReturn:
        raise RuntimeError("touched")


class SlyList(list[Any]):
    def __iter__(self) -> NoReturn:
        raise RuntimeError("touched")


class SlyStr(str):
    __slots__ = ()

    def isprintable(self) -> bool:
        return True


class SlyFloat(float):
    pass


class Priority(StrEnum):
    HIGH = "high"


class Count(IntEnum):
    THREE = 3


FOREIGN: list[Any] = [
    (1, 2),
    {1},
    frozenset(),
    b"bytes",
    bytearray(),
    memoryview(b""),
    range(3),
    iter([]),
    1j,
    Decimal(1),
    date(2026, 1, 1),
    datetime(2026, 1, 1, tzinfo=UTC),
    print,
    int,
    ...,
    NotImplemented,
    Explosive(),
    Unnameable(),
    Unnameable,
    ActionOptions(),
    OrderedDict(),
    SlyDict(a=1),
    SlyList([1]),
    SlyStr("a"),
    SlyFloat(1),
    Priority.HIGH,
    Count.THREE,
    parse_request('{"action_type": "a", "parameters": {}}'),
]


# By number, since pytest looks at what it is handed.
@pytest.mark.parametrize("number", range(len(FOREIGN)))
def test_a_foreign_object_is_refused_untouched_wherever_it_stands(number: int) -> None:
    foreign = FOREIGN[number]

    assert told(refused(lambda: read_request(foreign))) == [("malformed", "")]
    assert told(refused(lambda: read_request(with_parameters(a=[0, foreign])))) == [("invalid_type", "parameters.a.1")]
    assert told(refused(lambda: read_request({**REMINDER, "action_type": foreign}))) == [
        ("invalid_type", "action_type")
    ]
    assert told(refused(lambda: read_request(with_options(max_retries=foreign)))) == [
        ("invalid_type", "options.max_retries")
    ]
    assert told(refused(lambda: read_request({**REMINDER, "decision": foreign}))) == [("invalid_type", "decision")]


FOREIGN_NAMES: list[Any] = [1, None, True, 1.5, math.nan, (1,), b"a", SlyStr("a"), Priority.HIGH, Explosive()]


@pytest.mark.parametrize("number", range(len(FOREIGN_NAMES)))
def test_a_name_that_is_no_string_is_refused(number: int) -> None:
    name = FOREIGN_NAMES[number]

    assert told(refused(lambda: read_request({**REMINDER, name: 1}))) == [("invalid_type", "")]
    assert told(refused(lambda: read_request(with_parameters(a={name: 1})))) == [("invalid_type", "parameters.a")]


@pytest.mark.parametrize("digits", [17, 5_000, 100_000])
def test_a_giant_integer_is_refused_without_being_printed(digits: int) -> None:
    giants = with_parameters(a=10**digits, b=-(10**digits))

    assert told(refused(lambda: read_request(giants))) == [
        ("invalid_type", "parameters.a"),
        ("invalid_type", "parameters.b"),
    ]


def test_a_request_that_contains_itself_is_too_deep() -> None:
    in_objects: dict[str, Any] = with_parameters()
    in_objects["parameters"]["self"] = in_objects
    in_arrays: list[Any] = [0]
    in_arrays *= 100
    in_arrays[1] = in_arrays

    assert told(refused(lambda: read_request(in_objects))) == [("too_deep", "")]
    assert told(refused(lambda: read_request(with_parameters(a=in_arrays)))) == [("too_deep", "")]


def test_a_request_deeper_than_any_recursion_is_too_deep() -> None:
    bottomless = nested(20 * sys.getrecursionlimit())

    assert told(refused(lambda: read_request({**REMINDER, "a": bottomless}))) == [("too_deep", "")]


def shared(leaf: Any, times: int) -> Any:
    """Ten times ten times ten ... the same objects."""
    while times > 1:
        leaf, times = [leaf] * 10, times // 10
    return leaf


VAST: list[Any] = [
    shared([], 1_000_000),
    shared({"": 0}, 1_000_000),
    shared("x" * 32 * KIB, 1_000),
    [None] * 10_000_000,
    {"name" * number: None for number in range(6_000)},
    dict.fromkeys(map(str, range(2_000_000))),
]


@pytest.mark.parametrize("number", range(len(VAST)))
def test_what_is_vast_is_too_large_and_is_not_looked_through(number: int) -> None:
    request = with_parameters(a=VAST[number])

    tracemalloc.start()
    try:
        assert told(refused(lambda: read_request(request))) == [("too_large", "")]
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * KIB
    finally:
        tracemalloc.stop()


def test_a_value_is_measured_as_its_text_would_be() -> None:
    escaped = ['"' * 16 * KIB] * 10

    assert told(refused(lambda: read_request(with_parameters(a=escaped)))) == [("too_large", "")]
    assert read_request(with_parameters(a=["'" * 16 * KIB] * 10))


def test_the_callers_object_is_neither_changed_nor_kept() -> None:
    theirs = {**copy.deepcopy(URGENT_REMINDER), "correlation_id": None, "decision": {"id": None, "tags": ["a"]}}
    before = copy.deepcopy(theirs)

    request = read_request(theirs)

    assert theirs == before
    theirs["parameters"]["variables"]["customer_name"] = "changed"
    theirs["decision"]["tags"].append("changed")
    theirs["options"]["priority"] = "low"
    assert "changed" not in repr((request.document, request.parameters, request.decision))
    assert request.document["options"]["priority"] == "high"


def test_shared_parts_are_copied_apart() -> None:
    part = {"a": 1}

    request = read_request(with_parameters(one=part, two=part))

    assert request.parameters["one"] is not request.parameters["two"]


def test_a_caller_who_still_writes_while_we_read_does_no_harm() -> None:
    names: dict[str, Any] = {"first": 1}
    items: list[Any] = [1]

    of_names = read_while(lambda: names.update({f"next {len(names)}": 1}), with_parameters(a=names))
    of_items = read_while(lambda: items.append(1), with_parameters(a=items))

    assert len(names) > len(of_names.parameters["a"]) >= 1
    assert len(items) > len(of_items.parameters["a"]) >= 1


def read_while(write: Callable[[], None], request: dict[str, Any]) -> ActionRequest:
    """As with another thread that writes, a thousand times at most, whenever a function is called or returns."""
    pens = iter(range(1000))

    def write_once_more(*_: object) -> None:
        if next(pens, None) is not None:
            write()

    sys.setprofile(write_once_more)
    try:
        return read_request(request)
    finally:
        sys.setprofile(None)


def test_a_request_cannot_be_changed_and_does_not_print_what_it_carries() -> None:
    request = read_request({**URGENT_REMINDER, "decision": {"reason": "customer@example.com"}})

    with pytest.raises(AttributeError):
        request.action_type = "other"  # type: ignore[misc]
    with pytest.raises(ValueError):
        request.options.priority = "low"
    assert "customer@example.com" not in repr(request)


# The fingerprint


def test_the_fingerprint_is_the_hash_of_the_canonical_request_and_outlives_releases() -> None:
    request = read_request(URGENT_REMINDER)

    assert fingerprint(request.document) == hashlib.sha256(rfc8785.dumps(URGENT_REMINDER)).hexdigest()
    assert fingerprint(request.document) == "2326f8cd9ea0ca5798013d427e74f2b6fd8c4f25a8bb65c776f0510aed056fe4"


@pytest.mark.parametrize(
    "same",
    [
        {**URGENT_REMINDER, "idempotency_key": "k"},
        {**URGENT_REMINDER, "correlation_id": None, "idempotency_key": None},
        dict(reversed(URGENT_REMINDER.items())),
    ],
)
def test_the_same_wish_has_the_same_fingerprint(same: dict[str, Any]) -> None:
    assert fingerprint(read_request(same).document) == fingerprint(read_request(URGENT_REMINDER).document)
    assert fingerprint(parse_request(json.dumps(same, indent=3)).document) == fingerprint(
        read_request(URGENT_REMINDER).document
    )


@pytest.mark.parametrize(
    "other",
    [
        REMINDER,
        {**URGENT_REMINDER, "action_type": "send_mail"},
        {**URGENT_REMINDER, "options": {"priority": "high", "retry_policy": "exponential", "max_retries": 2}},
        {**URGENT_REMINDER, "decision": {"id": "d-1"}},
        {**URGENT_REMINDER, "correlation_id": "c"},
    ],
)
def test_another_wish_has_another_fingerprint(other: dict[str, Any]) -> None:
    assert fingerprint(read_request(other).document) != fingerprint(read_request(URGENT_REMINDER).document)


def test_a_refusal_is_structured() -> None:
    refusal = refused(lambda: parse_request(b'{"parameters": {}, "options": {"mode": "later"}}'))

    assert refusal.details == (
        FieldError("action_type", "missing_field", "this field is required"),
        FieldError("options.mode", "invalid_options", "Input should be 'wait' or 'accept'"),
    )


def test_sound_json_that_is_no_valid_request_brings_along_what_was_asked() -> None:
    document = {"action_type": "a", "surprise": 1}
    refusal = refused(lambda: read_request(document))

    assert isinstance(refusal, InvalidRequest)
    assert refusal.document == document


@pytest.mark.parametrize("document", [{}, {"StatusCode": 200, "Payload": "x"}, {"Records": []}, {"actions": []}])
def test_an_object_that_is_no_request_at_all_is_malformed(document: dict[str, Any]) -> None:
    refusal = refused(lambda: read_request(document))

    assert isinstance(refusal, MalformedRequest)
    assert (refusal.code, told(refusal)) == ("malformed", [("malformed", "")])
