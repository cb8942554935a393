"""Webhooks of chats: a URL that is the secret, what each answer means, and a message that says nothing of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters.http import PUBLIC, MaybeSent, NotSent, Reach, Response
from adapters.secret_url import SecretUrl
from adapters.secrets import Secrets
from adapters.slack_webhook import IncomingWebhook, SlackWebhook
from adapters.teams import LARGEST_MESSAGE, Teams, Workflow
from domain.chat import Card, ChatMessage
from domain.errors import Refused
from domain.outcome import Failure, Outcome, Permanent, Retry, Succeeded, Unknown
from tests.doubles.http_client import ScriptedClient
from tests.doubles.secret_store import REFERENCE, slow_secrets
from tests.fakes import FakeClock

URL = "https://hooks.example.com/services/T0/B0/canary"
KEY = "act_01m87gb1k7e4sb6d1n6rvkge9g-r0"


def posted(client: ScriptedClient, secrets: Secrets | None = None) -> Response | Failure:
    url = SecretUrl("the hook", "env:HOOK", secrets or Secrets({"HOOK": URL}), client.as_client)
    return url.post({"text": "ü"}, timeout=5.0)


def slack(client: ScriptedClient, reach: Reach = PUBLIC) -> Outcome:
    hook = SlackWebhook(
        IncomingWebhook("hook", "env:HOOK", "renewals", reach=reach), Secrets({"HOOK": URL}), client.as_client
    )
    return hook.post(ChatMessage("renewals", "Hello"), effect_key=KEY, action_id="act_1", timeout=5.0)


def teams(client: ScriptedClient) -> Outcome:
    hook = Teams(Workflow("hook", "env:HOOK"), Secrets({"HOOK": URL}), client.as_client)
    return hook.post(Card("Due", "ACME-1", [("Account", "ACME-1")]), effect_key=KEY, timeout=5.0)


SENDERS = [slack, teams]
PROMISES = pytest.mark.parametrize("send", SENDERS, ids=["slack", "teams"])


@PROMISES
def test_no_status_is_taken_for_more_certain_than_it_is(send: Callable[[ScriptedClient], Outcome]) -> None:
    classes = {status: type(send(ScriptedClient.answering(status, b"not ok"))) for status in range(1000)}
    assert {status for status, kind in classes.items() if kind is Retry} == {401, 425, 429}
    permanent = {status for status, kind in classes.items() if kind is Permanent}
    assert permanent == {*range(300, 500)} - {401, 408, 425, 429}
    succeeded = {status for status, kind in classes.items() if kind is Succeeded}
    assert succeeded == ({*range(200, 300)} if send is teams else set())


@PROMISES
@pytest.mark.parametrize(
    ("trouble", "expected"), [(NotSent("dns_failed", "no address"), Retry), (MaybeSent("timeout", "too late"), Unknown)]
)
def test_without_an_answer_it_counts_whether_a_byte_has_left(
    send: Callable[[ScriptedClient], Outcome], trouble: Exception, expected: type[Outcome]
) -> None:
    assert isinstance(send(ScriptedClient(trouble)), expected)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b"ok", Succeeded),
        (200, b"ok\n", Succeeded),
        (200, b"", Unknown),
        (200, b"<html>sign in</html>", Unknown),
        (400, b"invalid_payload", Permanent),
        (400, b"user_not_found", Permanent),
        (400, b"no_text", Permanent),
        (400, b"too_many_attachments", Permanent),
        (403, b"action_prohibited", Permanent),
        (403, b"posting_to_general_channel_denied", Permanent),
        (403, b"team_disabled", Permanent),
        (404, b"channel_not_found", Permanent),
        (404, b"no_service", Permanent),
        (404, b"no_team", Permanent),
        (404, b"no_active_hooks", Permanent),
        (410, b"channel_is_archived", Permanent),
        (500, b"rollup_error", Unknown),
    ],
)
def test_what_slack_says_of_a_webhook(status: int, body: bytes, expected: type[Outcome]) -> None:
    assert isinstance(slack(ScriptedClient.answering(status, body)), expected)


def test_a_webhook_of_slack_is_sent_no_metadata_and_tells_no_ts() -> None:
    client = ScriptedClient.answering(200, b"ok")
    assert slack(client, Reach(allow_http=True)) == Succeeded({"channel": "renewals"})
    [(request, _, reach)] = client.sent
    assert json.loads(request.body) == {"text": "Hello", "unfurl_links": False, "unfurl_media": False}
    assert (request.url, reach) == (URL, Reach(allow_http=True))


def test_a_card_is_an_adaptive_card_under_the_effect_key() -> None:
    client = ScriptedClient.answering(202, x_ms_workflow_run_id="08584CU17")
    assert teams(client) == Succeeded({"status": 202}, reference="08584CU17")
    [(request, _, _)] = client.sent
    assert request.headers["x-ms-client-tracking-id"] == KEY
    message = json.loads(request.body)
    [attachment] = message["attachments"]
    assert (message["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert attachment["content"]["type"] == "AdaptiveCard"
    assert [element["type"] for element in attachment["content"]["body"]] == ["TextBlock", "TextBlock", "FactSet"]
    assert attachment["content"]["body"][2]["facts"] == [{"title": "Account", "value": "ACME-1"}]


@pytest.mark.parametrize("run", ["", "x y", "a" * 129, "run\x00"])
def test_a_run_without_a_proper_name_is_no_reference(run: str) -> None:
    assert teams(ScriptedClient(Response(202, {"x-ms-workflow-run-id": run}, b""))) == Succeeded({"status": 202})


@pytest.mark.parametrize("text", ["x" * LARGEST_MESSAGE, "ü" * (LARGEST_MESSAGE // 6)])
def test_a_card_that_teams_would_not_take_is_refused(text: str) -> None:
    cards = Teams(Workflow("hook", "env:HOOK"), Secrets({}))
    with pytest.raises(Refused) as refused:
        cards.check(Card(text=text))
    assert refused.value.details[0].field == "parameters.text"
    cards.check(Card(text=text[:1000]))


@pytest.mark.parametrize(("status", "expected"), [(401, Retry), (403, Permanent), (404, Permanent), (410, Permanent)])
def test_a_url_that_leads_nowhere_is_asked_for_anew(status: int, expected: type[Failure]) -> None:
    environ = {"HOOK": URL}
    secrets = Secrets(environ)
    failure: Any = posted(ScriptedClient.answering(status), secrets)
    environ["HOOK"] = "https://hooks.example.com/another"
    assert isinstance(failure, expected)
    assert secrets.value("env:HOOK") == environ["HOOK"]


@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_a_url_that_leads_somewhere_is_kept(status: int) -> None:
    environ = {"HOOK": URL}
    secrets = Secrets(environ)
    posted(ScriptedClient.answering(status), secrets)
    environ["HOOK"] = "https://hooks.example.com/another"
    assert secrets.value("env:HOOK") == URL


def test_a_url_that_cannot_be_had_is_certain() -> None:
    client = ScriptedClient.answering(200)
    failure = posted(client, Secrets({}))
    assert isinstance(failure, Retry)
    assert failure.code == "secret_unavailable"
    assert client.sent == []


@pytest.mark.parametrize(("seconds", "left"), [(0.0, 5.0), (3.0, 2.0), (4.5, 0.5)])
def test_the_time_that_it_takes_to_read_the_url_is_taken_off(seconds: float, left: float) -> None:
    clock, client = FakeClock(), ScriptedClient.answering(200)
    secrets = slow_secrets(clock, URL, seconds=seconds)
    SecretUrl("the hook", REFERENCE, secrets, client.as_client, monotonic=clock.monotonic).post({}, timeout=5.0)
    assert [timeout for _, timeout, _ in client.sent] == [left]


def test_a_url_that_comes_too_late_is_not_called() -> None:
    clock, client = FakeClock(), ScriptedClient.answering(200)
    secrets = slow_secrets(clock, URL, seconds=5.0)
    late = SecretUrl("the hook", REFERENCE, secrets, client.as_client, monotonic=clock.monotonic).post({}, timeout=5.0)
    assert late == Retry("timeout", "the hook: the deadline passed before anything was sent")
    assert client.sent == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30.0), ("0", 0.0), ("soon", None), ("-1", None), ("9" * 40, None)]
)
def test_a_wait_is_taken_as_it_is_asked_for(text: str, seconds: float | None) -> None:
    failure = posted(ScriptedClient.answering(429, retry_after=text))
    assert failure == Retry("http_429", "the hook answered 429", seconds)


@PROMISES
def test_no_outcome_repeats_the_url(send: Callable[[ScriptedClient], Outcome]) -> None:
    for status in (200, 301, 401, 404, 429, 500):
        outcome = send(ScriptedClient.answering(status, URL.encode(), location=URL, x_ms_workflow_run_id=URL))
        assert "canary" not in repr(outcome)
