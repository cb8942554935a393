"""Who is who: action ids, effect keys, and the keys that make a duplicate a duplicate.

An action id is a TypeID: `act_` and 26 characters of lower-case Crockford base32 (https://github.com/jetify-com/typeid),
made of a UUIDv7 (RFC 9562: random, ordered by time) or, for a keyed request, of the key's hash. The conditional append
of an action's first event is then the duplicate check, and costs nothing. A workflow run has an id of the same kind,
`run_` and the same 26 characters.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PREFIX, _RUN_PREFIX = "act_", "run_"
_BULK_PREFIX = "blk_"
_BULK_STAMP = "%Y%m%dT%H%M%S.%fZ"


def new_action_id(at: datetime, entropy: bytes) -> str:
    """An id nobody else has. `entropy` is 10 random bytes."""
    return _PREFIX + _new(at, entropy)


def new_run_id(at: datetime, entropy: bytes) -> str:
    """The id of a run that nobody can ask for twice. `entropy` is 10 random bytes."""
    return _RUN_PREFIX + _new(at, entropy)


def keyed_run_id(key: str) -> str:
    """The one id of all runs that are asked for with this idempotency key."""
    return _RUN_PREFIX + _base32(sha256(b"run-idempotency-key\x00" + key.encode()).digest()[:16])


def is_run_id(found: str) -> bool:
    """Whether it is a workflow run's, and no action's."""
    return found.startswith(_RUN_PREFIX)


def child_run_id(run_id: str, step: str) -> str:
    """The one id of the run that a step of a run becomes, whoever starts it."""
    return _RUN_PREFIX + _base32(
        sha256(b"workflow-child\x00" + run_id.encode() + b"\x00" + step.encode()).digest()[:16]
    )


def schedule_run_id(name: str, number: int) -> str:
    """The one id of the schedule of this name: of the first, and once that is over of the next one."""
    return _RUN_PREFIX + _base32(sha256(b"schedule\x00" + name.encode() + b"\x00" + str(number).encode()).digest()[:16])


def step_action_id(run_id: str, step: str) -> str:
    """The one id of the action that a step of a run becomes, whoever carries it out."""
    return _PREFIX + _base32(sha256(b"workflow-step\x00" + run_id.encode() + b"\x00" + step.encode()).digest()[:16])


def _new(at: datetime, entropy: bytes) -> str:
    milliseconds = int(at.timestamp() * 1000)
    uuid = bytearray(milliseconds.to_bytes(6, "big") + entropy[:10])
    uuid[6] = 0x70 | (uuid[6] & 0x0F)
    uuid[8] = 0x80 | (uuid[8] & 0x3F)
    return _base32(bytes(uuid))


def keyed_action_id(key: str) -> str:
    """The one id of all requests with this idempotency key."""
    return _PREFIX + _base32(sha256(b"idempotency-key\x00" + key.encode()).digest()[:16])


def decided_action_id(decision_id: str, action_type: str, canonical_parameters: bytes) -> str:
    """The one id of this action of this decision: what serves as key when the request brings none."""
    # Each part's length goes first, so that no two triples run together into the same bytes.
    parts = (decision_id.encode(), action_type.encode(), canonical_parameters)
    digest = sha256(b"decision\x00" + b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()
    return _PREFIX + _base32(digest[:16])


def compensating_action_id(action_id: str, number: object = 1) -> str:
    """The one id of the action that takes this one back: an undo asked for twice is the same undo.

    Another one, with the next number, is made where the one before came to nothing and cannot be tried again.
    """
    counted = b"" if number == 1 else b"\x00" + str(number).encode()
    return _PREFIX + _base32(sha256(b"compensation\x00" + action_id.encode() + counted).digest()[:16])


def effect_key(action_id: str, route: int = 0) -> str:
    """What a provider deduplicates by: the same on every attempt, redrive and restart; another for each route.

    Letters, digits, `_` and `-` only, 33 characters or a few more: fit for a Message-ID, a Step Functions name,
    a MessageDeduplicationId, a header and a file name.
    """
    return f"{action_id}-r{route}"


def new_bulk_id(at: datetime, entropy: bytes) -> str:
    """The id of an order to many actions, `blk_20261124T192942.704559Z-0a1b2c3d`: it holds when it was given."""
    return f"{_BULK_PREFIX}{at.astimezone(UTC).strftime(_BULK_STAMP)}-{entropy.hex()}"


def bulk_given_at(bulk_id: str) -> datetime | None:
    """When the order of this id was given; None for what is no such id."""
    prefix, stamp = bulk_id[: len(_BULK_PREFIX)], bulk_id[len(_BULK_PREFIX) :].rpartition("-")[0]
    try:
        return datetime.strptime(stamp, _BULK_STAMP).replace(tzinfo=UTC) if prefix == _BULK_PREFIX else None
    except ValueError:
        return None


def _base32(uuid: bytes) -> str:
    number = int.from_bytes(uuid, "big")
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
