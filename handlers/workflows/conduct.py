"""A run is conducted: what has become known is recorded, what follows from it is decided in the same commit, and then
done.

    the run       step_begun(a) ·························· step_ended(a), step_begun(b) ·······
                       │                                        ▲               │
    its actions        └──► a: requested ... succeeded ─────────┘  reported     └──► b: requested ...

Nothing is lost between the two ledger entries: an action that belongs to a run stays due after its end until the run
was told, and a run with open steps is due now and then: whoever looks makes the action that is missing. Of the steps
that may begin together one is carried out by whoever conducts, the others are accepted, for workers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from domain.action import Action
from domain.errors import Code, LedgerConflict, LedgerUnavailable, Refused
from domain.ledger import ActionLedger
from domain.lifecycle import ENDED, Status
from domain.ports import World
from domain.workflow import WorkflowRun
from domain.workflow_ledger import RunLedger
from domain.workflow_standing import FIRST_LOOK, LAST_LOOK, RunStatus, StepStatus, UndoStatus
from domain.workflow_tidings import is_news, learn
from handlers.compensate import Compensate
from handlers.execute import Deadline
from handlers.workflows.decide import Decide, Errand
from handlers.workflows.steps import Steps

MOST_CONFLICTS = 40
"""Times that others may be first. A hundred steps that end together all want to tell their run."""
FIRST_PAUSE, LAST_PAUSE = 0.01, 0.5
"""Seconds between two of these, at most; it doubles."""
LONGEST_CHAIN = 30.0
"""Seconds after which whoever conducts leaves the next step to others: a worker that is to stop comes to an end."""
WAITS_FOR_A_PERSON = "what runs is held or in doubt, and a person has to settle it"

Tell = Callable[[WorkflowRun, datetime], None]
"""Takes down on the run what has become known, or what a person wants. Called anew where somebody else was first."""


class Conduct:
    """Takes runs on. For any number of threads and processes: the version of the run lets one of them decide."""

    def __init__(
        self,
        ledger: ActionLedger,
        runs: RunLedger,
        decide: Decide,
        steps: Steps,
        compensate: Compensate,
        world: World,
    ) -> None:
        self._ledger = ledger
        self._runs = runs
        self._decide = decide
        self._steps = steps
        self._compensate = compensate
        self._world = world

    # -- who comes --------------------------------------------------------------------------------------------------

    def begin(self, run: WorkflowRun, deadline: Deadline) -> WorkflowRun:
        """A new run, as far as the deadline allows. Raises LedgerConflict where there is one of this id."""
        errands = self._decide(run)
        self._runs.record(run)
        return self._go_on(run, errands, deadline)

    def act(self, run_id: str, tell: Tell, deadline: Deadline) -> WorkflowRun:
        """Somebody wants something of the run. Raises what `tell` raises, ActionNotFound, LedgerUnavailable."""
        run, errands = self._recorded(self._runs.load(run_id), tell)
        return self._go_on(run, errands, deadline)

    def hear(self, action: Action, deadline: Deadline) -> None:
        """The action of a step has changed: its run hears what it has to, and goes on. Raises LedgerUnavailable."""
        member = action.workflow
        if member is None or action.is_reported:
            return
        if is_news(action):
            run, errands = self._told(self._runs.load(member.run), {member.step: action}, ())
            self._go_on(run, errands, deadline)
        elif action.waits_for_a_person:
            self._notice(self._runs.load(member.run))

    def notice(self, run_id: str) -> None:
        """Something that the run waits for has come to wait for a person."""
        self._notice(self._runs.load(run_id))

    def look(self, run: WorkflowRun, deadline: Deadline) -> WorkflowRun:
        """What is due of a run that was just read: a wait is over, a step was lost, or nothing has changed."""
        if run.due_at is None or run.due_at > self._world.clock.now():
            return run
        found = {step: self._steps.action_of(run, step) for step in _at_work(run)}
        known = {step: action for step, action in found.items() if action is not None}
        run, errands = self._told(run, known, (_looked,))
        lost = [Errand(step, step == run.undoing) for step in _at_work(run) if _is_lost(run, step, found)]
        run = self._go_on(run, [*errands, *(errand for errand in lost if errand not in errands)], deadline)
        return self._notice(run)

    # -- doing ------------------------------------------------------------------------------------------------------

    def _go_on(self, run: WorkflowRun, errands: Sequence[Errand], deadline: Deadline) -> WorkflowRun:
        """Runs the errands, and those that follow from them, until there is none or somebody else has them."""
        clock = self._world.clock
        enough, waits = clock.monotonic() + LONGEST_CHAIN, False
        while errands:
            patience = deadline if clock.monotonic() < enough else Deadline(clock, 0.0)
            answers, refusals = self._run(run, errands, patience)
            waits = any(map(self._waits_for_a_person, answers.values()))
            run, errands = self._told(run, answers, refusals)
        return self._notice(run) if waits else run

    def _run(
        self, run: WorkflowRun, errands: Sequence[Errand], deadline: Deadline
    ) -> tuple[dict[str, Action], list[Tell]]:
        """The last one is carried out here, and after the others, so that workers can take these up meanwhile."""
        answers: dict[str, Action] = {}
        refusals: list[Tell] = []
        for errand in errands:
            here = deadline if errand is errands[-1] else None
            try:
                answers[errand.step] = (
                    self._undo(run, errand.step, deadline)
                    if errand.is_undo
                    else (self._steps.carry_out(run, errand.step, here))
                )
            except Refused as refused:
                refusals.append(_refusal(errand, refused))
            except LedgerConflict as conflict:
                raise LedgerUnavailable(f"{run.id}: others were first each time: {conflict}") from conflict
        return answers, refusals

    def _undo(self, run: WorkflowRun, step: str, deadline: Deadline) -> Action:
        """The step's action, as far as it is taken back. Raises Refused where it cannot be."""
        order = run.rollback or {}
        action_id = run.action_of(step) or ""
        response = self._compensate(action_id, deadline, actor=order["by"], reason=order["why"])
        if response.error is not None and response.status in (Status.SUCCEEDED, Status.REJECTED):
            raise Refused(response.error.message, code=str(response.error.code))
        return self._ledger.load(action_id)

    # -- telling the run --------------------------------------------------------------------------------------------

    def _told(
        self, run: WorkflowRun, actions: Mapping[str, Action], others: Sequence[Tell]
    ) -> tuple[WorkflowRun, list[Errand]]:
        """The run hears how these actions stand, and then those that are over learn that it has heard."""

        def tell(run: WorkflowRun, at: datetime) -> None:
            for step, action in actions.items():
                learn(run, step, action, at=at)
            for other in others:
                other(run, at)

        run, errands = self._recorded(run, tell)
        for action in actions.values():
            self._reported(action)
        return run, errands

    def _recorded(self, run: WorkflowRun, tell: Tell) -> tuple[WorkflowRun, list[Errand]]:
        """Takes it down, decides what follows, and records both; somebody else's commit in between is read first.

        Raises LedgerUnavailable where others are first again and again.
        """
        pause = FIRST_PAUSE
        for _ in range(MOST_CONFLICTS):
            try:
                tell(run, self._world.clock.now())
                errands = self._decide(run)
                if run.pending_events:
                    self._runs.record(run)
                return run, errands
            except LedgerConflict:
                self._world.clock.sleep(self._world.chance.uniform(0.0, pause))
                pause = min(2 * pause, LAST_PAUSE)
                run = self._runs.load(run.id)
        raise LedgerUnavailable(f"{run.id}: it changed {MOST_CONFLICTS} times while this was decided")

    def _reported(self, action: Action) -> None:
        if action.is_reported or action.status not in ENDED:
            return
        with suppress(LedgerConflict):  # then somebody else does it, or does it anew
            action.reported(at=self._world.clock.now())
            self._ledger.record(action)

    # -- waiting for a person ---------------------------------------------------------------------------------------

    def _notice(self, run: WorkflowRun) -> WorkflowRun:
        """Shows where a person is waited for, once nothing else goes on."""
        at_work = _at_work(run)
        if (
            not _could_need_a_person(run)
            or not at_work
            or not all(self._is_for_a_person(run, step) for step in at_work)
        ):
            return run

        def tell(run: WorkflowRun, at: datetime) -> None:
            if _could_need_a_person(run) and _at_work(run) == at_work:
                run.need_operator(at_work, WAITS_FOR_A_PERSON, at=at)

        return self._recorded(run, tell)[0]

    def _is_for_a_person(self, run: WorkflowRun, step: str) -> bool:
        action = self._steps.action_of(run, step)
        return action is not None and self._waits_for_a_person(action)

    def _waits_for_a_person(self, action: Action) -> bool:
        if action.status is Status.COMPENSATING and action.compensation is not None:
            # Whoever looks between the two entries finds none yet.
            found = self._compensate.compensation_of(action)
            return found is not None and found.waits_for_a_person
        return action.waits_for_a_person


def _at_work(run: WorkflowRun) -> list[str]:
    """Steps whose action is to do something: to be carried out, or to be taken back."""
    undoing = [run.undoing] if run.undoing is not None else []
    return [step for step, one in run.open.items() if one.action is not None] + undoing


def _could_need_a_person(run: WorkflowRun) -> bool:
    """Whatever waits for a time or for a callback goes on by itself."""
    return run.status in (RunStatus.RUNNING, RunStatus.ROLLING_BACK) and all(
        one.action is not None for one in run.open.values()
    )


def _is_lost(run: WorkflowRun, step: str, found: Mapping[str, Action | None]) -> bool:
    """Its run has begun it, and nobody has carried that out."""
    if step not in found:
        return False
    action = found[step]
    return action is None if step != run.undoing else action is not None and action.status is Status.SUCCEEDED


def _looked(run: WorkflowRun, at: datetime) -> None:
    """Nothing has changed, so far: the next look is later."""
    if run.look_at is not None and run.look_at <= at and not run.pending_events:
        run.look_again(at + min(FIRST_LOOK * 2 ** min(run.looks, 20), LAST_LOOK), at=at)


def _refusal(errand: Errand, refused: Refused) -> Tell:
    """What a step's fault tells its run."""
    code, message = str(refused.code), refused.message

    def tell(run: WorkflowRun, at: datetime) -> None:
        if errand.is_undo and run.undoing == errand.step:
            irreversible = code == Code.IRREVERSIBLE
            status = UndoStatus.IRREVERSIBLE if irreversible else UndoStatus.COMPENSATION_FAILED
            run.end_undo(errand.step, status, code=code, message=message, at=at)
        elif not errand.is_undo and errand.step in run.open:
            run.end_step(errand.step, StepStatus.FAILED, code=code, message=message, at=at)

    return tell
