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

from domain.checkpoint import Leaf, Unreadable
from domain.commit import Commit
from domain.journal import Journal, Row
from domain.ledger import translated
from domain.merkle import Tree
from handlers.evidence.checkpoints import Checkpoints, Found, contradiction
from projections.commit_times import disagreement
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
    index: int
    leaf: Leaf
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
        places = self._places(action_id, findings)
        findings += _disagreements(life.rows, places)
        document = {
            "format": FORMAT,
            "action_id": action_id,
            "commits": [_member(commit, places.get(commit.version)) for commit in commits],
            "checkpoints": _headers(commits, places),
        }
        return Proof(document, findings, [commit.version for commit in commits if commit.version not in places])

    def _places(self, action_id: str, findings: list[Finding]) -> dict[int, _Place]:
        """The place of each leaf of the action, by version: in the first checkpoint that holds one.

        All are asked: which of them may hold a life is what the life says of itself, and it may be another one by now.
        """
        places: dict[int, _Place] = {}
        for found in self._checkpoints.since(""):
            if isinstance(found, Finding):
                findings.append(found)
                continue
            try:
                earlier = self._places_in(found, action_id)
            except Unreadable as problem:
                findings.append(Finding(Trouble.LEAVES_ALTERED, str(problem), checkpoint=found.header.number))
                continue
            findings += _contradictions(earlier, places)
            places |= earlier
        return places

    def _places_in(self, found: Found, action_id: str) -> dict[int, _Place]:
        tree, versions = Tree(), {}
        for leaf in self._checkpoints.leaves(found.header):
            is_ours = leaf.action_id == action_id
            if is_ours:
                versions[tree.size] = leaf
            tree.add(leaf.hash, watched=is_ours)
        paths = tree.paths
        return {leaf.version: _Place(found, index, leaf, paths[index]) for index, leaf in versions.items()}


def _contradictions(earlier: dict[int, _Place], later: dict[int, _Place]) -> list[Finding]:
    """What the later ones hold otherwise."""
    return [
        contradiction(place.leaf, place.found.header.number)
        for version, place in later.items()
        if version in earlier and earlier[version].leaf != place.leaf
    ]


def _disagreements(rows: tuple[Row, ...], places: dict[int, _Place]) -> list[Finding]:
    findings = []
    for row in rows:
        if not isinstance(row, Commit):
            findings.append(Finding(Trouble.DAMAGED, row.problem, row.action_id, row.version))
        elif row.version in places and places[row.version].leaf.hash != row.hash:
            number = places[row.version].found.header.number
            said = f"it is not what checkpoint {number} holds"
            findings.append(Finding(Trouble.ALTERED, said, row.action_id, row.version, number))
        elif (said_of_times := disagreement(row)) is not None:
            findings.append(Finding(Trouble.TIMES_DISAGREE, said_of_times, row.action_id, row.version))
    stored = {row.version for row in rows}
    for version, place in sorted(places.items()):
        if version not in stored:
            number = place.found.header.number
            said = f"checkpoint {number} holds it, and it is not stored"
            findings.append(Finding(Trouble.DELETED, said, rows[0].action_id, version, number))
    return findings


def _member(commit: Commit, place: _Place | None) -> dict[str, Any]:
    member: dict[str, Any] = {
        "record": b64encode(commit.record).decode(),
        "checkpoint": None,
        "leaf": None,
        "path": None,
    }
    if place is not None:
        number, path = place.found.header.number, [beside.hex() for beside in place.path]
        member |= {"checkpoint": number, "leaf": place.index, "path": path}
    return member


def _headers(commits: list[Commit], places: dict[int, _Place]) -> list[dict[str, str]]:
    """Each that is named, once, in order."""
    named = {
        place.found.header.number: place.found.signed
        for place in (places[commit.version] for commit in commits if commit.version in places)
    }
    return [
        {"header": signed.text.decode(), "signature": signed.signature.hex()} for _, signed in sorted(named.items())
    ]
