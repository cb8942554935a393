"""The command line of the storm: `python -m tests.storm`."""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from random import Random
from typing import Any

from tests.engines import local_aws_environment, ministack_engine
from tests.storm import crowd, outages, restart, twins, zombies
from tests.storm.kills import Storm
from tests.storm.performances import read_for_the_first_time
from tests.storm.plan import PLAIN, UNDOS
from tests.storm.plants import PLANTS, SOUND
from tests.storm.processes import WrongEnd, run
from tests.storm.report import lines_of, points_left_out
from tests.storm.runs import RunStorm
from tests.storm.sink import running_sink
from tests.storm.stage import Stage

WORKPLACE = Path(".execution-agent")
"""On the disk that ledgers are on."""
ON_DYNAMODB = 40
"""Of so many kills on both engines, one is on DynamoDB: a lease has to lapse there."""
ONE_IN = {"undos": 20, "runs": 10}
"""Of so many kills at points, one is in these parts; the others are in plain actions."""
IN_A_CROWD = 50
"""Of so many kills on SQLite, one more is at no chosen point."""
ENOUGH_FOR_EVERY_POINT = {"kills": 500, "undos": 500, "runs": 1_000}
"""Kills on one engine that leave no excuse for a point that was left out."""
PROGRESS_EVERY = 5.0
"""Seconds."""


def main() -> None:
    """Storms, reports, and exits with 1 where a promise was broken or too little was done."""
    options = _options()
    began = time.monotonic()
    with _stage(options, began) as stage:
        try:
            for name in options.part or list(PARTS):
                PARTS[name](stage, options)
            _expect_no_strays(stage)
        except WrongEnd as broken:
            stage.findings.add_violation("a broken storm", f"  {broken}")
    seconds = time.monotonic() - began
    for line in lines_of(stage.findings, seconds):
        _say(line)
    lacks = list(_lacks(stage, options))
    passed = not lacks and not stage.findings.violations
    for lack in lacks:
        _say(f"too little: {lack}")
    _say("PASS" if passed else "FAIL")
    if options.json:
        options.json.write_text(json.dumps(_as_json(stage, seconds, passed, lacks), indent=2) + "\n", "utf-8")
    sys.exit(not passed)


def _kills(stage: Stage, options: argparse.Namespace) -> None:
    shares = _shares("kills", options)
    _run_all(stage, [Storm(stage, engine, kills, PLAIN[engine]) for engine, kills in shares.items()])


def _undos(stage: Stage, options: argparse.Namespace) -> None:
    shares = _shares("undos", options)
    _run_all(stage, [Storm(stage, engine, kills, UNDOS[engine]) for engine, kills in shares.items()])


def _runs(stage: Stage, options: argparse.Namespace) -> None:
    shares = _shares("runs", options)
    _run_all(stage, [RunStorm(stage, engine, kills) for engine, kills in shares.items()])


def _run_all(stage: Stage, storms: Sequence[Storm | RunStorm]) -> None:
    run([lane for storm in storms for lane in storm.lanes()], _Progress(stage))


def _crowd(stage: Stage, options: argparse.Namespace) -> None:
    if "sqlite" in _engines(options):
        crowd.tell(stage, options.kills // IN_A_CROWD)


def _zombies(stage: Stage, options: argparse.Namespace) -> None:
    for engine in _engines(options):
        zombies.tell(stage, engine)


def _outages(stage: Stage, options: argparse.Namespace) -> None:
    if "sqlite" in _engines(options):
        outages.tell(stage, actions=300)


def _restart(stage: Stage, options: argparse.Namespace) -> None:
    if "sqlite" in _engines(options):
        restart.tell(stage)


def _twins(stage: Stage, options: argparse.Namespace) -> None:
    if "sqlite" in _engines(options):
        twins.tell(stage, actions=1_000, rounds=5)


PARTS: Mapping[str, Callable[[Stage, argparse.Namespace], None]] = {
    "twins": _twins,
    "restart": _restart,
    "zombies": _zombies,
    "outages": _outages,
    "crowd": _crowd,
    "undos": _undos,
    "runs": _runs,
    "kills": _kills,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description="Real processes, killed by thousands.")
    parser.add_argument("--kills", type=int, default=20_000, help="so many, or the storm has failed")
    parser.add_argument("--actions", type=int, help="so many, or the storm has failed; as many as kills if not said")
    parser.add_argument("--engine", choices=("sqlite", "dynamodb", "both"), default="both")
    parser.add_argument("--seed", type=int, default=1, help="decides which stories are told")
    parser.add_argument("--minutes", type=float, default=10.0, help="gives up afterwards")
    parser.add_argument("--part", action="append", choices=list(PARTS), help="one part only; may be given again")
    parser.add_argument("--plant", choices=list(PLANTS), help="a bug on purpose, which has to be found")
    parser.add_argument("--endpoint", help="a DynamoDB that runs already; one is started if not said")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report to FILE, too")
    return parser.parse_args()


def _engines(options: argparse.Namespace) -> tuple[str, ...]:
    return ("sqlite", "dynamodb") if options.engine == "both" else (options.engine,)


def _shares(part: str, options: argparse.Namespace) -> Mapping[str, int]:
    """The kills of a part, by engine."""
    others = {name: options.kills // one_in for name, one_in in ONE_IN.items() if name in (options.part or PARTS)}
    kills = others.get(part, options.kills - sum(others.values()))
    if options.engine != "both":
        return {options.engine: kills}
    on_dynamodb = kills // ON_DYNAMODB
    return {"dynamodb": on_dynamodb, "sqlite": kills - on_dynamodb}


@contextmanager
def _stage(options: argparse.Namespace, began: float) -> Iterator[Stage]:
    WORKPLACE.mkdir(exist_ok=True)
    with ExitStack() as stack:
        endpoint = options.endpoint
        if "dynamodb" in _engines(options):
            stack.enter_context(local_aws_environment())
            endpoint = endpoint or stack.enter_context(ministack_engine()).url
        _make_forks_cheap()
        # A socket's name must be short, and ledgers belong on a real disk.
        sink = stack.enter_context(running_sink(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        ledgers = stack.enter_context(tempfile.TemporaryDirectory(prefix="storm-", dir=WORKPLACE.resolve()))
        plant = PLANTS[options.plant] if options.plant else SOUND
        ends = began + 60 * options.minutes
        yield Stage(sink, Path(ledgers), endpoint, Random(options.seed), plant, ends)


def _make_forks_cheap() -> None:
    """What children need is imported here, and no collection touches it any more."""
    for imported_late in ("encodings.ascii", "handlers.work", "tenacity", *_modules_of_workflows()):
        import_module(imported_late)
    read_for_the_first_time()
    gc.collect()
    gc.freeze()


def _modules_of_workflows() -> Iterator[str]:
    package = import_module("handlers.workflows")
    return (f"{package.__name__}.{module.name}" for module in iter_modules(package.__path__))


class _Progress:
    """A line now and then."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._next = time.monotonic() + PROGRESS_EVERY

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            self._next += PROGRESS_EVERY
            findings = self._stage.findings
            sys.stderr.write(
                f"{findings.kills.total()} kills, {findings.actions} actions, {len(findings.violations)} violations\n"
            )


def _expect_no_strays(stage: Stage) -> None:
    for key, seen in stage.sink.take_all().items():
        stage.findings.add_violation("effect that nobody ordered", f"  {key}: {seen}")


def _lacks(stage: Stage, options: argparse.Namespace) -> Iterator[str]:
    """A storm that does little proves little."""
    findings = stage.findings
    actions = options.actions or options.kills
    if options.part and "kills" not in options.part:
        return
    if findings.kills.total() < options.kills:
        yield f"{findings.kills.total()} kills, asked for {options.kills}"
    if findings.actions < actions:
        yield f"{findings.actions} actions, asked for {actions}"
    for part, enough in ENOUGH_FOR_EVERY_POINT.items():
        for engine, kills in _shares(part, options).items():
            left_out = points_left_out(findings, part, engine) if kills >= enough else []
            if left_out:
                yield f"nobody was killed on {engine} at {', '.join(left_out)}"


def _as_json(stage: Stage, seconds: float, passed: bool, lacks: list[str]) -> dict[str, Any]:
    findings = stage.findings
    return {
        "passed": passed,
        "lacks": lacks,
        "seconds": seconds,
        "kills": dict(findings.kills),
        "actions": findings.actions,
        "in_doubt": findings.in_doubt,
        "zombies": findings.zombies,
        "outages": findings.outages,
        "runs": findings.runs,
        "by_part": dict(findings.parts),
        "violations": [violation.kind for violation in findings.violations],
        "figures": {figure.name: [figure.value, figure.is_kept] for figure in findings.figures},
    }


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
