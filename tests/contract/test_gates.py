"""What gates promise, whether threads share them or processes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from eventsourcing.persistence import InfrastructureFactory

from adapters.dynamodb import DynamoDB
from adapters.dynamodb_gates import TABLE, DynamoDBGates
from adapters.memory_gates import MemoryGates
from adapters.sqlite_gates import SQLiteGates
from domain.gate import Closed, Health, Limits, Pass, Wait
from domain.ports import Gates
from tests.engines import Engine

NOW = 1_000_000.0
LIMITS = Limits(failures=2, pause=30.0)
OpenGates = Callable[[], Gates]


@pytest.fixture(params=["memory", "sqlite", pytest.param("ministack", marks=pytest.mark.xdist_group("ministack"))])
def open_gates(request: pytest.FixtureRequest, tmp_path: Path) -> OpenGates:
    """Opens the same gates each time: another thread or another process, as far as they can tell."""
    if request.param == "memory":
        gates = MemoryGates()
        return lambda: gates
    if request.param == "ministack":
        url, table = request.getfixturevalue("ministack").url, f"gates-{uuid4().hex}"
        DynamoDB(table, endpoint_url=url).create_table(**TABLE)
        return lambda: DynamoDBGates(DynamoDB(table, endpoint_url=url), troubled=["crm"])
    path = str(tmp_path / "ledger.db")
    environment = {"PERSISTENCE_MODULE": "adapters.sqlite_events", "SQLITE_DBNAME": path}
    InfrastructureFactory.construct(environment).aggregate_recorder()
    return lambda: SQLiteGates(path)


def go(gates: Gates, token: str, *, target: str = "crm", limits: Limits = LIMITS, now: float = NOW) -> Pass | Wait:
    return gates.enter(target, limits, token, now=now, lease_until=now + 90, turn=None)


def answer(gates: Gates, token: str, health: Health, *, limits: Limits = LIMITS, now: float = NOW) -> None:
    gates.leave("crm", limits, token, health, now=now, retry_after=None)


def test_what_one_learns_the_others_know(open_gates: OpenGates) -> None:
    for token in ("a", "b"):
        assert go(open_gates(), token) == Pass(token)
        answer(open_gates(), token, Health.SICK)
    assert go(open_gates(), "c") == Wait(NOW + 30, Closed.BREAKER_OPEN, turn=True)
    assert go(open_gates(), "c", target="mail") == Pass("c")


def test_a_target_that_recovered_is_an_open_road_again(open_gates: OpenGates) -> None:
    for token in ("a", "b"):
        answer(open_gates(), token, Health.SICK)
    prober = open_gates()
    assert go(prober, "probe", now=NOW + 30) == Pass("probe")
    answer(prober, "probe", Health.HEALTHY, now=NOW + 30)
    assert go(open_gates(), "c", now=NOW + 30) == Pass("c")


def test_of_sixteen_that_come_at_once_half_open_lets_one_through(open_gates: OpenGates) -> None:
    gates = [open_gates() for _ in range(4)]
    for round_ in range(5):
        start = NOW + round_ * 10_000
        for token in ("a", "b"):
            answer(gates[0], token, Health.SICK, now=start)

        def knock(caller: int, at: float = start + 600) -> bool:
            return isinstance(go(gates[caller % 4], str(caller), now=at), Pass)

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(knock, range(16))) == 1
        answer(gates[0], "probe", Health.HEALTHY, now=start + 600)


def test_at_most_so_many_run_at_once_whoever_they_are(open_gates: OpenGates) -> None:
    gates = [open_gates() for _ in range(4)]
    three = Limits(at_once=3)

    def knock(caller: int) -> bool:
        return isinstance(go(gates[caller % 4], str(caller), limits=three), Pass)

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(knock, range(16))) == 3


def test_on_dynamodb_a_target_that_is_well_costs_no_request(ministack: Engine) -> None:
    gates = DynamoDBGates(DynamoDB("gates-of-nobody", endpoint_url=ministack.url))
    assert go(gates, "a") == Pass("a")
    answer(gates, "a", Health.HEALTHY)
    assert gates.dynamodb.requests == {}


def test_on_dynamodb_gates_without_a_table_stand_for_themselves(ministack: Engine) -> None:
    gates = DynamoDBGates(DynamoDB("gates-of-nobody", endpoint_url=ministack.url), troubled=["crm"])
    for token in ("a", "b"):
        answer(gates, token, Health.SICK)
    assert isinstance(go(gates, "c"), Wait)


def test_on_dynamodb_a_process_learns_of_a_breaker_from_its_own_first_sick_answer(ministack: Engine) -> None:
    table = f"gates-{uuid4().hex}"
    DynamoDB(table, endpoint_url=ministack.url).create_table(**TABLE)
    one, other = (DynamoDBGates(DynamoDB(table, endpoint_url=ministack.url)) for _ in range(2))
    for token in ("a", "b"):
        answer(one, token, Health.SICK)
    assert go(other, "c") == Pass("c")
    answer(other, "c", Health.SICK)
    assert isinstance(go(other, "d"), Wait)


def test_gates_that_cannot_be_used_stand_open(tmp_path: Path) -> None:
    nowhere = SQLiteGates(str(tmp_path / "nowhere" / "ledger.db"))
    answer(nowhere, "a", Health.SICK)
    assert go(nowhere, "a") == Pass("a")
