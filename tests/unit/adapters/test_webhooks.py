"""What is sent to a webhook, and what its answer means."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from adapters.guard import UnsafeTarget
from adapters.http import PUBLIC, MaybeSent, NotSent, Reach, Request, Response
from adapters.secrets import Secrets
from adapters.webhook_config import parse_config
from adapters.webhooks import LONGEST_RESULT, LONGEST_WAIT, Webhooks
from domain.errors import Refused
from domain.gate import Limits
from domain.outcome import Outcome, Permanent, Retry, Succeeded, Unknown
from tests.doubles.secret_store import REFERENCE, slow_secrets
from tests.fakes import FakeClock

EXAMPLES = Path(__file__).parents[3] / "examples"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EFFECT_KEY = "act_01hx-r0"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TARGET = {"url": "https://hooks.example.com/crm"}


@dataclass
class FakeClient:
    """Keeps what it was to send, and answers or fails as it was told."""

    answer: Response | Exception = field(default_factory=lambda: Response(200, {}, b'{"ok":true}'))
    sent: list[tuple[Request, float, Reach]] = field(default_factory=list)

    def send(self, request: Request, *, timeout: float, reach: Reach) -> Response:
        self.sent.append((request, timeout, reach))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def webhooks(
    client: FakeClient,
    environ: Mapping[str, str] | None = None,
    *,
    secrets: Secrets | None = None,
    clock: FakeClock | None = None,
    **targets: Any,
) -> Webhooks:
    """Targets of these names; `direct` stands for the entry `*`."""
    entries = {"*" if name == "direct" else name: entry for name, entry in targets.items()}
    config, monotonic = parse_config(json.dumps(entries).encode(), environ or {}), (clock or FakeClock()).monotonic
    return Webhooks(config, client, secrets, monotonic=monotonic)  # type: ignore[arg-type]


def call(
    hooks: Webhooks,
    name: str = "crm",
    payload: Mapping[str, Any] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    at: datetime = NOON,
    url: str | None = None,
) -> Outcome:
    target = hooks.target(name) if url is None else hooks.direct(url)
    return hooks.call(target, payload or {"a": 1}, headers=headers or {}, effect_key=EFFECT_KEY, at=at, timeout=7.5)


def answered(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"", **entry: Any) -> Outcome:
    client = FakeClient(Response(status, headers or {}, body))
    return call(webhooks(client, crm=TARGET | entry))


# --- the request ----------------------------------------------------------------------------------------------------


def test_a_call_sends_the_payload_in_its_canonical_form_under_the_effect_key() -> None:
    client = FakeClient()
    hooks = webhooks(client, crm={**TARGET, "method": "PUT", "headers": {"Authorization": "Bearer t"}, "timeout_s": 9})
    outcome = call(hooks, payload={"b": "ü", "a": [1, 2.0, None]}, headers={"X-Trace": "t-1"})
    [(request, timeout, reach)] = client.sent
    assert (request.method, request.url) == ("PUT", "https://hooks.example.com/crm")
    assert request.body == '{"a":[1,2,null],"b":"ü"}'.encode()
    assert request.headers == {
        "user-agent": "execution-agent",
        "authorization": "Bearer t",
        "x-trace": "t-1",
        "content-type": "application/json",
        "idempotency-key": EFFECT_KEY,
        "webhook-id": EFFECT_KEY,
        "webhook-timestamp": str(int(NOON.timestamp())),
    }
    assert (timeout, reach) == (7.5, PUBLIC)
    assert outcome == Succeeded({"status": 200, "body": {"ok": True}})


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-5, 5)),
    st.binary(min_size=24, max_size=64),
)
def test_the_signature_is_one_of_standard_webhooks(payload: dict[str, Any], key: bytes) -> None:
    secret = f"whsec_{b64encode(key).decode()}"
    client = FakeClient()
    # The library that verifies asks the machine for the time.
    call(webhooks(client, crm=TARGET | {"secret": secret}), payload=payload or {"a": 1}, at=datetime.now(UTC))
    [(request, _, _)] = client.sent
    assert Webhook(secret).verify(request.body, dict(request.headers)) == (payload or {"a": 1})
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(request.body + b" ", dict(request.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(request.body, {**request.headers, "webhook-id": "another"})


@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_secret_signs_so_that_a_receiver_may_change_over_when_it_likes(number: int) -> None:
    secrets = [f"whsec_{b64encode(bytes([which]) * 24).decode()}" for which in range(number)]
    client = FakeClient()
    call(webhooks(client, crm=TARGET | {"secret": secrets}), at=datetime.now(UTC))
    [(request, _, _)] = client.sent
    signatures = request.headers["webhook-signature"].split(" ")
    assert len(signatures) == number
    for secret, signature in zip(secrets, signatures, strict=True):
        assert Webhook(secret).verify(request.body, dict(request.headers)) == {"a": 1}
        assert Webhook(secret).verify(request.body, {**request.headers, "webhook-signature": signature}) == {"a": 1}


def test_a_second_try_carries_the_same_id_and_a_new_time() -> None:
    client = FakeClient()
    hooks = webhooks(client, crm=TARGET | {"secret": SECRET})
    call(hooks)
    call(hooks, at=NOON + timedelta(seconds=90))
    first, second = (request.headers for request, _, _ in client.sent)
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 90
    assert first["webhook-signature"] != second["webhook-signature"]


def test_what_the_configuration_allows_goes_with_the_request() -> None:
    client = FakeClient()
    entry = {"url": "http://127.0.0.1:9/", "allow_http": True, "allow_private_network": True}
    call(webhooks(client, crm=entry))
    assert client.sent[0][2] == Reach(allow_http=True, allow_private_network=True)


@pytest.mark.parametrize("name", ["Authorization", "X-TENANT", "webhook-id", "content-type", "host", "x y"])
def test_an_action_cannot_set_a_header_of_the_configuration_or_of_ours(name: str) -> None:
    client = FakeClient()
    hooks = webhooks(client, crm=TARGET | {"headers": {"x-tenant": "ours"}})
    with pytest.raises(Refused):
        hooks.check(hooks.target("crm"), {name: "theirs"})
    outcome = call(hooks, headers={name: "theirs"})
    assert isinstance(outcome, Permanent)
    assert outcome.code == "invalid_parameters"
    assert not client.sent


def test_a_payload_without_a_form_in_json_is_not_sent() -> None:
    client = FakeClient()
    outcome = call(webhooks(client, crm=TARGET), payload={"a": float("nan")})
    assert isinstance(outcome, Permanent)
    assert not client.sent


# --- targets --------------------------------------------------------------------------------------------------------


def test_an_action_learns_of_a_target_what_it_may_know() -> None:
    hooks = webhooks(FakeClient(), crm=TARGET | {"method": "PATCH", "timeout_s": 3, "deduplicates": True})
    target = hooks.target("crm")
    assert (target.name, target.method, target.timeout, target.deduplicates) == ("crm", "PATCH", 3.0, True)


def test_an_unknown_name_is_refused_with_its_field() -> None:
    with pytest.raises(Refused) as refused:
        webhooks(FakeClient(), crm=TARGET).target("CRM")
    assert refused.value.code == "invalid_parameters"
    assert [detail.field for detail in refused.value.details] == ["parameters.webhook"]


@pytest.mark.parametrize(
    "direct", [None, {"allow_direct_urls": False}, {"allow_direct_urls": False, "allow_hosts": ["a.example"]}]
)
def test_a_direct_url_is_refused_unless_it_is_allowed(direct: dict[str, Any] | None) -> None:
    hooks = webhooks(FakeClient(), crm=TARGET, **({"direct": direct} if direct else {}))
    with pytest.raises(Refused) as refused:
        hooks.direct("https://a.example/")
    assert [detail.field for detail in refused.value.details] == ["parameters.url"]


def test_a_direct_url_is_called_where_it_is_allowed_and_named_by_its_host() -> None:
    client = FakeClient(Response(404, {}, b""))
    hooks = webhooks(client, direct={"allow_direct_urls": True, "allow_hosts": ["*.partner.example"]})
    target = hooks.direct("https://a.partner.example/t0ken")
    outcome = call(hooks, url="https://a.partner.example/t0ken")
    [(request, _, reach)] = client.sent
    assert request.url == "https://a.partner.example/t0ken"
    assert reach == Reach(allow_hosts=("*.partner.example",))
    assert (target.name, target.deduplicates) == ("direct:a.partner.example", False)
    assert outcome == Permanent("http_404", "webhook direct:a.partner.example answered 404")
    assert "t0ken" not in repr([target, outcome])


@pytest.mark.parametrize(
    "url",
    [
        "http://a.partner.example/",
        "https://partner.example/",
        "https://127.0.0.1/",
        "https://localhost/",
        "nonsense",
        "",
    ],
)
def test_a_direct_url_is_held_to_the_public_internet_and_to_the_list(url: str) -> None:
    hooks = webhooks(FakeClient(), direct={"allow_direct_urls": True, "allow_hosts": ["*.partner.example"]})
    with pytest.raises(UnsafeTarget):
        hooks.direct(url)


# --- the outcome ----------------------------------------------------------------------------------------------------

DID_NOT_ACT = {425, 429}
NOBODY_KNOWS = {408}


def expected(status: int) -> tuple[type[Outcome], str | None]:
    if 200 <= status <= 299:
        return Succeeded, None
    if 300 <= status <= 399:
        return Permanent, "redirect_refused"
    if status in DID_NOT_ACT:
        return Retry, f"http_{status}"
    if 400 <= status <= 499 and status not in NOBODY_KNOWS:
        return Permanent, f"http_{status}"
    return Unknown, f"http_{status}"


def test_every_status_has_its_class() -> None:
    for status in range(1000):
        outcome = answered(status)
        assert (type(outcome), getattr(outcome, "code", None)) == expected(status)


@pytest.mark.parametrize("status", [429, 425, 408, 500, 503])
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("007", 7.0),
        ("-5", 0.0),
        ("86400", 86_400.0),
        ("86401", LONGEST_WAIT),
        ("9" * 5000, LONGEST_WAIT),
        (format_datetime(NOON + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOON - timedelta(days=3), usegmt=True), 0.0),
        (format_datetime(NOON + timedelta(days=300), usegmt=True), LONGEST_WAIT),
        ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST_WAIT),
        ("Wed, 21 Oct 2015 07:28:00", 0.0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("1.5", None),
        ("soon", None),
        ("1e9", None),
        ("0x10", None),
        ("1, 2", None),
        ("\u0661", None),
        ("", None),
        (" ", None),
    ],
)
def test_a_receiver_may_ask_for_a_pause_of_a_day_at_most(status: int, text: str, seconds: float | None) -> None:
    outcome = answered(status, {"retry-after": text})
    assert isinstance(outcome, Retry | Unknown)
    assert outcome.retry_after == (seconds if seconds is None else pytest.approx(seconds))


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_pause_is_beyond_its_bounds(text: str) -> None:
    outcome = answered(429, {"retry-after": text})
    assert isinstance(outcome, Retry)
    assert outcome.retry_after is None or 0.0 <= outcome.retry_after <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (NotSent("dns_failed", "no address"), Retry("dns_failed", "webhook crm: no address")),
        (MaybeSent("timeout", "too late"), Unknown("timeout", "webhook crm: too late")),
        (UnsafeTarget("not public"), Permanent("unsafe_target", "webhook crm: not public")),
    ],
)
def test_no_answer_has_a_class_too(failure: Exception, outcome: Outcome) -> None:
    assert call(webhooks(FakeClient(failure), crm=TARGET)) == outcome


def test_a_success_names_the_target_that_takes_it_back() -> None:
    outcome = call(webhooks(FakeClient(), crm={**TARGET, "undo": "crm-undo"}, **{"crm-undo": TARGET}))
    assert isinstance(outcome, Succeeded)
    assert outcome.undo == {"webhook": "crm-undo"}


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"", ""),
        (b"ok", "ok"),
        (b'{"id": 7, "tags": ["a"]}', {"id": 7, "tags": ["a"]}),
        (b"[1, 2]", "[1, 2]"),
        (b'{"a": NaN}', '{"a": NaN}'),
        (b'{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
        (b"[" * 5000, "[" * 5000),
        (b'{"a":' * 1000, '{"a":' * 1000),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("ü".encode(), "ü"),
    ],
)
def test_an_answer_is_kept_as_an_object_or_as_text(body: bytes, kept: object) -> None:
    outcome = answered(200, body=body)
    assert isinstance(outcome, Succeeded)
    assert outcome.result == {"status": 200, "body": kept}
    json.dumps(outcome.result, allow_nan=False).encode()


@pytest.mark.parametrize(
    "body", [b"x" * (LONGEST_RESULT + 1), b'{"a":"' + b"x" * LONGEST_RESULT + b'"}', "ü".encode() * LONGEST_RESULT]
)
def test_a_long_answer_is_cut_and_says_so(body: bytes) -> None:
    outcome = answered(200, body=body)
    assert isinstance(outcome, Succeeded)
    assert outcome.result["truncated"] is True
    assert body.decode().startswith(outcome.result["body"])
    assert LONGEST_RESULT - 2 <= len(outcome.result["body"].encode()) <= LONGEST_RESULT


# --- secrets that are kept elsewhere --------------------------------------------------------------------------------

KEPT = {"url": "https://hooks.example.com/crm", "headers": {"authorization": "Bearer ${env:TOKEN}"}}


def test_a_401_has_the_secret_read_anew_for_the_next_attempt() -> None:
    client, environ = FakeClient(Response(401, {}, b"")), {"TOKEN": "t0ken-1"}
    hooks = webhooks(client, secrets=Secrets(environ), crm=KEPT)
    environ["TOKEN"] = "t0ken-2"
    first = call(hooks)
    environ["TOKEN"] = "t0ken-3"
    client.answer = Response(200, {}, b"")
    assert isinstance(first, Retry)
    assert first.code == "http_401"
    assert isinstance(call(hooks), Succeeded)
    call(hooks)
    told = [request.headers["authorization"] for request, _, _ in client.sent]
    assert told == ["Bearer t0ken-2", "Bearer t0ken-3", "Bearer t0ken-3"]


def test_a_401_is_for_good_where_the_configuration_says_it_all() -> None:
    assert isinstance(answered(401, headers={}), Permanent)


def test_a_secret_that_cannot_be_read_leaves_the_call_unmade() -> None:
    client = FakeClient()
    hooks = webhooks(client, secrets=Secrets({}), crm=KEPT)
    hooks.check(hooks.target("crm"), {"x-trace": "t-1"})
    assert call(hooks) == Retry("secret_unavailable", "the secret env:TOKEN is empty or not there")
    assert client.sent == []


SLOW = {"url": "https://hooks.example.com/crm", "headers": {"authorization": f"Bearer ${{{REFERENCE}}}"}}


def test_the_time_that_it_takes_to_read_a_secret_is_taken_off() -> None:
    clock, client = FakeClock(), FakeClient()
    hooks = webhooks(client, secrets=slow_secrets(clock, "t0ken-1", seconds=3.0), clock=clock, crm=SLOW)
    call(hooks)
    call(hooks)
    assert [timeout for _, timeout, _ in client.sent] == [4.5, 7.5]


def test_a_secret_that_comes_too_late_leaves_the_call_unmade() -> None:
    clock, client = FakeClock(), FakeClient()
    hooks = webhooks(client, secrets=slow_secrets(clock, "t0ken-1", seconds=7.5), clock=clock, crm=SLOW)
    assert call(hooks) == Retry("timeout", "webhook crm: the deadline passed before anything was sent")
    assert client.sent == []


def test_an_action_cannot_set_a_header_whose_value_is_kept_elsewhere() -> None:
    hooks = webhooks(FakeClient(), secrets=Secrets({}), crm={**KEPT, "headers": {"X-Tenant": "${env:TENANT}"}})
    with pytest.raises(Refused):
        hooks.check(hooks.target("crm"), {"x-tenant": "theirs"})


# --- Zapier ---------------------------------------------------------------------------------------------------------


def test_what_zapier_answers_is_kept_and_its_url_is_not() -> None:
    example = json.loads((EXAMPLES / "webhooks.json").read_text("utf-8"))
    hook = "1234567/abcdefg/"
    told = {"status": "success", "attempt": "018f-1", "id": "018f-2", "request_id": "018f-3"}
    client = FakeClient(Response(200, {"content-type": "application/json"}, json.dumps(told).encode()))
    hooks = webhooks(client, {"ZAPIER_HOOK": hook}, **example)
    outcome = call(hooks, "zapier")
    [(request, _, reach)] = client.sent
    assert (request.method, request.url, reach) == ("POST", f"https://hooks.zapier.com/hooks/catch/{hook}", PUBLIC)
    assert outcome == Succeeded({"status": 200, "body": told})
    target = hooks.target("zapier")
    assert (target.deduplicates, target.limits) == (False, Limits(per_second=10))
    assert hook not in repr([outcome, target, hooks])


def test_a_hook_that_was_switched_off_is_for_good() -> None:
    assert isinstance(answered(410), Permanent)


# --- secrets --------------------------------------------------------------------------------------------------------

CANARY = "c4n4ry"
GUARDED: dict[str, Any] = {
    "url": f"https://hooks.example.com/{CANARY}?key={CANARY}",
    "headers": {"authorization": f"Bearer {CANARY}-token", "x-key": "${KEY}"},
    "secret": SECRET,
}
KEY = f"{CANARY}-from-the-environment"


def echoes() -> list[bytes]:
    """What a receiver answers that sends back all it got, in one form or another."""
    secrets = [GUARDED["url"], f"Bearer {CANARY}-token", KEY, SECRET]
    return [
        json.dumps({"seen": secrets, KEY: {"deep": [secrets[0] + " and more"]}}).encode(),
        json.dumps({"seen": secrets}).replace("/", "\\/").encode(),
        " ".join(map(str, secrets)).encode(),
        ("x" * (LONGEST_RESULT - 8) + KEY).encode(),
        (" ".join(map(str, secrets)) + "x" * LONGEST_RESULT).encode(),
    ]


@pytest.mark.parametrize("status", [200, 302, 404, 429, 500])
@pytest.mark.parametrize("body", echoes(), ids=range(len(echoes())))
def test_what_a_receiver_echoes_of_the_configuration_is_struck_out(status: int, body: bytes) -> None:
    client = FakeClient(Response(status, {"location": str(GUARDED["url"])}, body))
    outcome = call(webhooks(client, {"KEY": KEY}, crm=GUARDED))
    kept = {**GUARDED, "headers": {**GUARDED["headers"], "x-key": "${env:KEY}"}}
    kept_elsewhere = call(webhooks(client, secrets=Secrets({"KEY": KEY}), crm=kept))
    assert CANARY not in repr([outcome, kept_elsewhere])
    assert SECRET not in repr([outcome, kept_elsewhere])


@pytest.mark.parametrize("failure", [NotSent("x", "y"), MaybeSent("x", "y"), UnsafeTarget("y")])
def test_nothing_that_can_be_shown_holds_a_secret(failure: Exception) -> None:
    client = FakeClient(failure)
    hooks = webhooks(client, {"KEY": KEY}, crm=GUARDED)
    outcome = call(hooks)
    shown = repr([hooks, hooks.target("crm"), vars(hooks), outcome, client.sent])
    assert CANARY not in shown
    assert SECRET not in shown
