"""Put back what was in a CRM record before an update."""

from __future__ import annotations

from domain.base_action import Attempt, BaseAction, Compensation, Done, Inquiry, Intent, Prepared
from domain.crm import Absent, Crm, Record, Where, differing, same
from domain.outcome import Finding, Outcome
from domain.policy import Delivery
from domain.ports import World
from domain.validators.crm import CrmRestoreParameters
from handlers.actions import crm_records
from handlers.actions.crm_records import NO_IMAGE, Difference, Work


class CrmRestore(BaseAction[CrmRestoreParameters]):
    """Takes an update back, and tramples on nobody: a field that was changed since is for a person to decide on."""

    action_type = "crm_restore"
    summary = "Put back what was in a CRM record before an update, as long as nobody has changed it since."
    parameters = CrmRestoreParameters
    delivery = Delivery.IDEMPOTENT_BY_KEY
    correction = NO_IMAGE
    subject = "parameters.id"
    tells = crm_records.TELLS

    def prepare(self, parameters: CrmRestoreParameters, intent: Intent, world: World) -> Prepared[CrmRestoreParameters]:
        crm = world.connections.of(Crm, parameters.connection)
        crm.check(parameters.object, parameters.before, record_id=parameters.id, fields_in="before")
        where, before = Where(parameters.object, parameters.id), parameters.before
        found = crm_records.look_first(crm, where, before, intent)
        if isinstance(found, Absent):
            crm_records.refuse_absent(where)
        if isinstance(found, Record):
            crm_records.hold_changed(where, _changed_since(found, parameters), intent)
        overwritten = crm_records.image(found, before, intent.earlier)
        return crm_records.prepared(parameters, Work(crm, where, before, found, overwritten), intent)

    def execute(self, prepared: Prepared[CrmRestoreParameters], attempt: Attempt, world: World) -> Outcome:
        return crm_records.change(prepared.work, attempt)

    def probe(self, parameters: CrmRestoreParameters, inquiry: Inquiry, world: World) -> Finding:
        crm = world.connections.of(Crm, parameters.connection)
        work = Work(crm, Where(parameters.object, parameters.id), parameters.before)
        return crm_records.probed_change(work, inquiry, world.clock.now())

    def compensation(self, done: Done) -> Compensation | None:
        return crm_records.taking_back(done)


def _changed_since(found: Record, parameters: CrmRestoreParameters) -> list[Difference]:
    """The fields that hold neither what we wrote nor what was there before."""
    before, ours, now = parameters.before, parameters.ours, found.fields
    return [
        crm_records.difference(name, before=before[name], ours=ours[name], now=now[name])
        for name in differing(now, ours)
        if not same(now[name], before[name])
    ]
