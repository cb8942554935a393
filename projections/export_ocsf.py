"""An export in the words of the Open Cybersecurity Schema Framework 1.9: an event of the class API Activity a line.

Each bears the fields of the profile Record Integrity: an attestation whose fingerprint is the SHA-256 of the event's
canonical JSON (RFC 8785) without that fingerprint, and which names the event before it in the same life. So the chain
can be checked with the export alone. `raw_data_hash` is the commit's own hash, by which it is found in the ledger's
checkpoints.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from domain.canonical import canonical
from domain.instant import from_text
from projections.export_records import Record
from projections.redaction import exact

VERSION = "1.9.0"
CATEGORY, API_ACTIVITY = 6, 6003
PRODUCT = "execution-agent"

UNKNOWN, CREATE, READ, UPDATE, DELETE = 0, 1, 2, 3, 4
_ACTIVITIES = {"requested": CREATE, "started": CREATE, "probed": READ, "compensated": DELETE}

SUCCESS, FAILURE, OTHER = 1, 2, 99
_STATUS = {
    **dict.fromkeys(("succeeded", "compensated", "completed", "validated", "requested", "started"), SUCCESS),
    **dict.fromkeys(("rejected", "attempt_failed", "failed", "compensation_failed", "expired", "denied"), FAILURE),
    "in_doubt": UNKNOWN,
}
_CAPTIONS = {UNKNOWN: "Unknown", SUCCESS: "Success", FAILURE: "Failure"}

INFORMATIONAL, LOW, MEDIUM, HIGH = 1, 2, 3, 4
_SEVERITIES = {"attempt_failed": LOW, "failed": MEDIUM, "in_doubt": MEDIUM, "compensation_failed": HIGH}

_USER, _SERVICE = 1, 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHA_256, _OTHER_ALGORITHM, _HEX = 3, 99, 1


def ocsf(lives: Iterable[Iterable[Record]], *, product_version: str) -> Iterator[str]:
    """Lines of JSON, each with its end."""
    for life in lives:
        before: dict[str, Any] | None = None
        for record in life:
            event = event_of(record, product_version)
            if record.at is None and before is not None:
                event["time"] = before["time"]
            event["attestation_list"] = [_attestation(event, record, before)]
            before = event
            yield f"{json.dumps(event, separators=(',', ':'))}\n"


def schema() -> dict[str, Any]:
    """What stands where, beyond what the framework says itself."""
    return {
        "title": "OCSF API Activity",
        "class_uid": API_ACTIVITY,
        "version": VERSION,
        "profiles": ["ai_operation", "record_integrity"],
        "documentation": f"https://schema.ocsf.io/{VERSION}/classes/api_activity",
        "says": {
            "metadata.uid": "action_id:version",
            "metadata.event_code": "the event",
            "metadata.correlation_uid": "correlation_id",
            "metadata.sequence": "version",
            "actor.user": "the person who acted, else the execution agent",
            "ai_agent.name": "the agent that decided",
            "api.operation": "action_type",
            "api.request.data": "all that the event says, redacted",
            "raw_data_hash": "the hash of the commit in the ledger",
            "attestation_list": "the event's own hash, and that of the one before it in the same life",
            "unmapped": "what the framework has no word for",
        },
    }


def event_of(record: Record, product_version: str) -> dict[str, Any]:
    """A record as an event, without its attestation."""
    word = record.type or record.problem or "unknown"
    activity = UNKNOWN if record.problem else _ACTIVITIES.get(word, UPDATE)
    event = {
        "activity_id": activity,
        "category_uid": CATEGORY,
        "class_uid": API_ACTIVITY,
        "type_uid": API_ACTIVITY * 100 + activity,
        "time": _milliseconds(record.at),
        "severity_id": HIGH if record.problem else _SEVERITIES.get(word, INFORMATIONAL),
        **_status(record, word),
        "message": record.message or f"{record.action_type or 'action'} {record.action_id}: {word}",
        "metadata": _metadata(record, word, product_version),
        "actor": {"user": _actor(record)},
        "api": _api(record),
        "src_endpoint": {"svc_name": PRODUCT},
        "resources": [{"uid": record.action_id, "type": "action", "name": record.action_type or "unknown"}],
        "unmapped": _unmapped(record),
    }
    if record.agent is not None:
        event["ai_agent"] = {"name": record.agent}
    if record.commit_hash is not None:
        event["raw_data_hash"] = _fingerprint(record.commit_hash, _OTHER_ALGORITHM, "RFC 6962 leaf hash, SHA-256")
    return event


def _status(record: Record, word: str) -> dict[str, Any]:
    status = FAILURE if record.problem else _STATUS.get(word, OTHER)
    said = {"status_id": status, "status": _CAPTIONS.get(status, word)}
    code = record.problem or record.code
    return said if code is None else said | {"status_code": code}


def _metadata(record: Record, word: str, product_version: str) -> dict[str, Any]:
    said = {
        "version": VERSION,
        "product": {"name": PRODUCT, "uid": PRODUCT, "version": product_version},
        "profiles": ["record_integrity"] if record.agent is None else ["ai_operation", "record_integrity"],
        "uid": _uid(record),
        "event_code": word,
        "sequence": record.version,
        "log_name": "ledger",
    }
    optional = {"correlation_uid": record.correlation_id, "original_time": record.at}
    return said | {name: value for name, value in optional.items() if value is not None}


def _actor(record: Record) -> dict[str, Any]:
    if record.actor is not None:
        return {"name": record.actor, "type_id": _USER, "type": "User"}
    return {"name": PRODUCT, "type_id": _SERVICE, "type": "Service"}


def _api(record: Record) -> dict[str, Any]:
    api: dict[str, Any] = {
        "operation": record.action_type or "unknown",
        "service": {"name": PRODUCT},
        "request": {"uid": record.action_id, "data": exact(record.data)},
    }
    if record.code is not None:
        api["response"] = {"error": record.code}
    return api


def _unmapped(record: Record) -> dict[str, Any]:
    said = {
        name: getattr(record, name)
        for name in ("decision_id", "run", "step", "attempt", "route", "outcome", "commit_version", "problem")
    }
    said["previous_commit_hash"] = record.previous_hash
    return {name: value for name, value in said.items() if value is not None}


def _attestation(event: Mapping[str, Any], record: Record, before: Mapping[str, Any] | None) -> dict[str, Any]:
    attestation: dict[str, Any] = {"authority_uid": PRODUCT, "chain_uid": record.action_id}
    if before is not None:
        attestation["prev_event"] = {
            "uid": before["metadata"]["uid"],
            "type_uid": before["type_uid"],
            "fingerprint": before["attestation_list"][0]["fingerprint"],
        }
    attested = {**event, "attestation_list": [attestation]}
    digest = sha256(canonical(attested)).hexdigest()
    return {**attestation, "fingerprint": _fingerprint(digest, _SHA_256, "SHA-256")}


def _fingerprint(value: str, algorithm_id: int, algorithm: str) -> dict[str, Any]:
    return {
        "algorithm_id": algorithm_id,
        "algorithm": algorithm,
        "encoding_id": _HEX,
        "encoding": "Hex",
        "value": value,
    }


def _uid(record: Record) -> str:
    return f"{record.action_id}:{record.version}"


def _milliseconds(at: str | None) -> int:
    """Since 1970; 0 for what does not say when."""
    try:
        return (from_text(at or "") - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, TypeError):  # no moment, or one of nowhere
        return 0
