"""Tampers with a ledger in every way that it knows, and counts what a verification misses: `python -m tests.tamper`.

The ledger is in SQLite, written by an agent, with a checkpoint of all of it. The attacker may write to the file, knows
how commits are hashed and packed, and chains anew what they change; the checkpoint and its key are out of their reach.
After each attack the lives that it touched are read and judged as `audit verify` does; now and then that command itself
is run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import apsw

from adapters.checkpoint_keys import PublicKeys, make_key, public_key_in
from adapters.leaf_index import temporary_leaf_index
from agents.execution_agent import evidence
from agents.execution_agent.assembly import opened_journal
from agents.execution_agent.config import Settings
from domain.checkpoint import LeafIndex
from domain.commit import NOTHING, Commit, packed, word_of
from domain.instant import from_text, to_text
from domain.journal import Journal
from domain.outcome import Outcome, Retry, Succeeded
from handlers.evidence.checkpoints import Checkpoints, Found
from projections.evidence import Coverage, Finding, deleted, judged
from tests.fakes import ScriptedProvider
from tests.house import agent_with, greet

WHOLE_EACH = 20_000
"""After so many attacks the whole command is run."""
COLUMNS = ("action_id", "version", "events", "last", "at", "previous")
_INSERT = "INSERT INTO commits (action_id, version, events, last, at, previous) VALUES (?, ?, ?, ?, ?, ?)"

Row: TypeAlias = tuple[Any, ...]


@dataclass
class Tally:
    """How often each attack was made, and which were missed: not found, or not of the action that was touched."""

    made: Counter[str] = field(default_factory=Counter)
    missed: list[tuple[str, str]] = field(default_factory=list)
    words: dict[str, Counter[str]] = field(default_factory=dict)
    """By what each attack was found."""

    def add(self, attack: str, what: str, findings: Sequence[Finding], action_ids: set[str]) -> None:
        self.made[attack] += 1
        named = [finding for finding in findings if finding.action_id in action_ids]
        if not named:
            self.missed.append((attack, what))
        else:
            self.words.setdefault(attack, Counter())[str(named[0].trouble)] += 1


class Ledger:
    """A ledger in a file, its checkpoint, and the hand of somebody who writes to the file behind our back."""

    def __init__(self, folder: Path, actions: int, stack: ExitStack) -> None:
        self.settings = Settings.from_environment(
            {
                "EXECUTION_AGENT_LEDGER": f"sqlite:///{folder}/ledger.db",
                "EXECUTION_AGENT_CHECKPOINTS": f"{folder}/evidence",
                "EXECUTION_AGENT_CHECKPOINT_KEY": f"file:{folder}/key",
            }
        )
        make_key(folder / "key")
        # Every fifth one has a longer life.
        answers: list[Outcome] = [
            Retry("busy", "Not now."),
            Retry("busy", "Not now."),
            *[Succeeded({"greeting": "Hello"})] * 5,
        ]
        with agent_with(ScriptedProvider(*answers * actions), ledger=self.settings.ledger) as agent:
            for number in range(actions):
                decision = {"id": f"dec-{number}", "agent": "renewals", "reason": "a contract ends"}
                agent.process(greet(decision=decision, options={"retry_policy": "fixed"}))
        header = evidence.seal(self.settings, everything=True).header
        self.journal: Journal = stack.enter_context(opened_journal(self.settings))
        self.index: LeafIndex = stack.enter_context(temporary_leaf_index())
        keys = PublicKeys(public_key_in(folder / "key.pub"))
        checkpoints = Checkpoints(evidence.store_of(self.settings), keys)
        assert isinstance(found := checkpoints.of(1), Found)
        assert checkpoints.load(found.header, self.index).findings == []
        # Whatever is old enough is vouched for: as if the ledger had been at rest for an hour.
        self.coverage = Coverage(header.at)
        self._file = apsw.Connection(f"{folder}/ledger.db")
        self._file.pragma("synchronous", "off")
        stack.callback(self._file.close)

    def rows(self) -> list[Row]:
        """All of them, as they are stored."""
        return list(self._file.execute(f"SELECT {', '.join(COLUMNS)} FROM commits ORDER BY action_id, version"))

    def lives(self) -> list[list[Commit]]:
        return [[row for row in life.rows if isinstance(row, Commit)] for life in self.journal.lives()]

    def verdict(self, action_ids: set[str]) -> list[Finding]:
        """What is found of these actions."""
        findings: list[Finding] = []
        for action_id in action_ids:
            life, listed = self.journal.life(action_id), self.index.of(action_id)
            if life is None:
                findings += map(deleted, listed)
            else:
                findings += judged(action_id, life.rows, listed, self.coverage).findings
        return findings

    def whole_verdict(self) -> list[Finding]:
        """What the command itself finds."""
        return evidence.verify(self.settings, processes=1).examined.findings

    @property
    def later(self) -> datetime:
        """Days after all that is in it."""
        return from_text(max(row[COLUMNS.index("at")] for row in self.rows())) + timedelta(days=4)

    @contextmanager
    def another_checkpoint(self, at: datetime) -> Iterator[None]:
        """One that is made then, after one of an hour before; both are gone again at the end."""
        folder = Path(self.settings.checkpoints or "")
        before = set(folder.iterdir())
        for moment in (at - timedelta(hours=3), at):
            evidence.seal(self.settings, now=lambda moment=moment: moment)
        yield
        for file in set(folder.iterdir()) - before:
            file.unlink()

    def put(self, old: Sequence[Row], new: Sequence[Row]) -> None:
        """Takes rows out, and puts others in."""
        with self._file:
            for row in old:
                self._file.execute("DELETE FROM commits WHERE action_id IS ? AND version IS ?", row[:2])
            for row in new:
                self._file.execute(_INSERT, row)

    def flip(self, row: Row, column: str, value: object) -> bool:
        """Another value in a column; False where the file does not take it."""
        texts = "CAST(? AS TEXT)" if column in ("action_id", "last", "at") else "?"
        try:
            self._file.execute(
                f"UPDATE commits SET {column} = {texts} WHERE action_id = ? AND version = ?", (value, *row[:2])
            )
        except apsw.ConstraintError:
            return False
        return True

    def retype(self, row: Row, column: str) -> None:
        """The same bytes in a column, of the other type."""
        other = "BLOB" if isinstance(row[COLUMNS.index(column)], str) else "TEXT"
        self._file.execute(
            f"UPDATE commits SET {column} = CAST({column} AS {other}) WHERE action_id = ? AND version = ?", row[:2]
        )

    def unflip(self, row: Row, column: str, value: object) -> None:
        action_id, version = row[:2]
        if column == "action_id":
            self._file.execute(
                "UPDATE commits SET action_id = ? WHERE action_id = CAST(? AS TEXT) AND version = ?",
                (action_id, value, version),
            )
        elif column == "version":
            self._file.execute(
                "UPDATE commits SET version = ? WHERE action_id = ? AND version = ?", (version, action_id, value)
            )
        else:
            self._file.execute(
                f"UPDATE commits SET {column} = ? WHERE action_id = ? AND version = ?",
                (row[COLUMNS.index(column)], action_id, version),
            )


# -- bits -------------------------------------------------------------------------------------------------------------


def flips_of(row: Row) -> Iterator[tuple[str, int, object]]:
    """Every bit of every column: its name, the bit, and the value with that bit changed."""
    for column, value in zip(COLUMNS, row, strict=True):
        if isinstance(value, int):
            yield from ((column, bit, value ^ 1 << bit) for bit in range(63))
        else:
            data = value.encode() if isinstance(value, str) else value
            for bit in range(8 * len(data)):
                changed = bytearray(data)
                changed[bit // 8] ^= 1 << bit % 8
                yield column, bit, bytes(changed)


def change_every_type(ledger: Ledger, rows: Sequence[Row], tally: Tally) -> None:
    """The same bytes, as a text where there were bytes, as bytes where there was a text."""
    for row in rows:
        for column in ("events", "last", "at", "previous"):
            ledger.retype(row, column)
            findings = _found(ledger, {row[0]}, tally)
            tally.add(f"another type of `{column}`", f"{row[:2]}", findings, {row[0]})
            ledger.unflip(row, column, None)


def flip_every_bit(ledger: Ledger, rows: Sequence[Row], tally: Tally) -> None:
    for row in rows:
        for column, bit, value in flips_of(row):
            if ledger.flip(row, column, value):
                findings = _found(ledger, {row[0]}, tally)
                tally.add(f"a bit of `{column}`", f"{row[:2]} bit {bit}", findings, {row[0]})
                ledger.unflip(row, column, value)


# -- commits and events -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attack:
    """What is done to one life, or two: their rows before, and after. `what` says where."""

    name: str
    what: str
    before: Sequence[Commit]
    after: Sequence[Commit]


def attacks_on(life: list[Commit], other: list[Commit]) -> Iterator[Attack]:
    """Whatever can be done to a life, and to another one beside it."""
    yield from _to_commits(life)
    yield from _to_events(life)
    yield Attack("swap two whole lives", life[0].action_id, [*life, *other], [*_as(life, other), *_as(other, life)])
    for place in range(1, len(life)):
        yield Attack("cut the tail", f"{life[0].action_id} from {place}", life, life[:place])
    yield Attack("delete an action", life[0].action_id, life, [])
    for place in range(len(life)):
        forged = _chained([*life[:place], _forged(life[place]), *life[place + 1 :]])
        yield Attack("rebuild the chain", f"{life[0].action_id} from {place}", life, forged)
        loose = [*life[:place], *(replace(commit, previous=None) for commit in life[place:])]
        yield Attack("take the chain off", f"{life[0].action_id} from {place}", life, loose)


def _to_commits(life: list[Commit]) -> Iterator[Attack]:
    for place, commit in enumerate(life):
        what = f"{commit.action_id} {commit.version}"
        rest = [*life[:place], *life[place + 1 :]]
        yield Attack("delete a commit", what, life, rest)
        yield Attack("delete a commit, close the gap", what, life, _chained(_renumbered(rest)))
        twice = [*life[: place + 1], commit, *life[place + 1 :]]
        yield Attack("duplicate a commit, chained", what, life, _chained(_renumbered(twice)))
        forged = [*life[:place], _forged(commit), *life[place:]]
        yield Attack("insert a commit, chained", what, life, _chained(_renumbered(forged)))
        yield Attack("append a copy", what, life, _chained(_renumbered([*life, commit])))
        yield Attack("change its time", what, life, [replace(commit, at=commit.at[:-2] + "7Z"), *rest])
    for place, (one, two) in enumerate(pairwise(life)):
        what = f"{one.action_id} {one.version}"
        swapped = [*life[:place], two, one, *life[place + 2 :]]
        yield Attack("swap two commits, chained", what, life, _chained(_renumbered(swapped)))
        in_place = [replace(two, version=one.version), replace(one, version=two.version)]
        yield Attack("swap the contents of two commits", what, life, [*life[:place], *in_place, *life[place + 2 :]])


def _to_events(life: list[Commit]) -> Iterator[Attack]:
    for place, commit in enumerate(life):
        events = commit.events
        for number, event in enumerate(events):
            what = f"{commit.action_id} {commit.version + number}"
            before, after = events[:number], events[number + 1 :]
            changes = {"duplicate an event": (*before, event, event, *after)}
            changes["insert an event"] = (*before, ("action.probed", b'{"at":"2026"}'), event, *after)
            changes["edit an event"] = (*before, (event[0], event[1].replace(b'"at"', b'"as"')), *after)
            if len(events) > 1:
                changes["delete an event"] = (*before, *after)
            if after:
                changes["swap two events"] = (*before, after[0], event, *after[1:])
            for name, changed in changes.items():
                edited = replace(commit, events=changed, body=packed(changed))
                yield Attack(name, what, life, [*life[:place], edited, *life[place + 1 :]])
                rest = _chained(_renumbered([*life[:place], edited, *life[place + 1 :]]))
                yield Attack(f"{name}, chained", what, life, rest)


def _forged(commit: Commit) -> Commit:
    events = tuple(
        (topic, state.replace(b"Ada", b"Bob").replace(b'"at"', b'"by":"x","at"')) for topic, state in commit.events
    )
    return replace(commit, events=events, body=packed(events))


def _as(life: list[Commit], other: list[Commit]) -> list[Commit]:
    """A life under the id of another one."""
    return _chained([replace(commit, action_id=other[0].action_id) for commit in life])


def _renumbered(life: Sequence[Commit]) -> list[Commit]:
    version, numbered = 1, []
    for commit in life:
        numbered.append(replace(commit, version=version))
        version += len(commit.events)
    return numbered


def _chained(life: Sequence[Commit]) -> list[Commit]:
    """As one who knows how would leave it."""
    chained: list[Commit] = []
    for commit in life:
        chained.append(replace(commit, previous=chained[-1].hash if chained else NOTHING))
    return chained


def row_of(commit: Commit) -> Row:
    last = word_of(commit.events[-1][0])
    return commit.action_id, commit.version, commit.body, last, commit.at, commit.previous


def attack_all(ledger: Ledger, lives: Sequence[list[Commit]], tally: Tally) -> None:
    for life, other in zip(lives, [*lives[1:], lives[0]], strict=True):
        for attack in attacks_on(life, other):
            before, after = list(map(row_of, attack.before)), list(map(row_of, attack.after))
            ledger.put(before, after)
            action_ids = {commit.action_id for commit in attack.before}
            tally.add(attack.name, attack.what, _found(ledger, action_ids, tally), action_ids)
            ledger.put(after, before)


def put_another_in_its_place(ledger: Ledger, life: list[Commit], tally: Tally) -> None:
    """A life of a later day in the place of one, and a checkpoint that takes it in: is it proved, and is all sound?"""
    then = ledger.later
    after = [_of(life[0], to_text(then))]
    ledger.put(list(map(row_of, life)), list(map(row_of, after)))
    action_id = life[0].action_id
    with ledger.another_checkpoint(then + timedelta(hours=2)):
        proof = evidence.prove(ledger.settings, action_id)
        assert proof is not None
        tally.add("put another life in its place, proved", action_id, proof.findings, {action_id})
        tally.add("put another life in its place", action_id, ledger.whole_verdict(), {action_id})
    ledger.put(list(map(row_of, after)), list(map(row_of, life)))


def _of(commit: Commit, at: str) -> Commit:
    """The same, of another time."""
    events = tuple((topic, state.replace(commit.at.encode(), at.encode())) for topic, state in commit.events)
    return replace(commit, at=at, events=events, body=packed(events))


def _found(ledger: Ledger, action_ids: set[str], tally: Tally) -> list[Finding]:
    if sum(tally.made.values()) % WHOLE_EACH == 0:
        return ledger.whole_verdict()
    return ledger.verdict(action_ids)


# -- the command line -------------------------------------------------------------------------------------------------


def campaign(folder: Path, *, actions: int, bits_of: int, tell: Callable[[str], object]) -> Tally:
    """Attacks a ledger of `actions` actions, four to eight events each; every bit of the first `bits_of` of them."""
    tally = Tally()
    with ExitStack() as stack:
        ledger = Ledger(folder, actions, stack)
        rows, lives = ledger.rows(), ledger.lives()
        events = sum(len(commit.events) for life in lives for commit in life)
        tell(f"{len(lives)} actions, {len(rows)} commits, {events} events, in SQLite")
        assert ledger.verdict({life[0].action_id for life in lives}) == ledger.whole_verdict() == []
        attack_all(ledger, lives, tally)
        put_another_in_its_place(ledger, lives[0], tally)
        chosen = {life[0].action_id for life in lives[:bits_of]}
        change_every_type(ledger, rows, tally)
        flip_every_bit(ledger, [row for row in rows if row[0] in chosen], tally)
        assert ledger.rows() == rows, "the attacker has left something behind"
        assert ledger.whole_verdict() == []
    return tally


def report(tally: Tally) -> Iterator[str]:
    """A line for each kind of attack."""
    for attack, made in sorted(tally.made.items()):
        missed = sum(name == attack for name, _ in tally.missed)
        words = ", ".join(f"{count:,} {word}" for word, count in tally.words.get(attack, Counter()).most_common(3))
        yield f"{attack:<36} {made:>9,}  missed {missed}  {words}"
    yield f"{'in all':<36} {sum(tally.made.values()):>9,}  missed {len(tally.missed)}"


def main() -> None:
    """Exits with 1 where anything was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.tamper", description=__doc__)
    parser.add_argument("--actions", type=int, default=210, help="four to eight events each")
    options = parser.parse_args()
    began = perf_counter()
    with tempfile.TemporaryDirectory(prefix="tamper-") as folder:
        tally = campaign(Path(folder), actions=options.actions, bits_of=options.actions, tell=_print)
    for line in report(tally):
        _print(line)
    for attack, what in tally.missed[:20]:
        _print(f"missed: {attack}: {what}")
    _print(f"{perf_counter() - began:.0f} s")
    raise SystemExit(1 if tally.missed else 0)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
