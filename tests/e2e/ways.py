"""The ways that lead through a deployed function: what is asked for, and where it shows that it went through."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import uuid4

from domain.identity import keyed_action_id
from tests.e2e.cloud import eventually
from tests.e2e.deployment import Deployment, FunctionFailed
from tests.e2e.hooks import SINK, refuses_what_says
from tests.e2e.requests import renewal, somebody, webhook
from tests.receivers import Receiver

DENIED = re.compile(r"access.?denied|not authorized", re.IGNORECASE)
"""What a function logs to which something is denied."""

LATER = timedelta(minutes=14)
"""Longer than anybody waits here, and not too long for a queue."""


@dataclass(frozen=True)
class Place:
    """Where a way is gone: through one function of a deployment whose webhooks arrive at the receiver.

    `news` is the queue of somebody who wants to hear how actions end.
    """

    deployment: Deployment
    function: str
    receiver: Receiver
    news: str

    def leads_to(self, act: Callable[[], object], seen: Callable[[], object]) -> bool:
        """Whether it is seen after the act. It is not once the function has said that something is denied to it.

        The consumer of the stream keeps still unless the way leads through it: it would mend what another one left.
        """
        told = len(self.deployment.log_of(self.function))

        def end() -> str:
            if seen():
                return "seen"
            return "denied" if any(map(DENIED.search, self.deployment.log_of(self.function)[told:])) else ""

        alone: AbstractContextManager[None] = self.deployment.without_rings()
        with nullcontext() if self.function == "Stream" else alone:
            with suppress(FunctionFailed):
                act()
            return eventually(end, within=30) == "seen"

    def ask(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Has the function carry out a request. None when the answer is not for us."""
        accepted = {**request, "options": {**request.get("options", {}), "mode": "accept"}}
        match self.function:
            case "Invoke":
                answer: dict[str, Any] = self.deployment.invoke(request)
                return answer
            case "RequestsFromQueue":
                queue = self.deployment.resources["Requests"]
                self.deployment.cloud.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(request))
            case "Stream":
                self.deployment.invoke(accepted)
            case "Sweep":
                self.deployment.invoke(accepted)
                self.deployment.invoke({}, function="Sweep")
        return None

    def item(self, table: str, **key: str) -> dict[str, Any]:
        """An item of a table of the template; empty where there is none."""
        found = self.deployment.cloud.client("dynamodb").get_item(
            TableName=self.deployment.resources[table],
            Key={name: {"S": value} for name, value in key.items()},
            ConsistentRead=True,
        )
        return dict(found.get("Item", {}))

    def messages(self, queue: str, word: str) -> list[dict[str, Any]]:
        """The messages of a queue of the template that say this word."""
        lying = self.deployment.cloud.lying_in(self.deployment.resources[queue])
        return [message for message in lying if word in message["Body"]]


Way: TypeAlias = Callable[[Place], bool]
"""Goes it, and says whether it went through."""


def a_mail(place: Place) -> bool:
    """A mail leaves."""
    recipient = somebody()
    return place.leads_to(lambda: place.ask(renewal(recipient)), lambda: place.deployment.cloud.mails_to(recipient))


def a_duplicate(place: Place) -> bool:
    """A request that comes twice is answered from what the ledger holds."""
    key = uuid4().hex
    request = renewal(somebody(), idempotency_key=key)
    place.deployment.invoke(request)
    answered: list[Any] = []
    return place.leads_to(
        lambda: answered.append(place.ask(request)), lambda: answered and not place.messages("Requests", key)
    )


def a_gate(place: Place) -> bool:
    """How badly a target answered is known to all."""
    key, target = uuid4().hex, f"webhook:{SINK}"
    place.receiver.behaviour = refuses_what_says(key, place.receiver)
    before = place.item("GatesTable", target=target)
    request = webhook(SINK, payload=key, options={"retry_policy": "none"})
    return place.leads_to(lambda: place.ask(request), lambda: place.item("GatesTable", target=target) != before)


def a_later_ring(place: Place) -> bool:
    """An action that has to wait is going to be rung for."""
    key = uuid4().hex
    place.receiver.behaviour = refuses_what_says(key, place.receiver)
    request = webhook(SINK, payload=key, idempotency_key=key, options={"retry_policy": "fixed"})
    with place.deployment.configured(place.function, {"RETRY_BACKOFF_MS": str(LATER.seconds * 1000)}):
        return place.leads_to(lambda: place.ask(request), lambda: place.messages("Doorbells", keyed_action_id(key)))


def a_row(place: Place) -> bool:
    """An action that moved on has a row in lists."""
    key = uuid4().hex
    return place.leads_to(
        lambda: place.ask(renewal(somebody(), idempotency_key=key)),
        lambda: place.item("ViewsTable", action_id=keyed_action_id(key)),
    )


def a_row_made_anew(place: Place) -> bool:
    """A row that is missing is there again once the ledger was replayed."""
    key = uuid4().hex
    replay = {"replay": {"projection": "views", "since": f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"}}

    def act() -> None:
        place.deployment.invoke(renewal(somebody(), idempotency_key=key))
        place.deployment.invoke(replay, function=place.function)

    return place.leads_to(act, lambda: place.item("ViewsTable", action_id=keyed_action_id(key)))


def the_news(place: Place) -> bool:
    """Others hear how an action ended."""
    key = uuid4().hex
    return place.leads_to(
        lambda: place.ask(renewal(somebody(), idempotency_key=key)),
        lambda: keyed_action_id(key) in json.dumps(place.deployment.cloud.lying_in(place.news)),
    )


def a_poisoned_action(place: Place) -> bool:
    """An action that nobody can read is set aside."""
    ledger, table = place.deployment.cloud.client("dynamodb"), place.deployment.resources["LedgerTable"]
    poisoned = f"act_{uuid4().hex}"
    event = {"type": {"S": "requested"}, "topic": {"S": "action.unheard_of"}, "at": {"S": ""}, "state": {"B": b""}}

    def put() -> None:
        ledger.put_item(
            TableName=table,
            Item={
                "pk": {"S": poisoned},
                "sk": {"N": "1"},
                "events": {"L": [{"M": event}]},
                "count": {"N": "1"},
                "last": {"S": "requested"},
                "due_shard": {"S": "0"},
                "due_at": {"S": datetime.now(UTC).isoformat().replace("+00:00", "Z")},
            },
        )
        if place.function == "Sweep":
            place.deployment.invoke({}, function="Sweep")

    return place.leads_to(put, lambda: place.messages("Quarantine", poisoned))


def the_oldest_doubt(place: Place) -> bool:
    """The sweep says how old the oldest doubt is."""
    reports: list[dict[str, Any]] = []
    return place.leads_to(
        lambda: reports.append(place.deployment.invoke({}, function="Sweep")),
        lambda: reports and reports[0]["oldest_in_doubt_s"] is not None,
    )
