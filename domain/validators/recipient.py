"""One bare address that a message can be delivered to: `ada.lovelace@example.com`, and nothing around it.

What the address standards allow beyond that (display names, quotes, comments, literals) is refused: no customer is
reached only so, and each of them has led mail astray.
"""

from __future__ import annotations

import re

from domain.errors import Code, FieldError, InvalidRecipient
from domain.validators.domain_name import InvalidDomainName, ascii_domain

LONGEST_ADDRESS = 254
LONGEST_LOCAL_PART = 64

_FIELD = "parameters.recipient"
# A letter or digit comes first, so that it is never read as an option; no dot stands at the end or beside another.
_LOCAL_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_%+'-]*(?:\.[A-Za-z0-9_%+'-]+)*")


def check_recipient(value: str) -> str:
    """The address as a mail server takes it: the local part as given, the domain in lower case and ASCII.

    Raises InvalidRecipient; its one detail is about `parameters.recipient` and says what to repair.
    """
    return check_address(value, field=_FIELD, called="the recipient")


def check_address(value: str, *, field: str, called: str) -> str:
    """The same of any address: `field` is where it stands in the request, `called` begins the sentence about it."""
    try:
        return bare_address(value)
    except InvalidAddress as invalid:
        details = [FieldError(field, Code.INVALID_RECIPIENT, str(invalid))]
        raise InvalidRecipient(f"{called} {invalid}", details=details) from None


class InvalidAddress(ValueError):
    """Not one bare address. The message completes "the recipient ..."."""


def bare_address(value: str) -> str:
    """The address as a mail server takes it. Raises InvalidAddress."""
    if not isinstance(value, str):
        raise InvalidAddress("must be a string")
    if len(value) > LONGEST_ADDRESS:
        raise InvalidAddress(f"is over {LONGEST_ADDRESS} characters")
    local_part, at, domain = value.partition("@")
    if not at:
        raise InvalidAddress("must be one address such as name@example.com; there is no @")
    if not _LOCAL_PART.fullmatch(local_part):
        raise InvalidAddress(
            "must be one bare address, without a display name or spaces; before the @ stand letters, digits and "
            ". _ % + ' - (a letter or digit first, no dot last or twice in a row)"
        )
    if len(local_part) > LONGEST_LOCAL_PART:
        raise InvalidAddress(f"has over {LONGEST_LOCAL_PART} characters before the @")
    return f"{local_part}@{_domain(domain, room=LONGEST_ADDRESS - len(local_part) - 1)}"


def _domain(domain: str, *, room: int) -> str:
    try:
        ascii_name = ascii_domain(domain)
    except InvalidDomainName as invalid:
        raise InvalidAddress(f"has a domain that cannot be: it {invalid}") from None
    if len(ascii_name) > room:
        raise InvalidAddress(f"is over {LONGEST_ADDRESS} characters")
    return ascii_name
