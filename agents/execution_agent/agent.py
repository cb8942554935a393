"""The execution agent's front door."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from agents.execution_agent.assembly import Parts, Rounds, assemble, rounds
from agents.execution_agent.audits import Audits
from agents.execution_agent.config import Settings
from agents.execution_agent.workflow_runs import WorkflowRuns
from domain.action import Action, Verdict
from domain.base_action import BaseAction
from domain.errors import ActionNotFound, InvalidRequest, Refused, UnreadableEvent
from domain.events import Archived
from domain.hold import Hold
from domain.ports import World
from domain.request import ActionRequest, parse_request, read_request
from handlers.execute import Deadline
from handlers.unreadable import answer_about
from projections.history import history_of
from projections.status import not_found, refusal, response_of
from projections.view import row_of

if TYPE_CHECKING:
    from domain.workflow import WorkflowRun
    from handlers.batch import BatchReport
    from handlers.sweep import SweepReport
    from handlers.work import Worker


class ExecutionAgent(WorkflowRuns, Audits):
    """Carries out actions, once, and tells their story.

        agent = ExecutionAgent()
        response = agent.process({"action_type": "send_email", "parameters": {...}})
        response["status"], response["result"], response["action_id"]

    A request never raises: what is wrong with it is in the response. A broken ledger raises LedgerUnavailable,
    a wrong setting ConfigurationError. One agent serves any number of threads.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        world: World | None = None,
        actions: Iterable[type[BaseAction[Any]]] | None = None,
    ) -> None:
        settings = settings or Settings.from_environment(os.environ)
        logging.getLogger("execution_agent").setLevel(settings.log_level)
        _hush("botocore")
        self._parts: Parts = assemble(settings, world=world, actions=actions)

    def process(
        self, request: dict[str, Any], *, wait: float | None = None, hold: Hold | None = None
    ) -> dict[str, Any]:
        """Carries the request out and answers with the response of the contract, a plain dictionary.

        `wait` is how long the caller waits, in seconds; what is not finished by then goes on in the ledger.
        `hold` keeps what is accepted until a person approves it.
        """
        return self._process(lambda: read_request(request), wait, hold)

    def process_json(self, request: bytes | str, *, wait: float | None = None) -> dict[str, Any]:
        """The same for a request that is still text."""
        return self._process(lambda: parse_request(request), wait)

    def _process(
        self, read: Callable[[], ActionRequest], wait: float | None, hold: Hold | None = None
    ) -> dict[str, Any]:
        deadline = Deadline(self._parts.world.clock, self._parts.settings.wait if wait is None else wait)
        try:
            request = read()
        except InvalidRequest as invalid:
            return self._parts.receive.refuse(invalid).as_dict()
        except Refused as malformed:
            return refusal(malformed).as_dict()
        return self._parts.receive(request, deadline, hold).as_dict()

    def status(self, action_id: str) -> dict[str, Any]:
        """Where the action (or workflow run) stands now, read consistently; `not_found` when nobody has heard of it.

        `unreadable` where a later release wrote a part of its life: then this is where it stood before that. `archived`
        where the rest of its life is in an archive that is not at hand.
        """
        return self._told(action_id, lambda: self._parts.advance.load(action_id))

    def history(self, action_id: str) -> list[dict[str, Any]]:
        """The action's life: a list of `{version, type, at, data}`, oldest first; empty when nobody has heard of it.

        What this release cannot read is in its place, of the type `unknown`.
        """
        try:
            life = self._parts.ledger.life_of(action_id)
        except ActionNotFound:
            return []
        if isinstance(life[0], Archived):
            life = self._parts.recall().life_of(action_id) or life
        return history_of(life)

    # -- what people do ---------------------------------------------------------------------------------------------

    def cancel(self, action_id: str, *, actor: str, reason: str, bulk: str | None = None) -> dict[str, Any]:
        """No attempt any more; while one runs, none after it. Like every act of a person, it is recorded.

        Answers with the response of the contract; its error says why where the act was not allowed: `not_found`,
        `missing_field` (actor, reason), `too_late` (it has succeeded), `conflict` (the state does not allow it) or
        `unreadable` (a later release wrote a part of its life).
        """
        return self._parts.operate.cancel(action_id, actor=actor, reason=reason, bulk=bulk).as_dict()

    def retry_now(self, action_id: str, *, actor: str, reason: str, bulk: str | None = None) -> dict[str, Any]:
        """The next attempt is due now, whatever the policy said."""
        return self._parts.operate.retry_now(action_id, actor=actor, reason=reason, bulk=bulk).as_dict()

    def redrive(self, action_id: str, *, actor: str, reason: str, bulk: str | None = None) -> dict[str, Any]:
        """A failed action gets its retries once more, under the same effect key."""
        return self._parts.operate.redrive(action_id, actor=actor, reason=reason, bulk=bulk).as_dict()

    def resolve(
        self,
        action_id: str,
        *,
        executed: bool,
        actor: str,
        reason: str,
        evidence: Mapping[str, Any] | None = None,
        bulk: str | None = None,
    ) -> dict[str, Any]:
        """Ends a doubt by what a person knows. What was not executed has failed, and may be redriven."""
        verdict = Verdict.EXECUTED if executed else Verdict.NOT_EXECUTED
        return self._parts.operate.resolve(
            action_id, verdict, actor=actor, reason=reason, evidence=evidence, bulk=bulk
        ).as_dict()

    def approve(
        self, action_id: str, *, actor: str, reason: str, request_hash: str | None = None, bulk: str | None = None
    ) -> dict[str, Any]:
        """What is held goes on, as it was held; a worker carries it out.

        `request_hash` is of what the person was shown (`result.held.request_hash`): `conflict` where it is held for
        something else by now.
        """
        return self._parts.operate.approve(
            action_id, actor=actor, reason=reason, request_hash=request_hash, bulk=bulk
        ).as_dict()

    def deny(
        self, action_id: str, *, actor: str, reason: str, request_hash: str | None = None, bulk: str | None = None
    ) -> dict[str, Any]:
        """What is held does not go on; `request_hash` as for `approve`."""
        return self._parts.operate.deny(
            action_id, actor=actor, reason=reason, request_hash=request_hash, bulk=bulk
        ).as_dict()

    def undo(
        self,
        action_id: str,
        *,
        actor: str,
        reason: str,
        force: bool = False,
        request_hash: str | None = None,
        bulk: str | None = None,
        wait: float | None = None,
    ) -> dict[str, Any]:
        """Takes back what a succeeded action did, by an action of its own; its id is in the result, as `compensation`.

        `force` approves an undo that is held, because somebody has changed since what would be put back; one that was
        not shown yet is held first. `request_hash` is of what was shown, as for `approve`.
        The error says why it cannot be taken back: `irreversible`, `conflict`, `missing_field` or `not_found`.
        """
        deadline = Deadline(self._parts.world.clock, self._parts.settings.wait if wait is None else wait)
        return self._parts.compensate(
            action_id, deadline, actor=actor, reason=reason, force=force, request_hash=request_hash, bulk=bulk
        ).as_dict()

    def place_legal_hold(self, action_id: str, *, matter: str, actor: str, reason: str) -> dict[str, Any]:
        """What is known of the action stays in the ledger as long as this matter is open. Never too late."""
        return self._parts.operate.place_legal_hold(action_id, matter, actor=actor, reason=reason).as_dict()

    def lift_legal_hold(self, action_id: str, *, matter: str, actor: str, reason: str) -> dict[str, Any]:
        """The matter is closed; holds because of others stay."""
        return self._parts.operate.lift_legal_hold(action_id, matter, actor=actor, reason=reason).as_dict()

    def takes_undo_from(self, door: str) -> bool:
        """Whether the settings let an action be taken back through a door of this name."""
        return door in self._parts.settings.undo_doors

    # -- what is due ------------------------------------------------------------------------------------------------

    def advance(self, action_id: str) -> dict[str, Any]:
        """Looks at the action and does what is due: a doorbell, harmless to ring twice."""
        return self._told(action_id, lambda: self._parts.advance(action_id))

    def _told(self, action_id: str, look: Callable[[], Action | WorkflowRun]) -> dict[str, Any]:
        try:
            found = look()
            if isinstance(found, Action) and found.archived is not None:
                return self._parts.recall().response_of(found).as_dict()
            return response_of(found).as_dict()
        except ActionNotFound:
            return not_found(action_id).as_dict()
        except UnreadableEvent as unreadable:
            return answer_about(self._parts.ledger, action_id, unreadable).as_dict()

    def worker(self, *, threads: int) -> Worker:
        """A worker on this agent's ledger."""
        from handlers.work import Worker

        return Worker(self._parts.agenda, self._parts.advance, self._parts.world, threads=threads)

    def answer_knocks(self, event: object, *, within: float) -> BatchReport:
        """Looks at each action that a batch of records knocks for: of the ledger's stream, or of the doorbell queue.

        `within` is how long that may take, in seconds. Raises ConfigurationError for what is no such batch.
        """
        from handlers.doorbell import time_for_rings

        return self._rounds.batch(self._rounds.knocks_in(event), time_for_rings(self._parts.world.clock, within))

    def sweep(self, *, within: float) -> SweepReport:
        """Looks at all that is due and was not rung for. Raises LedgerUnavailable when nobody can say what is."""
        from handlers.doorbell import time_for_rings

        return self._rounds.sweep(time_for_rings(self._parts.world.clock, within))

    @cached_property
    def _rounds(self) -> Rounds:
        return rounds(self._parts)

    def list_actions(self, status: str | None = None, *, limit: int = 100) -> list[dict[str, Any]]:
        """The newest actions of a status, or of all, as plain dictionaries. On DynamoDB they may be a moment behind."""
        return [row_of(view) for view in self._parts.agenda.views(status, limit)]

    def count_bulk(self, status: str, *, action_type: str | None = None) -> dict[str, Any]:
        """`{bulk_id, count}` of an order to the actions in this status: counted, nothing done."""
        from handlers.bulk import Bulk, Chosen

        bulk_id, count = Bulk(self._parts.agenda, self._parts.ledger, self._parts.world).count(
            Chosen(status, action_type)
        )
        return {"bulk_id": bulk_id, "count": count}

    def carry_out_bulk(
        self,
        act: Callable[[str], dict[str, Any]],
        bulk_id: str,
        status: str,
        *,
        action_type: str | None = None,
    ) -> list[dict[str, Any]]:
        """`act` on each action that the counted order still has to reach; what each was answered. Raises Refused."""
        from handlers.bulk import Bulk, Chosen

        bulk = Bulk(self._parts.agenda, self._parts.ledger, self._parts.world)
        return bulk.carry_out(act, Chosen(status, action_type), bulk_id)

    @property
    def action_types(self) -> tuple[BaseAction[Any], ...]:
        """What it can carry out."""
        return tuple(self._parts.action_types)

    def close(self) -> None:
        """Lets go of the ledger."""
        self._parts.ledger.close()
        if self._parts.views is not None:
            self._parts.views.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _hush(library: str) -> None:
    """At DEBUG it logs tokens and whole answers, of secret stores, too. Whoever wants that asks for it by its name."""
    logger = logging.getLogger(library)
    if logger.level == logging.NOTSET:
        logger.setLevel(max(logging.INFO, logger.getEffectiveLevel()))
