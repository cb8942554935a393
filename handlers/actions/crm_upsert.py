"""Create or change a CRM record that a field of its own finds."""

from __future__ import annotations

from dataclasses import replace

from domain.base_action import Attempt, BaseAction, Compensation, Done, Inquiry, Intent, Prepared
from domain.crm import Absent, Crm, Record, Where, Written
from domain.outcome import Executed, Finding, Outcome, Retry, Succeeded
from domain.policy import Delivery
from domain.ports import World
from domain.validators.crm import CrmUpsertParameters
from handlers.actions import crm_records
from handlers.actions.crm_records import NO_IMAGE, Work


class CrmUpsert(BaseAction[CrmUpsertParameters]):
    """Idempotent: one record has the value, and its fields get absolute ones. Undone, it is as it was, or not there.

    It counts as created when the CRM says so. One that was not there before an attempt in doubt, and is after it, may
    be ours or somebody else's: then `created` is null, and nothing deletes it without a person.
    """

    action_type = "crm_upsert"
    summary = "Set fields of the record that a unique field finds in the CRM; create it where there is none."
    parameters = CrmUpsertParameters
    delivery = Delivery.IDEMPOTENT_BY_KEY
    correction = NO_IMAGE
    subject = "parameters.match.value"
    tells = crm_records.TELLS

    def prepare(self, parameters: CrmUpsertParameters, intent: Intent, world: World) -> Prepared[CrmUpsertParameters]:
        crm = world.connections.of(Crm, parameters.connection)
        crm.check(parameters.object, parameters.fields, match_by=parameters.match.field)
        where, ours = _where(parameters), parameters.fields
        found = crm_records.look_first(crm, where, ours, intent)
        if isinstance(found, Absent):
            return crm_records.prepared(parameters, Work(crm, where, ours, found), intent)
        before = crm_records.image(found, ours, intent.earlier)
        maybe_ours = crm_records.may_have_created(intent.earlier)
        return crm_records.prepared(parameters, Work(crm, where, ours, found, before, maybe_ours), intent)

    def execute(self, prepared: Prepared[CrmUpsertParameters], attempt: Attempt, world: World) -> Outcome:
        work: Work = prepared.work
        if isinstance(work.found, Retry):
            return work.found
        ended = work.crm.upsert(work.where, work.fields, timeout=attempt.timeout)
        return _done(work, ended) if isinstance(ended, Written) else ended

    def probe(self, parameters: CrmUpsertParameters, inquiry: Inquiry, world: World) -> Finding:
        crm = world.connections.of(Crm, parameters.connection)
        work = Work(crm, _where(parameters), parameters.fields)
        found = crm_records.holding(work, inquiry, world.clock.now())
        if not isinstance(found, Record):
            return found
        before = crm_records.image(found, parameters.fields, inquiry.facts)
        maybe_ours = crm_records.may_have_created(inquiry.facts)
        seen = replace(work, found=found, before=before, maybe_ours=maybe_ours)
        done = _done(seen, Written(found.id, False, parameters.fields))
        return Executed(crm_records.evidence(work, found), done.result, done.reference, done.undo)

    def compensation(self, done: Done) -> Compensation | None:
        return crm_records.taking_back(done)


def _where(parameters: CrmUpsertParameters) -> Where:
    return Where(parameters.object, parameters.match.value, parameters.match.field)


def _done(work: Work, written: Written) -> Succeeded:
    """Where somebody else created the record after we looked, what was in it is not known."""
    if written.created:
        return crm_records.created(work.crm, work.where.object, written)
    done = crm_records.changed(replace(work, where=Where(work.where.object, written.id)), written.fields)
    result = {"object": work.where.object, "id": written.id, "created": None if work.maybe_ours else False}
    undo = {**(done.undo or {}), "maybe_ours": True} if work.maybe_ours else done.undo
    return replace(done, result=result, undo=undo)
