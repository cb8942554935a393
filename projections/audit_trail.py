"""Who, what, why, how often, with what end, and by whose hand: the trail of an action, or of a workflow run.

It is made of stored facts alone. What it leads to (the compensation that takes it back, the actions of a run's steps)
has a trail of its own, which `linked` names; whoever reads the ledger puts it in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from domain.commit import Commit
from domain.standing import PROBE
from projections.audit_attempts import attempts_of
from projections.reading import UNFIT, Entry, Reading
from projections.status import response_of

MISSING = "versions_missing"
REPEATED = "versions_repeated"
DAMAGED = "damaged"
ELSEWHERE = "archived_elsewhere"

_PROBLEMS: Mapping[str, str] = {
    "unknown_topic": "nothing here knows this kind of event: a later release has written it, or somebody else",
    "newer_schema": "a later release has written it",
    "corrupt": "what it says cannot be read",
}


def trail_of(reading: Reading) -> dict[str, Any]:
    """The trail in plain JSON values. `findings` tell what of it is missing, damaged or not understood."""
    known = [entry for entry in reading.entries if entry.problem is None]
    opening = known[0].data if known and known[0].version == 1 else {}
    is_run = bool(known) and known[0].topic.startswith("workflow.")
    return {
        "id": reading.action_id,
        "kind": "workflow_run" if is_run else "action",
        "as_of": {"version": reading.entries[-1].version, "at": reading.entries[-1].at} if reading.entries else None,
        **_standing(reading),
        **(_asked_of_run(opening) if is_run else _asked_of_action(opening)),
        "attempts": [] if is_run else attempts_of(known),
        "acts": [act for entry in known if (act := _act(entry)) is not None],
        "links": _links(opening),
        "linked": [{**link, "trail": None} for link in links_of(reading)],
        "timeline": list(_timeline(reading)),
        "findings": list(findings_of(reading)),
    }


def links_of(reading: Reading) -> Iterator[dict[str, str]]:
    """What has a trail of its own: `{id, role}` of each, compensation or step, and `step` where it is one."""
    found = {link["id"]: link for entry in reading.entries if (link := _link(entry)) is not None}
    yield from found.values()


def _link(entry: Entry) -> dict[str, str] | None:
    said = entry.data if entry.problem is None else {}
    match entry.word, said:
        case "compensation_requested", {"compensation": str(action_id)}:
            return {"role": "compensation", "id": action_id}
        case "step_begun", {"step": str(step), "action": str(action_id)}:
            return {"role": "step", "step": step, "id": action_id}
        case "step_begun", {"step": str(step), "run": str(run_id)}:
            return {"role": "step", "step": step, "id": run_id}
    return None


def findings_of(reading: Reading) -> Iterator[dict[str, Any]]:
    """`{action_id, version, problem, message}` of each row that is no commit, event that cannot be read, and gap.

    So, too, of a beginning that is said to be in an archive, and that no archive has confirmed.
    """
    for row in reading.damaged:
        yield _finding(reading, row.version, DAMAGED, row.problem)
    for entry in reading.entries:
        if entry.problem is not None:
            yield _finding(reading, entry.version, entry.problem, f"{entry.topic}: {_PROBLEMS[entry.problem]}")
    if reading.is_elsewhere:
        said = "what was before it is in no archive that is at hand: it alone says that there was anything, and what"
        yield _finding(reading, reading.first_version, ELSEWHERE, said)
    yield from _out_of_line(reading)


def _finding(reading: Reading, version: int, problem: str, message: str) -> dict[str, Any]:
    return {"action_id": reading.action_id, "version": version, "problem": problem, "message": message}


def _out_of_line(reading: Reading) -> Iterator[dict[str, Any]]:
    """The first version of each gap that no damaged row explains, and what stands there twice."""
    explained = {row.version for row in reading.damaged}
    expected = reading.first_version
    for entry in reading.entries:
        if entry.version > expected and expected not in explained:
            yield _finding(reading, expected, MISSING, "there is no such event, and there are later ones")
        elif entry.version < expected:
            yield _finding(reading, entry.version, REPEATED, "there is another event of this version")
        expected = max(expected, entry.version + 1)


def _standing(reading: Reading) -> dict[str, Any]:
    with suppress(*UNFIT):
        standing = reading.standing()
        if standing is not None:
            response = response_of(standing).as_dict()
            return {name: response[name] for name in ("status", "result", "error")}
    return {"status": "unknown", "result": None, "error": None}


def _asked_of_action(requested: Mapping[str, Any]) -> dict[str, Any]:
    request = _object(requested.get("request"))
    decision = _object(request.get("decision"))
    cause = {name: value for name, value in decision.items() if name not in ("id", "agent", "reason")}
    return {
        "who": {
            "agent": decision.get("agent"),
            "decision_id": decision.get("id"),
            "correlation_id": request.get("correlation_id"),
            "idempotency_key": request.get("idempotency_key"),
        },
        "why": {"reason": decision.get("reason"), **cause},
        "what": {name: request.get(name) for name in ("action_type", "parameters", "options")},
        "fingerprint": requested.get("fingerprint"),
        "effect_key": requested.get("effect_key"),
    }


def _asked_of_run(started: Mapping[str, Any]) -> dict[str, Any]:
    cause = _object(started.get("cause"))
    return {
        "who": {name: cause.get(name) for name in ("actor", "correlation_id", "idempotency_key", "schedule")},
        "why": {},
        "what": {name: started.get(name) for name in ("name", "inputs", "definition")},
        "fingerprint": started.get("definition_hash"),
        "effect_key": None,
    }


def _links(opening: Mapping[str, Any]) -> dict[str, Any]:
    """What led to it: the action that it takes back, the run and the step that it is."""
    request, cause = _object(opening.get("request")), _object(opening.get("cause"))
    nested = {name: cause[name] for name in ("run", "step")} if {"run", "step"} <= cause.keys() else None
    return {"compensates": request.get("compensates"), "workflow": request.get("workflow") or nested}


def _act(entry: Entry) -> dict[str, Any] | None:
    """What a person did."""
    said = entry.data
    if "by" not in said or said["by"] == PROBE:
        return None
    return {"version": entry.version, "at": entry.at, "act": entry.word, **said}


def _timeline(reading: Reading) -> Iterator[dict[str, Any]]:
    told: dict[int, dict[str, Any]] = {}
    for entry in reading.entries:
        first = entry.commit.version
        if first not in told:
            told[first] = _told_commit(entry.commit)
        yield {
            "version": entry.version,
            "at": entry.at,
            "type": entry.word,
            "problem": entry.problem,
            "data": entry.data,
            "commit": told[first],
        }


def _told_commit(commit: Commit) -> dict[str, Any]:
    """`previous` is None of the first; `is_chained` says whether it was written since commits bear it at all."""
    previous = commit.previous.hex() if commit.previous else None
    is_chained = commit.previous is not None
    return {"version": commit.version, "hash": commit.hash.hex(), "previous": previous, "is_chained": is_chained}


def _object(value: object) -> Mapping[str, Any]:
    """What was refused is kept as it was given, and may be anything."""
    return value if isinstance(value, Mapping) else {}
