"""However a call of an AWS service ends: it is classed, and what nobody knows is never taken for a failure."""

from __future__ import annotations

import gc
import socket
import ssl
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from select import select
from threading import Thread
from typing import Any

import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from adapters.aws import AwsService
from domain.outcome import Failure, Permanent, Retry, Unknown
from tests.certificates import self_signed
from tests.scripted_aws import Answer, hangs_up, refuses, says, scripted_aws, stays_silent

pytestmark = pytest.mark.usefixtures("aws")

REGION = "eu-central-1"


def call(url: str | None, *, timeout: float = 10.0, not_now: frozenset[str] = frozenset()) -> Any:
    service = AwsService("sqs", title="SQS", region=REGION, endpoint_url=url, not_now=not_now)
    with closing(service):
        return service.call("send_message", timeout=timeout, QueueUrl=f"{url}/123456789012/q", MessageBody="x")


def answered(answer: Answer, **options: Any) -> Any:
    with scripted_aws(answer) as endpoint:
        return call(endpoint.url, **options)


# -- every status ---------------------------------------------------------------------------------------------------


def kind_of(status: int) -> type[Any] | None:
    """What a status proves, whatever else is said. None: it may be an answer."""
    if 200 <= status <= 299:
        return None
    if status == 429:
        return Retry
    return Permanent if 400 <= status <= 499 and status != 408 else Unknown


def test_every_status_is_classed_and_what_is_not_known_is_in_doubt() -> None:
    wrong: dict[int, object] = {}
    with scripted_aws(*map(says, range(1000))) as endpoint:
        with closing(AwsService("sqs", title="SQS", region=REGION, endpoint_url=endpoint.url)) as service:
            for status in range(1000):
                answer = service.call("send_message", timeout=5, QueueUrl=f"{endpoint.url}/1/q", MessageBody="x")
                if not isinstance(answer, kind_of(status) or Mapping | Unknown):
                    wrong[status] = answer
    assert wrong == {}
    assert len(endpoint.asked) == 1000, "asked once each, whatever the answer"


@given(st.integers(300, 999), st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40), st.booleans())
def test_an_unknown_word_proves_no_more_than_its_status(status: int, word: str, is_known: bool) -> None:
    service = AwsService("sqs", title="SQS", not_now=frozenset({word}) if is_known else frozenset())
    error = exceptions.ClientError(
        {"Error": {"Code": word, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "SendMessage"
    )
    failure = called(service, error)
    expected = Retry if is_known or word in ALWAYS_NOT_NOW else kind_of(status)
    assert isinstance(failure, expected or Unknown)
    assert failure.code
    assert len(failure.message) <= 200


ALWAYS_NOT_NOW = {
    "ExpiredToken",
    "ExpiredTokenException",
    "LimitExceededException",
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}


# -- every exception ------------------------------------------------------------------------------------------------

CERTAINLY_NOT_SENT = {
    "EndpointConnectionError": Retry,
    "ConnectTimeoutError": Retry,
    "ProxyConnectionError": Retry,
    "CredentialRetrievalError": Retry,
    "NoCredentialsError": Permanent,
    "NoRegionError": Permanent,
    "ParamValidationError": Permanent,
    "PartialCredentialsError": Permanent,
}


class Raising(AwsService):
    """Its client raises."""

    error: BaseException

    def _built(self) -> Any:
        return self

    def send_message(self, **_: Any) -> Any:
        raise self.error


def called(service: AwsService, error: BaseException) -> Failure:
    raising = Raising("sqs", title="SQS")
    raising.error = error
    raising._not_now = service._not_now
    answer = raising.call("send_message", timeout=1)
    assert not isinstance(answer, Mapping)
    return answer


def botocore_errors() -> Iterator[exceptions.BotoCoreError]:
    """One of each type, as far as it can be made without what its words need."""
    waiting = [exceptions.BotoCoreError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        error = kind.__new__(kind)
        Exception.__init__(error, "words")
        yield error


def test_every_exception_of_botocore_is_classed() -> None:
    for error in botocore_errors():
        failure = called(AwsService("sqs", title="SQS"), error)
        assert type(failure) is CERTAINLY_NOT_SENT.get(type(error).__name__, Unknown), error
        assert failure.code


def test_the_lists_name_exceptions_that_there_are() -> None:
    assert {type(error).__name__ for error in botocore_errors()} >= set(CERTAINLY_NOT_SENT)


@pytest.mark.parametrize("error", [ResponseParserError("x"), AttributeError("x"), TypeError("x"), ValueError("x")])
def test_an_answer_that_breaks_the_parser_is_unknown(error: Exception) -> None:
    failure = called(AwsService("sqs", title="SQS"), error)
    assert failure == Unknown("sqs_unreadable_reply", "SQS answered, and the answer makes no sense")


@pytest.mark.parametrize(
    ("words", "kind"), [("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed", Retry), ("EOF occurred", Unknown)]
)
def test_tls_that_fails_on_the_certificate_carried_nothing(words: str, kind: type[Any]) -> None:
    error = exceptions.SSLError(endpoint_url="https://x", error=words)
    assert type(called(AwsService("sqs", title="SQS"), error)) is kind


# -- real sockets ---------------------------------------------------------------------------------------------------


def test_silence_and_a_broken_connection_are_unknown() -> None:
    assert answered(hangs_up).code == "connection_closed"
    assert answered(stays_silent, timeout=0.3).code == "read_timeout"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        cut_off = answered(says(200, b'{"MessageId": "x"}', Content_Length="1000"))
        gc.collect()  # botocore leaves the connection of a cut-off answer to the collector
    assert isinstance(cut_off, Unknown)


def test_a_connection_that_is_refused_did_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert isinstance(call(f"http://127.0.0.1:{port}"), Retry)


def test_a_service_may_have_words_of_its_own_for_not_now() -> None:
    busy = refuses(400, "OverLimit")
    assert isinstance(answered(busy), Permanent)
    assert isinstance(answered(busy, not_now=frozenset({"OverLimit"})), Retry)


# -- the deadline ---------------------------------------------------------------------------------------------------

SHORT, GRACE = 0.5, 3.0
"""Seconds. What drips here would go on for longer."""


def drips(data: bytes) -> Answer:
    """A byte now and then, so that the connection is never silent."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        for byte in data:
            handler.wfile.write(bytes([byte]))
            if select([handler.connection], [], [], 0.05)[0]:
                return

    return answer


HEAD = b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: r-1\r\nContent-Length: 4000\r\n\r\n"


@pytest.mark.parametrize("said", [HEAD, HEAD[:-2] + b"x-more: x\r\n" * 400], ids=["the head", "a head without end"])
def test_an_answer_that_drips_is_given_up_in_time(said: bytes) -> None:
    began = time.monotonic()
    failure = answered(drips(said), timeout=SHORT)
    assert time.monotonic() - began < SHORT + GRACE
    assert isinstance(failure, Unknown)
    assert failure.code == "read_timeout"


def test_a_body_that_drips_is_given_up_in_time() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(HEAD)
        drips(b" " * 4000)(handler)

    began = time.monotonic()
    assert isinstance(answered(answer, timeout=SHORT), Unknown)
    assert time.monotonic() - began < SHORT + GRACE


def test_a_body_that_is_handed_out_has_the_deadline_of_its_call() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(HEAD)
        drips(b" " * 4000)(handler)

    with scripted_aws(answer) as endpoint:
        with closing(AwsService("lambda", title="Lambda", region=REGION, endpoint_url=endpoint.url)) as service:
            service._built()  # which takes long
            began = time.monotonic()
            said = service.call("invoke", timeout=SHORT, FunctionName="score", Payload=b"{}")
            assert isinstance(said, Mapping)
            with closing(said["Payload"]) as body, pytest.raises(exceptions.ReadTimeoutError):
                body.read()
            assert time.monotonic() - began < SHORT + GRACE


def test_a_receiver_that_reads_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with closing(AwsService("sqs", title="SQS", region=REGION, endpoint_url=url)) as service:
            service._built()  # which takes long
            began = time.monotonic()
            large = {"QueueUrl": f"{url}/123456789012/q", "MessageBody": "x" * 8_000_000}
            failure = service.call("send_message", timeout=2 * SHORT, **large)
            assert time.monotonic() - began < SHORT + GRACE
    assert isinstance(failure, Unknown), "a part of it has left"


class Secure:
    """An endpoint in TLS that takes one connection: what it says to a request is in its hand."""

    def __init__(self, certificate: Path, *pieces: bytes) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._pieces = pieces

    def __enter__(self) -> str:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._serving = Thread(target=self._serve, daemon=True)
        self._serving.start()
        return f"https://127.0.0.1:{self._listening.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        self._serving.join(10)

    def _serve(self) -> None:
        with suppress(OSError):
            connection, _ = self._listening.accept()
            with connection, self._context.wrap_socket(connection, server_side=True) as secure:
                _hear_out(secure)
                for piece in self._pieces:
                    secure.sendall(piece)
                    if select([secure], [], [], 0.05)[0]:
                        return


def _hear_out(connection: ssl.SSLSocket) -> None:
    """Reads a whole request: what is left unread when a connection is closed resets it, answer and all."""
    with connection.makefile("rb") as request:
        head = list(iter(request.readline, b"\r\n"))
        [length] = [int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length:")]
        request.read(length)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


def test_the_deadline_holds_inside_tls_too(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    whole = HEAD.replace(b"4000", b"2") + b"{}"
    with Secure(certificate, whole) as url:
        assert isinstance(call(url), Mapping)
    with Secure(certificate, *(bytes([byte]) for byte in HEAD * 2)) as url:
        began = time.monotonic()
        assert isinstance(call(url, timeout=SHORT), Unknown)
        assert time.monotonic() - began < SHORT + GRACE


def test_a_certificate_that_nobody_vouches_for_gets_nothing(certificate: Path) -> None:
    with Secure(certificate, HEAD) as url:
        assert isinstance(call(url), Retry)


def test_a_name_that_nobody_knows_did_nothing() -> None:
    assert isinstance(call("https://no-such-host.invalid"), Retry)


def test_each_call_has_its_own_deadline_on_one_connection() -> None:
    callers: set[Any] = set()

    def yes(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.close_connection = False
        callers.add(handler.client_address)
        body = b"{}"
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: r-1\r\nContent-Length: 2\r\n\r\n" + body)

    with scripted_aws(yes, yes, yes, stays_silent) as endpoint:
        with closing(AwsService("sqs", title="SQS", region=REGION, endpoint_url=endpoint.url)) as service:
            ask = partial(service.call, "send_message", QueueUrl=f"{endpoint.url}/1/q", MessageBody="x")
            assert all(isinstance(ask(timeout=timeout), Mapping) for timeout in (5.0, 640.0, 10.0))
            assert len(callers) == 1
            assert isinstance(ask(timeout=SHORT), Unknown)


def test_time_that_is_over_leaves_nothing_to_be_sent() -> None:
    with scripted_aws(hangs_up) as endpoint:
        assert isinstance(call(endpoint.url, timeout=0.0), Retry)
    assert endpoint.asked == []


def test_there_is_one_client_however_many_deadlines() -> None:
    with closing(AwsService("sqs", title="SQS", region=REGION)) as service:
        assert service._built() is service._built()


# -- secrets --------------------------------------------------------------------------------------------------------

CANARY = "c4n4ry-s3ss10n"


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidSignatureException"])
def test_what_a_service_tells_of_a_wrong_signature_is_not_repeated(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("AWS_SESSION_TOKEN", CANARY)
    canonical = f"The Canonical String should have been 'POST / host:x x-amz-security-token:{CANARY}'"
    failure = answered(refuses(403, code, canonical))
    assert isinstance(failure, Permanent)
    assert code in failure.message
    assert CANARY not in repr(failure)
