"""Checks what `execution-agent audit prove` has written, with this file, Python 3.8 or later and a public key alone.

    python verify_proof.py PROOF PUBLIC_KEY

It prints what is proved, in words, and ends with 0; or what is wrong, and ends with 1. It opens these two files and
nothing else: no network, no ledger, no other code. `python -I -S` runs it without anything that is installed.

What a proof holds is hashed as it stands (RFC 6962: the record of a commit is a leaf), the hashes beside its path lead
to the head of a tree, and the header that names the head is signed (Ed25519, RFC 8032).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import sys
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

    Point = tuple[int, int, int, int]

PROOF = "execution-agent/proof/1"
CHECKPOINT = "execution-agent/checkpoint/1"
COMMIT = b"commit/1"

LARGEST_PROOF = 256_000_000
LARGEST_BODY = 16_000_000
"""Bytes."""
LONGEST_TEXT = 400
LONGEST_NOTE = 4_000
"""Characters that are shown of a text in what an event says, and of all of it. `...` stands where it is cut."""


class NotProved(Exception):
    """Why not, in a sentence."""


def main(arguments: list[str], write: Callable[[str], Any]) -> int:
    """0 proved, 1 not proved, 2 usage."""
    if len(arguments) != 2:
        write("usage: python verify_proof.py PROOF PUBLIC_KEY\n")
        return 2
    try:
        proof, key = (_content(path) for path in arguments)
        lines = story_of(proved(proof, public_key_in(key)))
    except NotProved as reason:
        write(f"NOT PROVED: {_visible(str(reason))}\n")
        return 1
    write("".join(f"{line}\n" for line in lines))
    return 0


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib would be one more thing to trust
            content = file.read(LARGEST_PROOF + 1)
    except OSError as error:
        raise NotProved(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_PROOF:
        raise NotProved(f"{path} is larger than {LARGEST_PROOF} bytes")
    return content


# -- what a proof says ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Checkpoint:
    """A signed header, as far as it matters here."""

    number: int
    at: str
    size: int
    root: bytes


@dataclass(frozen=True)
class Event:
    """`said` is what the event's own JSON says."""

    version: int
    type: str
    said: dict[str, Any]


@dataclass(frozen=True)
class Commit:
    """Events that were decided together, and the checkpoint that holds them."""

    version: int
    at: str
    chained: bool
    events: tuple[Event, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Proved:
    """What stands after every check."""

    action_id: str
    key_id: str
    commits: tuple[Commit, ...]


def proved(proof: bytes, public_key: bytes) -> Proved:
    """Raises NotProved, unless all that the proof says is proved."""
    said = _object(_json(proof, "the proof"), "the proof", {"format", "action_id", "commits", "checkpoints"})
    if said["format"] != PROOF:
        raise NotProved(f"its format is not {PROOF}")
    action_id = _text(said["action_id"], "action_id")
    key_id = "ed25519:" + hashlib.sha256(public_key).hexdigest()[:32]
    checkpoints: dict[int, Checkpoint] = {}
    for member in _list(said["checkpoints"], "checkpoints"):
        checkpoint = _checkpoint(member, public_key, key_id)
        if checkpoint.number in checkpoints:
            raise NotProved(f"checkpoint {checkpoint.number} is there twice")
        checkpoints[checkpoint.number] = checkpoint
    return Proved(action_id, key_id, _life(_list(said["commits"], "commits"), action_id, checkpoints))


def _checkpoint(member: Any, public_key: bytes, key_id: str) -> Checkpoint:
    said = _object(member, "a checkpoint", {"header", "signature"})
    text = _text(said["header"], "header").encode()
    header = _object(_json(text, "a header"), "a header", None)
    if header.get("format") != CHECKPOINT:
        raise NotProved(f"the format of a header is not {CHECKPOINT}")
    number = _whole(header.get("number"), "the number of a checkpoint", 1)
    if header.get("key") != key_id:
        raise NotProved(f"checkpoint {number} says that {header.get('key')} has signed it; the key at hand is {key_id}")
    if not is_signed(public_key, text, _hex(said["signature"], "a signature", 64)):
        raise NotProved(f"the signature of checkpoint {number} is not of what it says")
    return Checkpoint(
        number,
        _text(header.get("at"), "the time of a checkpoint"),
        _whole(header.get("size"), "the size of a tree", 0),
        _hex(header.get("root"), "the head of a tree", 32),
    )


def _life(members: list[Any], action_id: str, checkpoints: dict[int, Checkpoint]) -> tuple[Commit, ...]:
    """The commits, which must follow each other without a gap, each by number and by hash."""
    said = [_object(member, "a commit", {"record", "checkpoint", "leaf", "path"}) for member in members]
    unproved = sum(commit["checkpoint"] is None for commit in said)
    if unproved:
        what = f"{unproved} of {len(said)} commits"
        raise NotProved(f"{what} are under no checkpoint yet; ask for the proof again after the next one")
    life: list[Commit] = []
    expected, before = 1, b""
    for member in said:
        record = _base64(member["record"])
        leaf = hashlib.sha256(b"\x00" + record).digest()
        checkpoint = _holder(member, leaf, checkpoints)
        version, at, previous, events = _commit(record, action_id)
        if version != expected and not (version == 0 and not life):
            raise NotProved(f"version {expected} should come next, and the commit begins with version {version}")
        if previous and previous != before:
            raise NotProved(f"the commit at version {version} follows another one than the one before it here")
        life.append(Commit(version, at, bool(previous) or not life, events, checkpoint))
        expected, before = version + len(events), leaf
    if not life:
        raise NotProved("there is no commit in it")
    return tuple(life)


def _holder(said: dict[str, Any], leaf: bytes, checkpoints: dict[int, Checkpoint]) -> Checkpoint:
    number = _whole(said["checkpoint"], "the number of a checkpoint", 1)
    checkpoint = checkpoints.get(number)
    if checkpoint is None:
        raise NotProved(f"checkpoint {number} is not in the proof")
    index = _whole(said["leaf"], "the number of a leaf", 0)
    path = [_hex(member, "a hash of a path", 32) for member in _list(said["path"], "path")]
    if not is_under(checkpoint.root, leaf, index, checkpoint.size, path):
        raise NotProved(f"a commit is not leaf {index} of the tree that checkpoint {number} has signed")
    return checkpoint


def _commit(record: bytes, action_id: str) -> tuple[int, str, bytes, tuple[Event, ...]]:
    """Its version, time, previous hash and events."""
    members = _netstrings(record)
    if len(members) != 6 or members[0] != COMMIT:
        raise NotProved(f"a record is not of the form {COMMIT.decode()}")
    owner, number, at, previous, body = members[1:]
    if owner != action_id.encode():
        raise NotProved("a commit is of another action")
    if not re.fullmatch(rb"0|[1-9][0-9]{0,15}", number) or len(previous) not in (0, 32):
        raise NotProved("a record holds a version or a hash that is none")
    version = int(number)
    texts = _body(body)
    events = tuple(
        Event(version + place, _utf8(texts[2 * place]).rpartition(".")[2], _state(texts[2 * place + 1]))
        for place in range(len(texts) // 2)
    )
    return version, _utf8(at), previous, events


def _body(body: bytes) -> list[bytes]:
    """Topic and state of each event, in turn."""
    header = re.match(rb"([1-9][0-9]{0,8})([nz])", body)
    if header is None:
        raise NotProved("the body of a commit has an unknown format")
    texts = _netstrings(_inflated(body[header.end() :]) if header.group(2) == b"z" else body[header.end() :])
    if len(texts) != 2 * int(header.group(1)):
        raise NotProved("a commit holds another number of events than it says")
    return texts


def _inflated(data: bytes) -> bytes:
    inflate = zlib.decompressobj()
    try:
        texts = inflate.decompress(data, LARGEST_BODY)
    except zlib.error:
        raise NotProved("the body of a commit cannot be unpacked") from None
    if not inflate.eof or inflate.unused_data:
        raise NotProved("the body of a commit is incomplete, too large, or followed by something")
    return texts


def _netstrings(data: bytes) -> list[bytes]:
    found, place = [], 0
    length = re.compile(rb"(0|[1-9][0-9]{0,8}):")
    while place < len(data):
        match = length.match(data, place)
        end = match.end() + int(match.group(1)) if match else 0
        if match is None or data[end : end + 1] != b",":
            raise NotProved("a record is not made of netstrings")
        found.append(data[match.end() : end])
        place = end + 1
    return found


def _state(state: bytes) -> dict[str, Any]:
    """What an event says. It is proved as bytes; what of it cannot be read is shown as such."""
    try:
        said = json.loads(_utf8(state), parse_int=_shown_integer)
    except (NotProved, ValueError, RecursionError):
        said = None
    return said if isinstance(said, dict) else {"unreadable": _cut(repr(state), LONGEST_TEXT)}


# -- in words ---------------------------------------------------------------------------------------------------------


def story_of(found: Proved) -> list[str]:
    """What is proved, and what is not, for people."""
    events = [(commit, event) for commit in found.commits for event in commit.events]
    lines = [f"PROVED: {_visible(found.action_id)}, {_count(events, 'event')} in {_count(found.commits, 'commit')}", ""]
    lines += [f"  {event.version:>4}  {_when(commit, event)}  {_words(event)}" for commit, event in events]
    lines.append("")
    for checkpoint in sorted({commit.checkpoint for commit in found.commits}, key=lambda one: one.number):
        held = [commit for commit in found.commits if commit.checkpoint == checkpoint]
        first, last = held[0].version, held[-1].version + len(held[-1].events) - 1
        versions = f"versions {first} to {last}" if last > first else f"version {first}"
        lines.append(
            f"Checkpoint {checkpoint.number}, of {_visible(checkpoint.at)}, holds {versions},"
            f" among {_count(range(checkpoint.size), 'commit')}."
        )
    if any(not commit.chained for commit in found.commits):
        lines.append("Some commits are of a time when commits did not name the one before: each is proved by itself.")
    lines += [
        f"Whoever holds the private key of {found.key_id} has signed that these events, as they stand here,",
        "were in the ledger at those times. The times themselves are what the clocks of those who wrote them said.",
        f"What came after version {events[-1][1].version}, if anything, is not in this proof.",
    ]
    return lines


def _when(commit: Commit, event: Event) -> str:
    """The commit's time, and what the event says where that is another one."""
    at = event.said.get("at")
    says = f" (says {_visible(_cut(at, 32))})" if isinstance(at, str) and at != commit.at else ""
    return _visible(_cut(commit.at, 32)) + says


def _words(event: Event) -> str:
    said = {name: value for name, value in event.said.items() if name not in _NOT_SHOWN}
    request = said.pop("request", None)
    told = [f"{name}={_brief(value)}" for name, value in sorted(said.items())]
    if isinstance(request, dict):
        decision = request.get("decision")
        who = decision if isinstance(decision, dict) else {}
        asked = [f"{word} {_brief(who[key])}" for word, key in _DECISION if key in who]
        told = [_brief(request.get("action_type")), _brief(request.get("parameters")), *asked, *told]
    return _visible(_cut(": ".join([event.type, "  ".join(told)]) if told else event.type, LONGEST_NOTE))


_NOT_SHOWN = frozenset({"at", "schema", "fingerprint"})
_DECISION = (("asked by", "agent"), ("decision", "id"), ("because", "reason"))


def _brief(value: Any) -> str:
    """No text in it hides what stands behind it."""
    try:
        short = _shortened(value)
        return short if isinstance(short, str) else json.dumps(short, ensure_ascii=True, sort_keys=True)
    except RecursionError:
        return "(too deep to be shown)"


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {_cut(name, LONGEST_TEXT): _shortened(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_shortened(member) for member in value]
    return _cut(value, LONGEST_TEXT) if isinstance(value, str) else value


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + "..."


def _count(members: Any, what: str) -> str:
    return f"{len(members)} {what}{'' if len(members) == 1 else 's'}"


def _visible(text: str) -> str:
    """Nothing that was written by others moves the cursor of who reads it."""
    return "".join(character if character.isprintable() else "?" for character in text)


# -- strict reading ---------------------------------------------------------------------------------------------------


def _json(data: bytes, what: str) -> Any:
    try:
        return json.loads(
            _utf8(data),
            object_pairs_hook=_without_repeats,
            parse_int=_integer,
            parse_float=_refused_number,
            parse_constant=_refused_number,
        )
    except (ValueError, RecursionError):
        raise NotProved(f"{what} is not JSON") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotProved("a name is there twice in an object")
    return members


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise NotProved("a number has more digits than any here")
    return int(digits)


def _shown_integer(digits: str) -> Any:
    """What an event says may be as long as it likes; it is only shown."""
    return int(digits) if len(digits) <= 300 else digits


def _refused_number(text: str) -> NoReturn:
    raise NotProved(f"{text[:40]} is no whole number")


def _object(value: Any, what: str, names: set[str] | None) -> dict[str, Any]:
    if not isinstance(value, dict) or (names is not None and set(value) != names):
        wanted = f" with {', '.join(sorted(names))}" if names else ""
        raise NotProved(f"{what} is no object{wanted}")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise NotProved(f"{what} is no list")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise NotProved(f"{what} is no text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotProved(f"{what} is no text") from None
    return value


def _whole(value: Any, what: str, least: int) -> int:
    if type(value) is not int or value < least:
        raise NotProved(f"{what} is no whole number from {least} on")
    return value


def _hex(value: Any, what: str, size: int) -> bytes:
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]*", value) or len(value) != 2 * size:
        raise NotProved(f"{what} is not {size} bytes in hexadecimal")
    return bytes.fromhex(value)


def _base64(value: Any) -> bytes:
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        data = b""
    if not data or base64.b64encode(data).decode() != value:
        raise NotProved("a record is not in base64")
    return data


def _utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise NotProved("a text is not UTF-8") from None


# -- the tree: RFC 6962, and RFC 9162, section 2.1.3.2 ----------------------------------------------------------------


def is_under(root: bytes, leaf: bytes, index: int, size: int, path: list[bytes]) -> bool:
    """Whether the path leads from the leaf, number `index` of `size`, to the head of the tree."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return False
        if place % 2 or place == last:
            found = hashlib.sha256(b"\x01" + beside + found).digest()
            while place and place % 2 == 0:
                place, last = place // 2, last // 2
        else:
            found = hashlib.sha256(b"\x01" + found + beside).digest()
        place, last = place // 2, last // 2
    return last == 0 and found == root


# -- Ed25519: RFC 8032, section 5.1 -----------------------------------------------------------------------------------

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)
_NEUTRAL = (0, 1, 1, 0)


def is_signed(public_key: bytes, text: bytes, signature: bytes) -> bool:
    """Strict: one signature for a text, and none by a key of small order."""
    key = _point(public_key)
    if key is None or _is_neutral(_times(8, key)) or len(signature) != 64:
        return False
    scalar = int.from_bytes(signature[32:], "little")
    if scalar >= _ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public_key + text).digest(), "little") % _ORDER
    minus_key = (-key[0] % _P, key[1], key[2], -key[3] % _P)
    return _bytes_of(_sum(_times(scalar, _BASE), _times(challenge, minus_key))) == signature[:32]


def public_key_in(data: bytes) -> bytes:
    """A public key in PEM, or its 32 bytes. Raises NotProved."""
    body = re.fullmatch(rb"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*", data)
    der = data if len(data) == 32 else b""
    if body:
        try:
            der = base64.b64decode(b"".join(body.group(1).split()), validate=True)
        except binascii.Error:
            der = b""
        spki = bytes.fromhex("302a300506032b6570032100")
        der = der[len(spki) :] if der.startswith(spki) else b""
    key = _point(der) if len(der) == 32 else None
    if key is None or _is_neutral(_times(8, key)):
        raise NotProved("the public key is none of Ed25519 (PEM, or 32 bytes)")
    return der


def _point(data: bytes) -> Point | None:
    """None for what is no point, or not the one way to write it."""
    if len(data) != 32:
        return None
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_1 % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _bytes_of(point: Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _sum(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: Point) -> Point:
    product: Point = _NEUTRAL
    while scalar:
        if scalar & 1:
            product = _sum(product, point)
        point = _sum(point, point)
        scalar >>= 1
    return product


def _is_neutral(point: Point) -> bool:
    return point[0] % _P == 0 and (point[1] - point[2]) % _P == 0


def _base() -> Point:
    point = _point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))
    assert point is not None
    return point


_BASE = _base()


def _print(text: str) -> None:
    """Whatever the terminal can show: what it cannot is escaped."""
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], _print))
