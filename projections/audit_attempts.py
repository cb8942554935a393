"""The attempts of an action: when, on which route, under which rules, and what the world answered, in what class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Any

from domain.canonical import canonical
from projections.reading import UNFIT, Entry

Attempts = list[dict[str, Any]]

_UNKNOWN = "unknown"


def attempts_of(entries: Iterable[Entry]) -> Attempts:
    """In plain JSON values, oldest first; `outcome` is None while nobody knows what became of one.

    `outcome.class` is succeeded, permanent, retry or unknown, and `outcome.next` what was to follow. `settled` is what
    became known of an attempt in doubt, `probes` how often the provider was asked, `late` what it answered afterwards.
    """
    attempts: Attempts = []
    requested: Mapping[str, Any] = {}
    for entry in entries:
        if entry.word == "requested":
            requested = entry.data
        with suppress(*UNFIT):  # it is in the timeline, as it stands
            _hear(attempts, entry, requested)
    return attempts


def _hear(attempts: Attempts, entry: Entry, requested: Mapping[str, Any]) -> None:
    if entry.word == "attempted":
        attempts.append(_begun(entry, requested))
    elif attempts and entry.word in _TELL:
        _TELL[entry.word](attempts, entry)


def _begun(entry: Entry, requested: Mapping[str, Any]) -> dict[str, Any]:
    said = entry.data
    route, facts, policy = said.get("route", 0), said.get("facts", {}), said.get("policy")
    return {
        "number": said["attempt"],
        "version": entry.version,
        "route": {"number": route, "action_type": action_type_on(requested.get("request", {}), route)},
        "effect_key": said.get("effect_key", requested.get("effect_key")),
        "began": entry.at,
        "lease_until": said["lease_until"],
        "holder": said.get("holder"),
        "delivery": said["delivery"],
        "template": facts.get("template"),
        "template_sha256": facts.get("template_sha256"),
        "policy": policy,
        "policy_sha256": policy_hash(said["delivery"], policy),
        "facts": facts,
        "outcome": None,
        "probes": [],
        "settled": None,
        "late": None,
    }


def policy_hash(delivery: str, policy: Mapping[str, Any] | None) -> str | None:
    """SHA-256, in hex, of the canonical JSON of `{"delivery", **policy}`; None where the rules were not recorded."""
    if policy is None:
        return None
    try:
        return sha256(canonical({"delivery": delivery, **policy})).hexdigest()
    except (ValueError, TypeError):  # numbers that have no canonical form: nothing of ours
        return None


def action_type_on(request: Mapping[str, Any], route: int) -> Any:
    """What the request names for this route; None where it names nothing."""
    if not route:
        return request.get("action_type")
    try:
        return request["options"]["fallback"][route - 1]["action_type"]
    except (KeyError, IndexError, TypeError):
        return None


def _succeeded(attempts: Attempts, entry: Entry) -> None:
    """After a doubt, too: then the attempt that was in doubt is settled, and its result is known now."""
    if attempts[-1]["outcome"] is None:
        _ended(attempts, entry, "succeeded", None)
    attempts[-1]["outcome"] |= {"result": entry.data["result"], "reference": entry.data.get("reference")}


def _failed(attempts: Attempts, entry: Entry) -> None:
    said = entry.data
    follows = {"at": said["retry_at"], "route": said.get("next_route")} if "retry_at" in said else None
    _ended(attempts, entry, said["failure"], follows)


def _in_doubt(attempts: Attempts, entry: Entry) -> None:
    """A doubt also comes later: when an action that had an attempt of unknown end gives up."""
    if attempts[-1]["outcome"] is None:
        _ended(attempts, entry, _UNKNOWN, None)


def _ended(attempts: Attempts, entry: Entry, outcome: str, follows: Mapping[str, Any] | None) -> None:
    began = datetime.fromisoformat(attempts[-1]["began"])
    attempts[-1]["outcome"] = {
        "class": outcome,
        "at": entry.at,
        "seconds": (datetime.fromisoformat(entry.at) - began).total_seconds(),
        "code": entry.data.get("code"),
        "message": entry.data.get("message"),
        "next": follows,
    }


def _probed(attempts: Attempts, entry: Entry) -> None:
    attempts[-1]["probes"].append({"at": entry.at, **entry.data})


def _resolved(attempts: Attempts, entry: Entry) -> None:
    attempts[-1]["settled"] = {"at": entry.at, **entry.data}


def _came_late(attempts: Attempts, entry: Entry) -> None:
    for attempt in attempts:
        if attempt["version"] == entry.data["epoch"]:
            attempt["late"] = {"at": entry.at, **entry.data}


_TELL = {
    "succeeded": _succeeded,
    "attempt_failed": _failed,
    "in_doubt": _in_doubt,
    "probed": _probed,
    "resolved": _resolved,
    "late_outcome": _came_late,
}
