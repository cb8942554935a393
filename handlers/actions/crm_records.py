"""What the CRM actions share: a record is read before it is written, and what was there is kept.

    prepare   reads the touched fields; the before-image is stored with the attempt, before anything leaves
    execute   writes; where the CRM can hold to it, only if nobody has changed the record since it was read
    undo      puts the before-image back, as long as the fields still hold what we wrote

An attempt that may have taken effect has changed what the next one reads: a field that holds our value by then keeps
the image that the earlier attempt found. Where it may have created the record, nobody can tell whose that is: it is
not deleted without asking.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NoReturn, TypeAlias, TypeVar

from pydantic import BaseModel

from domain.base_action import Attempt, Compensation, Done, Inquiry, Intent, Prepared
from domain.canonical import canonical
from domain.crm import Absent, Crm, Fields, Record, Value, Where, Written, differing
from domain.errors import Code, FieldError, NeedsApproval, Refused
from domain.field_class import personal, technical
from domain.hold import Hold
from domain.outcome import CannotTell, Executed, Finding, NotExecuted, Outcome, Permanent, Retry, Succeeded
from domain.validators.crm import LARGEST_FIELDS

P = TypeVar("P", bound=BaseModel)
Difference: TypeAlias = dict[str, Any]

READ_TIMEOUT = 10.0
"""Seconds, for a record to be read before it is written."""
SETTLED_AFTER = timedelta(hours=1)
"""After so long nothing of an attempt is on its way any more: no CRM works on one request that long."""

NOT_READ_YET = "not_read_yet"
"""Of an attempt that is only checked: the record is read when its turn comes."""
NO_IMAGE = "It is not known what was there before: put it right as a new action."
RECORD_NOT_FOUND = "record_not_found"
CHANGED_SINCE = "changed_since"
"""The rule of a hold: somebody has changed the record since."""
MAYBE_NOT_OURS = "maybe_not_ours"
"""The rule of a hold: it is not known whether we have created the record."""

TELLS = technical(
    "reference", "connection", "object", "id", "field", "version", "maybe_ours", "created", "deleted", "fields"
)
TELLS |= personal("value", "before", "ours", "now")
"""What the CRM actions' facts, results and undo data hold."""


@dataclass(frozen=True, slots=True)
class Work:
    """What an attempt will write, and what it will overwrite.

    `found` is what was read just now, Retry where that was not possible: then nothing is written. `before` is what was
    there before all attempts, None where that is nothing. `maybe_ours`: an attempt before found no record, and may have
    created the one that is there now; then `before` is what was in it when it was found.
    """

    crm: Crm
    where: Where
    fields: Fields = field(repr=False)
    found: Record | Absent | Retry = field(default_factory=Absent)
    before: Fields | None = field(default=None, repr=False)
    maybe_ours: bool = False

    def facts_after(self, earlier: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is stored with the attempt. What an earlier one has found holds on, where that may have taken effect."""
        if isinstance(self.found, Retry):
            return {**place(self.crm, self.where), **earlier}
        return {
            **place(self.crm, self.where),
            "before": None if self.before is None else dict(self.before),
            "version": earlier.get("version", getattr(self.found, "version", None)),
            **({"maybe_ours": True} if self.maybe_ours else {}),
        }


def place(crm: Crm, where: Where) -> dict[str, str]:
    """Which record, in plain words: an id, or a field and its value."""
    found_by = {"id": where.value} if where.field is None else {"field": where.field, "value": where.value}
    return {"connection": crm.name, "object": where.object, **found_by}


def prepared(parameters: P, work: Work, intent: Intent) -> Prepared[P]:
    """An attempt that is ready to leave."""
    return Prepared(
        parameters,
        work=work,
        facts=work.facts_after(intent.earlier),
        timeout=work.crm.timeout,
        target=target(work.crm),
    )


def target(crm: Crm) -> str:
    """Who bears the effect."""
    return f"crm:{crm.name}"


# -- before -----------------------------------------------------------------------------------------------------------


def look_first(crm: Crm, where: Where, fields: Collection[str], intent: Intent) -> Record | Absent | Retry:
    """The record before an attempt, read in the time that there is; Retry where there is none. Raises as `look`."""
    if intent.within <= 0:
        return Retry(NOT_READ_YET, "the record is read when its turn comes")
    return look(crm, where, fields, min(READ_TIMEOUT, intent.within))


def look(crm: Crm, where: Where, fields: Collection[str], timeout: float) -> Record | Absent | Retry:
    """The record as it is now. Raises Refused where the CRM refuses to tell, or tells more than can be kept."""
    found = crm.read(where, fields, timeout=timeout)
    if isinstance(found, Permanent):
        raise Refused(found.message, code=found.code)
    if isinstance(found, Record):
        _require_keepable(found.fields)
    return found


def image(found: Record | Retry, ours: Fields, earlier: Mapping[str, Any]) -> Fields | None:
    """What was there before our first attempt, None where it could not be read. Raises Refused when it is too large."""
    if isinstance(found, Retry):
        return None
    known, changed = earlier.get("before") or {}, differing(found.fields, ours)
    before = {name: now if name in changed else known.get(name, now) for name, now in found.fields.items()}
    _require_keepable(before)
    return before


def _require_keepable(fields: Fields) -> None:
    if len(canonical(dict(fields))) > LARGEST_FIELDS:
        message = f"these fields hold more than {LARGEST_FIELDS} bytes now: they could not be put back"
        raise Refused(message, details=[FieldError("parameters.fields", Code.TOO_LARGE, message)], code=Code.TOO_LARGE)


def refuse_absent(where: Where) -> NoReturn:
    """Raises Refused (record_not_found)."""
    message = f"there is no {where.object} of this id, or not any more"
    raise Refused(message, details=[FieldError("parameters.id", RECORD_NOT_FOUND, message)], code=RECORD_NOT_FOUND)


def may_have_created(facts: Mapping[str, Any]) -> bool:
    """Whether the attempt with these facts, or one before it, found no record and may have created it."""
    return facts.get("maybe_ours") is True or ("before" in facts and facts["before"] is None)


def hold_changed(where: Where, differences: Sequence[Difference], intent: Intent) -> None:
    """Raises NeedsApproval where there are differences, unless a person has approved just these."""
    if differences:
        names = ", ".join(difference["field"] for difference in differences)
        message = f"somebody has changed the {where.object} since: {names}"
        hold(where, CHANGED_SINCE, message, differences, intent)


def hold(where: Where, rule: str, message: str, differences: Sequence[Difference], intent: Intent) -> None:
    """Raises NeedsApproval, with all that there is to decide on, unless a person has approved exactly this."""
    details = {"object": where.object, "id": where.value, "differences": list(differences)}
    needed = Hold(rule, message, details)
    if not intent.approves(needed):
        raise NeedsApproval(needed)


def difference(name: str, *, before: Value, ours: Value, now: Value) -> Difference:
    """What was there before us, what we made of it, and what somebody else has made of that."""
    return {"field": name, "before": before, "ours": ours, "now": now}


# -- the effect, and its doubt ----------------------------------------------------------------------------------------


def change(work: Work, attempt: Attempt) -> Outcome:
    """Sets the fields that hold other values, once; none of a record that could not be read."""
    found = work.found
    if isinstance(found, Retry):
        return found
    if isinstance(found, Absent):
        return Permanent(RECORD_NOT_FOUND, f"there is no {work.where.object} of this id")
    missing = {name: work.fields[name] for name in differing(found.fields, work.fields)}
    if not missing:
        return changed(work, {})
    ended = work.crm.update(work.where, missing, version=found.version, timeout=attempt.timeout)
    return changed(work, ended.fields) if isinstance(ended, Written) else ended


def changed(work: Work, taken: Fields) -> Succeeded:
    """`taken` is what the CRM made of our values. What they overwrote can be put back where it is known."""
    record_id, ours = work.where.value, {**work.fields, **taken}
    result = {"object": work.where.object, "id": record_id, "fields": sorted(ours)}
    if work.before is None:
        return Succeeded(result, reference=record_id)
    overwritten = {name: work.before[name] for name in ours}
    return Succeeded(result, record_id, {**place(work.crm, work.where), "before": overwritten, "ours": ours})


def created(crm: Crm, object_name: str, written: Written) -> Succeeded:
    """A record that was not there before."""
    result = {"object": object_name, "id": written.id, "created": True}
    undo = {**place(crm, Where(object_name, written.id)), "created": True, "ours": dict(written.fields)}
    return Succeeded(result, reference=written.id, undo=undo)


def evidence(work: Work, found: Record) -> Mapping[str, Any]:
    """What a probe saw."""
    return {**place(work.crm, work.where), "id": found.id, "now": dict(found.fields), "version": found.version}


def probed_change(work: Work, inquiry: Inquiry, now: datetime) -> Finding:
    """Whether the fields were set."""
    found = holding(work, inquiry, now)
    if not isinstance(found, Record):
        return found
    done = changed(replace(work, before=inquiry.facts.get("before")), {})
    return Executed(evidence(work, found), done.result, done.reference, done.undo)


def holding(work: Work, inquiry: Inquiry, now: datetime) -> Record | NotExecuted | CannotTell:
    """The record, if it holds our values. Not executed: nobody has touched it since it was read, and nobody will."""
    if is_unsent(inquiry.facts):
        return NotExecuted({**place(work.crm, work.where), "sent": False})
    found = look(work.crm, work.where, work.fields, inquiry.timeout)
    if isinstance(found, Retry):
        return CannotTell(found.message)
    if isinstance(found, Absent):
        return CannotTell("there is no such record now", place(work.crm, work.where))
    if not differing(found.fields, work.fields):
        return found
    if found.version and found.version == inquiry.facts.get("version") and is_settled(inquiry, now):
        return NotExecuted(evidence(work, found))
    return CannotTell("the fields hold other values: they were not set, or changed since", evidence(work, found))


def is_unsent(facts: Mapping[str, Any]) -> bool:
    """Whether these are of attempts that could not read the record, and so wrote nothing."""
    return "object" in facts and "before" not in facts


def is_settled(inquiry: Inquiry, now: datetime) -> bool:
    """Whether nothing of the attempt can be on its way any more."""
    return now - inquiry.at >= SETTLED_AFTER


# -- taking back ------------------------------------------------------------------------------------------------------


def taking_back(done: Done) -> Compensation | None:
    """What was created is deleted, what was overwritten put back; None where it is not known, or was nothing.

    Of a record that may be ours, and held nobody else's values, only a person can say whether it is to be deleted.
    """
    undo = done.undo or {}
    record = {name: undo.get(name) for name in ("connection", "object", "id")}
    if undo.get("created"):
        return Compensation("crm_delete", {**record, "expected": undo["ours"]})
    if undo.get("maybe_ours") and not differing(undo["before"], undo["ours"]):
        return Compensation("crm_delete", {**record, "expected": undo["ours"], "ask_first": True})
    if undo.get("before"):
        return Compensation("crm_restore", {**record, "before": undo["before"], "ours": undo["ours"]})
    return None
