"""Gates in DynamoDB: shared by all functions and machines, in a small table beside the ledger's, `<table>-gates`.

A target that is well costs no request: its state is asked for only once this process got a sick answer from it, or
where its type declares limits. Where the table cannot be used, the gates of this process stand for themselves.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from eventsourcing.persistence import PersistenceError

from adapters.dynamodb import ConditionFailed, DynamoDB
from adapters.memory_gates import MemoryGates
from domain.gate import (
    ON_TIME,
    OPEN_ROAD,
    Closed,
    Entry,
    GateState,
    Health,
    Limits,
    Pass,
    Wait,
    as_document,
    enter,
    leave,
    state_of,
)

log = logging.getLogger("execution_agent.gates")

TRIES = 5
"""How often a change is decided anew when somebody else's came first."""

TABLE: Mapping[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "target", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "target", "KeyType": "HASH"}],
}


def gates_table(ledger_table: str) -> str:
    """The name of the table beside the ledger's."""
    return f"{ledger_table}-gates"


class DynamoDBGates:
    """The port `domain.ports.Gates`. `dynamodb` speaks to the gates' own table; `troubled` are targets to ask for."""

    def __init__(self, dynamodb: DynamoDB, troubled: Iterable[str] = ()) -> None:
        self.dynamodb = dynamodb
        self._own = MemoryGates()
        self._troubled = set(troubled)

    def enter(
        self, target: str, limits: Limits, token: str, *, now: float, lease_until: float, turn: float | None
    ) -> Entry:
        if not self._is_of_interest(target, limits):
            return Pass(token)
        said: list[Entry] = []

        def change(state: GateState) -> GateState:
            state, entry = enter(state, limits, token, now=now, lease_until=lease_until, turn=turn)
            said.append(entry)
            return state

        try:
            return said[-1] if self._change(target, change) else Wait(now + ON_TIME, Closed.BUSY)
        except PersistenceError as error:
            log.warning("the shared gates cannot be used: %s", error)
            return self._own.enter(target, limits, token, now=now, lease_until=lease_until, turn=turn)

    def leave(
        self, target: str, limits: Limits, token: str, health: Health, *, now: float, retry_after: float | None
    ) -> None:
        if health in (Health.HEALTHY, Health.NO_ANSWER) and not self._is_of_interest(target, limits):
            return
        self._own.leave(target, limits, token, health, now=now, retry_after=retry_after)
        try:
            self._change(target, lambda state: leave(state, limits, token, health, now=now, retry_after=retry_after))
        except PersistenceError as error:
            log.warning("the shared gates cannot be used: %s", error)

    def _is_of_interest(self, target: str, limits: Limits) -> bool:
        return target in self._troubled or not limits.are_none

    def _change(self, target: str, change: Callable[[GateState], GateState]) -> bool:
        """Whether the change was made; not when others changed the state each time in between."""
        for _ in range(TRIES):
            revision, state = self._read(target)
            changed = change(state)
            if changed == state or self._write(target, revision, changed):
                self._remember(target, changed)
                return True
        return False

    def _remember(self, target: str, state: GateState) -> None:
        if state.sick or state.openings or state.open_until:
            self._troubled.add(target)
        else:
            self._troubled.discard(target)

    def _read(self, target: str) -> tuple[int, GateState]:
        answer = self.dynamodb.call(
            "GetItem", TableName=self.dynamodb.table, Key={"target": {"S": target}}, ConsistentRead=True
        )
        item = answer.get("Item")
        return (int(item["revision"]["N"]), state_of(json.loads(item["state"]["S"]))) if item else (0, OPEN_ROAD)

    def _write(self, target: str, revision: int, state: GateState) -> bool:
        item = {
            "target": {"S": target},
            "revision": {"N": str(revision + 1)},
            "state": {"S": json.dumps(as_document(state))},
        }
        unchanged = "attribute_not_exists(target)" if revision == 0 else "revision = :revision"
        values = {} if revision == 0 else {"ExpressionAttributeValues": {":revision": {"N": str(revision)}}}
        try:
            self.dynamodb.call(
                "PutItem", TableName=self.dynamodb.table, Item=item, ConditionExpression=unchanged, **values
            )
        except ConditionFailed:
            return False
        return True
