"""Where e-mail goes: a directory, an SMTP server or Amazon SES. One port, three senders, each honest about the end.

    outbox:DIR          one .eml file a message, for development and for whoever picks them up
    smtp://HOST:PORT    one connection a message, no login; TLS where the server offers it
    ses:                Amazon SES v2, region and credentials from the usual AWS variables

Every message carries the effect key: in its Message-ID, in X-Effect-Key, and at SES as the tag `effect_key`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from domain.errors import ConfigurationError, InvalidRecipient
from domain.outcome import Failure, Outcome, Permanent, Retry, Succeeded, Unknown
from domain.ports import Email, EmailSender
from domain.validators.recipient import check_recipient

if TYPE_CHECKING:
    from ssl import SSLContext

    from botocore.exceptions import BotoCoreError, ClientError
    from mypy_boto3_sesv2.client import SESV2Client

_SMTP = re.compile(r"smtp://(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9.-]+)):(?P<port>[0-9]{1,5})/?")
_SENDER = re.compile(r'(?P<name>[^<>"\\]{1,60}?) *<(?P<named>[^<>]*)>|(?P<bare>[^<>]*)')
_LONGEST_WORDS = 200


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
        _require_boto3()
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


class OutboxSender(_ComposingSender):
    """Writes each message to `<effect_key>.eml` in a directory, which is made when it is first needed."""

    def __init__(self, directory: str | Path, sender: str) -> None:
        """Raises ConfigurationError when `sender` is not an address."""
        super().__init__(sender)
        self._directory = Path(directory).absolute()

    def send(self, message: bytes, *, recipient: str, effect_key: str, timeout: float) -> Outcome:  # noqa: ARG002
        """`result` is `{"message_id", "outbox"}`: the file's path. A disk keeps no deadline."""
        from adapters.email_message import check_effect_key

        path = self._directory / f"{check_effect_key(effect_key)}.eml"
        message_id = self._sender.message_id(effect_key)
        done = Succeeded({"message_id": message_id, "outbox": str(path)}, reference=message_id)
        return _written(path, message) or done


class SmtpSender(_ComposingSender):
    """Hands each message to one SMTP server, over a connection of its own. See `adapters.smtp_dialogue`."""

    def __init__(self, host: str, port: int, sender: str, *, tls: SSLContext | None = None) -> None:
        """`tls` replaces the trust of the system. Raises ConfigurationError when `sender` is not an address."""
        super().__init__(sender)
        self._host, self._port, self._tls = host, port, tls

    def send(self, message: bytes, *, recipient: str, effect_key: str, timeout: float) -> Outcome:
        """`result` is `{"message_id", "reply"}`: the server's words when it took the message."""
        from adapters.smtp_dialogue import Envelope, Server, deliver

        envelope = Envelope(self._sender.address, check_recipient(recipient))
        answer = deliver(Server(self._host, self._port, self._tls), envelope, message, timeout=timeout)
        if not isinstance(answer, str):
            return answer
        message_id = self._sender.message_id(effect_key)
        return Succeeded({"message_id": message_id, "reply": answer}, reference=message_id)


class SesSender(_ComposingSender):
    """Hands each message to Amazon SES v2, once: the SDK repeats nothing."""

    # A client's time-outs are fixed, and building one is dear: there is one for each of these deadlines, when needed.
    _DEADLINES = (60.0, 30.0, 20.0, 13.0, 8.0, 5.0, 3.0, 2.0, 1.0)

    def __init__(self, sender: str, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        """`region` and `endpoint_url` default to the usual AWS variables. Raises ConfigurationError."""
        super().__init__(sender)
        self._region, self._endpoint_url = region, endpoint_url
        self._clients: dict[float, SESV2Client] = {}
        self._building = Lock()

    def send(self, message: bytes, *, recipient: str, effect_key: str, timeout: float) -> Outcome:
        """`result` is `{"message_id"}`: SES's own, which is also the reference. SES replaces the Message-ID that it is
        given; the tag and X-Effect-Key stay."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        addressee = check_recipient(recipient)
        try:
            client = self._client(timeout)
        except (BotoCoreError, ValueError) as error:
            return Permanent(_snake_case(type(error).__name__), f"SES cannot be used as it is configured: {error}")
        try:
            response = client.send_email(
                FromEmailAddress=self._sender.address,
                Destination={"ToAddresses": [addressee]},
                Content={"Raw": {"Data": message}},
                EmailTags=[{"Name": "effect_key", "Value": effect_key}],
            )
        except ClientError as error:
            return _answered(error)
        except BotoCoreError as error:
            return _unanswered(error)
        except (ResponseParserError, AttributeError, TypeError, ValueError):  # so its parsers end on what is not SES
            return Unknown("ses_unreadable_reply", "SES answered, and the answer makes no sense")
        message_id = response.get("MessageId")
        if not message_id or not isinstance(message_id, str):
            return Unknown("ses_unreadable_reply", "SES answered, and without a message id")
        return Succeeded({"message_id": message_id}, reference=message_id)

    def close(self) -> None:
        """Ends the connections that wait for a next message."""
        for client in self._clients.values():
            client.close()

    def _client(self, timeout: float) -> SESV2Client:
        deadline = next((known for known in self._DEADLINES if known <= timeout), timeout)
        with self._building:
            if deadline not in self._clients:
                self._clients[deadline] = self._new_client(deadline)
            return self._clients[deadline]

    def _new_client(self, deadline: float) -> SESV2Client:
        from boto3.session import Session
        from botocore.config import Config

        connecting = min(5.0, deadline / 3)
        config = Config(
            connect_timeout=connecting,
            read_timeout=deadline - connecting,
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        return Session().client("sesv2", region_name=self._region, endpoint_url=self._endpoint_url, config=config)


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


def _require_boto3() -> None:
    from importlib.util import find_spec

    if find_spec("boto3") is None:
        raise ConfigurationError('EXECUTION_AGENT_EMAIL=ses: needs boto3; install "execution-agent[aws]"')


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


_NOT_NOW = frozenset(
    {
        "TooManyRequestsException",
        "LimitExceededException",
        "SendingPausedException",
        "Throttling",
        "ThrottlingException",
        "ExpiredToken",
        "ExpiredTokenException",
    }
)
"""What SES says when it did not take the message and may take it later."""

_NEVER_LEFT_FOR_NOW = frozenset(
    {"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "CredentialRetrievalError"}
)
"""What botocore raises when not a byte of the message has left."""

_NEVER_LEFT_FOR_GOOD = frozenset({"NoCredentialsError", "PartialCredentialsError", "ParamValidationError"})
"""The same, and only another configuration changes it."""


def _answered(error: ClientError) -> Failure:
    said: Mapping[str, Any] = error.response.get("Error", {})
    metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    status, name = metadata.get("HTTPStatusCode", 0), said.get("Code", "")
    code, message = _snake_case(name), f"SES answered {status} {name}: {said.get('Message', '')}"[:_LONGEST_WORDS]
    if name in _NOT_NOW or status == 429:
        return Retry(code, message, retry_after=_seconds(metadata.get("HTTPHeaders", {}).get("retry-after")))
    if 400 <= status < 500:
        return Permanent(code, message)
    return Unknown(code, message)


def _unanswered(error: BotoCoreError) -> Failure:
    name = type(error).__name__
    code, message = _snake_case(name), str(error)[:_LONGEST_WORDS]
    if name in _NEVER_LEFT_FOR_GOOD:
        return Permanent(code, message)
    # TLS that fails on the certificate never carried a byte; TLS that breaks otherwise may have.
    if name in _NEVER_LEFT_FOR_NOW or (name == "SSLError" and "CERTIFICATE_VERIFY_FAILED" in str(error)):
        return Retry(code, message)
    return Unknown(code, message)


def _snake_case(name: str) -> str:
    """`TooManyRequestsException` is `too_many_requests`, a bare status `502` is `ses_502`."""
    stem = re.sub("(Exception|Error)$", "", name)
    words = re.sub("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", stem).lower()
    code = re.sub("[^a-z0-9]+", "_", words)
    return code if code[:1].isalpha() else f"ses_{code}"


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after and retry_after.isdecimal() else None
