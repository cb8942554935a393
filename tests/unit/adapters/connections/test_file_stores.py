"""Files of a directory and of a bucket: what is below their place, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from adapters.connections import directory, s3
from adapters.secrets import Secrets
from domain.mail import FileStore
from domain.outcome import Failure, Permanent, Retry, Unknown

PDF = b"%PDF-1.7\n..."


def code_of(read: bytes | Failure, kind: type[Failure]) -> str:
    assert isinstance(read, kind)
    assert not isinstance(read, bytes)
    return read.code


# -- a directory ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "invoices"
    (found / "acme").mkdir(parents=True)
    (found / "acme" / "7.pdf").write_bytes(PDF)
    (tmp_path / "outside.pdf").write_bytes(b"outside")
    return found


def below(folder: Path) -> FileStore:
    return directory.connect("invoices", directory.Model(kind="directory", path=str(folder)), Secrets({}))


def test_a_file_of_a_directory_is_read(folder: Path) -> None:
    assert below(folder).read("acme/7.pdf", at_most=100, timeout=1) == PDF
    assert below(folder).read("acme/7.pdf", at_most=len(PDF), timeout=1) == PDF


def test_a_file_that_is_too_large_is_not(folder: Path) -> None:
    read = below(folder).read("acme/7.pdf", at_most=len(PDF) - 1, timeout=1)
    assert code_of(read, Permanent) == "file_too_large"


@pytest.mark.parametrize(
    "key", ["acme/8.pdf", "other/7.pdf", "acme/7.pdf/8.pdf", "../outside.pdf", "acme/../../outside.pdf", "", "acme/",
            "/etc/passwd", ".", ".."],
)  # fmt: skip
def test_what_is_not_below_it_is_not_there(folder: Path, key: str) -> None:
    assert code_of(below(folder).read(key, at_most=100, timeout=1), Permanent) == "file_not_found"


def test_no_link_is_followed(folder: Path) -> None:
    (folder / "link.pdf").symlink_to(folder / "acme" / "7.pdf")
    (folder / "out.pdf").symlink_to(folder.parent / "outside.pdf")
    (folder / "up").symlink_to(folder.parent)
    for key in ("link.pdf", "out.pdf", "up/outside.pdf"):
        assert isinstance(below(folder).read(key, at_most=100, timeout=1), Permanent)


def test_what_is_no_file_is_not_read_and_not_waited_for(folder: Path) -> None:
    (folder / "a.pdf").mkdir()
    os.mkfifo(folder / "b.pdf")
    for key in ("a.pdf", "b.pdf"):
        assert code_of(below(folder).read(key, at_most=100, timeout=1), Permanent) == "not_a_file"


def test_a_place_that_is_a_link_itself_is_what_the_configuration_says(folder: Path) -> None:
    (folder.parent / "current").symlink_to(folder)
    assert below(folder.parent / "current").read("acme/7.pdf", at_most=100, timeout=1) == PDF


# -- a bucket ---------------------------------------------------------------------------------------------------------


@dataclass
class Bucket:
    """An endpoint on 127.0.0.1 that answers every question alike."""

    url: str
    status: int = 200
    body: bytes = PDF
    length: int | None = None
    asked: list[str] = field(default_factory=list)


@contextmanager
def bucket() -> Iterator[Bucket]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            self.send_response(found.status)
            self.send_header("Content-Length", str(len(found.body) if found.length is None else found.length))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Bucket(f"http://127.0.0.1:{server.server_port}")
        serving = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        serving.start()
        yield found
        server.shutdown()
        serving.join()


@pytest.fixture(scope="module")
def served(aws: None) -> Iterator[tuple[Bucket, FileStore]]:
    """To build its client takes long: there is one for all tests."""
    with bucket() as found:
        entry = s3.Model(
            kind="s3", bucket="acme-invoices", prefix="sent/", region="eu-central-1", endpoint_url=found.url
        )
        store = s3.connect("invoices", entry, Secrets({}))
        yield found, store
        store.close()


@pytest.fixture
def there(served: tuple[Bucket, FileStore]) -> tuple[Bucket, FileStore]:
    found, store = served
    found.status, found.body, found.length = 200, PDF, None
    found.asked.clear()
    return found, store


def test_a_file_of_a_bucket_is_read_below_its_prefix(there: tuple[Bucket, FileStore]) -> None:
    found, store = there
    assert store.read("acme/7.pdf", at_most=100, timeout=5) == PDF
    assert [path.partition("?")[0] for path in found.asked] == ["/acme-invoices/sent/acme/7.pdf"]


def test_an_object_that_is_too_large_is_not_read_to_its_end(there: tuple[Bucket, FileStore]) -> None:
    found, store = there
    found.body = PDF + b"x" * 1_000_000
    assert code_of(store.read("acme/7.pdf", at_most=100, timeout=5), Permanent) == "file_too_large"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (404, Permanent, "no_such_key"),
        (403, Permanent, "access_denied"),
        (503, Unknown, "slow_down"),
    ],
)
def test_what_a_bucket_does_not_give_is_classed(
    there: tuple[Bucket, FileStore], status: int, kind: type[Failure], code: str
) -> None:
    found, store = there
    name = {"no_such_key": "NoSuchKey", "access_denied": "AccessDenied", "slow_down": "SlowDown"}[code]
    found.status, found.body = status, f"<Error><Code>{name}</Code><Message>no</Message></Error>".encode()
    assert code_of(store.read("acme/7.pdf", at_most=100, timeout=5), kind) == code
    assert len(found.asked) == 1


def test_an_object_that_breaks_off_is_not_taken_for_whole(there: tuple[Bucket, FileStore]) -> None:
    found, store = there
    found.length = 1000
    assert isinstance(store.read("acme/7.pdf", at_most=5000, timeout=5), Unknown)


def test_a_bucket_that_nobody_reaches_gives_nothing(aws: None) -> None:
    entry = s3.Model(kind="s3", bucket="acme-invoices", region="eu-central-1", endpoint_url="http://127.0.0.1:9")
    store = s3.connect("invoices", entry, Secrets({}))
    assert isinstance(store.read("acme/7.pdf", at_most=100, timeout=2), Retry)
    store.close()
