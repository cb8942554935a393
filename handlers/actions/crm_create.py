"""Create a CRM record."""

from __future__ import annotations

from domain.base_action import Attempt, BaseAction, Compensation, Done, Inquiry, Intent, Prepared
from domain.crm import Absent, Crm, Record, Written
from domain.outcome import CannotTell, Executed, Finding, Outcome
from domain.policy import Delivery
from domain.ports import World
from domain.validators.crm import CrmCreateParameters
from handlers.actions import crm_records


class CrmCreate(BaseAction[CrmCreateParameters]):
    """Idempotent by key where the object has a field for it: then the record is found, and not created, a second time.

    Elsewhere at most once: a CRM tells two creations apart by nothing.
    """

    action_type = "crm_create"
    summary = "Create a record in the CRM."
    parameters = CrmCreateParameters
    delivery = Delivery.AT_MOST_ONCE
    correction = "It is not known which record was created: find it, and delete it as a new action."

    def prepare(self, parameters: CrmCreateParameters, intent: Intent, world: World) -> Prepared[CrmCreateParameters]:
        crm = world.connections.of(Crm, parameters.connection)
        crm.check(parameters.object, parameters.fields)
        where = crm.keyed(parameters.object, intent.effect_key)
        return Prepared(
            parameters,
            work=(crm, where),
            facts=crm_records.place(crm, where) if where else {"connection": crm.name, "object": parameters.object},
            delivery=Delivery.IDEMPOTENT_BY_KEY if where else Delivery.AT_MOST_ONCE,
            timeout=crm.timeout,
            target=crm_records.target(crm),
        )

    def execute(self, prepared: Prepared[CrmCreateParameters], attempt: Attempt, world: World) -> Outcome:
        crm, where = prepared.work
        asked = prepared.parameters
        if where is None:
            ended = crm.create(asked.object, asked.fields, timeout=attempt.timeout)
        else:
            ended = crm.upsert(where, asked.fields, timeout=attempt.timeout)
        outcome: Outcome = crm_records.created(crm, asked.object, ended) if isinstance(ended, Written) else ended
        return outcome

    def probe(self, parameters: CrmCreateParameters, inquiry: Inquiry, world: World) -> Finding:
        """Looks for the record that has the key."""
        crm = world.connections.of(Crm, parameters.connection)
        where = crm.keyed(parameters.object, inquiry.effect_key)
        if where is None:
            return CannotTell("the object has no field that takes the effect key", again=False)
        found = crm_records.look(crm, where, parameters.fields, inquiry.timeout)
        if isinstance(found, Record):
            done = crm_records.created(crm, parameters.object, Written(found.id, True, parameters.fields))
            return Executed({**crm_records.place(crm, where), "id": found.id}, done.result, done.reference, done.undo)
        if isinstance(found, Absent):
            return CannotTell("no record has this key: none was created, or it is gone", crm_records.place(crm, where))
        return CannotTell(found.message)

    def compensation(self, done: Done) -> Compensation | None:
        return crm_records.taking_back(done)
