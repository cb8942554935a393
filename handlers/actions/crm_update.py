"""Set fields of a CRM record."""

from __future__ import annotations

from domain.base_action import Attempt, BaseAction, Compensation, Done, Inquiry, Intent, Prepared
from domain.crm import Absent, Crm, Where
from domain.outcome import Finding, Outcome
from domain.policy import Delivery
from domain.ports import World
from domain.validators.crm import CrmUpdateParameters
from handlers.actions import crm_records
from handlers.actions.crm_records import NO_IMAGE, Work


class CrmUpdate(BaseAction[CrmUpdateParameters]):
    """Idempotent: the values are absolute, so twice is once. What they overwrite is kept."""

    action_type = "crm_update"
    summary = "Set fields of a record in the CRM, by its id."
    parameters = CrmUpdateParameters
    delivery = Delivery.IDEMPOTENT_BY_KEY
    correction = NO_IMAGE
    subject = "parameters.id"
    tells = crm_records.TELLS

    def prepare(self, parameters: CrmUpdateParameters, intent: Intent, world: World) -> Prepared[CrmUpdateParameters]:
        crm = world.connections.of(Crm, parameters.connection)
        crm.check(parameters.object, parameters.fields, record_id=parameters.id)
        where, ours = Where(parameters.object, parameters.id), parameters.fields
        found = crm_records.look_first(crm, where, ours, intent)
        if isinstance(found, Absent):
            crm_records.refuse_absent(where)
        before = crm_records.image(found, ours, intent.earlier)
        return crm_records.prepared(parameters, Work(crm, where, ours, found, before), intent)

    def execute(self, prepared: Prepared[CrmUpdateParameters], attempt: Attempt, world: World) -> Outcome:
        return crm_records.change(prepared.work, attempt)

    def probe(self, parameters: CrmUpdateParameters, inquiry: Inquiry, world: World) -> Finding:
        crm = world.connections.of(Crm, parameters.connection)
        work = Work(crm, Where(parameters.object, parameters.id), parameters.fields)
        return crm_records.probed_change(work, inquiry, world.clock.now())

    def compensation(self, done: Done) -> Compensation | None:
        return crm_records.taking_back(done)
