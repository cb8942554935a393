"""Workflow runs in the storm.

Each plot is rehearsed once, unharmed, and every point that it passes is noted; then it is performed again and again,
each time with a death at another of these points, and with successors who may die as well.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import count, islice

from tests.storm.performances import Performance, RunAudit
from tests.storm.places import DynamoDBPlace, Place
from tests.storm.plots import Plot, plots
from tests.storm.processes import Ended, Lane, Said
from tests.storm.run_audit import Told, keys_of, violations_of
from tests.storm.stage import Stage

PLOTS_ON_A_LEDGER = 4
DEATHS_OF_A_PLOT = 6
"""Performances, in each of which the first process dies."""
MOST_SUCCESSORS = 2
"""Processes that come after it, and may die."""
LAST_POINT_OF_A_SUCCESSOR = 60
LANES = {"sqlite": 4, "dynamodb": 2}
A_LIFETIME = timedelta(days=30)
"""Of a process: each comes so much later than the one before. By then every lease and every look is due."""


class RunStorm:
    """One engine's share of the kills."""

    def __init__(self, stage: Stage, engine: str, kills: int) -> None:
        self._stage = stage
        self._engine = engine
        self._kills = kills
        self._killed = 0
        self._plots = plots(stage.new_place(engine).timeout, stage.chance)
        self._numbers = count()

    def lanes(self) -> list[Lane]:
        """To be run side by side."""
        return [self._lane() for _ in range(LANES[self._engine])]

    def _lane(self) -> Lane:
        while not self._has_done_enough():
            ledger = _Ledger(self._stage, self._stage.new_place(self._engine))
            if isinstance(ledger.place, DynamoDBPlace):
                yield ledger.place.create
            for plot in islice(self._plots, PLOTS_ON_A_LEDGER):
                yield from self._tell(ledger, plot)
            yield from ledger.settle_and_judge()

    def _has_done_enough(self) -> bool:
        return self._killed >= self._kills or self._stage.is_over() or self._stage.findings.is_enough

    def _tell(self, ledger: _Ledger, plot: Plot) -> Lane:
        rehearsed = ledger.begin(plot.called(f"run-{self._engine}-{next(self._numbers)}"))
        said = self._hear((yield ledger.process(begins=rehearsed.plot)), ledger, rehearsed)
        passed: list[str] = next(what["passed"] for what in said if "passed" in what)
        for _ in range(DEATHS_OF_A_PLOT):
            if self._has_done_enough():
                return
            performed = ledger.begin(plot.called(f"run-{self._engine}-{next(self._numbers)}"))
            process = ledger.process(begins=performed.plot, dies_at=self._least_struck(passed))
            self._hear((yield process), ledger, performed)
            for _ in range(self._stage.chance.randint(0, MOST_SUCCESSORS)):
                dies_at = self._stage.chance.randint(1, LAST_POINT_OF_A_SUCCESSOR)
                self._hear((yield ledger.process(dies_at=dies_at)), ledger, performed)

    def _hear(self, ended: Ended, ledger: _Ledger, told: Told) -> list[Said]:
        self._killed += ended.by == signal.SIGKILL
        return ledger.hear(ended, told)

    def _least_struck(self, passed: Sequence[str]) -> int:
        """The number of a point at which the fewest have died."""
        points, chance = self._stage.findings.points, self._stage.chance
        number, _ = min(enumerate(passed, 1), key=lambda one: (points[self._engine, one[1]], chance.random()))
        return number


class _Ledger:
    """The runs that share a ledger, and what is known of them."""

    def __init__(self, stage: Stage, place: Place) -> None:
        self.place = place
        self._stage = stage
        self._runs: dict[str, Told] = {}
        self._left: Plot | None = None
        """What the process before was about."""

    def begin(self, plot: Plot) -> Told:
        return self._runs.setdefault(plot.key, Told(plot))

    def process(self, *, begins: Plot | None = None, dies_at: int | None = None) -> Performance:
        """Much later than the one before, which it succeeds."""
        self.place.ahead += A_LIFETIME
        settles, self._left = self._left, begins or self._left
        return Performance(self.place, settles, begins, dies_at)

    def hear(self, ended: Ended, told: Told) -> list[Said]:
        """What a process said that may have been struck in this run."""
        said = ended.said
        if ended.by == signal.SIGKILL:
            point = next(what["died_at"] for what in said if "died_at" in what)
            told.deaths.append(point)
            self._stage.findings.add_kill_at(point, self.place.engine, "runs")
        else:
            ended.must_be_by(0, "a process with runs")
        self._sort(said)
        return said

    def _sort(self, said: Iterable[Said]) -> None:
        for what in said:
            if "run" in what:
                self._runs[what["run"]].hear(what)

    def settle_and_judge(self) -> Lane:
        """The last process works until it is quiet; then everything is read back."""
        settled = yield self.process()
        self._sort(settled.must_be_by(0, "the last process with runs"))
        audit = (yield RunAudit(self.place, [told.plot for told in self._runs.values()])).must_be_by(0, "the audit")
        self._sort(audit)
        seen = self._stage.sink.take(key for told in self._runs.values() for key in keys_of(told.plot))
        findings = self._stage.findings
        findings.ledgers += 1
        for told in self._runs.values():
            told.seen = {any_id: seen.get(key, ()) for key, any_id in keys_of(told.plot).items()}
            findings.add_run(told)
            findings.violations.extend(violations_of(told))
        for what in audit:
            self._check_store(what)
        self.place.discard()

    def _check_store(self, what: Said) -> None:
        """The file is sound, and lists what there is and nothing else."""
        for problem in what.get("problems", ()):
            self._stage.findings.add_violation("broken store", f"  {problem}")
        if "rows" in what:
            rows, truth = what["rows"], self._truth()
            for any_id in {*rows, *truth}:
                if any_id not in truth:
                    self._stage.findings.add_violation("orphan action", f"  {any_id} belongs to no step of any run")
                elif rows.get(any_id) != truth[any_id]:
                    listed = f"  {any_id} is listed as {rows.get(any_id)}, and is {truth[any_id]}"
                    self._stage.findings.add_violation("wrong row", listed)

    def _truth(self) -> dict[str, str]:
        truth: dict[str, str] = {}
        for told in self._runs.values():
            truth |= {action_id: life["status"] for action_id, life in told.actions.items()}
            truth |= dict.fromkeys(told.runs, told.status)
        return truth
