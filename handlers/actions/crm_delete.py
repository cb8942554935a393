"""Delete a CRM record; where the CRM has an archive, put it there."""

from __future__ import annotations

from domain.base_action import Attempt, BaseAction, Inquiry, Intent, Prepared
from domain.crm import Absent, Crm, Fields, Record, Where, differing
from domain.outcome import CannotTell, Executed, Finding, NotExecuted, Outcome, Retry, Succeeded
from domain.policy import Delivery
from domain.ports import World
from domain.validators.crm import CrmDeleteParameters
from handlers.actions import crm_records
from handlers.actions.crm_records import MAYBE_NOT_OURS, Difference, Work


class CrmDelete(BaseAction[CrmDeleteParameters]):
    """Takes a creation back. Idempotent: a record that is not there is as good as deleted.

    One that was changed since, or may not be ours, is for a person to decide on.
    """

    action_type = "crm_delete"
    summary = "Delete a record from the CRM, as long as it holds what is expected."
    parameters = CrmDeleteParameters
    delivery = Delivery.IDEMPOTENT_BY_KEY
    correction = "The CRM keeps what was deleted for a while: restore it there."
    subject = "parameters.id"
    tells = crm_records.TELLS

    def prepare(self, parameters: CrmDeleteParameters, intent: Intent, world: World) -> Prepared[CrmDeleteParameters]:
        crm = world.connections.of(Crm, parameters.connection)
        crm.check(parameters.object, parameters.expected, record_id=parameters.id, fields_in="expected")
        where, expected = Where(parameters.object, parameters.id), parameters.expected
        found = crm_records.look_first(crm, where, expected, intent)
        if isinstance(found, Record):
            _hold(where, _changed_since(found, expected), intent, ask_first=parameters.ask_first)
        return crm_records.prepared(parameters, Work(crm, where, expected, found), intent)

    def execute(self, prepared: Prepared[CrmDeleteParameters], attempt: Attempt, world: World) -> Outcome:
        work: Work = prepared.work
        if isinstance(work.found, Retry):
            return work.found
        ended = work.found if isinstance(work.found, Absent) else work.crm.delete(work.where, timeout=attempt.timeout)
        return _done(work.where) if isinstance(ended, Absent) else ended

    def probe(self, parameters: CrmDeleteParameters, inquiry: Inquiry, world: World) -> Finding:
        """Looks whether it is still there."""
        crm = world.connections.of(Crm, parameters.connection)
        work = Work(crm, Where(parameters.object, parameters.id), parameters.expected)
        found = crm_records.look(crm, work.where, parameters.expected, inquiry.timeout)
        if isinstance(found, Record) and crm_records.is_settled(inquiry, world.clock.now()):
            return NotExecuted(crm_records.evidence(work, found))
        if isinstance(found, Absent):
            return Executed(crm_records.place(crm, work.where), _done(work.where).result, parameters.id)
        return CannotTell("it is still there" if isinstance(found, Record) else found.message)


def _hold(where: Where, differences: list[Difference], intent: Intent, *, ask_first: bool) -> None:
    if ask_first:
        message = f"it is not known whether we have created the {where.object}, or somebody else has"
        crm_records.hold(where, MAYBE_NOT_OURS, message, differences, intent)
    else:
        crm_records.hold_changed(where, differences, intent)


def _done(where: Where) -> Succeeded:
    return Succeeded({"object": where.object, "id": where.value, "deleted": True}, reference=where.value)


def _changed_since(found: Record, expected: Fields) -> list[Difference]:
    now = found.fields
    return [
        crm_records.difference(name, before=None, ours=expected[name], now=now[name])
        for name in differing(now, expected)
    ]
