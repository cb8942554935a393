"""Create a CRM record."""

from __future__ import annotations

from typing import ClassVar

from domain.base_action import Attempt, BaseAction, Compensation, Done, Inquiry, Intent, Prepared
from domain.crm import Absent, Crm, Record, Where, Written
from domain.outcome import CannotTell, Executed, Finding, Outcome, Retry
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
    other_promises: ClassVar = {Delivery.IDEMPOTENT_BY_KEY: "its object has an `external_id`"}
    correction = "It is not known which record was created: find it, and delete it as a new action."
    subject = "result.id"
    tells = crm_records.TELLS

    def prepare(self, parameters: CrmCreateParameters, intent: Intent, world: World) -> Prepared[CrmCreateParameters]:
        crm = world.connections.of(Crm, parameters.connection)
        crm.check(parameters.object, parameters.fields)
        where = crm.keyed(parameters.object, intent.effect_key)
        return Prepared(
            parameters,
            work=(crm, where, _found_again(crm, where, parameters, intent)),
            facts=crm_records.place(crm, where) if where else {"connection": crm.name, "object": parameters.object},
            delivery=Delivery.IDEMPOTENT_BY_KEY if where else Delivery.AT_MOST_ONCE,
            timeout=crm.timeout,
            target=crm_records.target(crm),
        )

    def execute(self, prepared: Prepared[CrmCreateParameters], attempt: Attempt, world: World) -> Outcome:
        crm, where, found = prepared.work
        asked = prepared.parameters
        if isinstance(found, Retry):
            return found
        if isinstance(found, Record):
            # Somebody may have changed it since: it is not written again.
            return crm_records.created(crm, asked.object, Written(found.id, True, asked.fields))
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


def _found_again(
    crm: Crm, where: Where | None, parameters: CrmCreateParameters, intent: Intent
) -> Record | Absent | Retry:
    """What an attempt before, which may have taken effect, has created."""
    if where is None or not intent.earlier:
        return Absent()
    return crm_records.look_first(crm, where, parameters.fields, intent)
