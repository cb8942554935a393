"""Where e-mail goes: a directory, an SMTP server or Amazon SES. One port, three senders, each honest about the end.

    outbox:DIR          one .eml file a message, for development and for whoever picks them up; where somebody gets a
                        copy, .envelope.json beside it says to whom it all goes
    smtp://HOST:PORT    one connection a message, no login; TLS where the server offers it
    ses:                Amazon SES v2, region and credentials from the usual AWS variables

Every message carries the effect key: in its Message-ID, in X-Effect-Key, and at SES as the tag `effect_key`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.aws import AwsService, require_aws
from domain.errors import ConfigurationError, InvalidRecipient
from domain.outcome import CannotTell, Executed, Failure, Finding, Outcome, Retry, Succeeded, Unknown
from domain.ports import Email, EmailSender
from domain.validators.recipient import check_recipient

if TYPE_CHECKING:
    from ssl import SSLContext

_SMTP = re.compile(r"smtp://(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9.-]+)):(?P<port>[0-9]{1,5})/?")
_SENDER = re.compile(r'(?P<name>[^<>"\\]{1,60}?) *<(?P<named>[^<>]*)>|(?P<bare>[^<>]*)')


def email_sender(setting: str, sender: str) -> EmailSender:
    """The sender that `outbox:DIR`, `smtp://HOST:PORT` or `ses:` names; `sender` is who messages are from.

    Raises ConfigurationError, one line. Nothing is connected to, and no directory is made, before the first message.
    """
    if setting.startswith("outbox:"):
        return OutboxSender(_writable(setting.removeprefix("outbox:")), sender)
    if match := _SMTP.fullmatch(setting):
        port = int(match["port"])
        if 0 < port < 65536:
            return SmtpSender(match["ipv6"] or match["host"], port, sender)
    if setting == "ses:":
        require_aws("EXECUTION_AGENT_EMAIL=ses:")
        return SesSender(sender)
    raise ConfigurationError("EXECUTION_AGENT_EMAIL must be outbox:DIR, smtp://HOST:PORT (without a login) or ses:")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a message is from. The name may be empty."""

    name: str
    address: str

    @classmethod
    def parse(cls, setting: str) -> Sender:
        """Reads `renewals@example.com` or `Acme Renewals <renewals@example.com>`. Raises ConfigurationError."""
        match = _SENDER.fullmatch(setting)
        name = (match["name"] or "").strip() if match else ""
        if not match or not name.isprintable() or "=?" in name:
            raise ConfigurationError("EXECUTION_AGENT_EMAIL_SENDER must be NAME@DOMAIN or Some Name <NAME@DOMAIN>")
        try:
            return cls(name, check_recipient(match["named"] or match["bare"] or ""))
        except InvalidRecipient as invalid:
            reason = str(invalid).replace("the recipient", "its address", 1)
            raise ConfigurationError(f"EXECUTION_AGENT_EMAIL_SENDER cannot be used: {reason}") from None

    @property
    def domain(self) -> str:
        """What stands after the @."""
        return self.address.rpartition("@")[2]

    def message_id(self, effect_key: str) -> str:
        """The Message-ID of this effect: the same on every attempt."""
        return f"<{effect_key}@{self.domain}>"


class _ComposingSender:
    """What all senders do alike."""

    def __init__(self, sender: str) -> None:
        self._sender = Sender.parse(sender)

    def compose(self, email: Email, *, effect_key: str, at: datetime) -> bytes:
        """The whole message, checked by parsing it back. Raises InvalidMessage or InvalidRecipient."""
        from adapters.email_message import compose

        return compose(email, sender=self._sender, effect_key=effect_key, at=at)

    @property
    def can_probe(self) -> bool:
        """SMTP and SES cannot be asked for a message by its effect key; who can overrides this."""
        return False

    def probe(self, effect_key: str, *, timeout: float) -> Finding:  # noqa: ARG002
        """Nothing is found where nobody can be asked."""
        return CannotTell("this transport keeps no record that can be asked for", again=False)


class OutboxSender(_ComposingSender):
    """Writes each message to `<effect_key>.eml` in a directory, which is made when it is first needed."""

    def __init__(self, directory: str | Path, sender: str) -> None:
        """Raises ConfigurationError when `sender` is not an address."""
        super().__init__(sender)
        self._directory = Path(directory).absolute()

    def send(
        self,
        message: bytes,
        *,
        recipient: str,
        effect_key: str,
        timeout: float,  # noqa: ARG002 - a disk keeps no deadline
        copies: Sequence[str] = (),
    ) -> Outcome:
        """`result` is `{"message_id", "outbox"}`: the file's path.

        Of copies, whoever picks the message up finds the envelope beside it, which is there first.
        """
        path = self._path(effect_key)
        if copies:
            failure = _written(path.with_suffix(".envelope.json"), self._envelope(recipient, copies))
            if failure:
                return failure
        return _written(path, message) or self._done(effect_key)

    @property
    def can_probe(self) -> bool:
        return True

    def probe(self, effect_key: str, *, timeout: float) -> Finding:  # noqa: ARG002
        """A file that is there was written whole. One that is not may have been picked up: that tells nothing."""
        path, done = self._path(effect_key), self._done(effect_key)
        if path.is_file():
            return Executed({"outbox": str(path)}, done.result, done.reference)
        return CannotTell(f"{path.name} is not in the outbox: it was not written, or was picked up", again=False)

    def _envelope(self, recipient: str, copies: Sequence[str]) -> bytes:
        import json

        envelope = {"from": self._sender.address, "to": _all_of(recipient, copies)}
        return json.dumps(envelope, indent=2).encode() + b"\n"

    def _path(self, effect_key: str) -> Path:
        from adapters.email_message import check_effect_key

        return self._directory / f"{check_effect_key(effect_key)}.eml"

    def _done(self, effect_key: str) -> Succeeded:
        message_id = self._sender.message_id(effect_key)
        return Succeeded({"message_id": message_id, "outbox": str(self._path(effect_key))}, reference=message_id)


class SmtpSender(_ComposingSender):
    """Hands each message to one SMTP server, over a connection of its own. See `adapters.smtp_dialogue`."""

    def __init__(self, host: str, port: int, sender: str, *, tls: SSLContext | None = None) -> None:
        """`tls` replaces the trust of the system. Raises ConfigurationError when `sender` is not an address."""
        super().__init__(sender)
        self._host, self._port, self._tls = host, port, tls

    def send(
        self, message: bytes, *, recipient: str, effect_key: str, timeout: float, copies: Sequence[str] = ()
    ) -> Outcome:
        """`result` is `{"message_id", "reply"}`: the server's words when it took the message."""
        from adapters.smtp_dialogue import Envelope, Server, deliver

        envelope = Envelope(self._sender.address, _all_of(recipient, copies))
        answer = deliver(Server(self._host, self._port, self._tls), envelope, message, timeout=timeout)
        if not isinstance(answer, str):
            return answer
        message_id = self._sender.message_id(effect_key)
        return Succeeded({"message_id": message_id, "reply": answer}, reference=message_id)


class SesSender(_ComposingSender):
    """Hands each message to Amazon SES v2, once: the SDK repeats nothing."""

    def __init__(self, sender: str, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        """`region` and `endpoint_url` default to the usual AWS variables. Raises ConfigurationError."""
        super().__init__(sender)
        self._ses = AwsService(
            "sesv2",
            title="SES",
            region=region,
            endpoint_url=endpoint_url,
            not_now=frozenset({"SendingPausedException"}),
        )

    def send(
        self, message: bytes, *, recipient: str, effect_key: str, timeout: float, copies: Sequence[str] = ()
    ) -> Outcome:
        """`result` is `{"message_id"}`: SES's own, which is also the reference. SES replaces the Message-ID that it is
        given; the tag and X-Effect-Key stay."""
        # Of a message that is composed, SES reads its destination alone: it adds no header, and so tells no blind copy.
        blind = {"BccAddresses": [check_recipient(copy) for copy in copies]} if copies else {}
        answer = self._ses.call(
            "send_email",
            timeout=timeout,
            FromEmailAddress=self._sender.address,
            Destination={"ToAddresses": [check_recipient(recipient)], **blind},
            Content={"Raw": {"Data": message}},
            EmailTags=[{"Name": "effect_key", "Value": effect_key}],
        )
        if not isinstance(answer, Mapping):
            return answer
        message_id = answer.get("MessageId")
        if not message_id or not isinstance(message_id, str):
            return self._ses.unreadable("without a message id")
        return Succeeded({"message_id": message_id}, reference=message_id)

    def close(self) -> None:
        """Ends the connections that wait for a next message."""
        self._ses.close()


def _all_of(recipient: str, copies: Sequence[str]) -> list[str]:
    return [check_recipient(address) for address in (recipient, *copies)]


def _writable(directory: str) -> Path:
    """The directory, if it can be written or made: its nearest existing parent says so."""
    if not directory:
        raise ConfigurationError("EXECUTION_AGENT_EMAIL must be outbox:DIR; DIR is missing")
    path = Path(directory)
    # os.path, because Path.exists raises where this says no
    existing = next((place for place in (path, *path.absolute().parents) if os.path.exists(place)), path)  # noqa: PTH110
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"EXECUTION_AGENT_EMAIL cannot be outbox:{directory}; {existing} is not a directory to write in"
        )
    return path


def _written(path: Path, message: bytes) -> Failure | None:
    """Makes the file, whole or not at all, unless it is there. None when it is there and on disk."""
    try:
        # The name is the effect's own: a file of this name means that an earlier attempt took effect, and its answer
        # was lost. The effect has happened, once, and is not repeated.
        if path.is_file():
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, message)
    except OSError as error:
        return Retry("outbox_not_writable", f"{path.parent} cannot be written: {error.strerror or error}")
    try:
        _sync(path.parent)
    except OSError as error:
        return Unknown("outbox_not_synced", f"{path} is written and may not survive a crash: {error.strerror or error}")
    return None


def _write_whole(path: Path, message: bytes) -> None:
    """Nobody sees half a message: it gets its name when it is complete and on disk."""
    from tempfile import mkstemp

    handle, draft = mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(message)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).rename(path)
    except OSError:
        with suppress(OSError):
            Path(draft).unlink()
        raise


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
