"""What a mail has besides its words, as far as its template allows: copies, a reply address, a way out, files.

    prepare   checks what was asked for, reads the files once, and hashes them; the facts tell which bytes will be sent
    execute   sends those bytes

A file may change between validation and attempt, as a template may: what is sent is what the attempt's facts say. Who
wants one content and no other says so in the reference, `#sha256=...`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.base_action import Intent
from domain.errors import Code, FieldError, Refused
from domain.mail import Attachment, FileStore, content_type_of
from domain.mail_policy import MOST_RECIPIENTS, Allowed, Copies, Files, MailPolicy
from domain.outcome import Failure, Permanent, Retry
from domain.ports import Email, World
from domain.validators.attachment import FileReference, file_reference
from domain.validators.recipient import check_address
from domain.validators.send_email import MailAddresses, SendEmailParameters

READ_TIMEOUT = 10.0
"""Seconds, for all files of one mail."""
NOT_READ_YET = Retry("not_read_yet", "its files are read when its turn comes")

_CC, _BCC, _REPLY_TO = (f"parameters.addresses.{name}" for name in ("cc", "bcc", "reply_to"))
_ATTACHMENTS = "parameters.attachments"


@dataclass(frozen=True, slots=True)
class Additions:
    """`email` is the whole mail, Retry where a file cannot be read now; `copies` are on its envelope, and `facts` say
    what there is."""

    email: Email | Retry
    copies: tuple[str, ...]
    facts: Mapping[str, Any]


def added(
    email: Email, policy: MailPolicy | None, parameters: SendEmailParameters, intent: Intent, world: World
) -> Additions:
    """The mail with all that it has besides. Raises Refused for what the template does not allow."""
    policy = policy or MailPolicy()
    asked = parameters.addresses or MailAddresses()
    cc = _copies(policy.cc, asked.cc, _CC, known=[email.recipient])
    bcc = _copies(policy.bcc, asked.bcc, _BCC, known=[email.recipient, *cc])
    if 1 + len(cc) + len(bcc) > MOST_RECIPIENTS:
        raise _refused("parameters.addresses", f"a mail has at most {MOST_RECIPIENTS} recipients")
    reply_to = policy.reply_to.default
    if asked.reply_to is not None:
        reply_to = _allowed(policy.reply_to, asked.reply_to, _REPLY_TO)
    email = replace(
        email,
        cc=cc,
        reply_to=reply_to,
        unsubscribe=policy.unsubscribe.filled(parameters.variables) if policy.unsubscribe else None,
    )
    addressed = {"cc": [*cc], "bcc": [*bcc], "reply_to": reply_to}
    facts: dict[str, Any] = {name: value for name, value in addressed.items() if value}
    wanted = _wanted(policy.attachments, parameters.attachments)
    files = _Reading(parameters.template, policy.attachments, intent, world).all_of(wanted)
    if isinstance(files, Retry):
        return Additions(files, (*cc, *bcc), facts)
    if files:
        facts["attachments"] = [
            {"reference": text, **file.facts} for (text, _), file in zip(wanted, files, strict=True)
        ]
    return Additions(replace(email, attachments=files), (*cc, *bcc), facts)


# -- addresses --------------------------------------------------------------------------------------------------------


def _copies(allowed: Copies, asked: Sequence[str], field: str, known: Iterable[str]) -> tuple[str, ...]:
    """Who gets a copy; nobody gets two."""
    if len(asked) > allowed.at_most:
        raise _refused(field, f"may name {allowed.at_most} at most: this template allows no more")
    named = [_allowed(allowed, address, f"{field}.{place}") for place, address in enumerate(asked)]
    return tuple(address for address in dict.fromkeys((*allowed.always, *named)) if address not in known)


def _allowed(allowed: Allowed, text: str, field: str) -> str:
    address = check_address(text, field=field, called=field)
    if not allowed.admits(address):
        raise _refused(field, "is an address that this template does not allow here", code=Code.INVALID_RECIPIENT)
    return address


# -- files ------------------------------------------------------------------------------------------------------------


def _wanted(allowed: Files, asked: Sequence[str]) -> list[tuple[str, FileReference]]:
    """The references of all that comes with the mail, as they were given and as they were read."""
    if len(asked) > allowed.at_most:
        raise _refused(_ATTACHMENTS, f"may name {allowed.at_most} at most: this template allows no more")
    wanted = {text: file_reference(text) for text in allowed.always}
    for place, text in enumerate(asked):
        wanted[text] = _admitted(allowed, text, f"{_ATTACHMENTS}.{place}")
    return [*wanted.items()]


def _admitted(allowed: Files, text: str, field: str) -> FileReference:
    try:
        reference = file_reference(text)
    except ValueError as error:
        raise _refused(field, str(error)) from None
    if not allowed.admits(reference):
        raise _refused(field, "is a file that this template does not allow")
    if reference.name.rpartition(".")[2].lower() not in allowed.types:
        raise _refused(field, f"is of a type that this template does not allow; it allows {', '.join(allowed.types)}")
    return reference


class _Reading:
    """The files of one mail, read once, in the time and within the size that there is."""

    def __init__(self, template: str, allowed: Files, intent: Intent, world: World) -> None:
        self._template, self._world = template, world
        self._most = self._room = allowed.largest_bytes_in_all
        self._may_ask = intent.within > 0
        self._end = world.clock.monotonic() + min(READ_TIMEOUT, intent.within)

    def all_of(self, wanted: Sequence[tuple[str, FileReference]]) -> tuple[Attachment, ...] | Retry:
        """Raises Refused for what is not there, too large, or not what it is called."""
        found: list[Attachment] = []
        for text, reference in wanted:
            content = self._content(reference)
            if isinstance(content, Permanent):
                raise _refused(_ATTACHMENTS, f"{text}: {content.message}")
            if not isinstance(content, bytes):
                return content
            found.append(self._fitting(text, reference, content))
        return tuple(found)

    def _content(self, reference: FileReference) -> bytes | Permanent | Retry:
        if reference.store is None:
            return self._world.templates.file(self._template, reference.key, at_most=self._room)
        store = self._world.connections.of(FileStore, reference.store)
        time_left = self._end - self._world.clock.monotonic()
        if not self._may_ask or time_left <= 0:
            return NOT_READ_YET
        return _plain(store.read(reference.key, at_most=self._room, timeout=time_left))

    def _fitting(self, text: str, reference: FileReference, content: bytes) -> Attachment:
        content_type = content_type_of(reference.name, content)
        if content_type is None:
            raise _refused(_ATTACHMENTS, f"{text}: its content is not what its name says")
        self._room -= len(content)
        if self._room < 0:
            raise _refused(_ATTACHMENTS, f"{text}: all files together may have {self._most} bytes", code=Code.TOO_LARGE)
        attachment = Attachment(reference.name, content_type, content)
        if reference.sha256 not in (None, attachment.facts["sha256"]):
            raise _refused(_ATTACHMENTS, f"{text}: its content has another sha256", code=Code.CONFLICT)
        return attachment


def _plain(read: bytes | Failure) -> bytes | Permanent | Retry:
    """To read does nothing: whatever broke on the way may be tried again."""
    return read if isinstance(read, bytes | Permanent | Retry) else Retry(read.code, read.message, read.retry_after)


def _refused(field: str, message: str, *, code: str = Code.INVALID_PARAMETERS) -> Refused:
    return Refused(f"{field} {message}", details=[FieldError(field, code, message)], code=code)
