from __future__ import annotations

import base64
import gc
import json
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from adapters.email import SesSender
from domain.outcome import Outcome, Permanent, Retry, Succeeded, Unknown

KEY = "act_01m87gb1k7e4sb6d1n6rvkge9g-r0"
MESSAGE = b"From: a@example.com\r\nSubject: x\r\n\r\nHello\r\n"

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Ses:
    """An endpoint on 127.0.0.1 that answers every request alike, and remembers what was asked."""

    url: str
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@contextmanager
def ses(answer: Answer) -> Iterator[Ses]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.requests.append((self.path, json.loads(body)))
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Ses(f"http://127.0.0.1:{server.server_port}")
        serving = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        serving.start()
        yield found
        server.shutdown()
        serving.join()


def says(status: int, body: bytes | dict[str, Any], **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def refuses(status: int, code: str, **headers: str) -> Answer:
    """As SES does: the code in a header, the words in the body."""
    return says(status, {"message": "Something about it."}, x_amzn_ErrorType=code, **headers)


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def waits(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.settimeout(5)
    handler.connection.recv(1)


def send(url: str | None, *, timeout: float = 10, region: str | None = "eu-central-1") -> Outcome:
    with closing(SesSender("Acme <renewals@example.com>", region=region, endpoint_url=url)) as sender:
        return sender.send(MESSAGE, recipient="ada@example.org", effect_key=KEY, timeout=timeout)


pytestmark = pytest.mark.usefixtures("aws")


def test_a_message_is_handed_over_with_its_envelope_and_tag() -> None:
    with ses(says(200, {"MessageId": "0107-abc"})) as endpoint:
        assert send(endpoint.url) == Succeeded({"message_id": "0107-abc"}, reference="0107-abc")
    ((path, request),) = endpoint.requests
    assert path == "/v2/email/outbound-emails"
    assert base64.b64decode(request.pop("Content")["Raw"]["Data"]) == MESSAGE
    assert request == {
        "FromEmailAddress": "renewals@example.com",
        "Destination": {"ToAddresses": ["ada@example.org"]},
        "EmailTags": [{"Name": "effect_key", "Value": KEY}],
    }


def test_whoever_gets_a_copy_is_on_the_envelope() -> None:
    with ses(says(200, {"MessageId": "0107-abc"})) as endpoint:
        with closing(SesSender("a@example.com", region="eu-central-1", endpoint_url=endpoint.url)) as sender:
            copies = ("bob@example.com", "archive@m\u00fcnchen.de")
            sender.send(MESSAGE, recipient="ada@example.org", copies=copies, effect_key=KEY, timeout=10)
    ((_, request),) = endpoint.requests
    assert request["Destination"] == {
        "ToAddresses": ["ada@example.org"],
        "BccAddresses": ["bob@example.com", "archive@xn--mnchen-3ya.de"],
    }


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        (refuses(429, "TooManyRequestsException"), Retry, "too_many_requests"),
        (refuses(400, "LimitExceededException"), Retry, "limit_exceeded"),
        (refuses(400, "SendingPausedException"), Retry, "sending_paused"),
        (refuses(400, "ThrottlingException"), Retry, "throttling"),
        (refuses(400, "Throttling"), Retry, "throttling"),
        (refuses(403, "ExpiredTokenException"), Retry, "expired_token"),
        (refuses(400, "MessageRejected"), Permanent, "message_rejected"),
        (refuses(400, "MailFromDomainNotVerifiedException"), Permanent, "mail_from_domain_not_verified"),
        (refuses(400, "BadRequestException"), Permanent, "bad_request"),
        (refuses(404, "NotFoundException"), Permanent, "not_found"),
        (refuses(400, "AccountSuspendedException"), Permanent, "account_suspended"),
        (refuses(403, "AccessDeniedException"), Permanent, "access_denied"),
        (refuses(413, "RequestEntityTooLarge"), Permanent, "request_entity_too_large"),
        (refuses(500, "InternalServiceErrorException"), Unknown, "internal_service_error"),
        (refuses(503, "ServiceUnavailable"), Unknown, "service_unavailable"),
        (says(502, b"<html>Bad gateway</html>"), Unknown, "ses_502"),
        (says(301, b"", Location="https://example.net"), Unknown, "ses_301"),
        (says(200, b"<html>Please sign in</html>"), Unknown, "ses_unreadable_reply"),
        (says(200, b""), Unknown, "ses_unreadable_reply"),
        (says(200, {}), Unknown, "ses_unreadable_reply"),
        (says(200, {"MessageId": ""}), Unknown, "ses_unreadable_reply"),
        (says(200, b"[1]"), Unknown, "ses_unreadable_reply"),
        (says(200, {"MessageId": 5}), Unknown, "ses_unreadable_reply"),
        (says(200, b"\xff"), Unknown, "ses_unreadable_reply"),
        (hangs_up, Unknown, "connection_closed"),
    ],
)
def test_an_answer_is_classed_by_what_it_proves(answer: Answer, expected: type[Any], code: str) -> None:
    with ses(answer) as endpoint:
        outcome = send(endpoint.url)
    assert isinstance(outcome, expected)
    assert (outcome.code, len(endpoint.requests)) == (code, 1), "asked once, whatever the answer"
    assert outcome.message


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7.0), ("soon", None), ("-1", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
)
def test_a_wait_that_ses_asks_for_is_passed_on(said: str, seconds: float | None) -> None:
    with ses(refuses(429, "TooManyRequestsException", Retry_After=said)) as endpoint:
        outcome = send(endpoint.url)
    assert isinstance(outcome, Retry)
    assert outcome.retry_after == seconds


def test_an_answer_that_is_cut_off_is_unknown() -> None:
    with ses(says(200, b'{"MessageId": "x"}', Content_Length="1000")) as endpoint, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        outcome = send(endpoint.url)
        gc.collect()  # botocore leaves the connection of a cut-off answer to the collector
    assert isinstance(outcome, Unknown)
    assert outcome.code == "http_client"


def test_silence_is_unknown() -> None:
    with ses(waits) as endpoint:
        outcome = send(endpoint.url, timeout=1.0)
    assert isinstance(outcome, Unknown)
    assert outcome.code == "read_timeout"


def test_a_connection_that_is_refused_did_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    outcome = send(f"http://127.0.0.1:{port}")
    assert isinstance(outcome, Retry)
    assert outcome.code == "endpoint_connection"


def test_without_credentials_nothing_can_ever_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    outcome = send("http://127.0.0.1:1")
    assert isinstance(outcome, Permanent)
    assert outcome.code == "no_credentials"


def test_without_a_region_nothing_can_ever_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    outcome = send(None, region=None)
    assert isinstance(outcome, Permanent)
    assert outcome.code == "no_region"


def test_no_secret_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-s3cr3t")
    with closing(SesSender("a@example.com", region="eu-central-1", endpoint_url="http://127.0.0.1:1")) as sender:
        outcome = sender.send(MESSAGE, recipient="b@example.com", effect_key=KEY, timeout=5)
        assert "s3cr3t" not in repr((outcome, sender, vars(sender)))


@pytest.mark.parametrize("url", ["no url", "http://", "http://a b"])
def test_an_endpoint_that_is_none_can_never_be_sent_to(url: str) -> None:
    outcome = send(url)
    assert isinstance(outcome, Permanent)
