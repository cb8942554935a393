"""What a mail has besides its words: what the template allows, and nothing that anybody was talked into."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from adapters.connections import ConfiguredConnections, read_connections
from adapters.email import OutboxSender
from adapters.secrets import Secrets
from adapters.templates import Templates
from domain.base_action import Attempt, Intent, Prepared
from domain.connections import NoConnections
from domain.errors import Refused
from domain.mail import FileStore
from domain.outcome import Failure, Permanent, Retry, Succeeded, Unknown
from domain.ports import World
from domain.validators.parameters import read_parameters
from domain.validators.send_email import SendEmailParameters
from handlers.actions.send_email import SendEmail
from tests.fakes import fake_world
from tests.template_files import write_template

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = "act_01m87gb1k7e4sb6d1n6rvkge9g-r0"
PDF = b"%PDF-1.7\nterms\n"
POLICY: dict[str, Any] = {
    "cc": {"addresses": ["legal@example.org"], "domains": ["example.com"], "at_most": 2},
    "bcc": {"always": ["archive@example.com"], "addresses": ["audit@example.com"], "at_most": 1},
    "reply_to": {"default": "renewals@example.com", "addresses": ["ada@example.com"]},
    "attachments": {
        "always": ["terms.pdf"],
        "files": ["prices.csv", "large.txt", "odd.pdf", "gone.pdf", "way-out.txt", "note.txt"],
        "stores": ["invoices"],
        "types": ["pdf", "csv", "txt"],
        "at_most": 2,
        "largest_bytes_in_all": 1000,
    },
    "unsubscribe": {"url": "https://news.example.com/u/{{ token }}"},
}


class House:
    """A template with its policy and its files, a directory of invoices, and a mail that asks for more."""

    def __init__(self, place: Path, policy: Any = POLICY) -> None:
        self.place = place
        declaration = {"variables": {"token": {"type": "string", "required": True}}}
        folder = write_template(place / "templates", declaration=declaration | ({"email": policy} if policy else {}))
        self.invoices = place / "invoices"
        (self.invoices / "acme").mkdir(parents=True)
        (self.invoices / "acme" / "7.pdf").write_bytes(PDF + b"invoice")
        (folder / "terms.pdf").write_bytes(PDF)
        (folder / "prices.csv").write_bytes(b"plan,price\n")
        (folder / "large.txt").write_bytes(b"x" * 1000)
        (folder / "odd.pdf").write_bytes(b"MZ\x90\x00")
        (folder / "note.txt").write_bytes(b"a note")
        (folder / "secret.txt").write_bytes(b"not declared")
        (place / "outside.txt").write_bytes(b"outside")
        (folder / "way-out.txt").symlink_to(place / "outside.txt")
        entries = {"invoices": {"kind": "directory", "path": str(self.invoices)}}
        self.connections: Any = ConfiguredConnections(read_connections(json.dumps(entries).encode()), Secrets({}))

    def world(self) -> World:
        sender = OutboxSender(self.place / "outbox", "Acme <renewals@example.com>")
        return fake_world(templates=Templates(self.place / "templates"), email=sender, connections=self.connections)

    def prepared(self, intent: Intent | None = None, **asked: Any) -> Prepared[SendEmailParameters]:
        variables = {"token": asked.pop("token", "n7")}
        given = {"template": "note", "recipient": "customer@example.net", "variables": variables, **asked}
        parameters = read_parameters(SendEmailParameters, given)
        return SendEmail().prepare(parameters, intent or Intent("act_1", KEY, NOON), self.world())

    def carried(self, **asked: Any) -> tuple[EmailMessage, Mapping[str, Any]]:
        """The mail as it lies in the outbox, and the facts of its attempt."""
        prepared = self.prepared(**asked)
        attempt = Attempt("act_1", KEY, NOON, number=1, timeout=10)
        assert isinstance(SendEmail().execute(prepared, attempt, self.world()), Succeeded)
        raw = (self.place / "outbox" / f"{KEY}.eml").read_bytes()
        message = message_from_bytes(raw, EmailMessage, policy=SMTP)
        assert isinstance(message, EmailMessage)
        return message, prepared.facts

    def envelope(self) -> list[str]:
        found: dict[str, list[str]] = json.loads((self.place / "outbox" / f"{KEY}.envelope.json").read_text("utf-8"))
        return found["to"]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def refused(act: Callable[[], object]) -> tuple[str, str]:
    """The field and the code of a refusal."""
    with pytest.raises(Refused) as caught:
        act()
    (detail,) = caught.value.details
    return detail.field, detail.code


def test_a_mail_has_all_that_its_template_says_and_lets_be_asked_for(house: House) -> None:
    message, facts = house.carried(
        addresses={
            "cc": ["bob@Example.com", "legal@example.org"],
            "bcc": ["audit@example.com"],
            "reply_to": "ada@example.com",
        },
        attachments=["prices.csv", "invoices:acme/7.pdf"],
    )
    assert str(message["Cc"]) == "bob@example.com, legal@example.org"
    assert str(message["Reply-To"]) == "ada@example.com"
    assert str(message["List-Unsubscribe"]) == "<https://news.example.com/u/n7>"
    assert str(message["List-Unsubscribe-Post"]) == "List-Unsubscribe=One-Click"
    files = [(part.get_filename(), part.get_content_type(), part.get_content()) for part in message.iter_attachments()]
    assert files == [
        ("terms.pdf", "application/pdf", PDF),
        ("prices.csv", "text/csv", "plan,price\n"),
        ("7.pdf", "application/pdf", PDF + b"invoice"),
    ]
    everybody = ["customer@example.net", "bob@example.com", "legal@example.org"]
    assert house.envelope() == [*everybody, "archive@example.com", "audit@example.com"]
    assert (facts["cc"], facts["bcc"]) == (everybody[1:], ["archive@example.com", "audit@example.com"])
    assert facts["attachments"][2] == {
        "reference": "invoices:acme/7.pdf",
        "name": "7.pdf",
        "content_type": "application/pdf",
        "bytes": len(PDF) + 7,
        "sha256": sha256(PDF + b"invoice").hexdigest(),
    }


def test_a_blind_copy_is_on_the_envelope_and_nowhere_in_the_message(house: House) -> None:
    house.carried()
    raw = (house.place / "outbox" / f"{KEY}.eml").read_bytes()
    assert b"archive@example.com" not in raw
    assert b"bcc" not in raw.lower()
    assert "archive@example.com" in house.envelope()


def test_what_the_template_says_needs_no_asking(house: House) -> None:
    message, facts = house.carried()
    assert str(message["Reply-To"]) == "renewals@example.com"
    assert message["Cc"] is None
    assert [part.get_filename() for part in message.iter_attachments()] == ["terms.pdf"]
    assert [file["reference"] for file in facts["attachments"]] == ["terms.pdf"]


def test_nobody_gets_a_mail_twice(house: House) -> None:
    house.carried(
        recipient="bob@example.com",
        addresses={"cc": ["bob@example.com", "ada@example.com"], "bcc": ["audit@example.com"]},
    )
    assert house.envelope() == ["bob@example.com", "ada@example.com", "archive@example.com", "audit@example.com"]


@pytest.mark.parametrize(
    "asked", [{"addresses": {"cc": ["ada@example.com"]}}, {"addresses": {"bcc": ["ada@example.com"]}},
              {"addresses": {"reply_to": "ada@example.com"}}, {"attachments": ["terms.pdf"]},
              {"attachments": ["invoices:acme/7.pdf"]}],
)  # fmt: skip
def test_a_template_that_says_nothing_allows_nothing(tmp_path: Path, asked: dict[str, Any]) -> None:
    field, _ = refused(lambda: House(tmp_path, policy=None).prepared(**asked))
    assert field.startswith(("parameters.addresses.", "parameters.attachments"))


HOSTILE = [
    "ada@example.com\r\nBcc: eve@example.net",
    "ada@example.com\nX-Header: y",
    "ada@example.com\x00",
    "Ada <ada@example.com>",
    '"ada"@example.com',
    "=?utf-8?q?ada?=@example.com",
    "ada@example.com, eve@example.net",
    "ada@example.com ",
    "ada@[127.0.0.1]",
    "",
    "ada",
]


@pytest.mark.parametrize("address", HOSTILE)
@pytest.mark.parametrize("name", ["cc", "bcc", "reply_to"])
def test_what_is_no_bare_address_is_refused_in_every_header(house: House, name: str, address: str) -> None:
    asked = address if name == "reply_to" else [address]
    field, code = refused(lambda: house.prepared(addresses={name: asked}))
    assert field == f"parameters.addresses.{name}" + (".0" if name != "reply_to" else "")
    assert code == "invalid_recipient"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"cc": ["eve@example.net"]}, "cc.0"),
        ({"cc": ["ada@example.com", "eve@example.com.evil.example"]}, "cc.1"),
        ({"cc": ["eve@sub.example.com"]}, "cc.0"),
        ({"bcc": ["ada@example.com"]}, "bcc.0"),
        ({"reply_to": "eve@example.com"}, "reply_to"),
        ({"cc": ["a@example.com", "b@example.com", "c@example.com"]}, "cc"),
        ({"bcc": ["audit@example.com", "archive@example.com"]}, "bcc"),
    ],
)
def test_who_is_not_allowed_or_one_too_many_is_refused(house: House, asked: dict[str, Any], field: str) -> None:
    assert refused(lambda: house.prepared(addresses=asked))[0] == f"parameters.addresses.{field}"


def test_a_mail_has_a_bounded_number_of_recipients(tmp_path: Path) -> None:
    many = [f"a{number}@example.com" for number in range(40)]
    house = House(tmp_path, {"cc": {"always": many}, "bcc": {"domains": ["example.org"], "at_most": 40}})
    assert refused(lambda: house.prepared(addresses={"bcc": [f"b{n}@example.org" for n in range(10)]})) == (
        "parameters.addresses",
        "invalid_parameters",
    )


@pytest.mark.parametrize(
    ("reference", "field"),
    [
        ("secret.txt", "attachments.0"),
        ("template.json", "attachments.0"),
        ("../templates/note/prices.csv", "attachments.0"),
        ("/etc/passwd", "attachments.0"),
        ("https://example.com/terms.pdf", "attachments.0"),
        ("prices.csv\r\nBcc: eve@example.net", "attachments.0"),
        ("=?utf-8?q?terms?=.pdf", "attachments.0"),
        ("others:7.pdf", "attachments.0"),
        ("invoices:acme/7.png", "attachments.0"),
        ("invoices:../outside.txt", "attachments.0"),
        ("invoices:acme/8.pdf", "attachments"),
        ("odd.pdf", "attachments"),
        ("large.txt", "template"),
        ("gone.pdf", "template"),
        ("way-out.txt", "template"),
    ],
)
def test_a_file_that_may_not_come_or_is_not_what_it_is_called_is_refused(
    house: House, reference: str, field: str
) -> None:
    assert refused(lambda: house.prepared(attachments=[reference]))[0] == f"parameters.{field}"


def test_too_many_files_are_refused(house: House) -> None:
    three = ["prices.csv", "note.txt", "invoices:acme/7.pdf"]
    assert refused(lambda: house.prepared(attachments=three))[0] == "parameters.attachments"


def test_a_file_that_is_one_link_away_is_out_of_reach(house: House) -> None:
    (house.invoices / "link.pdf").symlink_to(house.invoices / "acme" / "7.pdf")
    (house.invoices / "up").symlink_to(house.place)
    (house.invoices / "folder.pdf").mkdir()
    for reference in ("invoices:link.pdf", "invoices:up/outside.txt", "invoices:folder.pdf"):
        assert refused(lambda: house.prepared(attachments=[reference]))[0] == "parameters.attachments"  # noqa: B023


def test_who_wants_one_content_gets_that_or_nothing(house: House) -> None:
    digest = sha256(b"plan,price\n").hexdigest()
    house.prepared(attachments=[f"prices.csv#sha256={digest}"])
    (house.place / "templates" / "note" / "prices.csv").write_bytes(b"plan,price,eve\n")
    field, code = refused(lambda: house.prepared(attachments=[f"prices.csv#sha256={digest}"]))
    assert (field, code) == ("parameters.attachments", "conflict")


def test_what_is_sent_is_what_was_read_even_if_it_changes_meanwhile(house: House) -> None:
    prepared = house.prepared()
    (house.place / "templates" / "note" / "terms.pdf").write_bytes(b"%PDF-1.7\nother terms\n")
    _, _, message = prepared.work
    (part,) = message_from_bytes(message, EmailMessage, policy=SMTP).iter_attachments()
    assert sha256(part.get_content()).hexdigest() == prepared.facts["attachments"][0]["sha256"]


class Store:
    """Files that answer as they are told."""

    def __init__(self, said: bytes | Failure) -> None:
        self.said, self.asked = said, 0

    def of(self, port: type[Any], name: str | None = None) -> FileStore:
        return self

    def read(self, key: str, *, at_most: int, timeout: float) -> bytes | Failure:
        self.asked += 1
        assert 0 < timeout <= 10
        return self.said


@pytest.mark.parametrize("said", [Retry("busy", "later", 7.0), Unknown("s3_503", "who knows", 7.0)])
def test_a_store_that_does_not_answer_now_leaves_the_mail_unsent_and_for_later(house: House, said: Failure) -> None:
    house.connections = Store(said)
    prepared = house.prepared(attachments=["invoices:acme/7.pdf"])
    outcome = SendEmail().execute(prepared, Attempt("act_1", KEY, NOON, number=1, timeout=10), house.world())
    assert outcome == Retry(said.code, said.message, 7.0)
    assert not (house.place / "outbox").exists()


def test_a_store_that_will_never_have_it_refuses(house: House) -> None:
    house.connections = Store(Permanent("no_such_key", "S3 answered 404"))
    assert refused(lambda: house.prepared(attachments=["invoices:acme/7.pdf"]))[0] == "parameters.attachments"


def test_what_is_only_checked_asks_no_store(house: House) -> None:
    house.connections = store = Store(PDF)
    prepared = house.prepared(Intent("act_1", KEY, NOON, within=0.0), attachments=["invoices:acme/7.pdf"])
    assert store.asked == 0
    outcome = SendEmail().execute(prepared, Attempt("act_1", KEY, NOON, number=1, timeout=10), house.world())
    assert isinstance(outcome, Retry)


def test_a_store_that_is_not_configured_is_refused(house: House) -> None:
    house.connections = NoConnections()
    with pytest.raises(Refused, match="no connection 'invoices'"):
        house.prepared(attachments=["invoices:acme/7.pdf"])


@pytest.mark.parametrize("token", ["", "..", "a" * 300])
def test_a_value_that_makes_no_way_out_is_refused(house: House, token: str) -> None:
    assert refused(lambda: house.prepared(token=token))[0] == "parameters.variables.token"


def test_a_value_with_line_ends_stays_within_its_header(house: House) -> None:
    message, _ = house.carried(token="n7\nBcc: eve@example.net")
    assert message["Bcc"] is None
    assert str(message["List-Unsubscribe"]) == "<https://news.example.com/u/n7%0ABcc%3A%20eve%40example.net>"
