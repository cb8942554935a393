"""Writes the proof of an action: what `agents/execution_agent/verify_proof.py` checks with no access to the ledger.

    {"format", "action_id",
     "commits": [{"record": base64, "checkpoint": number, "leaf": index in its tree, "path": [hash, ...]}, ...],
     "checkpoints": [{"header": its text, "signature"}, ...]}

Where no checkpoint holds a commit yet, its `checkpoint`, `leaf` and `path` are null.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from domain.checkpoint import Unreadable
from domain.commit import Commit
from domain.journal import Journal, Row
from domain.ledger import translated
from domain.merkle import Tree
from handlers.evidence.checkpoints import Checkpoints, Found
from projections.evidence import Finding, Trouble

FORMAT = "execution-agent/proof/1"


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof, and what stands against it. `uncovered` are the versions of commits that no checkpoint holds yet."""

    document: dict[str, Any]
    findings: list[Finding]
    uncovered: list[int]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a commit is in a tree."""

    found: Found
    leaf: int
    path: tuple[bytes, ...]


class Prove:
    """From the ledger and its checkpoints."""

    def __init__(self, journal: Journal, checkpoints: Checkpoints) -> None:
        self._journal, self._checkpoints = journal, checkpoints

    def prove(self, action_id: str) -> Proof | None:
        """None where there is no such action. Raises LedgerUnavailable when ledger or checkpoints cannot be read."""
        with translated():
            life = self._journal.life(action_id)
        if life is None:
            return None
        findings: list[Finding] = []
        commits = [row for row in life.rows if isinstance(row, Commit)]
        places = self._places(action_id, min((commit.at for commit in commits), default=""), findings)
        findings += _disagreements(life.rows, places)
        document = {
            "format": FORMAT,
            "action_id": action_id,
            "commits": [_member(commit, places.get(commit.version)) for commit in commits],
            "checkpoints": _headers(commits, places),
        }
        return Proof(document, findings, [commit.version for commit in commits if commit.version not in places])

    def _places(self, action_id: str, since: str, findings: list[Finding]) -> dict[int, tuple[bytes, _Place]]:
        """Hash and place of each leaf of the action, by version, from all checkpoints that may hold one."""
        places: dict[int, tuple[bytes, _Place]] = {}
        for found in self._checkpoints.since(since):
            if isinstance(found, Finding):
                findings.append(found)
                continue
            try:
                places |= self._places_in(found, action_id)
            except Unreadable as problem:
                findings.append(Finding(Trouble.LEAVES_ALTERED, str(problem), checkpoint=found.header.number))
        return places

    def _places_in(self, found: Found, action_id: str) -> dict[int, tuple[bytes, _Place]]:
        tree, versions = Tree(), {}
        for leaf in self._checkpoints.leaves(found.header):
            is_ours = leaf.action_id == action_id
            if is_ours:
                versions[tree.size] = leaf
            tree.add(leaf.hash, watched=is_ours)
        paths = tree.paths
        return {leaf.version: (leaf.hash, _Place(found, index, paths[index])) for index, leaf in versions.items()}


def _disagreements(rows: tuple[Row, ...], places: dict[int, tuple[bytes, _Place]]) -> list[Finding]:
    findings = []
    for row in rows:
        if not isinstance(row, Commit):
            findings.append(Finding(Trouble.DAMAGED, row.problem, row.action_id, row.version))
        elif row.version in places and places[row.version][0] != row.hash:
            number = places[row.version][1].found.header.number
            said = f"it is not what checkpoint {number} holds"
            findings.append(Finding(Trouble.ALTERED, said, row.action_id, row.version, number))
    stored = {row.version for row in rows}
    for version, (_, place) in sorted(places.items()):
        if version not in stored:
            number = place.found.header.number
            said = f"checkpoint {number} holds it, and it is not stored"
            findings.append(Finding(Trouble.DELETED, said, rows[0].action_id, version, number))
    return findings


def _member(commit: Commit, place: tuple[bytes, _Place] | None) -> dict[str, Any]:
    member: dict[str, Any] = {
        "record": b64encode(commit.record).decode(),
        "checkpoint": None,
        "leaf": None,
        "path": None,
    }
    if place is not None:
        _, there = place
        number, path = there.found.header.number, [beside.hex() for beside in there.path]
        member |= {"checkpoint": number, "leaf": there.leaf, "path": path}
    return member


def _headers(commits: list[Commit], places: dict[int, tuple[bytes, _Place]]) -> list[dict[str, str]]:
    """Each that is named, once, in order."""
    named = {
        place.found.header.number: place.found.signed
        for _, place in (places[commit.version] for commit in commits if commit.version in places)
    }
    return [
        {"header": signed.text.decode(), "signature": signed.signature.hex()} for _, signed in sorted(named.items())
    ]
