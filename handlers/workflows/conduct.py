"""A run is conducted: what has become known is recorded, what follows from it is decided in the same commit, and then
done.

    the run       step_begun(a) ·························· step_ended(a), step_begun(b) ·······
                       │                                        ▲               │
    its actions        └──► a: requested ... succeeded ─────────┘  reported     └──► b: requested ...

Nothing is lost between the two ledger entries: an action that belongs to a run stays due after its end until the run
was told, and a run with open steps is due now and then: whoever looks makes the action that is missing. Of the steps
that may begin together one is carried out by whoever conducts, the others are accepted, for workers.

A step that is a run of its own is seen to: it is made where it is missing, and hears what has become of its parent. It
tells its parent how it ended as an action does, and stays due until it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from domain.action import Action
from domain.errors import Code, EventTooLarge, LedgerConflict, LedgerUnavailable, Refused
from domain.ledger import ActionLedger
from domain.lifecycle import ENDED, Status
from domain.ports import World
from domain.workflow import WorkflowRun
from domain.workflow_ledger import RunLedger
from domain.workflow_progress import MOST_TOGETHER
from domain.workflow_standing import FIRST_LOOK, LAST_LOOK, RunStatus, StepStatus, UndoStatus
from domain.workflow_tidings import is_news, learn, learn_of_run
from handlers.compensate import Compensate
from handlers.execute import Deadline
from handlers.workflows.children import Children, pass_on
from handlers.workflows.decide import Decide, Errand
from handlers.workflows.steps import Steps, may_be_called_off

MOST_CONFLICTS = 40
"""Times that others may be first. A hundred steps that end together all want to tell their run."""
FIRST_PAUSE, LAST_PAUSE = 0.01, 0.5
"""Seconds between two of these, at most; it doubles."""
LONGEST_CHAIN = 30.0
"""Seconds after which whoever conducts leaves the next step to others: a worker that is to stop comes to an end."""
WAITS_FOR_A_PERSON = "what runs is held, in doubt or paused, and a person has to settle it"

Doer: TypeAlias = Action | WorkflowRun
"""What a step became."""
Tell = Callable[[WorkflowRun, datetime], None]
"""Takes down on the run what has become known, or what a person wants. Called anew where somebody else was first."""


@dataclass(frozen=True)
class Doers:
    """Those who make of a step what it is to be, and take it back."""

    steps: Steps
    children: Children
    compensate: Compensate


class Conduct:
    """Takes runs on. For any number of threads and processes: the version of the run lets one of them decide."""

    def __init__(
        self,
        ledger: ActionLedger,
        runs: RunLedger,
        decide: Decide,
        doers: Doers,
        world: World,
    ) -> None:
        self._ledger = ledger
        self._runs = runs
        self._decide = decide
        self._steps = doers.steps
        self._children = doers.children
        self._compensate = doers.compensate
        self._world = world

    # -- who comes --------------------------------------------------------------------------------------------------

    def begin(self, run: WorkflowRun, deadline: Deadline) -> WorkflowRun:
        """A new run, as far as the deadline allows. Raises LedgerConflict where there is one of this id."""
        return self._passed_upwards(self._begin(run, deadline), deadline)

    def act(self, run_id: str, tell: Tell, deadline: Deadline) -> WorkflowRun:
        """Somebody wants something of the run. Raises what `tell` raises, ActionNotFound, LedgerUnavailable."""
        run, errands = self._recorded(self._runs.load(run_id), tell)
        return self._passed_upwards(self._go_on(run, errands, deadline), deadline)

    def hear(self, action: Action, deadline: Deadline) -> None:
        """The action of a step has changed: its run hears what it has to, and goes on. Raises LedgerUnavailable."""
        member = action.workflow
        if member is None or action.is_reported:
            return
        if is_news(action):
            run, errands = self._told(self._runs.load(member.run), {member.step: action}, ())
            self._passed_upwards(self._go_on(run, errands, deadline), deadline)
        elif action.waits_for_a_person:
            self.notice(member.run, deadline)

    def notice(self, run_id: str, deadline: Deadline) -> None:
        """Something that the run waits for has come to wait for a person."""
        self._passed_upwards(self._notice(self._runs.load(run_id)), deadline)

    def look(self, run: WorkflowRun, deadline: Deadline) -> WorkflowRun:
        """What is due of a run that was just read: a wait is over, a step was lost, or nothing has changed."""
        if run.due_at is None or run.due_at > self._world.clock.now():
            return run
        if not run.is_news:
            run = self._looked_after(run, deadline)
        return self._passed_upwards(run, deadline)

    def _looked_after(self, run: WorkflowRun, deadline: Deadline) -> WorkflowRun:
        found = {step: self._doer_of(run, step) for step in _at_work(run)}
        known = {step: doer for step, doer in found.items() if doer is not None}
        run, errands = self._told(run, known, (_looked,))
        lost = [Errand(step, step == run.undoing) for step in _at_work(run) if _is_lost(run, step, found)]
        run = self._go_on(run, [*errands, *(errand for errand in lost if errand not in errands)], deadline)
        return self._notice(run)

    def _passed_upwards(self, run: WorkflowRun, deadline: Deadline) -> WorkflowRun:
        """The run as it stands, once whoever waits for it has heard what there is to hear."""
        parent = run.parent
        if parent is None or (run.is_news and run.is_reported):
            return run
        if run.is_news:
            above, errands = self._told(self._runs.load(parent.run), {parent.step: run}, ())
            self._passed_upwards(self._go_on(above, errands, deadline), deadline)
            return self._runs.load(run.id)
        if _waits_for_a_person(run):
            self.notice(parent.run, deadline)
        return run

    # -- doing ------------------------------------------------------------------------------------------------------

    def _begin(self, run: WorkflowRun, deadline: Deadline) -> WorkflowRun:
        errands = self._decide(run)
        self._runs.record(run)
        if not errands:
            run, errands = self._recorded(run, _nothing)
        return self._go_on(run, errands, deadline)

    def _go_on(self, run: WorkflowRun, errands: Sequence[Errand], deadline: Deadline) -> WorkflowRun:
        """Runs the errands, and those that follow from them, until there is none or somebody else has them."""
        clock = self._world.clock
        enough, waits = clock.monotonic() + LONGEST_CHAIN, False
        while errands:
            patience = deadline if clock.monotonic() < enough else self._no_time()
            answers, refusals = self._run(run, errands, patience)
            waits = any(map(self._waits_for_a_person, answers.values()))
            run, errands = self._told(run, answers, refusals)
        return self._notice(run) if waits else run

    def _run(
        self, run: WorkflowRun, errands: Sequence[Errand], deadline: Deadline
    ) -> tuple[dict[str, Doer], list[Tell]]:
        """The last one is carried out here, and after the others, so that workers can take these up meanwhile."""
        answers: dict[str, Doer] = {}
        refusals: list[Tell] = []
        for errand in errands:
            here = deadline if errand is errands[-1] else None
            try:
                doer = self._see_to(run, errand, here) if errand.step in run.nested else self._act_on(run, errand, here)
                if doer is None:
                    refusals.append(_nothing_to_take_back(errand.step))
                else:
                    answers[errand.step] = doer
            except Refused as refused:
                refusals.append(_refusal(errand, refused))
            except LedgerConflict as conflict:
                raise LedgerUnavailable(f"{run.id}: others were first each time: {conflict}") from conflict
        return answers, refusals

    def _act_on(self, run: WorkflowRun, errand: Errand, deadline: Deadline | None) -> Action:
        if errand.is_undo:
            return self._undo(run, errand.step, deadline or self._no_time())
        if run.called_off is not None:
            return self._steps.call_off(run, errand.step)
        return self._steps.carry_out(run, errand.step, deadline)

    def _no_time(self) -> Deadline:
        return Deadline(self._world.clock, 0.0)

    def _see_to(self, run: WorkflowRun, errand: Errand, deadline: Deadline | None) -> WorkflowRun | None:
        """The step's run, told what has become of this one; None where it never began, and is not to begin any more.

        Raises Refused where it cannot be started.
        """
        child, deadline = self._children.of(run, errand.step), deadline or self._no_time()
        if child is None and errand.is_undo:
            return None
        try:
            if child is None:
                return self._begin(self._children.new(run, errand.step), deadline)
        except EventTooLarge as large:
            raise Refused(f"what had to be recorded is too large: {large}", code=Code.TOO_LARGE) from None
        except LedgerConflict:
            child = self._runs.load(run.run_of(errand.step) or "")
        child, errands = self._recorded(child, lambda child, at: pass_on(run, child, at=at))
        return self._go_on(child, errands, deadline)

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
        self, run: WorkflowRun, doers: Mapping[str, Doer], others: Sequence[Tell]
    ) -> tuple[WorkflowRun, list[Errand]]:
        """The run hears how these stand, and then those that are over learn that it has heard."""
        told = dict(doers)

        def tell(run: WorkflowRun, at: datetime) -> None:
            for step, doer in doers.items():
                if isinstance(doer, Action):
                    learn(run, step, doer, at=at)
                else:
                    # Read after the run: an end that was revised since is not told as if it were the last word.
                    told[step] = child = self._runs.load(doer.id)
                    learn_of_run(run, step, child, at=at)
            for other in others:
                other(run, at)

        run, errands = self._recorded(run, tell)
        for doer in told.values():
            self._reported(doer)
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
                is_cut = len(run.pending_events) >= MOST_TOGETHER and not errands
                if run.pending_events:
                    self._runs.record(run)
                return self._recorded(run, _nothing) if is_cut else (run, errands)
            except LedgerConflict:
                self._world.clock.sleep(self._world.chance.uniform(0.0, pause))
                pause = min(2 * pause, LAST_PAUSE)
                run = self._runs.load(run.id)
        raise LedgerUnavailable(f"{run.id}: it changed {MOST_CONFLICTS} times while this was decided")

    def _reported(self, doer: Doer) -> None:
        is_over = doer.status in ENDED if isinstance(doer, Action) else doer.is_news
        if doer.is_reported or not is_over:
            return
        with suppress(LedgerConflict):  # then somebody else does it, or does it anew
            doer.reported(at=self._world.clock.now())
            self._ledger.record(doer)

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

    def _doer_of(self, run: WorkflowRun, step: str) -> Doer | None:
        return self._children.of(run, step) if step in run.nested else self._steps.action_of(run, step)

    def _is_for_a_person(self, run: WorkflowRun, step: str) -> bool:
        doer = self._doer_of(run, step)
        return doer is not None and self._waits_for_a_person(doer)

    def _waits_for_a_person(self, action: Doer) -> bool:
        if not isinstance(action, Action):
            return _waits_for_a_person(action)
        if action.status is Status.COMPENSATING and action.compensation is not None:
            # Whoever looks between the two entries finds none yet.
            found = self._compensate.compensation_of(action)
            return found is not None and found.waits_for_a_person
        return action.waits_for_a_person


def _at_work(run: WorkflowRun) -> list[str]:
    """Steps whose action or run is to do something: to be carried out, or to be taken back."""
    undoing = [run.undoing] if run.undoing is not None else []
    return [step for step, one in run.open.items() if not one.only_waits] + undoing


def _could_need_a_person(run: WorkflowRun) -> bool:
    """Whatever waits for a time or for a callback goes on by itself."""
    return run.status in (RunStatus.RUNNING, RunStatus.ROLLING_BACK) and all(
        not one.only_waits for one in run.open.values()
    )


def _waits_for_a_person(run: WorkflowRun) -> bool:
    """What it does is held or in doubt, or somebody has paused it: it, and not the run that it is a step of."""
    if run.status is RunStatus.PAUSED:
        return run.paused_through is None
    return run.status is RunStatus.NEEDS_OPERATOR and not run.has_stopped


def _is_lost(run: WorkflowRun, step: str, found: Mapping[str, Doer | None]) -> bool:
    """Its run has begun it, or was called off, and nobody has carried that out; of a run, whether it has is for whoever
    sees to it."""
    if step not in found:
        return False
    if step in run.nested:
        return True
    action = found[step]
    if step == run.undoing:
        return action is not None and action.status is Status.SUCCEEDED
    is_at_large = run.called_off is not None and isinstance(action, Action) and may_be_called_off(action)
    return action is None or is_at_large


def _nothing(run: WorkflowRun, at: datetime) -> None:
    """There is nothing to take down but what follows by itself."""


def _nothing_to_take_back(step: str) -> Tell:
    def tell(run: WorkflowRun, at: datetime) -> None:
        if run.undoing == step:
            run.end_undo(step, UndoStatus.COMPENSATED, at=at)

    return tell


def _looked(run: WorkflowRun, at: datetime) -> None:
    """Nothing has changed, so far: the next look is later."""
    if run.look_at is not None and run.look_at <= at and not run.is_news and not run.pending_events:
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
