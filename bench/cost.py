"""What actions cost on AWS: a deployed agent carries some out, and all that its functions then use is counted.

    python -m bench.cost [--actions 20]

The stream's consumer, the views and the events for others are in it. What the effect itself costs is not: it is a
webhook. Commits that come close together share an invocation of the consumer; they do so here as they do on AWS.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import prices
from bench.metered import MeteredAgent, Usage, metered_agent
from bench.report import Figure, Target, at_most, exactly, lines_of
from tests.e2e.deployment import local_package
from tests.e2e.hooks import SINK, refuses_each_once, takes

BILLED = 0.1
"""Seconds that an invocation is taken to last, for none is on AWS here: some requests to DynamoDB, and a webhook."""
MINUTES_IN_A_MONTH = 43_800

LEDGER = "execution-agent"
READS = ("BatchGetItem", "GetItem", "Query", "Scan")
TRANSACTIONS = ("ExecuteStatement", "ExecuteTransaction", "TransactGetItems", "TransactWriteItems")


@dataclass(frozen=True)
class Way:
    """A way that an action goes. `fails_first`: its receiver is not ready for the first call."""

    name: str
    mode: str
    fails_first: bool = False
    ledger_writes: Target | None = None
    reads_for_caller: Target | None = None


WAYS = (
    Way("The caller waits", "wait", ledger_writes=exactly(2), reads_for_caller=exactly(0)),
    Way("The caller waits, and the first call fails", "wait", fails_first=True, reads_for_caller=exactly(0)),
    Way("Accepted", "accept", ledger_writes=at_most(4), reads_for_caller=exactly(0)),
    Way("Accepted, and the first call fails", "accept", fails_first=True, reads_for_caller=exactly(0)),
)


def main() -> None:
    """Counts, and prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description="What 1,000 actions cost on AWS.")
    parser.add_argument("--actions", type=int, default=20, help="actions that are counted, each way")
    actions = parser.parse_args().actions
    with tempfile.TemporaryDirectory(prefix="cost-") as folder, metered_agent(local_package(Path(folder))) as agent:
        for way in WAYS:
            print("\n".join(lines_of(way.name, list(figures(way, actions, agent)))), flush=True)
        print("\n".join(lines_of("Nothing is asked for", list(idle(agent)))))


def figures(way: Way, actions: int, agent: MeteredAgent) -> Iterator[Figure]:
    """An action's share of all that is used, and the cents that a thousand cost."""
    usage = carried_out(way, actions, agent)
    asked = usage.asked
    counts: list[tuple[str, float, Target | None]] = [
        ("ledger, writes", asked.of("dynamodb", "PutItem", table=LEDGER), way.ledger_writes),
        (
            "ledger, reads while the caller waits",
            usage.by_invoke.of("dynamodb", *READS, table=LEDGER),
            way.reads_for_caller,
        ),
        ("ledger, reads by the consumer", usage.by_others.of("dynamodb", *READS, table=LEDGER), None),
        ("transactions", asked.of("dynamodb", *TRANSACTIONS), exactly(0)),
        ("requests to DynamoDB", asked.of("dynamodb"), None),
        ("write units", sum(asked.write_units.values()), None),
        ("read units", sum(asked.read_units.values()), None),
        *((f"invocations of {function}", count, None) for function, count in usage.invocations.items()),
        ("messages in queues", asked.of("sqs", "SendMessage"), None),
        ("events for others", asked.events, None),
    ]
    for name, count, target in counts:
        yield Figure(name, count / actions, "an action", target, counted=True)
    yield _cents("1,000 actions", usage, agent.memory, 1_000 / actions)


def carried_out(way: Way, actions: int, agent: MeteredAgent) -> Usage:
    """What so many actions use. Raises RuntimeError when one does not succeed."""
    agent.receiver.behaviour = refuses_each_once(agent.receiver) if way.fails_first else takes
    request = {
        "action_type": "call_webhook",
        "parameters": {"webhook": SINK, "payload": {"account": "ACME-1", "renewal_date": "2023-12-31"}},
        "options": {"mode": way.mode},
    }
    with agent.metered() as usage:
        responses = [agent.deployment.invoke(request) for _ in range(actions)]
    operator = agent.deployment.operator
    ends = {operator.status(response["action_id"])["status"] for response in responses}
    if ends != {"succeeded"}:
        raise RuntimeError(f"an action ended otherwise: {sorted(ends)}")
    return usage


def idle(agent: MeteredAgent) -> Iterator[Figure]:
    """The sweep that finds nothing to do, every minute. The first one of all looks further back."""
    agent.deployment.invoke({}, function="Sweep")
    with agent.metered() as usage:
        agent.deployment.invoke({}, function="Sweep")
    yield Figure("requests to DynamoDB", usage.asked.of("dynamodb"), "a sweep", counted=True)
    yield Figure("read units", sum(usage.asked.read_units.values()), "a sweep", counted=True)
    yield _cents("a month of sweeps", usage, agent.memory, MINUTES_IN_A_MONTH)


def _cents(name: str, usage: Usage, memory: float, times: float) -> Figure:
    cents = {service: 100 * times * dollars for service, dollars in dollars_of(usage, memory).items()}
    beside = {service: f"{amount:.3f}" for service, amount in cents.items()}
    return Figure(name, sum(cents.values()), "cents", beside=beside)


def dollars_of(usage: Usage, memory: float) -> dict[str, float]:
    """By service. `memory` is a function's, in gigabytes."""
    asked = usage.asked
    units = prices.WRITE_UNIT * sum(asked.write_units.values()) + prices.READ_UNIT * sum(asked.read_units.values())
    invocation = prices.INVOCATION + prices.GIGABYTE_SECOND * memory * BILLED
    return {
        "DynamoDB": units,
        "Lambda": invocation * sum(usage.invocations.values()),
        "SQS": 3 * prices.QUEUE_REQUEST * asked.of("sqs", "SendMessage"),
        "EventBridge": prices.EVENT * asked.events,
        "Logs": prices.LOGGED_BYTE * usage.logged,
    }


if __name__ == "__main__":
    main()
