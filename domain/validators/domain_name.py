"""Internet domain names, in the ASCII form that travels: `münchen.example` is `xn--mnchen-3ya.example`.

International labels follow IDNA 2008 (RFC 5891 to 5893): letters, marks and digits of any script. But for upper case,
nothing is mapped: `straße` and `strasse` are two names and may have two owners. Left out on purpose are characters that
are allowed in some contexts only (RFC 5892, appendix A): invisible joiners, middle dots and the like.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 253
LONGEST_LABEL = 63

_ASCII_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_INTERNATIONAL_PREFIX = "xn--"
_LETTERS_MARKS_DIGITS = frozenset({"Ll", "Lo", "Lm", "Mn", "Mc", "Nd"})
# RFC 5892, 2.6: names of their own, though folding would change them or they count as no letter.
_ALLOWED = frozenset("ßς་〇")
# RFC 5892, 2.6 to 2.9: invisible letters and marks, marks for symbols and music, repeat marks, single Hangul strokes.
_REFUSED = re.compile(
    "[\u034f\u0640\u07fa\u1100-\u11ff\u17b4\u17b5\u180b-\u180f\u20d0-\u20ff\u302e\u302f\u3031-\u3035\u303b\u3164"
    "\ua960-\ua97f\ud7b0-\ud7ff\ufe00-\ufe0f\uffa0\U0001d100-\U0001d24f\U000e0100-\U000e01ef]"
)


class InvalidDomainName(ValueError):
    """Not the name of a domain. The message completes "the domain ..."."""


def ascii_domain(name: str) -> str:
    """The name in lower case and ASCII. Raises InvalidDomainName, unless it is at least two labels under a real TLD."""
    if len(name) > LONGEST_NAME:
        raise InvalidDomainName(f"is over {LONGEST_NAME} characters")
    # Letter by letter: the lower case of a Greek sigma must not depend on what stands behind it.
    lowered = "".join(map(str.lower, unicodedata.normalize("NFC", name)))
    labels = [_ascii_label(label) for label in lowered.split(".")]
    ascii_name = ".".join(labels)
    if len(labels) < 2:
        raise InvalidDomainName("has no dot, as in example.com")
    if labels[-1].isdigit():
        raise InvalidDomainName("ends in a number; an address on the net is not a domain")
    if len(ascii_name) > LONGEST_NAME:
        raise InvalidDomainName(f"is over {LONGEST_NAME} characters")
    return ascii_name


def _ascii_label(label: str) -> str:
    ascii_label = label if label.isascii() else _INTERNATIONAL_PREFIX + _punycode(label)
    if not _ASCII_LABEL.fullmatch(ascii_label):
        raise InvalidDomainName("has a part that is not made of letters, digits and inner hyphens")
    if len(ascii_label) > LONGEST_LABEL:
        raise InvalidDomainName(f"has a part of over {LONGEST_LABEL} characters")
    if ascii_label[2:4] == "--":
        _check_international(_decoded(ascii_label))
    return ascii_label


def _punycode(label: str) -> str:
    return label.encode("punycode").decode("ascii")


def _decoded(ascii_label: str) -> str:
    """What an `xn--` label stands for, if it is written in the one right way."""
    try:
        label = ascii_label.removeprefix(_INTERNATIONAL_PREFIX).encode().decode("punycode")
    except UnicodeError:
        label = ""
    if label.isascii() or _INTERNATIONAL_PREFIX + _punycode(label) != ascii_label:
        raise InvalidDomainName("has a part with -- as its third and fourth character that stands for nothing")
    return label


def _check_international(label: str) -> None:
    if not unicodedata.is_normalized("NFC", label) or not all(map(_is_allowed, label)):
        raise InvalidDomainName("has a character that no domain name has")
    if unicodedata.category(label[0]).startswith("M"):
        raise InvalidDomainName("has a part that begins with a combining mark")
    if label[0] == "-" or label[-1] == "-" or label[2:4] == "--":
        raise InvalidDomainName("has a part with hyphens at its ends or as its third and fourth character")
    _check_direction([unicodedata.bidirectional(character) for character in label])


def _is_allowed(character: str) -> bool:
    if character == "-" or character in _ALLOWED:
        return True
    if unicodedata.category(character) not in _LETTERS_MARKS_DIGITS or _REFUSED.match(character):
        return False
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).casefold())
    return folded == character


def _check_direction(directions: list[str]) -> None:
    """The bidi rule (RFC 5893, 2) for labels with right-to-left characters, made of letters, marks, digits, hyphens."""
    found = set(directions)
    if not found & {"R", "AL", "AN"}:
        return
    while directions[-1] == "NSM":
        directions.pop()
    runs_left = directions[0] in {"R", "AL"} and directions[-1] in {"R", "AL", "EN", "AN"}
    if not runs_left or "L" in found or {"AN", "EN"} <= found:
        raise InvalidDomainName("has a part that mixes writing directions")
