"""`call_webhook` to the sink, beside a floor that POSTs with one kept `httpx.Client`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.config import Settings
from bench.floor import Floor
from bench.measure import take_turns, who
from bench.ours import must_succeed, sqlite_ledger
from bench.report import Figure, at_most, ratio
from bench.scale import Scale
from bench.sink import HOST, running_sink
from bench.workload import POST_REQUEST, WEBHOOK_REQUEST

TITLE = "call_webhook on SQLite (the floor POSTs with httpx)"


def figures(scale: Scale, directory: Path) -> Iterator[Figure]:
    with running_sink() as port, httpx.Client(timeout=30) as client:
        url = f"http://{HOST}:{port}/"

        def post(document: Mapping[str, Any]) -> dict[str, Any]:
            answer: dict[str, Any] = client.post(url, json=document).raise_for_status().json()
            return answer

        floor = Floor(directory / "httpx-floor.db", post)
        environ = sqlite_ledger(directory / "webhook.db") | _targets(directory / "webhooks.json", url)
        with ExecutionAgent(Settings.from_environment(environ)) as agent:
            acts = (lambda: must_succeed(agent.process(WEBHOOK_REQUEST)), lambda: floor.carry_out(POST_REQUEST))
            for callers in (min(scale.callers), max(scale.callers)):
                turns = scale.callers[callers]
                ours, bare = take_turns(acts, callers=callers, each=turns.each, turns=turns.turns)
                name = who(callers)
                yield ratio(f"p50, {name}", ours.p50, bare.p50, at_most(1.5) if callers == 1 else None)
                yield ratio(f"throughput, {name}", ours.throughput, bare.throughput, shown="{:,.0f}/s", scale=1)
                yield ratio(f"CPU an action, {name}", ours.cpu_per_action, bare.cpu_per_action)
        floor.close()


def _targets(file: Path, url: str) -> dict[str, str]:
    target = {"url": url, "allow_http": True, "allow_private_network": True}
    file.write_text(json.dumps({"sink": target}), "utf-8")
    return {"WEBHOOK_CONFIG_PATH": str(file)}
