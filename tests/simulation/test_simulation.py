"""The whole agent on many seeds. `python -m tests.simulation` plays more of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import main
from tests.simulation.campaign import Summary, campaign, never_seen
from tests.simulation.mutations import MUTATIONS
from tests.simulation.run import Setup
from tests.simulation.zombies import wake_zombies

ROOT = Path(__file__).parents[2]
HUNDRED = 100


def played(setup: Setup, seeds: int) -> Summary:
    return campaign(setup, seeds, tell=lambda _: None, cores=1)


@pytest.mark.parametrize("first_seed", range(0, 5 * HUNDRED, HUNDRED))
def test_every_promise_is_kept_whatever_goes_wrong(first_seed: int) -> None:
    summary = played(Setup(first_seed), HUNDRED)
    assert summary.failures == {}
    assert summary.seeds == HUNDRED
    assert never_seen("heavy", summary.totals) == []


def test_every_promise_is_kept_where_half_of_all_answers_are_bad() -> None:
    summary = played(Setup(0, actions=20, faults="ten-percent"), HUNDRED)
    assert summary.failures == {}
    assert never_seen("ten-percent", summary.totals) == []


def test_where_nothing_goes_wrong_each_attempt_is_an_effect() -> None:
    summary = played(Setup(0, actions=10, faults="none"), HUNDRED)
    assert summary.failures == {}
    assert never_seen("none", summary.totals) == []
    done = summary.totals["ended: succeeded"] + summary.totals["ended: compensated"]
    assert summary.totals["attempts"] == summary.totals["effects"] == done


@pytest.mark.parametrize("first_seed", [0, HUNDRED])
def test_every_promise_of_a_workflow_is_kept_whatever_goes_wrong(first_seed: int) -> None:
    summary = played(Setup(first_seed, actions=3, workflows=4), HUNDRED)
    assert summary.failures == {}
    ends = ("completed", "compensated", "partially_compensated", "needs_operator")
    assert [end for end in ends if summary.totals[f"run ended: {end}"] < 10] == []
    assert min(summary.totals["runs within runs"], summary.totals["runs of schedules"]) >= 50
    assert [
        verb for verb in ("undo", "pause", "resume", "cancel", "call_back") if not summary.totals[f"run verb: {verb}"]
    ] == []


def test_where_nothing_goes_wrong_what_a_workflow_did_stands_or_is_taken_back() -> None:
    summary = played(Setup(0, actions=0, workflows=4, faults="none"), 50)
    assert summary.failures == {}
    assert summary.totals["runs"] > 200 + summary.totals["runs within runs"] + summary.totals["runs of schedules"]


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 6)])
def test_the_number_of_processes_and_workers_makes_no_difference(shape: tuple[int, int]) -> None:
    processes, workers = shape
    assert played(Setup(0, processes=processes, workers=workers), 20).failures == {}


def test_a_zombie_is_heard_and_not_obeyed() -> None:
    woken = wake_zombies(200)
    assert woken.violations == ()
    assert (woken.rounds, woken.applied, woken.kept_late) == (200, 0, 200)


# -- again ----------------------------------------------------------------------------------------------------------


def test_a_seed_is_the_same_run_every_time() -> None:
    setup = Setup(0, actions=6)
    assert played(setup, 200).digest == played(setup, 200).digest


def test_another_seed_is_another_run() -> None:
    assert played(Setup(0, actions=6), 1).digest != played(Setup(1, actions=6), 1).digest


def test_a_seed_is_the_same_run_in_another_process_with_another_hash_seed() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seeds", "20", "--actions", "6"]
    environ = {**os.environ, "PYTHONHASHSEED": "4711"}
    told = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True, timeout=60)
    assert re.findall(r"hash of all that happened +(\w+)", told.stdout) == [played(Setup(0, actions=6), 20).digest]


# -- what the command tells -----------------------------------------------------------------------------------------


def test_the_command_tells_what_happened_to_the_action_that_was_wronged(capsys: pytest.CaptureFixture[str]) -> None:
    hidden = next(mutation for mutation in MUTATIONS if mutation.name == "cancelling hides doubt")
    with hidden.planted():
        status = main(["--seeds", "20"])
    told = capsys.readouterr().out
    assert status == 1
    assert "BROKEN  what ended otherwise has not happened" in told
    assert re.search(r"what happened around act_\w+ on seed \d+:\n(.+\n)*.* requested ", told)
    assert "cancelled" in told


def test_the_command_is_content_when_every_promise_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "5", "--actions", "5"]) == 0
    assert "failing seeds                               0" in capsys.readouterr().out


def test_one_seed_is_told_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--trace", "3", "--actions", "2"]) == 0
    assert "requested" in capsys.readouterr().out


def test_a_campaign_that_saw_too_little_is_no_proof() -> None:
    summary = played(Setup(0, actions=1), 1)
    assert "verb: redrive" in never_seen("heavy", summary.totals)
