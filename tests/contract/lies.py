"""An honest action type, its provider, and the same type with one lie in it: one class for each lie."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, ConfigDict, Field

from adapters.http import Client, MaybeSent, NotSent, Reach, Response
from adapters.http import Request as HttpRequest
from agents.execution_agent.conformance import Answer, End, HttpCase, Request
from agents.execution_agent.conformance.http_case import IMPATIENT
from domain.base_action import Attempt, BaseAction, Compensation, Done, Inquiry, Intent, Parameters, Prepared
from domain.outcome import (
    CannotTell,
    Executed,
    Finding,
    NotExecuted,
    Outcome,
    Permanent,
    Retry,
    Succeeded,
    Unknown,
)
from domain.policy import Delivery
from domain.ports import World

TOKEN = "canary-9f86d081884c7d659a2feaa0c55ad015"
LOCAL = Reach(allow_http=True, allow_private_network=True)
SETTLED = timedelta(minutes=20)
log = logging.getLogger("execution_agent.notes")


@dataclass(frozen=True)
class Notes:
    """The way to the provider."""

    url: str
    token: str = field(repr=False, default=TOKEN)

    def ask(self, method: str, path: str, document: Any = None, *, key: str = "", timeout: float = 5.0) -> Response:
        """Raises what `Client.send` raises."""
        headers = {"authorization": f"Bearer {self.token}", "idempotency-key": key}
        body = b"" if document is None else json.dumps(document).encode()
        return Client().send(HttpRequest(method, self.url + path, headers, body), timeout=timeout, reach=LOCAL)


def notes_of(world: World) -> Notes:
    notes: Notes = world.extras["notes"]
    return notes


class NoteParameters(Parameters):
    """What there is to note."""

    text: str = Field(description="What there is to note.", examples=["ACME-1 renews."])


class StrikeParameters(Parameters):
    """Which note."""

    id: str = Field(description="The note.", examples=["n-1"])


class Note(BaseAction[NoteParameters]):
    """Honest."""

    action_type = "note"
    summary = "Note something."
    parameters = NoteParameters
    delivery = Delivery.IDEMPOTENT_BY_KEY

    def execute(self, prepared: Prepared[NoteParameters], attempt: Attempt, world: World) -> Outcome:
        return self.noted(prepared.parameters.text, attempt, notes_of(world))

    def noted(self, text: str, attempt: Attempt, notes: Notes) -> Outcome:
        try:
            response = notes.ask(
                "POST", "/notes", {"text": text}, key=self.key_of(attempt), timeout=self.patience(attempt)
            )
        except NotSent as failure:
            return Retry(failure.code, failure.message)
        except MaybeSent as failure:
            return self.lost(failure)
        return self.classed(response)

    def key_of(self, attempt: Attempt) -> str:
        return attempt.effect_key

    def patience(self, attempt: Attempt) -> float:
        return attempt.timeout

    def lost(self, failure: MaybeSent) -> Outcome:
        return Unknown(failure.code, failure.message)

    def classed(self, response: Response) -> Outcome:
        if 200 <= response.status < 300:
            return self.success(response)
        code = f"http_{response.status}"
        if response.status in (425, 429):
            return Retry(code, "not now")
        if 300 <= response.status < 500 and response.status != 408:
            return Permanent(code, "never")
        return Unknown(code, "who knows?")

    def success(self, response: Response) -> Outcome:
        try:
            note_id = json.loads(response.body)["id"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return Unknown("unreadable", "the answer makes no sense")
        return Succeeded({"id": note_id}, reference=note_id, undo={"id": note_id})

    def probe(self, parameters: NoteParameters, inquiry: Inquiry, world: World) -> Finding:
        response = notes_of(world).ask("GET", f"/notes/{inquiry.effect_key}", timeout=inquiry.timeout)
        document = json.loads(response.body)
        if response.status == 200:
            note_id = document["id"]
            return Executed({"status": 200}, {"id": note_id}, note_id, {"id": note_id})
        if response.status == 404 and document.get("notes") == 0 and world.clock.now() - inquiry.at >= SETTLED:
            return NotExecuted({"status": 404})
        return CannotTell(f"the provider answered {response.status}")

    def compensation(self, done: Done) -> Compensation | None:
        return Compensation("strike", {"id": (done.undo or {})["id"]})


class Strike(BaseAction[StrikeParameters]):
    """Takes a note back. Honest, too."""

    action_type = "strike"
    summary = "Strike a note out."
    parameters = StrikeParameters
    delivery = Delivery.IDEMPOTENT_BY_KEY
    correction = "Note it again, as a new action."

    def execute(self, prepared: Prepared[StrikeParameters], attempt: Attempt, world: World) -> Outcome:
        response = notes_of(world).ask("DELETE", f"/notes/{prepared.parameters.id}", timeout=attempt.timeout)
        return Succeeded() if response.status == 204 else Unknown(f"http_{response.status}", "who knows?")


class NoteCase(HttpCase):
    """A provider that keeps notes, each under the key that it came with."""

    action: ClassVar[type[BaseAction[Any]]] = Note
    others = (Strike,)
    secrets = (TOKEN,)

    def __init__(
        self,
        action: type[BaseAction[Any]] = Note,
        statuses: Sequence[int] = (200, 302, 401, 404, 408, 429, 500),
        *,
        is_patient: bool = False,
    ) -> None:
        """`is_patient`: what takes long is tried, too."""
        super().__init__()
        self._is_patient = is_patient
        self.statuses = statuses
        self.action = action  # type: ignore[misc] - one case for many liars
        self.notes: dict[str, str] = {}
        self._count = 0

    def ends(self) -> Iterator[End]:
        return (end for end in super().ends() if self._is_patient or end.patience > IMPATIENT)

    def reads(self) -> Iterator[End]:
        return (end for end in super().reads() if self._is_patient or end.patience > IMPATIENT)

    def world(self) -> Mapping[str, Any]:
        return {"extras": {"notes": Notes(self.provider.url)}}

    def parameters(self) -> Mapping[str, Any]:
        return {"text": "ACME-1 renews."}

    def key_of(self, request: Request) -> str | None:
        return request.headers["idempotency-key"]

    def effects(self) -> Sequence[object]:
        return tuple(self.notes)

    def reply(self, request: Request) -> Answer:
        _, _, name = request.path.rpartition("/")
        if request.method == "POST":
            return self._taken(request.headers["idempotency-key"])
        if request.method == "DELETE":
            self.notes = {key: note for key, note in self.notes.items() if note != name}
            return Answer(204)
        if name in self.notes:
            return Answer(200, json.dumps({"id": self.notes[name]}).encode())
        return Answer(404, b'{"notes": 0}')

    def _taken(self, key: str) -> Answer:
        if key not in self.notes:
            self._count += 1
            self.notes[key] = f"n-{self._count}"
        return Answer(201, json.dumps({"id": self.notes[key]}).encode())


# -- lies -------------------------------------------------------------------------------------------------------------


class SaysNothing(Note):
    summary = ""


class DescribesNothing(Note):
    class Bare(Parameters):
        text: str

    parameters: Any = Bare


class PromisesMoreInPassing(Note):
    delivery = Delivery.AT_LEAST_ONCE

    def prepare(self, parameters: NoteParameters, intent: Intent, world: World) -> Prepared[NoteParameters]:
        return Prepared(parameters, delivery=Delivery.IDEMPOTENT_BY_KEY)


class HasAWindowForNothing(Note):
    delivery = Delivery.AT_MOST_ONCE
    key_window = timedelta(minutes=5)


class CannotSayWhetherItProbes(Note):
    def can_probe(self, world: World) -> bool:
        raise KeyError("notes")


class HasNoCorrection(Note):
    def compensation(self, done: Done) -> Compensation | None:
        return None


class TakesAnything(Note):
    class Lax(NoteParameters):
        model_config = ConfigDict(extra="ignore")

    parameters: Any = Lax


class DoesNotReadBack(Note):
    class Growing(NoteParameters):
        text: Annotated[str, AfterValidator(lambda text: f"{text}!")] = Field(description="What there is to note.")

    parameters: Any = Growing


class ActsEarly(Note):
    def prepare(self, parameters: NoteParameters, intent: Intent, world: World) -> Prepared[NoteParameters]:
        notes_of(world).ask("POST", "/notes", {"text": "soon"}, key=intent.effect_key)
        return Prepared(parameters)


class AsksWithoutTime(Note):
    """To check a request takes no time of anybody else."""

    def prepare(self, parameters: NoteParameters, intent: Intent, world: World) -> Prepared[NoteParameters]:
        with suppress(NotSent, MaybeSent):
            notes_of(world).ask("GET", f"/notes/{intent.effect_key}", timeout=min(1.0, intent.within or 1.0))
        return Prepared(parameters)


class BreaksEarly(Note):
    def prepare(self, parameters: NoteParameters, intent: Intent, world: World) -> Prepared[NoteParameters]:
        raise KeyError("text")


class SendsAgain(Note):
    delivery = Delivery.AT_MOST_ONCE

    def noted(self, text: str, attempt: Attempt, notes: Notes) -> Outcome:
        outcome = super().noted(text, attempt, notes)
        return super().noted(text, attempt, notes) if isinstance(outcome, Unknown) else outcome


class InsistsOnA401(Note):
    def noted(self, text: str, attempt: Attempt, notes: Notes) -> Outcome:
        for _ in range(5):
            response = notes.ask("POST", "/notes", {"text": text}, key=attempt.effect_key, timeout=attempt.timeout)
            if response.status != 401:
                return super().classed(response)
        return Permanent("http_401", "never")


class ChangesItsKey(Note):
    def key_of(self, attempt: Attempt) -> str:
        return str(uuid.uuid4())


class CountsInItsKey(Note):
    def key_of(self, attempt: Attempt) -> str:
        return f"{attempt.effect_key}-{attempt.number}"


class OneKeyForAllRoutes(Note):
    def key_of(self, attempt: Attempt) -> str:
        return attempt.action_id


class OneKeyForAll(Note):
    def key_of(self, attempt: Attempt) -> str:
        return "note"


class SendsNoKey(Note):
    """To a provider that deduplicates by it."""

    def key_of(self, attempt: Attempt) -> str:
        return f"{attempt.number}"


class TakesALossForARefusal(Note):
    def lost(self, failure: MaybeSent) -> Outcome:
        return Retry(failure.code, failure.message)


class TakesA500ForARefusal(Note):
    def classed(self, response: Response) -> Outcome:
        return Permanent("http_500", "never") if response.status == 500 else super().classed(response)


class TakesA408ForARefusal(Note):
    def classed(self, response: Response) -> Outcome:
        return Retry("http_408", "not now") if response.status == 408 else super().classed(response)


class BelievesEveryYes(Note):
    def success(self, response: Response) -> Outcome:
        return Succeeded()


class FollowsRedirects(Note):
    def classed(self, response: Response) -> Outcome:
        if response.status == 302:
            response = Client().send(
                HttpRequest("POST", response.headers["location"], {"idempotency-key": "x"}, b"{}"),
                timeout=5,
                reach=LOCAL,
            )
        return super().classed(response)


class IgnoresItsDeadline(Note):
    def patience(self, attempt: Attempt) -> float:
        return attempt.timeout + 3.0


class TakesSilenceForAbsence(Note):
    def probe(self, parameters: NoteParameters, inquiry: Inquiry, world: World) -> Finding:
        response = notes_of(world).ask("GET", f"/notes/{inquiry.effect_key}", timeout=inquiry.timeout)
        if response.status != 200 and world.clock.now() - inquiry.at >= SETTLED:
            return NotExecuted({"status": response.status})
        return super().probe(parameters, inquiry, world)


class ConcludesAtOnce(Note):
    def probe(self, parameters: NoteParameters, inquiry: Inquiry, world: World) -> Finding:
        response = notes_of(world).ask("GET", f"/notes/{inquiry.effect_key}", timeout=inquiry.timeout)
        if response.status == 404 and b"notes" in response.body:
            return NotExecuted({"status": 404})
        return super().probe(parameters, inquiry, world)


class FindsWhatIsNotThere(Note):
    def probe(self, parameters: NoteParameters, inquiry: Inquiry, world: World) -> Finding:
        return Executed({"guessed": True}, {"id": "n-1"}, "n-1", {"id": "n-1"})


class FindsNothing(Note):
    def probe(self, parameters: NoteParameters, inquiry: Inquiry, world: World) -> Finding:
        return CannotTell("who knows?")


class ShowsNoEvidence(Note):
    def probe(self, parameters: NoteParameters, inquiry: Inquiry, world: World) -> Finding:
        found = super().probe(parameters, inquiry, world)
        return Executed({}, found.result, found.reference, found.undo) if isinstance(found, Executed) else found


class ProbesBySending(Note):
    def probe(self, parameters: NoteParameters, inquiry: Inquiry, world: World) -> Finding:
        notes_of(world).ask("POST", "/notes", {"text": parameters.text}, key=inquiry.effect_key)
        return super().probe(parameters, inquiry, world)


class RemembersInMemory(Note):
    ids: ClassVar[dict[str, str]] = {}

    def success(self, response: Response) -> Outcome:
        outcome = super().success(response)
        if isinstance(outcome, Succeeded):
            self.ids["last"] = str(outcome.reference)
        return outcome

    def compensation(self, done: Done) -> Compensation | None:
        return Compensation("strike", {"id": self.ids.get("last", "")})


class UndoesByChance(Note):
    def compensation(self, done: Done) -> Compensation | None:
        return Compensation("strike", {"id": str(uuid.uuid4())})


class AsksToUndo(Note):
    url: ClassVar[str] = ""

    def execute(self, prepared: Prepared[NoteParameters], attempt: Attempt, world: World) -> Outcome:
        type(self).url = notes_of(world).url
        return super().execute(prepared, attempt, world)

    def compensation(self, done: Done) -> Compensation | None:
        response = Notes(self.url or "http://127.0.0.1:9").ask("GET", f"/notes/{done.effect_key}")
        return Compensation("strike", {"id": json.loads(response.body)["id"]})


class UndoesSomethingElse(Note):
    def compensation(self, done: Done) -> Compensation | None:
        return Compensation("strike", {"id": "n-0"})


class KeepsTheToken(Note):
    def success(self, response: Response) -> Outcome:
        outcome = super().success(response)
        return Succeeded({"token": TOKEN}, undo=outcome.undo) if isinstance(outcome, Succeeded) else outcome


class LogsTheToken(Note):
    def execute(self, prepared: Prepared[NoteParameters], attempt: Attempt, world: World) -> Outcome:
        log.debug("asking as %s", notes_of(world).token)
        return super().execute(prepared, attempt, world)


class RepeatsWhatItIsTold(Note):
    def classed(self, response: Response) -> Outcome:
        outcome = super().classed(response)
        return Permanent("no", response.body.decode()) if isinstance(outcome, Permanent) else outcome


class ShowsTheToken(Note):
    def prepare(self, parameters: NoteParameters, intent: Intent, world: World) -> Prepared[NoteParameters]:
        return Prepared(parameters, work={"token": notes_of(world).token})


class FactsAreNoJson(Note):
    def prepare(self, parameters: NoteParameters, intent: Intent, world: World) -> Prepared[NoteParameters]:
        return Prepared(parameters, facts={"at": intent.at})


class Forgetful(NoteCase):
    """A provider that does not deduplicate, whatever its action type says."""

    def _taken(self, key: str) -> Answer:
        return super()._taken(str(uuid.uuid4()))


Liar = type[BaseAction[Any]] | Callable[[], HttpCase]
