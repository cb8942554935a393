"""What a mail may have besides its words, as values: files that come with it, and the way to get no more of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

from domain.outcome import Failure


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that comes with a mail. `name` and `content_type` are made for headers: plain, short and known."""

    name: str
    content_type: str
    content: bytes = field(repr=False)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the ledger keeps of it: which bytes were sent, and not the bytes."""
        return {
            "name": self.name,
            "content_type": self.content_type,
            "bytes": len(self.content),
            "sha256": sha256(self.content).hexdigest(),
        }


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Where a recipient gets off a list (RFC 2369): URIs, made for a header. `one_click`: a POST to the first of them
    does it, and nobody has to look at a page (RFC 8058)."""

    uris: tuple[str, ...]
    one_click: bool = False


class FileStore(Protocol):
    """Files that a configuration names as a whole, and a request one by one."""

    def read(self, key: str, *, at_most: int, timeout: float) -> bytes | Failure:
        """The file's bytes. `key` is that of a `domain.validators.attachment.FileReference`; `timeout` is in seconds.

        Permanent where there is no such file, or one of more than `at_most` bytes. Never raises.
        """
        ...


def _is_text(content: bytes) -> bool:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return not any(character < " " and character not in "\t\r\n\f" for character in text)


def _begins(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda content: content.startswith(marks)


_OFFICE = "application/vnd.openxmlformats-officedocument."
_TYPES: Mapping[str, tuple[str, Callable[[bytes], bool]]] = {
    "csv": ("text/csv", _is_text),
    "docx": (f"{_OFFICE}wordprocessingml.document", _begins(b"PK\x03\x04")),
    "gif": ("image/gif", _begins(b"GIF87a", b"GIF89a")),
    "ics": ("text/calendar", _is_text),
    "jpeg": ("image/jpeg", _begins(b"\xff\xd8\xff")),
    "jpg": ("image/jpeg", _begins(b"\xff\xd8\xff")),
    "pdf": ("application/pdf", _begins(b"%PDF-")),
    "png": ("image/png", _begins(b"\x89PNG\r\n\x1a\n")),
    "pptx": (f"{_OFFICE}presentationml.presentation", _begins(b"PK\x03\x04")),
    "txt": ("text/plain", _is_text),
    "xlsx": (f"{_OFFICE}spreadsheetml.sheet", _begins(b"PK\x03\x04")),
}
"""The closed list, by the last part of a file's name: nothing that runs, and nothing that a mail client would show as a
page."""

FILE_TYPES = tuple(_TYPES)


def content_type_of(name: str, content: bytes) -> str | None:
    """By the name's last part; None where that is not on the list, or the content is something else."""
    content_type, fits = _TYPES.get(name.rpartition(".")[2].lower(), ("", lambda _: False))
    return content_type if fits(content) else None
