"""Holds the whole ledger against its own chains and against all checkpoints, in memory that does not grow with it.

headers     signatures, numbers, chain            a header that cannot be trusted vouches for nothing
leaf lists  against the headers' tree heads       all leaves go into an index
lives       each judged beside its leaves         in parts, which may be judged side by side
leaves      those that no life has met            what was deleted whole
rows        those that no index leads to          what was put in so that no reader meets it
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from domain.checkpoint import Header, LeafIndex
from domain.instant import from_text, to_text
from domain.journal import Journal, Life, MayNotLook
from domain.ledger import translated
from handlers.evidence.checkpoints import Checkpoints, Found, Loaded
from handlers.evidence.seal import LOOKED_AT_AGAIN
from projections.evidence import Coverage, Finding, Judgement, Trouble, deleted, judged

MOST_KEPT = 10_000
"""Findings that are kept; the others are counted."""


@dataclass(slots=True)
class Examined:
    """What came of judging many lives. `met` has a bit for each leaf of the index."""

    findings: list[Finding] = field(default_factory=list)
    found: int = 0
    lives: int = 0
    commits: int = 0
    events: int = 0
    unchained: int = 0
    uncovered: int = 0
    met: bytearray = field(default_factory=bytearray)

    def tell(self, findings: Iterable[Finding]) -> None:
        """Keeps what there is room for, and counts the rest."""
        for finding in findings:
            self.found += 1
            if len(self.findings) < MOST_KEPT:
                self.findings.append(finding)

    def take(self, judgement: Judgement) -> None:
        """Adds what is said of one life."""
        self.lives += 1
        self.commits += judgement.commits
        self.events += judgement.events
        self.unchained += judgement.unchained
        self.uncovered += judgement.uncovered
        if judgement.findings:
            self.tell(judgement.findings)
        for place in judgement.places:
            self._meet(place)

    def add(self, other: Examined) -> None:
        """Adds what came of another part."""
        self.tell(other.findings)
        self.found += other.found - len(other.findings)
        self.lives += other.lives
        self.commits += other.commits
        self.events += other.events
        self.unchained += other.unchained
        self.uncovered += other.uncovered
        size = max(len(self.met), len(other.met))
        both = int.from_bytes(self.met, "little") | int.from_bytes(other.met, "little")
        self.met = bytearray(both.to_bytes(size, "little"))

    def has_met(self, place: int) -> bool:
        byte, bit = divmod(place, 8)
        return byte < len(self.met) and bool(self.met[byte] & 1 << bit)

    def _meet(self, place: int) -> None:
        byte, bit = divmod(place, 8)
        if byte >= len(self.met):
            self.met.extend(bytes(byte + 1 - len(self.met)))
        self.met[byte] |= 1 << bit


@dataclass(frozen=True, slots=True)
class Verified:
    """All that was found, and what it was found in. `newest` is the last checkpoint, None where there is none."""

    examined: Examined
    newest: Header | None
    checkpoints: int
    late: int
    """Commits that a checkpoint took in, though one before it should have held them."""
    repeated: int = 0
    """Leaves that more than one checkpoint holds, all of the same hash."""
    notices: tuple[str, ...] = ()
    """What was not looked for, in sentences for people."""

    @property
    def is_sound(self) -> bool:
        """Nothing was found."""
        return self.examined.found == 0


@dataclass(frozen=True, slots=True)
class Expected:
    """What somebody remembers of the last checkpoint: its number and, if they do, how its header's hash begins."""

    number: int
    hash: str = ""


JudgeAll = Callable[[Coverage], Examined]
"""Judges all lives of the ledger beside the leaves of the index."""


def examine(lives: Iterable[Life], index: LeafIndex, coverage: Coverage) -> Examined:
    """Judges these lives."""
    examined = Examined()
    for life in lives:
        examined.take(judged(life.action_id, life.rows, index.of(life.action_id), coverage))
    return examined


class Verify:
    """`judge_all` is how all lives are judged, where `examine` of them one after the other would take too long."""

    def __init__(
        self, journal: Journal, checkpoints: Checkpoints, index: LeafIndex, judge_all: JudgeAll | None = None
    ) -> None:
        self._journal, self._checkpoints, self._index = journal, checkpoints, index
        self._judge_all = judge_all or (lambda coverage: examine(journal.lives(), index, coverage))

    def verify(self, *, since: int = 0, expected: Expected | None = None) -> Verified:
        """With `since`, checkpoints up to that number are taken for verified, and so is what they hold.

        Raises LedgerUnavailable when the ledger or the checkpoints cannot be read.
        """
        with translated():
            return self._verify(since, expected)

    def _verify(self, since: int, expected: Expected | None) -> Verified:
        trouble, headers = Examined(), []
        first = max(since, 1)
        # From the one that is remembered on: what hangs on it is what is taken for verified.
        begin_at = first if expected is None else max(min(first, expected.number), 1)
        for found in self._checkpoints.chain(begin_at, least=since):
            if isinstance(found, Finding):
                trouble.tell([found])
            else:
                headers.append(found.header)
        trouble.tell(self._disappointed(headers, expected))
        headers = [header for header in headers if header.number >= first]
        if not headers and not trouble.found:
            trouble.tell([_NO_CHECKPOINT])
        begin = self._beginning(headers, since)
        is_whole = bool(headers) and trouble.found == 0
        repeated = 0
        for loaded in self._load(headers, since, begin):
            trouble.tell(loaded.findings)
            repeated += loaded.repeated
            is_whole = is_whole and all(lack.trouble is Trouble.LEAVES_CONTRADICT for lack in loaded.findings)
        coverage = Coverage(headers[-1].complete_until if is_whole else None, begin)
        examined = self._judge_since(since, begin, coverage) if begin else self._judge_all(coverage)
        self._look_for_the_rest(examined, since, coverage)
        notices = () if begin else self._look_for_the_unlisted(examined)
        trouble.add(examined)
        return Verified(
            examined=trouble,
            newest=headers[-1] if headers else None,
            checkpoints=len(headers),
            late=sum(header.late for header in headers),
            repeated=repeated,
            notices=notices,
        )

    def _disappointed(self, headers: list[Header], expected: Expected | None) -> Iterator[Finding]:
        if expected is None:
            return
        newest = self._checkpoints.newest()
        if newest < expected.number:
            said = f"the last one that is there has the number {newest}"
            yield Finding(Trouble.CHECKPOINT_MISSING, said, checkpoint=expected.number)
        for header in headers:
            if header.number == expected.number and not header.hash.hex().startswith(expected.hash):
                said = f"its header has the hash {header.hash.hex()}, which is not the one that is remembered"
                yield Finding(Trouble.CHECKPOINT_REPLACED, said, checkpoint=header.number)

    @staticmethod
    def _beginning(headers: list[Header], since: int) -> str:
        """From which moment on commits are looked at; empty for all."""
        if since == 0 or not headers or headers[0].number != since:
            return ""
        return to_text(from_text(headers[0].complete_until) - LOOKED_AT_AGAIN)

    def _load(self, headers: list[Header], since: int, begin: str) -> Iterator[Loaded]:
        for header in headers:
            if header.number > since or not begin:
                yield self._checkpoints.load(header, self._index)
        # What is looked at again may be held by checkpoints that are taken for verified.
        for found in self._checkpoints.since(begin) if begin else ():
            if isinstance(found, Found) and found.header.number <= since:
                yield self._checkpoints.load(found.header, self._index)

    def _judge_since(self, since: int, begin: str, coverage: Coverage) -> Examined:
        return examine(self._lives_since(since, begin), self._index, coverage)

    def _lives_since(self, since: int, begin: str) -> Iterator[Life]:
        for action_id in self._ids_since(since, begin):
            life = self._journal.life(action_id) if self._index.note(action_id) else None
            if life is not None:
                yield life

    def _ids_since(self, since: int, begin: str) -> Iterator[str]:
        yield from self._index.actions(since)
        for row in self._journal.written(from_text(begin)):
            yield row.action_id

    def _look_for_the_rest(self, examined: Examined, since: int, coverage: Coverage) -> None:
        """Leaves that no life has met: their action is gone, or hidden from whoever reads all lives."""
        last, life = None, None
        for listed in self._index.all():
            if listed.number <= since or examined.has_met(listed.place):
                continue
            action_id = listed.leaf.action_id
            if action_id != last:
                last, life = action_id, self._journal.life(action_id)
                if life is not None:
                    examined.take(judged(action_id, life.rows, self._index.of(action_id), coverage))
            if life is None:
                examined.tell([deleted(listed)])

    def _look_for_the_unlisted(self, examined: Examined) -> tuple[str, ...]:
        """Rows that no index leads to, but for those of actions that a checkpoint knows: those have been judged.

        Returns notices.
        """
        try:
            for row in self._journal.unlisted():
                if not self._index.of(row.action_id):
                    examined.tell([Finding(Trouble.INSERTED, row.problem, row.action_id, row.version)])
        except MayNotLook as notice:
            return (str(notice),)
        return ()


_NO_CHECKPOINT = Finding(
    Trouble.NO_CHECKPOINT,
    "there is none: a commit that was changed breaks the chain of its action, but nothing shows that a life was"
    " rewritten to its end, that its end was cut off, or that an action was deleted or put in",
)
