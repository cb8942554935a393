"""Tamper evidence, put together from the settings: checkpoints are made, a ledger is verified, an action is proved."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from adapters.checkpoint_directory import CheckpointDirectory
from adapters.checkpoint_keys import PublicKeys, make_key, public_key_in, signer_of
from adapters.leaf_index import TemporaryLeafIndex, temporary_leaf_index
from adapters.no_checkpoints import NoCheckpoints
from adapters.system import SystemClock
from agents.execution_agent.assembly import opened_whole_journal
from agents.execution_agent.config import Settings
from agents.execution_agent.verify_proof import NotProved, proved
from domain.checkpoint import CheckpointStore
from domain.errors import ConfigurationError
from domain.journal import Journal
from domain.ledger import translated
from handlers.evidence.checkpoints import Checkpoints
from handlers.evidence.prove import Proof, Prove
from handlers.evidence.seal import Seal, Sealed
from handlers.evidence.verify import Examined, Expected, Verified, Verify, examine
from projections.evidence import Coverage, Finding, Trouble

__all__ = ("make_key", "prove", "seal", "store_of", "trusted", "verify")

MANY = 50_000
"""Leaves from which on it is worth its while that several processes judge."""


def seal(settings: Settings, *, everything: bool = False, now: Callable[[], datetime] | None = None) -> Sealed:
    """Makes the next checkpoint. Raises ConfigurationError, LedgerConflict, LedgerUnavailable."""
    store, signer = store_of(settings), signer_of(settings.checkpoint_key)
    checkpoints = Checkpoints(store, PublicKeys(signer.key))
    with opened_whole_journal(settings) as journal:
        return Seal(journal, store, checkpoints, signer, temporary_leaf_index, now or SystemClock().now).seal(
            everything=everything
        )


def verify(
    settings: Settings,
    *,
    since: int = 0,
    expected: Expected | None = None,
    public_key: Path | None = None,
    processes: int | None = None,
    many: int = MANY,
) -> Verified:
    """Verifies the whole ledger; from `many` leaves on in as many processes as there are processors, or as are given.

    Raises ConfigurationError, LedgerUnavailable.
    """
    checkpoints = Checkpoints(store_of(settings), trusted(settings, public_key))
    with opened_whole_journal(settings) as journal, temporary_leaf_index() as index:
        together = _Together(settings, journal, index, processes or os.cpu_count() or 1, many)
        return Verify(journal, checkpoints, index, together.judge_all).verify(since=since, expected=expected)


def prove(settings: Settings, action_id: str, *, public_key: Path | None = None) -> Proof | None:
    """The proof of an action, None where there is none. Raises ConfigurationError, LedgerUnavailable."""
    keys = trusted(settings, public_key)
    with opened_whole_journal(settings) as journal:
        proof = Prove(journal, Checkpoints(store_of(settings), keys)).prove(action_id)
    if proof is not None and not proof.findings and not proof.uncovered:
        _check(proof, keys)
    return proof


def _check(proof: Proof, keys: PublicKeys) -> None:
    """Nothing is called a proof that the verifier does not take for one."""
    (key,) = keys.keys
    try:
        proved(json.dumps(proof.document).encode(), key)
    except NotProved as problem:
        proof.findings.append(Finding(Trouble.CHAIN_BROKEN, str(problem), str(proof.document["action_id"])))


def store_of(settings: Settings) -> CheckpointStore:
    """Where checkpoints are kept, if anywhere."""
    where = settings.checkpoints
    if not where:
        return NoCheckpoints()
    if where.startswith("s3://"):
        bucket, _, prefix = where.removeprefix("s3://").partition("/")
        # Imported here, as what several processes need is below: every command of the command line loads this module.
        from adapters.checkpoint_bucket import CheckpointBucket

        return CheckpointBucket(bucket, prefix)
    return CheckpointDirectory(Path(where))


def trusted(settings: Settings, public_key: Path | None) -> PublicKeys:
    """The key in this file, else the one that signs here. Raises ConfigurationError, LedgerUnavailable."""
    if public_key is not None:
        return PublicKeys(public_key_in(public_key))
    if settings.checkpoint_key:
        return PublicKeys(signer_of(settings.checkpoint_key).key)
    if settings.checkpoints:
        raise ConfigurationError("name the public key of the checkpoints: --public-key FILE")
    return PublicKeys()


class _Together:
    """Judges all lives, by several processes where they are many."""

    def __init__(
        self, settings: Settings, journal: Journal, index: TemporaryLeafIndex, processes: int, many: int
    ) -> None:
        self._settings, self._journal, self._index = settings, journal, index
        self._processes = min(processes, journal.parts)
        self._many = many

    def judge_all(self, coverage: Coverage) -> Examined:
        if self._processes == 1 or self._index.size < self._many:
            return examine(self._journal.lives(), self._index, coverage)
        examined = Examined()
        # Not by fork: a child would inherit open files of SQLite, and threads.
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        with ProcessPoolExecutor(self._processes, mp_context=get_context("spawn")) as pool:
            parts = range(self._journal.parts)
            for part in pool.map(_Part(self._settings, self._index.path, coverage), parts):
                examined.add(part)
        return examined


class _Part:
    """What a process of its own does."""

    def __init__(self, settings: Settings, index: Path, coverage: Coverage) -> None:
        self._settings, self._index, self._coverage = settings, index, coverage

    def __call__(self, part: int) -> Examined:
        with opened_whole_journal(self._settings) as journal, _shared(self._index) as index, translated():
            return examine(journal.lives(part=part), index, self._coverage)


@contextmanager
def _shared(path: Path) -> Iterator[TemporaryLeafIndex]:
    index = TemporaryLeafIndex(path, for_reading=True)
    try:
        yield index
    finally:
        index.close()
