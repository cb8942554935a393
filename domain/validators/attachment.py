"""How a request names a file that is to come with its mail, and how little such a name can say.

terms.pdf                                a file in the template's own folder
invoices:acme-1/2026-11.pdf              a file of the store `invoices`, a connection
invoices:acme-1/2026-11.pdf#sha256=HEX   the same, as long as its content is this very one
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from domain.mail import FILE_TYPES

LONGEST_REFERENCE = 400
LONGEST_FILE_NAME = 100

_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9_.=-]*"
_FILE = rf"{_SEGMENT}\.(?:{'|'.join(FILE_TYPES)})"
_STORE = r"[a-z0-9][a-z0-9_-]{0,63}"
_REFERENCE = re.compile(
    rf"(?:(?P<store>{_STORE}):)?(?P<key>(?:{_SEGMENT}/)*(?i:{_FILE}))(?:#sha256=(?P<sha256>[0-9a-f]{{64}}))?",
    # Without this, what is the same but for its case has letters of other alphabets among it.
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class FileReference:
    """A file of a store, or where there is no store of the template's own folder. `sha256` is what it must have."""

    key: str
    store: str | None = None
    sha256: str | None = None

    @property
    def name(self) -> str:
        """What a recipient sees."""
        return self.key.rpartition("/")[2]


def file_reference(text: str) -> FileReference:
    """Reads it. Raises ValueError, which says what to repair."""
    match = _REFERENCE.fullmatch(text) if len(text) <= LONGEST_REFERENCE else None
    if not match or ".." in text:
        raise ValueError(
            f"must be FILE or STORE:PATH, of letters, digits and _ . = - (at most {LONGEST_REFERENCE} characters,"
            f" no two dots in a row), and end in one of {', '.join(FILE_TYPES)}"
        )
    reference = FileReference(match["key"], match["store"], match["sha256"])
    if reference.store is None and "/" in reference.key:
        raise ValueError("a file of the template's own folder has no path; write STORE:PATH for one of a store")
    if len(reference.name) > LONGEST_FILE_NAME:
        raise ValueError(f"has a file name of over {LONGEST_FILE_NAME} characters")
    return reference


def file_name(text: str) -> str:
    """The same for a file of the template's own folder, whose content a template's author answers for."""
    reference = file_reference(text)
    if reference.store or reference.sha256:
        raise ValueError("must be the name of a file in the template's own folder")
    return text
