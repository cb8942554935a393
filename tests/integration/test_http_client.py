"""The client against real sockets: whatever a receiver does, one request, one end, and the truth about what left."""

from __future__ import annotations

import gzip
import socket
import ssl
import time
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.http import (
    LARGEST_ANSWER,
    LARGEST_BODY,
    Client,
    MaybeSent,
    NotSent,
    Reach,
    Request,
    Response,
    TransportError,
    UnsafeTarget,
)
from tests.receivers import Behaviour, Receiver, answer, answers, drips, hangs, resets_after

LOCAL = Reach(allow_http=True, allow_private_network=True)
BODY = b'{"amount":7}'
PLENTY = 30.0


def request_to(url: str, body: bytes = BODY, method: str = "POST") -> Request:
    return Request(method, url, {"content-type": "application/json", "x-canary": "canary"}, body)


def send_to(receiver: Receiver, *, timeout: float = PLENTY, body: bytes = BODY) -> Response:
    return Client().send(request_to(receiver.url(), body), timeout=timeout, reach=LOCAL)


def failing_after(act: Callable[[], object]) -> tuple[float, TransportError]:
    """The seconds until it failed, and the failure."""
    started = time.monotonic()
    with pytest.raises(TransportError) as failure:
        act()
    return time.monotonic() - started, failure.value


def local(*addresses: str) -> Callable[[str], Sequence[str]]:
    return lambda name: addresses


# --- the plain case -------------------------------------------------------------------------------------------------


def test_a_request_arrives_whole_and_its_answer_comes_back() -> None:
    with Receiver(answers(answer(201, b'{"id":1}', X_One="1", x_Two="2"))) as receiver:
        response = Client().send(request_to(receiver.url("/a?b=%20c"), method="PUT"), timeout=PLENTY, reach=LOCAL)
    assert (response.status, response.body) == (201, b'{"id":1}')
    assert (response.headers["x-one"], response.headers["x-two"]) == ("1", "2")
    [delivery] = receiver.deliveries
    assert (delivery.line, delivery.body) == ("PUT /a?b=%20c HTTP/1.1", BODY)
    assert delivery.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "content-type": "application/json",
        "x-canary": "canary",
        "accept-encoding": "identity",
        "connection": "close",
        "content-length": str(len(BODY)),
    }


@pytest.mark.parametrize("size", [0, 1, 100_000, 4_000_000])
def test_a_body_of_any_size_arrives(size: int) -> None:
    with Receiver(answers(answer())) as receiver:
        send_to(receiver, body=b"x" * size)
    assert len(receiver.deliveries[0].body) == size


@pytest.mark.parametrize(
    "data",
    [
        answer(body=b"whole"),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nwho\r\n2\r\nle\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nwhole",
        b"HTTP/1.0 200 OK\r\n\r\nwhole",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + answer(body=b"whole"),
        answer(body=gzip.compress(b"whole", mtime=0), content_encoding="gzip"),
        answer(body=gzip.compress(b"whole", mtime=0), content_encoding="X-GZIP"),
        answer(body=zlib.compress(b"whole"), content_encoding="deflate"),
        answer(body=b"whole", content_encoding="identity"),
    ],
)
def test_an_answer_is_read_in_every_form_that_http_has(data: bytes) -> None:
    with Receiver(answers(data)) as receiver:
        assert send_to(receiver).body == b"whole"


def test_an_empty_answer_may_claim_an_encoding() -> None:
    with Receiver(answers(answer(204, content_encoding="gzip"))) as receiver:
        assert send_to(receiver).body == b""


@pytest.mark.parametrize("status", [200, 301, 302, 303, 307, 308, 404, 500, 999])
def test_every_status_is_an_answer_and_a_redirect_is_not_followed(status: int) -> None:
    with (
        Receiver(answers(answer())) as elsewhere,
        Receiver(answers(answer(status, location=elsewhere.url()))) as receiver,
    ):
        assert send_to(receiver).status == status
    assert (receiver.connections, elsewhere.connections) == (1, 0)


def test_nothing_of_a_request_or_an_answer_is_shown() -> None:
    request = request_to("https://example.com/canary?canary", body=b"canary")
    assert "canary" not in repr(request)
    assert "canary" not in repr(Response(200, {"set-cookie": "canary"}, b"canary"))


# --- certainly not sent ---------------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_a_refused_connection_sends_nothing() -> None:
    with pytest.raises(NotSent) as failure:
        Client().send(request_to(f"http://127.0.0.1:{closed_port()}/"), timeout=PLENTY, reach=LOCAL)
    assert failure.value.code == "connect_failed"


def failing(name: str) -> Sequence[str]:
    raise socket.gaierror(socket.EAI_NONAME, "no such name")


@pytest.mark.parametrize("resolve", [failing, local()])
def test_a_name_without_an_address_sends_nothing(resolve: Callable[[str], Sequence[str]]) -> None:
    with pytest.raises(NotSent) as failure:
        Client(resolve=resolve).send(request_to("https://example.com/"), timeout=PLENTY)
    assert failure.value.code == "dns_failed"


def test_a_resolver_that_hangs_is_left_behind_at_the_deadline() -> None:
    ended = Event()

    def hanging(name: str) -> Sequence[str]:
        ended.wait(timeout=10)
        return ["127.0.0.1"]

    client = Client(resolve=hanging)
    taken, failure = failing_after(lambda: client.send(request_to("https://example.com/"), timeout=0.1))
    ended.set()
    assert isinstance(failure, NotSent)
    assert 0.1 <= taken < 1.0


def test_what_the_resolver_took_is_not_there_for_the_rest() -> None:
    passed = [0.0]

    def slow(name: str) -> Sequence[str]:
        passed[0] = 10.0
        return ["127.0.0.1"]

    with Receiver(answers(answer())) as receiver, pytest.raises(NotSent) as failure:
        Client(resolve=slow, monotonic=lambda: passed[0]).send(
            request_to(receiver.url(host="receiver.corp")), timeout=10.0, reach=LOCAL
        )
    assert failure.value.code == "timeout"
    assert receiver.connections == 0


@pytest.mark.parametrize("timeout", [0.0, -1.0])
def test_without_time_nothing_is_sent(timeout: float) -> None:
    with Receiver(answers(answer())) as receiver, pytest.raises(NotSent):
        send_to(receiver, timeout=timeout)
    assert receiver.connections == 0


@pytest.mark.parametrize("headers", [{"bad name": "x"}, {"x": "a\r\nb: c"}, {"host": "evil.com"}])
def test_headers_that_are_none_send_nothing(headers: dict[str, str]) -> None:
    with Receiver(answers(answer())) as receiver, pytest.raises(NotSent):
        Client().send(replace(request_to(receiver.url()), headers=headers), timeout=PLENTY, reach=LOCAL)
    assert not receiver.deliveries


# --- only to what was checked ---------------------------------------------------------------------------------------


def test_a_name_that_changes_its_answer_is_asked_once_and_held_to_it() -> None:
    names = [["127.0.0.1"], ["127.0.0.2"]]
    asked: list[str] = []

    def rebinding(name: str) -> Sequence[str]:
        asked.append(name)
        return names[len(asked) - 1]

    with Receiver(answers(answer())) as receiver:
        url = receiver.url(host="receiver.corp")
        assert Client(resolve=rebinding).send(request_to(url), timeout=PLENTY, reach=LOCAL).status == 200
    assert asked == ["receiver.corp"]
    assert receiver.deliveries[0].headers["host"] == f"receiver.corp:{receiver.port}"


def test_each_request_is_checked_anew() -> None:
    names = iter([["127.0.0.1"], ["169.254.169.254"]])
    client = Client(resolve=lambda name: next(names))
    with Receiver(answers(answer())) as receiver:
        request = request_to(receiver.url(host="receiver.corp"))
        client.send(request, timeout=PLENTY, reach=LOCAL)
        with pytest.raises(UnsafeTarget):
            client.send(request, timeout=PLENTY, reach=LOCAL)
    assert receiver.connections == 1


@pytest.mark.parametrize(
    "reach",
    [Reach(), Reach(allow_http=True), Reach(allow_private_network=True), replace(LOCAL, allow_hosts=("a.example",))],
)
def test_a_local_receiver_is_out_of_reach_unless_all_is_allowed(reach: Reach) -> None:
    with Receiver(answers(answer())) as receiver, pytest.raises(UnsafeTarget):
        Client().send(request_to(receiver.url()), timeout=PLENTY, reach=reach)
    assert receiver.connections == 0


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    with Receiver(answers(answer())) as receiver:
        client = Client(resolve=local("127.0.0.2", "::1", "127.0.0.1"))
        url = receiver.url(host="receiver.corp")
        assert client.send(request_to(url), timeout=PLENTY, reach=LOCAL).status == 200
    assert len(receiver.deliveries) == 1


def test_the_environment_does_not_reroute(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver(answers(answer(418))) as proxy, Receiver(answers(answer())) as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert send_to(receiver).status == 200
    assert (proxy.connections, receiver.connections) == (0, 1)


# --- perhaps sent ---------------------------------------------------------------------------------------------------

UNREADABLE: dict[str, tuple[Behaviour, str]] = {
    "hangs up at once": (answers(b""), "connection_lost"),
    "hangs up within the headers": (answers(answer(body=b"x")[:20]), "protocol_error"),
    "hangs up within the body": (answers(answer(body=b"whole")[:-1]), "protocol_error"),
    "hangs up within a chunk": (
        answers(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc"),
        "protocol_error",
    ),
    "resets at once": (resets_after(), "connection_lost"),
    "resets within the body": (resets_after(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"), "connection_lost"),
    "speaks another protocol": (answers(b"220 mail.example.com ESMTP\r\n"), "protocol_error"),
    "speaks binary": (answers(bytes(range(256)) * 4), "protocol_error"),
    "has status 000": (answers(b"HTTP/1.1 000 None\r\n\r\n"), "protocol_error"),
    "has two lengths": (
        answers(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        "protocol_error",
    ),
    "has headers without end": (answers(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000), "protocol_error"),
    "has one endless header": (answers(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 500_000), "protocol_error"),
    "only ever continues": (answers(b"HTTP/1.1 100 Continue\r\n\r\n" * 200_000), "answer_too_large"),
    "sends too much": (answers(answer(body=b"x" * (LARGEST_BODY + 1))), "answer_too_large"),
    "sends too much without a length": (
        answers(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * LARGEST_BODY * 3),
        "answer_too_large",
    ),
    "sends too many tiny chunks": (
        answers(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * (LARGEST_ANSWER // 6)),
        "answer_too_large",
    ),
    "sends a broken gzip": (answers(answer(body=b"\x1f\x8b\x08broken", content_encoding="gzip")), "undecodable_answer"),
    "sends no gzip": (answers(answer(body=b"plain", content_encoding="gzip")), "undecodable_answer"),
    "sends half a gzip": (
        answers(answer(body=gzip.compress(b"whole" * 99, mtime=0)[:-9], content_encoding="gzip")),
        "undecodable_answer",
    ),
    "sends more than a gzip": (
        answers(answer(body=gzip.compress(b"whole", mtime=0) + b"more", content_encoding="gzip")),
        "undecodable_answer",
    ),
    "sends an unknown encoding": (answers(answer(body=b"whole", content_encoding="br")), "undecodable_answer"),
    "sends two encodings": (
        answers(answer(body=gzip.compress(gzip.compress(b"whole", mtime=0)), content_encoding="gzip, gzip")),
        "undecodable_answer",
    ),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_an_answer_that_cannot_be_read_leaves_it_open_and_is_never_asked_for_again(what: str) -> None:
    behaviour, code = UNREADABLE[what]
    with Receiver(behaviour) as receiver, pytest.raises(MaybeSent) as failure:
        send_to(receiver)
    assert failure.value.code == code
    assert (receiver.connections, len(receiver.deliveries)) == (1, 1)


def bomb(mebibytes: int) -> bytes:
    """A gzip of nothing, a thousandth of its size."""
    packing = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    nothing = bytes(1024 * 1024)
    return b"".join(packing.compress(nothing) for _ in range(mebibytes)) + packing.flush()


def test_a_bomb_never_unfolds() -> None:
    packed = bomb(300)
    assert len(packed) < 320_000
    with Receiver(answers(answer(body=packed, content_encoding="gzip"))) as receiver:
        tracemalloc.start()
        try:
            with pytest.raises(MaybeSent) as failure:
                send_to(receiver)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert failure.value.code == "answer_too_large"
    assert peak < 6 * LARGEST_BODY


def test_the_largest_body_is_still_read() -> None:
    largest = b"x" * LARGEST_BODY
    for data in (answer(body=largest), answer(body=gzip.compress(largest, mtime=0), content_encoding="gzip")):
        with Receiver(answers(data)) as receiver:
            assert send_to(receiver).body == largest


@pytest.mark.parametrize(
    "behaviour",
    [
        hangs,
        drips(answer(body=b"x" * 100)),
        drips(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n" + b"x" * 99, every=0.03),
    ],
    ids=["never answers", "drips its headers", "drips on"],
)
def test_the_deadline_is_that_of_the_whole(behaviour: Behaviour) -> None:
    with Receiver(behaviour) as receiver:
        taken, failure = failing_after(lambda: send_to(receiver, timeout=0.5))
    assert isinstance(failure, MaybeSent)
    assert failure.code == "timeout"
    assert 0.5 <= taken < 0.6
    assert receiver.connections == 1


def test_a_receiver_that_does_not_read_meets_the_deadline_too() -> None:
    ended = Event()
    body = b"x" * 50_000_000
    with Receiver(lambda connection: ended.wait(timeout=5) and None, reads=False) as receiver:
        taken, failure = failing_after(lambda: send_to(receiver, timeout=0.4, body=body))
        ended.set()
    assert isinstance(failure, MaybeSent)
    assert failure.code == "timeout"
    assert 0.4 <= taken < 0.8


def test_a_refusal_that_comes_before_the_request_is_read_is_heard() -> None:
    def refuse_unread(connection: socket.socket) -> None:
        connection.recv(10)
        connection.sendall(answer(413))
        connection.shutdown(socket.SHUT_WR)
        hangs(connection)

    with Receiver(refuse_unread, reads=False) as receiver:
        assert send_to(receiver, body=b"x" * 10_000_000).status == 413


def answers_unread(data: bytes) -> Behaviour:
    """Reads the first bytes, answers, and closes upon the rest, which breaks the connection."""

    def behave(connection: socket.socket) -> None:
        connection.recv(10)
        connection.sendall(data)

    return behave


def test_a_yes_to_a_request_that_did_not_get_through_is_no_yes() -> None:
    with Receiver(answers_unread(answer(200)), reads=False) as receiver, pytest.raises(MaybeSent) as failure:
        send_to(receiver, body=b"x" * 20_000_000)
    assert failure.value.code == "request_cut_short"


def test_a_no_to_a_request_that_did_not_get_through_is_a_no() -> None:
    with Receiver(answers_unread(answer(403)), reads=False) as receiver:
        assert send_to(receiver, body=b"x" * 20_000_000).status == 403


def test_an_idle_connection_that_its_server_closes_costs_nothing_and_repeats_nothing() -> None:
    client = Client()
    keeps_alive = answer(body=b"ok", connection="keep-alive", keep_alive="timeout=60")
    with Receiver(answers(keeps_alive)) as receiver:
        for _ in range(3):
            assert client.send(request_to(receiver.url()), timeout=PLENTY, reach=LOCAL).status == 200
    assert (receiver.connections, len(receiver.deliveries)) == (3, 3)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=300)
    | st.binary(max_size=100).map(lambda noise: b"HTTP/1.1 " + noise)
    | st.binary(max_size=100).map(lambda noise: b"HTTP/1.1 200 OK\r\n" + noise)
    | st.binary(max_size=100).map(lambda noise: b"HTTP/1.1 200 OK\r\n\r\n" + noise)
    | st.tuples(st.integers(0, 2000), st.binary(max_size=50)).map(lambda whole: answer(whole[0], whole[1]))
)
def test_any_bytes_are_an_answer_or_leave_it_open(noise: bytes) -> None:
    with Receiver(answers(noise)) as receiver:
        try:
            response = send_to(receiver)
        except MaybeSent:
            pass
        else:
            assert 101 <= response.status <= 999
    assert len(receiver.deliveries) == 1


# --- TLS ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own."""

    trusting: ssl.SSLContext
    issue: Callable[[str], ssl.SSLContext]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("authority")
    key = ec.generate_private_key(ec.SECP256R1())
    root = certificate("Test Root", key, "Test Root", key, authority=True)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.load_verify_locations(cadata=root.public_bytes(serialization.Encoding.PEM).decode())

    def issue(name: str) -> ssl.SSLContext:
        own_key = ec.generate_private_key(ec.SECP256R1())
        return serving(folder, certificate(name, own_key, "Test Root", key, authority=False), own_key)

    return Authority(trusting, issue)


def certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey, *, authority: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name.replace(" ", "-"))]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def serving(folder: Path, own: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    pem = folder / f"{own.serial_number}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + own.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


NAME = "hooks.example.com"
SECURE = Reach(allow_private_network=True)


def send_securely(receiver: Receiver, trusting: ssl.SSLContext | None, *, timeout: float = PLENTY) -> Response:
    client = Client(resolve=local("127.0.0.1"), ssl_context=trusting)
    return client.send(request_to(receiver.url(scheme="https", host=NAME)), timeout=timeout, reach=SECURE)


def test_tls_asks_for_the_name_and_connects_to_the_checked_address(authority: Authority) -> None:
    asked_for: list[str | None] = []
    tls = authority.issue(NAME)
    tls.sni_callback = lambda connection, name, context: asked_for.append(name)
    with Receiver(answers(answer(body=b"secret")), tls=tls) as receiver:
        assert send_securely(receiver, authority.trusting).body == b"secret"
    assert asked_for == [NAME]
    assert receiver.deliveries[0].headers["host"] == f"{NAME}:{receiver.port}"


@pytest.mark.parametrize("name", ["other.example.com", "example.com", "127.0.0.1", "hooks.example.com.evil.com"])
def test_a_certificate_of_another_name_is_refused_before_anything_is_sent(authority: Authority, name: str) -> None:
    with Receiver(answers(answer()), tls=authority.issue(name)) as receiver, pytest.raises(NotSent) as failure:
        send_securely(receiver, authority.trusting)
    assert failure.value.code == "tls_failed"
    assert not receiver.deliveries


def test_an_unknown_authority_is_refused(authority: Authority) -> None:
    with Receiver(answers(answer()), tls=authority.issue(NAME)) as receiver, pytest.raises(NotSent) as failure:
        send_securely(receiver, trusting=None)
    assert failure.value.code == "tls_failed"
    assert not receiver.deliveries


def test_the_environment_names_no_authority_and_no_key_log(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = tmp_path / "root.pem"
    ders = authority.trusting.get_ca_certs(binary_form=True)
    root.write_text("".join(ssl.DER_cert_to_PEM_cert(der) for der in ders))
    monkeypatch.setenv("SSL_CERT_FILE", str(root))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    with Receiver(answers(answer()), tls=authority.issue(NAME)) as receiver, pytest.raises(NotSent):
        send_securely(receiver, trusting=None)
    assert not (tmp_path / "keys").exists()


def test_a_receiver_without_tls_gets_nothing(authority: Authority) -> None:
    with Receiver(answers(b"HTTP/1.1 400 Bad Request\r\n\r\n"), reads=False) as receiver, pytest.raises(NotSent):
        send_securely(receiver, authority.trusting)
    assert not receiver.deliveries


def test_a_handshake_that_stalls_meets_the_deadline(authority: Authority) -> None:
    with Receiver(hangs, reads=False) as receiver:
        taken, failure = failing_after(lambda: send_securely(receiver, authority.trusting, timeout=0.3))
    assert isinstance(failure, NotSent)
    assert failure.code == "timeout"
    assert 0.3 <= taken < 0.6


def test_a_body_without_length_ends_with_the_goodbye_of_tls(authority: Authority) -> None:
    def say_goodbye(connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nwhole")
        connection.unwrap()

    with Receiver(say_goodbye, tls=authority.issue(NAME)) as receiver:
        assert send_securely(receiver, authority.trusting).body == b"whole"


def test_a_body_without_length_and_without_goodbye_may_be_cut(authority: Authority) -> None:
    with Receiver(answers(b"HTTP/1.1 200 OK\r\n\r\nwho"), tls=authority.issue(NAME)) as receiver:
        with pytest.raises(MaybeSent) as failure:
            send_securely(receiver, authority.trusting)
    assert failure.value.code == "connection_lost"


def test_a_failure_tells_nothing_of_the_request(authority: Authority) -> None:
    failures: list[TransportError] = []
    for behaviour in (
        answers(b""),
        answers(b"canary"),
        resets_after(),
        answers(answer(body=b"canary", content_encoding="br")),
    ):
        with Receiver(behaviour) as receiver, pytest.raises(TransportError) as failure:
            Client().send(request_to(receiver.url("/canary"), body=b"canary"), timeout=PLENTY, reach=LOCAL)
        failures.append(failure.value)
    assert "canary" not in repr([(failure, failure.code, failure.message) for failure in failures])
