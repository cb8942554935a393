"""One request under a token: sent once, and once more only where it is certain that nothing was done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.bearer_api import LONGEST_WAIT, Answer, BearerApi, SecretToken, code_of, words_of
from adapters.http import MaybeSent, NotSent, Reach, Response, UnsafeTarget
from adapters.secrets import Secrets
from domain.outcome import Failure, Permanent, Retry, Unknown
from tests.doubles.secret_store import REFERENCE, slow_secrets
from tests.fakes import FakeClock
from tests.scripted_client import Scripted, ScriptedClient, answered

TOKEN = "canary-token-93b885adfe0da089"


class FakeTokens:
    """Hands these out, one after the other; the last one again and again."""

    def __init__(self, *tokens: str | Failure) -> None:
        self._tokens = list(tokens)
        self.were_refused: list[str] = []
        self.timeouts: list[float] = []

    def current(self, *, timeout: float) -> str | Failure:
        self.timeouts.append(timeout)
        return self._tokens.pop(0) if len(self._tokens) > 1 else self._tokens[0]

    def refused(self, token: str) -> None:
        self.were_refused.append(token)


class Ticking:
    """A second passes with each look."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1.0
        return self.seconds


def api(client: ScriptedClient, *tokens: str | Failure, **more: Any) -> BearerApi:
    given = FakeTokens(*(tokens or (TOKEN,)))
    reach = Reach(allow_http=True)
    return BearerApi("crm sales", "https://crm.example.com/", given, client=client, reach=reach, **more)  # type: ignore[arg-type]


def send(*answers: Scripted, tokens: tuple[str | Failure, ...] = (TOKEN,)) -> tuple[Answer | Failure, ScriptedClient]:
    client = ScriptedClient(*answers)
    return api(client, *tokens).send("POST", "/things?a=1", {"name": "Zoë"}, timeout=9.0), client


def test_a_request_is_json_under_the_token() -> None:
    ended, client = send(answered(201, {"id": "1"}, retry_after="7"))
    [request] = client.sent
    assert (request.method, request.url) == ("POST", "https://crm.example.com/things?a=1")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert json.loads(request.body) == {"name": "Zoë"}
    assert isinstance(ended, Answer)
    assert (ended.status, ended.document, ended.retry_after) == (201, {"id": "1"}, 7.0)


def test_a_request_without_a_document_has_no_body() -> None:
    client = ScriptedClient(answered(204))
    api(client).send("DELETE", "/things/1", headers={"if-match": "x"}, timeout=9.0)
    [request] = client.sent
    assert request.body == b""
    assert "content-type" not in request.headers
    assert request.headers["if-match"] == "x"


def test_after_a_401_the_same_request_goes_out_under_another_token() -> None:
    ended, client = send(answered(401), answered(200, {}), tokens=("old", "new"))
    first, second = client.sent
    assert (first.headers["authorization"], second.headers["authorization"]) == ("Bearer old", "Bearer new")
    assert (first.url, first.body) == (second.url, second.body)
    assert isinstance(ended, Answer)


def test_after_a_second_401_nothing_was_done() -> None:
    tokens, client = FakeTokens("old", "new"), ScriptedClient(answered(401))
    ended = BearerApi("crm", "https://crm.example.com", tokens, client=client, reach=Reach()).send(  # type: ignore[arg-type]
        "POST", "/things", {}, timeout=9.0
    )
    assert isinstance(ended, Retry)
    assert ended.code == "access_refused"
    assert (len(client.sent), tokens.were_refused) == (2, ["old", "new"])


def test_without_a_token_nothing_leaves() -> None:
    missing = Retry("login_busy", "wait")
    ended, client = send(answered(200), tokens=(missing,))
    assert (ended, client.sent) == (missing, [])


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (NotSent("connect_failed", "no connection"), Retry),
        (MaybeSent("connection_lost", "lost"), Unknown),
        (UnsafeTarget("the host is a name of a local network"), Permanent),
    ],
)
def test_what_gets_no_answer_is_classed_by_what_has_left(failure: Exception, kind: type[Failure]) -> None:
    ended, client = send(failure)
    assert isinstance(ended, kind)
    assert len(client.sent) == 1


def test_a_401_and_then_no_answer_is_unknown() -> None:
    ended, _ = send(answered(401), MaybeSent("timeout", "the deadline passed"), tokens=("old", "new"))
    assert isinstance(ended, Unknown)


def test_the_deadline_is_of_all_together() -> None:
    client = ScriptedClient(answered(401))
    ended = api(client, "old", "new", monotonic=Ticking()).send("POST", "/things", {}, timeout=4.0)
    assert isinstance(ended, Retry)
    assert ended.code == "timeout"
    assert client.timeouts == [2.0]


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[1, NaN]", b"[" * 100_000, b'{"a": 1'])
def test_a_body_that_is_no_json_is_no_document(body: bytes) -> None:
    ended, _ = send(Response(200, {}, body))
    assert isinstance(ended, Answer)
    assert ended.document is None


def test_what_an_answer_echoes_of_the_token_is_struck_out() -> None:
    ended, _ = send(answered(403, {"message": f"the token {TOKEN} may not"}))
    assert isinstance(ended, Answer)
    assert ended.document == {"message": "the token [struck out] may not"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), ("0", 0.0), ("99999999", LONGEST_WAIT), ("", None), ("-1", None), ("1e3", None), ("soon", None)],
)
def test_retry_after_is_read_in_seconds(text: str, seconds: float | None) -> None:
    assert Answer(429, {"retry-after": text}, None).retry_after == seconds


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("REQUEST_LIMIT_EXCEEDED", "request_limit_exceeded"),
        ("", "http_400"),
        (None, "http_400"),
        ("two words", "http_400"),
        (["A"], "http_400"),
        ("X" * 65, "http_400"),
    ],
)
def test_a_providers_code_is_a_word(text: object, code: str) -> None:
    assert code_of(text, 400) == code


def test_a_providers_words_are_short_and_on_one_line() -> None:
    assert words_of("a\r\n  b\tc") == "a b c"
    assert len(words_of("x" * 999)) == 200
    assert words_of({"a": 1}) == ""


# --- secrets --------------------------------------------------------------------------------------------------------


def test_a_secret_is_asked_for_late_and_anew_when_it_was_refused() -> None:
    environ = {"TOKEN": "first"}
    tokens = SecretToken(Secrets(environ), "env:TOKEN")
    assert tokens.current(timeout=1.0) == "first"
    environ["TOKEN"] = "second"
    assert tokens.current(timeout=1.0) == "first"
    tokens.refused("first")
    assert tokens.current(timeout=1.0) == "second"


def test_a_secret_that_is_not_there_is_a_reason_to_wait() -> None:
    missing = SecretToken(Secrets({}), "env:TOKEN").current(timeout=1.0)
    assert missing == Retry("secret_unavailable", "the secret env:TOKEN is empty or not there")


def test_a_secret_is_read_in_the_time_of_the_attempt_which_goes_on_with_the_rest() -> None:
    clock, client = FakeClock(), ScriptedClient(answered(200))
    tokens = SecretToken(slow_secrets(clock, TOKEN, seconds=3.0), REFERENCE)
    slow = BearerApi("crm", "https://crm.example.com", tokens, client=client, reach=Reach(), monotonic=clock.monotonic)  # type: ignore[arg-type]
    slow.send("POST", "/things", {}, timeout=4.0)
    assert client.timeouts == [1.0]
    missing = SecretToken(slow_secrets(clock, TOKEN, seconds=3.0), REFERENCE).current(timeout=0.0)
    assert missing == Retry("secret_unavailable", f"the secret {REFERENCE} cannot be read: it takes too long")


@pytest.mark.parametrize("value", ["two words", "a\r\nx: 1", "tökén", "\x00"])
def test_a_secret_that_does_not_fit_into_a_header_is_not_sent(value: str) -> None:
    unusable = SecretToken(Secrets({"TOKEN": value}), "env:TOKEN").current(timeout=1.0)
    assert isinstance(unusable, Retry)
    assert value not in unusable.message
    assert "env:TOKEN" in unusable.message


def test_the_api_tells_its_name_and_nothing_else() -> None:
    assert repr(api(ScriptedClient(answered(200)))) == "BearerApi(crm sales)"
