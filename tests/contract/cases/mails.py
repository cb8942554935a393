"""Mail: a folder, and a server that answers every line of the dialogue as it is told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adapters.email import OutboxSender, SmtpSender
from adapters.templates import Templates
from agents.execution_agent.conformance import Case, End, Means, Sent
from handlers.actions.send_email import SendEmail
from tests.mail_servers import CUT_OFF, DROP, RESET, SILENCE, ScriptedMailServer

SENDER = "renewals@example.com"
MAIL = {
    "template": "renewal_reminder",
    "recipient": "ada@example.com",
    "variables": {"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"},
}
EVERY_CODE = range(1000)
BEFORE_THE_MESSAGE = ("greeting", "MAIL", "RCPT", "DATA")
NOT_NOW = (b"421 bye", b"450 busy", b"451 error", b"452 full", b"200 no words", b"299", b"777 no words", b"what?")
NEVER = (b"500 what?", b"501 what?", b"550 nobody", b"553 no name", b"554 no", b"599")
LOST: Mapping[str, bytes] = {"drops": DROP, "is torn down": RESET, "is cut off": CUT_OFF}
_KEY = re.compile(rb"^X-Effect-Key: (\S+)", re.MULTILINE)


class SendsMailBySmtp(Case):
    """What breaks before the message is whole did nothing; afterwards only an answer says what became of it."""

    action = SendEmail
    can_be_asked = False
    statuses: Sequence[int] = EVERY_CODE
    """Codes by which the server answers the message."""

    def __init__(self) -> None:
        super().__init__()
        self._server = ScriptedMailServer({})
        self._refused: set[int] = set()

    @property
    def name(self) -> str:
        return "send_email, by SMTP"

    def opened(self) -> AbstractContextManager[Any]:
        return self._server

    def world(self) -> Mapping[str, Any]:
        return {"email": SmtpSender("127.0.0.1", self._server.port, SENDER)}

    def parameters(self) -> Mapping[str, Any]:
        return MAIL

    def sent(self) -> Sequence[Sent]:
        keys = (_KEY.search(content) for content in self._server.contents)
        return [Sent(key[1].decode() if key else None) for key in keys]

    def effects(self) -> Sequence[object]:
        """A server reads a message before it refuses it."""
        return [number for number, _ in enumerate(self._server.contents) if number not in self._refused]

    def ends(self) -> Iterator[End]:
        yield self._end("the server takes it", Means.SUCCEEDED, "content", b"250 2.0.0 queued")
        for stage in BEFORE_THE_MESSAGE:
            yield from self._before(stage)
        for code in self.statuses:
            yield self._end(f"the message: {code:03d}", _of_the_message(code), "content", b"%03d no words" % code)
        for name, said in LOST.items():
            yield self._end(f"the message: the connection {name}", Means.UNKNOWN, "content", said)
        yield self._end("the message: no answer", Means.UNKNOWN, "content", SILENCE, patience=0.5)

    def _before(self, stage: str) -> Iterator[End]:
        for said in NOT_NOW:
            yield self._end(f"{stage}: {said.decode()}", Means.RETRY, stage, said, reaches=False)
        for said in NEVER:
            yield self._end(f"{stage}: {said.decode()}", Means.PERMANENT, stage, said, reaches=False)
        for name, said in LOST.items():
            yield self._end(f"{stage}: the connection {name}", Means.RETRY, stage, said, reaches=False)

    def _end(
        self, name: str, means: Means, stage: str, said: bytes, *, patience: float = 10.0, reaches: bool = True
    ) -> End:
        line = said if said in (DROP, RESET, CUT_OFF, SILENCE) else said + b"\r\n"
        return End(name, means, partial(self._saying, stage, line, means), patience, reaches)

    @contextmanager
    def _saying(self, stage: str, said: bytes, means: Means) -> Iterator[None]:
        before = len(self._server.contents)
        self._server.script = {stage: said}
        try:
            yield
        finally:
            self._server.script = {}
            if means in (Means.PERMANENT, Means.RETRY):
                self._refused.update(range(before, len(self._server.contents)))


def _of_the_message(code: int) -> Means:
    """By its first digit (RFC 5321, 4.2.1)."""
    return {2: Means.SUCCEEDED, 4: Means.RETRY, 5: Means.PERMANENT}.get(code // 100, Means.UNKNOWN)


class SendsMailToFolder(Case):
    """A file for each message, which says by its name what it is."""

    action = SendEmail
    absence_is_certain_after = timedelta.max

    def __init__(self) -> None:
        super().__init__()
        self._outbox = Path()
        self._names: dict[str, None] = {}

    @property
    def name(self) -> str:
        return "send_email, to a folder"

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with TemporaryDirectory() as folder:
            self._outbox = Path(folder, "outbox")
            yield

    def opened(self) -> AbstractContextManager[Any]:
        return self._opened()

    def world(self) -> Mapping[str, Any]:
        return {"email": OutboxSender(self._outbox, SENDER)}

    def parameters(self) -> Mapping[str, Any]:
        return MAIL

    def sent(self) -> Sequence[Sent]:
        """In the order in which they were first seen."""
        self._names.update(dict.fromkeys(self._there()))
        return [Sent(name) for name in self._names]

    def effects(self) -> Sequence[object]:
        return self._there()

    def _there(self) -> list[str]:
        return [file.stem for file in self._outbox.glob("*.eml")]

    def ends(self) -> Iterator[End]:
        yield End("there is a folder", Means.SUCCEEDED, nullcontext)
        yield End("there is a file in its place", Means.RETRY, self._in_the_way, reaches=False)

    @contextmanager
    def _in_the_way(self) -> Iterator[None]:
        aside = self._outbox.with_name("aside")
        if self._outbox.exists():
            self._outbox.rename(aside)
        self._outbox.write_bytes(b"")
        try:
            yield
        finally:
            self._outbox.unlink()
            if aside.exists():
                aside.rename(self._outbox)


OFFER = {
    "template": "renewal_offer",
    "recipient": "customer@example.org",
    "variables": {"customer_name": "Acme Inc.", "renewal_date": "2026-12-31", "token": "n7"},
    "addresses": {"cc": ["ada@example.com"]},
    "attachments": ["prices.csv"],
}
"""A mail with all that a mail may have: the template says the rest."""
TEMPLATES = Path(__file__).parents[3] / "examples" / "templates"


class SendsWholeMailBySmtp(SendsMailBySmtp):
    """A mail with files, a copy and a blind one: for all of them, or for nobody."""

    statuses = (200, 250, 299, 354, 399, 400, 451, 500, 554, 600, 0)

    @property
    def name(self) -> str:
        return "send_email, by SMTP to several"

    def world(self) -> Mapping[str, Any]:
        return {**super().world(), "templates": Templates(TEMPLATES)}

    def parameters(self) -> Mapping[str, Any]:
        return OFFER

    def effects(self) -> Sequence[object]:
        assert not any(b"archive@example.com" in content for content in self._server.contents)
        return super().effects()

    def ends(self) -> Iterator[End]:
        yield self._end("the server takes it", Means.SUCCEEDED, "content", b"250 2.0.0 queued")
        yield from self._before("RCPT")
        for code in self.statuses:
            yield self._end(f"the message: {code:03d}", _of_the_message(code), "content", b"%03d no words" % code)
        for name, said in LOST.items():
            yield self._end(f"the message: the connection {name}", Means.UNKNOWN, "content", said)


class SendsWholeMailToFolder(SendsMailToFolder):
    """The same mail, with its envelope beside it."""

    @property
    def name(self) -> str:
        return "send_email, to a folder for several"

    def world(self) -> Mapping[str, Any]:
        return {**super().world(), "templates": Templates(TEMPLATES)}

    def parameters(self) -> Mapping[str, Any]:
        return OFFER


CASES = (SendsMailBySmtp, SendsMailToFolder, SendsWholeMailBySmtp, SendsWholeMailToFolder)
