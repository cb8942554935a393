"""Whether what is stored of an action is what was once committed: its own chain, and what checkpoints know of it.

Each finding is of one commit and names what was done to it, where that can be told. What follows from a finding is not
told again: after an altered commit, the break in the chain behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from domain.checkpoint import Listed
from domain.commit import NOTHING, Commit
from domain.journal import Damaged, Row
from projections.commit_times import disagreement

LONGEST_SEARCH = 1_000
"""Leaves of an action among which an altered commit is looked for."""


class Trouble(StrEnum):
    """What may be found. The words outlive the code: add, never rename."""

    DAMAGED = "damaged"
    ALTERED = "altered"
    REORDERED = "reordered"
    DUPLICATED = "duplicated"
    INSERTED = "inserted"
    DELETED = "deleted"
    TRUNCATED = "truncated"
    CHAIN_BROKEN = "chain_broken"
    CHAIN_LOST = "chain_lost"
    VERSIONS_MISSING = "versions_missing"
    VERSIONS_REPEATED = "versions_repeated"
    TIMES_DISAGREE = "times_disagree"
    NO_CHECKPOINT = "no_checkpoint"
    CHECKPOINT_MISSING = "checkpoint_missing"
    CHECKPOINT_UNREADABLE = "checkpoint_unreadable"
    CHECKPOINT_FORGED = "checkpoint_forged"
    CHECKPOINT_WRONG_KEY = "checkpoint_wrong_key"
    CHECKPOINT_UNCHAINED = "checkpoint_unchained"
    CHECKPOINT_REPLACED = "checkpoint_replaced"
    LEAVES_MISSING = "leaves_missing"
    LEAVES_ALTERED = "leaves_altered"
    LEAVES_CONTRADICT = "leaves_contradict"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: of a commit (`action_id`, `version`), of a checkpoint (its number), or of both."""

    trouble: Trouble
    message: str
    action_id: str | None = None
    version: int | None = None
    checkpoint: int | None = None

    def as_dict(self) -> dict[str, object]:
        return {
            "code": str(self.trouble),
            "action_id": self.action_id,
            "version": self.version,
            "checkpoint": self.checkpoint,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the checkpoints at hand vouch for: all that was committed before `until`, a moment as text.

    None where one of them is not at hand: then nobody can tell what was put in.
    """

    until: str | None = None
    since: str = ""
    """What was committed before is not looked for: it is vouched for by earlier checkpoints."""


@dataclass(slots=True)
class Judgement:
    """What is to be said of one action. `places` are those of the leaves that were found to be met, whatever of it."""

    findings: list[Finding] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    commits: int = 0
    events: int = 0
    unchained: int = 0
    """Commits from before commits were chained."""
    uncovered: int = 0
    """Commits that no checkpoint holds yet."""


def judged(action_id: str, rows: Sequence[Row], listed: Sequence[Listed], coverage: Coverage) -> Judgement:
    """All that is stored of an action, oldest first, beside the leaves that checkpoints have of it."""
    return _Judge(action_id, rows, listed, coverage).judgement()


def deleted(listed: Listed) -> Finding:
    """Of an action of which nothing is left."""
    return Finding(
        Trouble.DELETED,
        f"checkpoint {listed.number} holds it, and nothing is stored of this action",
        listed.leaf.action_id,
        listed.leaf.version,
        listed.number,
    )


class _Judge:
    """Goes through one life."""

    def __init__(self, action_id: str, rows: Sequence[Row], listed: Sequence[Listed], coverage: Coverage) -> None:
        self._action_id = action_id
        self._rows = rows
        self._leaves: Mapping[int, Listed] = {one.leaf.version: one for one in listed}
        self._newest_listed = listed[-1].leaf.version if listed else -1
        self._coverage = coverage
        self._said = Judgement()
        self._stored = {row.version for row in rows}
        self._before: Commit | None = None
        self._digest = NOTHING
        """The hash of the commit before."""
        self._end: int | None = 0
        """Where the commit before ends; None where that cannot be told."""
        self._sound = True
        """Nothing is known against the commit before."""
        self._chained_before = False

    def judgement(self) -> Judgement:
        for row in self._rows:
            digest = row.hash if isinstance(row, Commit) else NOTHING
            trouble = self._trouble_of_leaf(row, digest)
            if isinstance(row, Damaged):
                self._tell(Trouble.DAMAGED, row.version, row.problem)
                self._before, self._end, self._sound = None, None, False
                continue
            self._count(row)
            if self._end is not None and row.version < self._expected(row):
                self._tell_overlap(row, is_explained=trouble)
                continue
            gap = self._trouble_of_gap(row)
            self._judge_chain(row, is_explained=trouble or gap)
            is_sound = not trouble and self._times_agree(row)
            self._chained_before = self._chained_before or row.previous is not None
            self._before, self._digest = row, digest
            self._end, self._sound = None if trouble else row.last, is_sound
        self._tell_what_is_missing()
        return self._said

    def _count(self, commit: Commit) -> None:
        self._said.commits += 1
        self._said.events += len(commit.events)
        if commit.previous is None:
            self._said.unchained += 1

    # -- what checkpoints know --------------------------------------------------------------------------------------

    def _trouble_of_leaf(self, row: Row, digest: bytes) -> bool:
        """Tells it, and whether there is any."""
        listed = self._leaves.get(row.version)
        if listed is not None:
            self._said.places.append(listed.place)
            return isinstance(row, Commit) and self._differs(row, digest, listed)
        return isinstance(row, Commit) and self._is_put_in(row)

    def _differs(self, commit: Commit, digest: bytes, listed: Listed) -> bool:
        if listed.leaf.hash == digest:
            if listed.leaf.chained == (commit.previous is not None):
                return False
            said = "whether it is chained is not what it was"
            self._tell(Trouble.ALTERED, commit.version, f"{said} in checkpoint {listed.number}", listed.number)
            return True
        origin = self._origin(commit)
        if origin is None:
            said = f"it is not what checkpoint {listed.number} holds"
            self._tell(Trouble.ALTERED, commit.version, said, listed.number)
        else:
            said = f"in its place is what checkpoint {listed.number} knows as version {origin}"
            self._tell(Trouble.REORDERED, commit.version, said, listed.number)
        return True

    def _origin(self, commit: Commit) -> int | None:
        """As which version the checkpoints know this commit."""
        if len(self._leaves) > LONGEST_SEARCH:
            return None
        for version, listed in self._leaves.items():
            if replace(commit, version=version).hash == listed.leaf.hash:
                return version
        return None

    def _is_put_in(self, commit: Commit) -> bool:
        """It has no leaf: either none as yet, or it was put there later."""
        until = self._coverage.until
        if commit.at < self._coverage.since:
            return False
        if until is None:
            self._said.uncovered += 1
            return False
        if commit.version < self._newest_listed:
            said = f"no checkpoint holds it, though one holds version {self._newest_listed}, which came later"
        elif commit.at < until:
            said = f"no checkpoint holds it, though it says that it is of {commit.at}, before {until}"
        else:
            self._said.uncovered += 1
            return False
        self._tell_put_in(commit, Trouble.INSERTED, said)
        return True

    def _tell_put_in(self, commit: Commit, trouble: Trouble, said: str) -> None:
        original = self._original(commit)
        if original is None:
            self._tell(trouble, commit.version, said)
        else:
            self._tell(Trouble.DUPLICATED, commit.version, f"it repeats the events of version {original}; {said}")

    def _original(self, commit: Commit) -> int | None:
        """The version of another commit with the very same events. Their times are in them, so chance makes no two."""
        return next(
            (
                row.version
                for row in self._rows
                if isinstance(row, Commit) and row.version < commit.version and row.events == commit.events
            ),
            None,
        )

    def _tell_what_is_missing(self) -> None:
        end = max(self._stored, default=-1)
        for version, listed in self._leaves.items():
            if version not in self._stored:
                cut = version > end
                said = f"checkpoint {listed.number} holds it, and it is not stored"
                if cut:
                    said += f"; the action ends with the commit at version {end}"
                self._said.places.append(listed.place)
                self._tell(Trouble.TRUNCATED if cut else Trouble.DELETED, version, said, listed.number)

    # -- what the life itself knows ---------------------------------------------------------------------------------

    def _expected(self, commit: Commit) -> int:
        """The version that comes next. A life may begin at 0."""
        return (self._end or 0) + (0 if self._before is None and commit.version == 0 else 1)

    def _tell_overlap(self, commit: Commit, *, is_explained: bool) -> None:
        if not is_explained:
            said = f"the commit before it goes up to version {self._end}"
            self._tell_put_in(commit, Trouble.VERSIONS_REPEATED, said)

    def _trouble_of_gap(self, commit: Commit) -> bool:
        """Tells it, unless a checkpoint can say more; whether there is any."""
        if self._end is None or commit.version == self._expected(commit):
            return False
        missing = range(self._expected(commit), commit.version)
        if not any(version in missing for version in self._leaves):
            what = f"version {missing[0]}" if len(missing) == 1 else f"versions {missing[0]} to {missing[-1]}"
            self._tell(Trouble.VERSIONS_MISSING, commit.version, f"{what} should stand before it")
        return True

    def _judge_chain(self, commit: Commit, *, is_explained: bool) -> None:
        if commit.previous is None:
            # One that a checkpoint holds was unchained when it was signed: an earlier release beside this one wrote it.
            if self._chained_before and not is_explained and commit.version not in self._leaves:
                self._tell(Trouble.CHAIN_LOST, commit.version, "it bears no hash, though commits before it do")
            return
        if is_explained or not self._sound:
            return
        if commit.previous == self._digest:
            return
        if self._before is None:
            said = "it is the first one, and names another before it"
        else:
            said = f"the commit before it, at version {self._before.version}, is not the one that it followed"
        self._tell_put_in(commit, Trouble.CHAIN_BROKEN, said)

    def _times_agree(self, commit: Commit) -> bool:
        """Tells it where they do not."""
        said = disagreement(commit)
        if said is not None:
            self._tell(Trouble.TIMES_DISAGREE, commit.version, said)
        return said is None

    def _tell(self, trouble: Trouble, version: int, message: str, checkpoint: int | None = None) -> None:
        self._said.findings.append(Finding(trouble, message, self._action_id, version, checkpoint))
