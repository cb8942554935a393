"""A whole agent before a CRM that behaves: the same tests for Salesforce and HubSpot, each in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from agents.execution_agent.config import ACTIONS
from domain.connections import Connections, Port
from domain.crm import Crm
from domain.identity import keyed_action_id
from tests.doubles import hubspot, salesforce
from tests.doubles.connections import connections
from tests.doubles.crm import CrmDouble, Row
from tests.doubles.hubspot import HubSpotDouble
from tests.doubles.salesforce import SalesforceDouble
from tests.fakes import FakeClock, FakeHolders, fake_world
from tests.house import agent_with, words

ADA = {"actor": "ada", "reason": "the wrong account"}
DAY = 86_400.0
SECRETS = {"SALESFORCE_SECRET": salesforce.CLIENT_SECRET, "HUBSPOT_TOKEN": hubspot.TOKEN}


class Died(BaseException):
    """The process is gone: nothing after it is carried out."""


@dataclass(frozen=True)
class Dialect:
    """How one CRM calls what the tests are about. `keyless` is an object without a field for effect keys."""

    people: str
    last: str
    title: str
    email: str
    number: str
    key: str
    keyless: str
    text: str


DIALECTS: Mapping[str, Dialect] = {
    "salesforce": Dialect(
        "Contact", "LastName", "Title", "Email", salesforce.NUMBER_FIELD, salesforce.KEY_FIELD, "Note__c", "Body__c"
    ),
    "hubspot": Dialect("contacts", "lastname", "jobtitle", "email", "email", hubspot.KEY, "2-123456", "body"),
}


def double_of(kind: str) -> CrmDouble:
    return SalesforceDouble() if kind == "salesforce" else HubSpotDouble()


def entry_of(double: CrmDouble, **changes: Any) -> dict[str, Any]:
    if isinstance(double, SalesforceDouble):
        return salesforce.entry(double, **changes)
    assert isinstance(double, HubSpotDouble)
    return hubspot.entry(double, **changes)


class Mortal:
    """Connections to a CRM in whose process somebody pulls the plug, right after a write, `deaths` times.

    With `too_early` it is right before the write.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.deaths = 0
        self.too_early = False

    def of(self, port: type[Port], name: str | None = None) -> Any:
        return _MortalCrm(self._connections.of(Crm, name), self)


@dataclass
class _MortalCrm:
    crm: Crm
    life: Mortal

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.crm, name)
        return self._deadly(member) if name in ("create", "upsert", "update", "delete") else member

    def _deadly(self, act: Any) -> Any:
        def act_and_die(*given: Any, **more: Any) -> Any:
            dies, self.life.deaths = self.life.deaths > 0, max(self.life.deaths - 1, 0)
            if dies and self.life.too_early:
                raise Died
            ended = act(*given, **more)
            if dies:
                raise Died
            return ended

        return act_and_die


@dataclass
class CrmHouse:
    """An agent, and the CRM that it writes to."""

    double: CrmDouble
    says: Dialect
    changes: Mapping[str, Any] = field(default_factory=dict)
    retries: int = 3

    def __post_init__(self) -> None:
        self.clock, self.holders = FakeClock(), FakeHolders()
        self.secrets = dict(SECRETS)
        self.life = Mortal(connections(self.secrets, crm=entry_of(self.double, **self.changes)))
        self.world = fake_world(clock=self.clock, holders=self.holders, connections=self.life)
        self.agent = agent_with(world=self.world, actions=ACTIONS, max_retries=self.retries)

    # -- asking -----------------------------------------------------------------------------------------------------

    def ask(self, action_type: str, **parameters: Any) -> dict[str, Any]:
        return self.agent.process({"action_type": action_type, "parameters": parameters})

    def create(self, **fields: Any) -> dict[str, Any]:
        return self.ask("crm_create", object=self.says.people, fields=self._named({"last": "Lovelace", **fields}))

    def update(self, record_id: str, **fields: Any) -> dict[str, Any]:
        return self.ask("crm_update", object=self.says.people, id=record_id, fields=self._named(fields))

    def upsert(self, number: str = "acme-1@example.com", **fields: Any) -> dict[str, Any]:
        match = {"field": self.says.number, "value": number}
        return self.ask(
            "crm_upsert", object=self.says.people, match=match, fields=self._named({"last": "Lovelace", **fields})
        )

    def undo(self, done: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        return self.agent.undo(done["action_id"], **{**ADA, **more})

    def ask_and_die(self, action_type: str, *, too_early: bool = False, **parameters: Any) -> str:
        """The process dies after its write, or before it; the id of what it left behind."""
        self.life.deaths, self.life.too_early = 1, too_early
        request = {"action_type": action_type, "parameters": parameters, "idempotency_key": "k-1"}
        try:
            self.agent.process(request)
        except Died:
            self.holders.dead.add("me")
            self.holders.name = "another"
        return keyed_action_id("k-1")

    def work(self, after: float = 0.0) -> None:
        """A worker does what is due."""
        self.clock.pass_time(after)
        self.agent.worker(threads=1).run(Event(), until_idle=True)

    def go_on(self, action_id: str) -> dict[str, Any]:
        """Other processes take over what one left behind, for as long as it takes; how it stands then."""
        self.agent.advance(action_id)
        for _ in range(3):
            self.work(after=DAY)
        return self.agent.status(action_id)

    # -- looking ----------------------------------------------------------------------------------------------------

    def status(self, done: Mapping[str, Any]) -> dict[str, Any]:
        return self.agent.status(done["action_id"])

    def words(self, done: Mapping[str, Any]) -> list[str]:
        return words(self.agent, done)

    def said(self, done: Mapping[str, Any], word: str) -> dict[str, Any]:
        """What the last event of this kind says."""
        told = [entry["data"] for entry in self.agent.history(done["action_id"]) if entry["type"] == word]
        data: dict[str, Any] = told[-1]
        return data

    def compensation(self, done: Mapping[str, Any]) -> dict[str, Any]:
        return self.agent.status(self.status(done)["result"]["compensation"])

    # -- the CRM ----------------------------------------------------------------------------------------------------

    def somebody_adds(self, **fields: Any) -> str:
        return self.double.add(self.says.people, **self._named({"last": "Lovelace", **fields}))

    def somebody_changes(self, record_id: str, **fields: Any) -> None:
        self.double.change(self.says.people, record_id, **self._named(fields))

    @property
    def people(self) -> list[Row]:
        return self.double.rows(self.says.people)

    def person(self, record_id: str) -> dict[str, Any]:
        """What the record holds, in the tests' words."""
        values = self.double.objects[self.says.people][record_id].values
        return {word: values.get(getattr(self.says, word)) for word in ("last", "title", "email")}

    def _named(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {getattr(self.says, word): value for word, value in fields.items()}
