"""Logging in to Salesforce: what is shown, what comes of it, and that a token is asked for once."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.http import MaybeSent, NotSent, Reach, Response, UnsafeTarget
from adapters.salesforce_login import ClientCredentials, Grant, JwtBearer, SalesforceLogin
from adapters.secrets import Secrets
from domain.outcome import Permanent, Retry
from tests.doubles.salesforce import key_pair
from tests.doubles.secret_store import REFERENCE, slow_secrets
from tests.fakes import FakeClock
from tests.scripted_client import Scripted, ScriptedClient, answered

NOW = 1_772_366_400.5
SECRET = "canary-client-secret"
CREDENTIALS = ClientCredentials("3MVG9", "env:SECRET")
GRANTED = answered(200, {"access_token": "00Dxx!first", "instance_url": "https://elsewhere.example"})


def login(client: ScriptedClient, grant: Grant = CREDENTIALS, environ: dict[str, str] | None = None) -> SalesforceLogin:
    secrets = Secrets({"SECRET": SECRET} if environ is None else environ)
    base_url = "https://acme.my.salesforce.com"
    return SalesforceLogin("salesforce sales", base_url, grant, secrets, client, Reach(), now=lambda: NOW)  # type: ignore[arg-type]


def ended(*answers: Scripted) -> Any:
    return login(ScriptedClient(*answers)).current(timeout=5.0)


def test_client_credentials_are_posted_to_the_domain_of_the_organisation() -> None:
    client = ScriptedClient(GRANTED)
    assert login(client).current(timeout=5.0) == "00Dxx!first"
    [request] = client.sent
    assert (request.method, request.url) == ("POST", "https://acme.my.salesforce.com/services/oauth2/token")
    assert dict(parse_qsl(request.body.decode())) == {
        "grant_type": "client_credentials",
        "client_id": "3MVG9",
        "client_secret": SECRET,
    }


def test_an_assertion_is_signed_for_two_minutes(tmp_path: Path) -> None:
    pem, public = key_pair()
    (tmp_path / "key.pem").write_text(pem, "ascii")
    client = ScriptedClient(GRANTED)
    grant = JwtBearer("3MVG9", "agent@acme.example", "https://login.salesforce.com", f"file:{tmp_path}/key.pem")
    login(client, grant).current(timeout=5.0)
    form = dict(parse_qsl(client.sent[0].body.decode()))
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    signed, _, signature = form["assertion"].rpartition(".")
    public.verify(decoded(signature), signed.encode(), PKCS1v15(), SHA256())
    header, claims = (json.loads(decoded(part)) for part in signed.split("."))
    assert header == {"alg": "RS256"}
    assert claims == {
        "iss": "3MVG9",
        "sub": "agent@acme.example",
        "aud": "https://login.salesforce.com",
        "exp": int(NOW) + 120,
    }


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("which", ["no key", "another kind of key", "a key with a password"])
def test_a_key_that_cannot_sign_is_told_by_its_reference(which: str, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = {
        "no key": "canary",
        "another kind of key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "a key with a password": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----",
    }[which]
    (tmp_path / "key.pem").write_text(pem, "ascii")
    client = ScriptedClient(GRANTED)
    grant = JwtBearer("3MVG9", "agent@acme.example", "https://login.salesforce.com", f"file:{tmp_path}/key.pem")
    refused = login(client, grant).current(timeout=5.0)
    assert isinstance(refused, Retry)
    assert refused.code == "secret_unusable"
    assert f"file:{tmp_path}/key.pem" in refused.message
    assert "canary" not in refused.message
    assert client.sent == []


def test_a_token_is_kept_until_it_is_refused() -> None:
    client = ScriptedClient(GRANTED, answered(200, {"access_token": "00Dxx!second"}))
    logged_in = login(client)
    assert [logged_in.current(timeout=5.0) for _ in range(3)] == ["00Dxx!first"] * 3
    logged_in.refused("00Dxx!first")
    assert logged_in.current(timeout=5.0) == "00Dxx!second"
    assert len(client.sent) == 2


def test_a_token_that_others_have_exchanged_already_is_not_thrown_away() -> None:
    logged_in = login(ScriptedClient(GRANTED))
    logged_in.current(timeout=5.0)
    logged_in.refused("00Dxx!an older one")
    assert logged_in.current(timeout=5.0) == "00Dxx!first"
    assert len(logged_in.client.sent) == 1  # type: ignore[attr-defined]


def test_many_threads_log_in_once() -> None:
    client = ScriptedClient(GRANTED)
    logged_in = login(client)
    found: list[Any] = []
    threads = [Thread(target=lambda: found.append(logged_in.current(timeout=5.0))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=5)
    assert (found, len(client.sent)) == (["00Dxx!first"] * 16, 1)


@pytest.mark.parametrize("status", [0, 199, 201, 204, 302, 400, 401, 403, 404, 408, 429, 500, 503, 999])
def test_a_login_that_is_refused_is_a_reason_to_wait(status: int) -> None:
    refused = ended(answered(status, {"error": "invalid_grant", "error_description": "audience is invalid"}))
    assert isinstance(refused, Retry)
    assert refused.code == "invalid_grant"
    assert refused.message == f"salesforce sales refuses to log in: {status} invalid_grant audience is invalid"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"access_token": 7}', b'{"access_token": "a b"}', b'{"access_token": ""}']
)
def test_a_yes_without_a_token_is_none(body: bytes) -> None:
    assert isinstance(ended(Response(200, {}, body)), Retry)


def test_a_login_that_gets_no_answer_has_done_nothing() -> None:
    assert isinstance(ended(NotSent("dns_failed", "no address")), Retry)
    assert isinstance(ended(MaybeSent("timeout", "the deadline passed")), Retry)
    assert isinstance(ended(UnsafeTarget("the scheme is not https")), Permanent)


def test_a_secret_that_was_exchanged_is_read_anew() -> None:
    environ = {"SECRET": "old"}
    client = ScriptedClient(answered(400, {"error": "invalid_client"}), GRANTED)
    logged_in = login(client, environ=environ)
    assert isinstance(logged_in.current(timeout=5.0), Retry)
    environ["SECRET"] = "new-secret"
    assert logged_in.current(timeout=5.0) == "00Dxx!first"
    assert b"client_secret=new-secret" in client.sent[1].body


def test_a_secret_that_is_not_there_is_a_reason_to_wait() -> None:
    missing = login(ScriptedClient(GRANTED), environ={}).current(timeout=5.0)
    assert missing == Retry("secret_unavailable", "the secret env:SECRET is empty or not there")


@pytest.mark.parametrize(("seconds", "timeouts"), [(3.0, [2.0]), (5.0, [])])
def test_the_time_that_it_takes_to_read_the_secret_is_taken_off(seconds: float, timeouts: list[float]) -> None:
    clock, client = FakeClock(), ScriptedClient(GRANTED)
    late = SalesforceLogin(
        "salesforce sales",
        "https://acme.my.salesforce.com",
        ClientCredentials("3MVG9", REFERENCE),
        slow_secrets(clock, SECRET, seconds=seconds),
        client,  # type: ignore[arg-type]
        Reach(),
        monotonic=clock.monotonic,
    )
    token = late.current(timeout=5.0)
    assert client.timeouts == timeouts
    assert token == "00Dxx!first" if timeouts else isinstance(token, Retry)


def test_what_an_answer_echoes_of_the_secret_is_struck_out() -> None:
    refused = ended(answered(400, {"error": "invalid_client", "error_description": f"{SECRET} is wrong"}))
    assert refused.message.endswith("[struck out] is wrong")


def test_nothing_secret_stands_in_its_repr() -> None:
    logged_in = login(ScriptedClient(GRANTED))
    logged_in.current(timeout=5.0)
    assert SECRET not in repr(logged_in)
    assert "00Dxx" not in repr(logged_in)
