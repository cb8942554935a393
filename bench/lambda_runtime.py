"""The packaged function under Lambda's real runtime client: cold, and warm."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from zipfile import ZipFile

from bench.aws import REGION, TABLE, dynamodb
from bench.measure import take_turns
from bench.ours import must_succeed
from bench.report import Figure, at_most, ratio
from bench.runtime_api import ExecutionEnvironment, execution_environment
from bench.scale import Scale
from bench.sink import HOST, running_sink
from bench.starts import ROOT
from bench.workload import WEBHOOK_REQUEST
from infra.package import build, compiler_for, wheels
from tests.lambda_runtime import THIS_ARCHITECTURE, THIS_PYTHON, make_runtime

TITLE = "Lambda, the package under the real runtime client (the floor is two put_item with boto3, and the same POST)"


@dataclass(frozen=True)
class Function:
    """What is started, and what its cold starts took, in seconds."""

    handler: str
    code: Path
    runtime: Path
    environ: Mapping[str, str]
    cold: list[float] = field(default_factory=list)

    def environment(self) -> AbstractContextManager[ExecutionEnvironment]:
        return execution_environment(self.handler, self.code, self.runtime, self.environ)

    def start(self) -> None:
        """From the start of its process to its first answer."""
        begun = perf_counter()
        with self.environment() as environment:
            must_succeed(environment.invoke(WEBHOOK_REQUEST))
            self.cold.append(perf_counter() - begun)


def figures(scale: Scale, directory: Path) -> Iterator[Figure]:
    runtime = make_runtime(directory / "runtime")
    with dynamodb() as (url, ledger), running_sink() as port:
        ours = Function(
            "agents.execution_agent.handler.invoke",
            _unpacked(directory),
            runtime,
            ledger | _webhooks(directory / "webhooks.json", port),
        )
        told = {"LEDGER_URL": url, "LEDGER_REGION": REGION, "LEDGER_TABLE": TABLE, "SINK_PORT": str(port)}
        floor = Function("bench.children.bare_function.handler", ROOT, runtime, told)
        yield from _cold(ours, floor, scale)
        yield from _warm(ours, floor, scale)


def _cold(ours: Function, floor: Function, scale: Scale) -> Iterator[Figure]:
    for function in (ours, floor):
        function.start()  # for warming the file caches
        function.cold.clear()
    for _ in range(scale.starts):
        for function in (ours, floor):
            function.start()
    cold = median(ours.cold)
    yield Figure("cold, from process to answer", cold * 1e3, "ms", at_most(1_000))
    yield ratio("cold, to the floor", cold, median(floor.cold), at_most(1.5), shown="{:.0f} ms")


def _warm(ours: Function, floor: Function, scale: Scale) -> Iterator[Figure]:
    with ours.environment() as environment, floor.environment() as bare:
        acts = [
            lambda: must_succeed(environment.invoke(WEBHOOK_REQUEST)),
            lambda: must_succeed(bare.invoke(WEBHOOK_REQUEST)),
        ]
        warm, bare_warm = take_turns(acts, callers=1, each=scale.samples.each, turns=scale.samples.turns)
    yield Figure("warm, p50", warm.p50 * 1e3, "ms", at_most(60))
    yield ratio("warm, to the floor", warm.p50, bare_warm.p50, at_most(1.5))


def _unpacked(directory: Path) -> Path:
    fetched = wheels(python=THIS_PYTHON, architecture=THIS_ARCHITECTURE)
    package = build(directory / "package.zip", fetched, compiler=compiler_for(THIS_PYTHON))
    with ZipFile(package) as archive:
        archive.extractall(directory / "package")
    return directory / "package"


def _webhooks(file: Path, port: int) -> dict[str, str]:
    target = {"url": f"http://{HOST}:{port}/", "allow_http": True, "allow_private_network": True}
    file.write_text(json.dumps({"sink": target}), "utf-8")
    return {"WEBHOOK_CONFIG_PATH": str(file)}
