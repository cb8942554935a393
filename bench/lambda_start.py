"""The Lambda handler's cold start on DynamoDB: its import and its first action."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.aws import REGION, TABLE, dynamodb
from bench.report import Figure, absence, at_most, ratio
from bench.scale import Scale
from bench.starts import Program, Starts, race

TITLE = "Cold start, Lambda handler on DynamoDB (the floor is boto3, a client, one put_item)"


def figures(scale: Scale, directory: Path) -> Iterator[Figure]:
    with dynamodb() as (url, ledger):
        outbox = {"EXECUTION_AGENT_EMAIL": f"outbox:{directory / 'outbox'}"}
        note, email, floor = race(
            [
                Program("lambda_handler.py", lambda: ["bench_note"], ledger),
                Program("lambda_handler.py", lambda: ["send_email"], ledger | outbox),
                Program("lambda_floor.py", lambda: [url, REGION, TABLE]),
            ],
            scale.starts,
        )
    yield from _first_action("bench_note", note, floor)
    yield from _first_action("send_email", email, floor)


def _first_action(what: str, ours: Starts, floor: Starts) -> Iterator[Figure]:
    yield ratio(f"{what}: first action", ours.p50, floor.p50, at_most(1.6), shown="{:.0f} ms")
    yield ratio(f"{what}: its CPU", ours.cpu_p50, floor.cpu_p50, shown="{:.0f} ms")
    yield absence(f"{what}: libraries loaded without need", ours.said["needless"])
