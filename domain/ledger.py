"""The ledger: the one way to record an action and to read it back.

It is an `eventsourcing` application without a global sequence: an action is the unit of consistency, and the store
behind it (`PERSISTENCE_MODULE`) takes the events decided together as one commit, on the condition (action id, version).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from eventsourcing.application import AggregateNotFoundError, Application, LocalNotificationLog
from eventsourcing.domain import CanInitAggregate, DomainEventProtocol
from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    JSONTranscoder,
    Mapper,
    PersistenceError,
    StoredEvent,
    Transcoder,
)

from domain.action import Action
from domain.errors import (
    ActionNotFound,
    ConfigurationError,
    CorruptEvent,
    EventTooLarge,
    LedgerConflict,
    LedgerUnavailable,
    NewerSchema,
    UnknownTopic,
)
from domain.events import REGISTRY, RUN_TOPIC, RecordedEvent
from domain.identity import is_run_id
from domain.instant import from_text, to_text
from domain.unreadable import Told, life_in, replayed
from domain.upcasts import UPCASTS, Upcasts, upcast

if TYPE_CHECKING:
    from domain.workflow import WorkflowRun

LARGEST_EVENT = 350_000
"""Bytes. An item of DynamoDB holds 400 KB; what is decided together must fit beside it."""


LONGEST_ID = 255
"""Characters of an action's id, all ASCII."""


class ActionMapper(Mapper[str]):
    """Events to rows and back, through the closed registry: a row can name no module to import.

    A row's state is JSON: the event's own fields without those that are None, `at`, and `schema` where it is above 1.
    What an earlier schema said is upcast (`domain.upcasts`).
    """

    def __init__(
        self,
        transcoder: Transcoder,
        *,
        kind_of: Callable[[str], type[RecordedEvent] | None] | None = None,
        upcasts: Upcasts = UPCASTS,
    ) -> None:
        """`kind_of` tells what is registered for a topic, None where nothing is."""
        super().__init__(transcoder)
        self._kind_of = kind_of or _kind_of
        self._upcasts = upcasts

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        event = cast("RecordedEvent", domain_event)
        state: dict[str, Any] = {"at": to_text(event.timestamp)}
        if event.schema > 1:
            state["schema"] = event.schema
        said = vars(event)
        state.update((name, said[name]) for name in _own_fields(type(event)) if said[name] is not None)
        encoded = _encode(state).encode()
        if len(encoded) > LARGEST_EVENT:
            raise EventTooLarge(f"{event.life.value!r} takes {len(encoded)} bytes; at most {LARGEST_EVENT} are stored")
        return StoredEvent(event.originator_id, event.originator_version, event.TOPIC, encoded)

    def to_domain_event(self, stored_event: StoredEvent) -> RecordedEvent:
        where = f"{stored_event.originator_id} version {stored_event.originator_version}"
        kind = self._kind_of(stored_event.topic)
        if kind is None:
            raise UnknownTopic(f"{where}: no event is registered for the topic {stored_event.topic!r}")
        try:
            state = json.loads(stored_event.state)
            schema = _schema_of(state)
            if schema > kind.schema:
                raise NewerSchema(f"{where}: {stored_event.topic!r} has schema {schema}, known is up to {kind.schema}")
            if schema < kind.schema:
                state = upcast(kind.TOPIC, state, schema, known=kind.schema, upcasts=self._upcasts)
            at = from_text(state.pop("at"))
            if issubclass(kind, CanInitAggregate):
                state["originator_topic"] = kind.TOPIC.partition(".")[0]
            return kind(str(stored_event.originator_id), stored_event.originator_version, at, **state)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise CorruptEvent(f"{where}: {stored_event.topic!r} cannot be read ({type(error).__name__})") from error

    def require_known(self, action_id: str, version: int, topic: str, state: bytes) -> None:
        """Raises what `to_domain_event` does of an unknown topic, a newer schema, or a state that is no JSON object."""
        kind = self._kind_of(topic)
        if kind is None:
            raise UnknownTopic(f"{action_id} version {version}: no event is registered for the topic {topic!r}")
        try:
            schema = _schema_of(json.loads(state))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            problem = f"{topic!r} cannot be read ({type(error).__name__})"
            raise CorruptEvent(f"{action_id} version {version}: {problem}") from error
        if schema > kind.schema:
            problem = f"{topic!r} has schema {schema}, known is up to {kind.schema}"
            raise NewerSchema(f"{action_id} version {version}: {problem}")


def _schema_of(state: dict[str, Any]) -> int:
    """Takes it out of what is said. Raises ValueError for what is no schema."""
    schema = state.pop("schema", 1)
    if type(schema) is not int or schema < 1:
        raise ValueError("no schema")
    return schema


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


_OWN_FIELDS: dict[type[RecordedEvent], tuple[str, ...]] = {}
"""Of each kind that was met."""


def _own_fields(kind: type[RecordedEvent]) -> tuple[str, ...]:
    if kind not in _OWN_FIELDS:
        _OWN_FIELDS[kind] = kind.own_fields()
    return _OWN_FIELDS[kind]


def _kind_of(topic: str) -> type[RecordedEvent] | None:
    """What is registered for the topic, None where nothing is."""
    if not topic.startswith(f"{RUN_TOPIC}."):
        return REGISTRY.get(topic)
    # Imported here: a function that starts cold has mostly an action to carry out.
    from domain import workflow  # noqa: F401 - the aggregate registers itself
    from domain.workflow_events import RUN_REGISTRY

    return RUN_REGISTRY.get(topic)


@runtime_checkable
class Superseding(Protocol):
    """A store that can give up what is kept elsewhere."""

    def supersede_events(self, stored_events: Sequence[StoredEvent], *, head: bytes, at: datetime, view: Any) -> None:
        """Appends one commit behind the one of this hash, and takes out all that was there of the action before it."""
        ...


class ActionLedger(Application[str]):
    """Records and reads actions. `view_of` makes the row that lists are made of, stored with the events.

    Where rows are kept apart from the ledger, `keep` is handed each one once its events are on disk. It must not raise:
    what is recorded is recorded.
    """

    name = "execution_agent"

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        view_of: Callable[[Any], object],
        keep: Callable[[Any], None] | None = None,
    ) -> None:
        self._view_of = view_of
        self._keep = keep
        with translated():
            super().__init__(dict(env))

    def record(self, action: Action | WorkflowRun) -> None:
        """Appends what was decided, as one commit; returns when it is on disk. Runs are recorded in the same way.

        Raises LedgerConflict when another writer was first (the action at hand is then stale: load it again),
        EventTooLarge before anything is written, LedgerUnavailable when the store cannot be written.
        """
        view = self._view_of(action)
        # Straight to the store: `save` also serves snapshots, trackings and subscribers, which there are none of.
        with translated():
            self.events.put(action.collect_events(), at=action.modified_on, due_at=agenda_time(action), view=view)
        if self._keep is not None:
            self._keep(view)

    def supersede(self, action: Action, head: bytes) -> None:
        """Records that the action is archived, and takes out all that was recorded of it before: both, or neither.

        `head` is the hash of its last commit, as it is archived. Raises as `record` does, LedgerConflict where that
        commit is not the last any more, and ConfigurationError where the store gives nothing up.
        """
        store = self.recorder
        if not isinstance(store, Superseding):
            raise ConfigurationError("this ledger gives up nothing: only one in SQLite can be pruned")
        archived = action.collect_events()[-1]
        view = self._view_of(archived.mutate(None))
        with translated():
            store.supersede_events([self.mapper.to_stored_event(archived)], head=head, at=action.modified_on, view=view)
        if self._keep is not None:
            self._keep(view)

    def load(self, action_id: str) -> Action:
        """The action, read consistently. Raises ActionNotFound, LedgerUnavailable, and what a row deserves."""
        require_possible(action_id)
        if is_run_id(action_id):
            raise ActionNotFound(f"{action_id} is a workflow run, and no action")
        with translated():
            # The library's own way also asks each event whether it can be replayed. Ours come out of the registry.
            action = self.repository.get(action_id, projector_func=replayed)
        if not isinstance(action, Action):
            raise CorruptEvent(f"{action_id}: its life is that of a workflow run")
        return action

    def events_of(self, action_id: str) -> list[RecordedEvent]:
        """The whole life of an action or of a run, oldest first. Raises as `load` does."""
        require_possible(action_id)
        with translated():
            life = [cast("RecordedEvent", event) for event in self.events.get(action_id)]
        if not life:
            raise ActionNotFound(f"no action has the id {action_id!r}")
        return life

    def life_of(self, action_id: str) -> list[Told]:
        """The same for those who only look: what this release cannot read is told as far as it can be, in its place.

        Raises ActionNotFound, LedgerUnavailable, and CorruptEvent where a whole commit cannot be read.
        """
        require_possible(action_id)
        with translated():
            life = life_in(self.recorder.select_events(action_id), self.mapper)
        if not life:
            raise ActionNotFound(f"no action has the id {action_id!r}")
        return life

    def close(self) -> None:
        super().close()
        self.factory.close()

    # -- what the library lets an application choose ----------------------------------------------------------------

    def construct_mapper(self) -> Mapper[str]:
        return ActionMapper(JSONTranscoder())

    def construct_recorder(self) -> ApplicationRecorder:
        # An aggregate recorder is all there is: no global sequence, and no counter to become hot.
        return cast("ApplicationRecorder", self.factory.aggregate_recorder())

    def construct_notification_log(self) -> LocalNotificationLog:
        return cast("LocalNotificationLog", None)


def agenda_time(action: Action | WorkflowRun) -> datetime | None:
    """Nothing enters the agenda in its past: whoever works through it goes on from where they were."""
    return None if action.due_at is None else max(action.due_at, action.modified_on)


def require_possible(action_id: object) -> None:
    """Whoever asks may ask anything: what cannot be an id has no action. Raises ActionNotFound."""
    if not isinstance(action_id, str) or not action_id.isascii() or len(action_id) > LONGEST_ID:
        raise ActionNotFound(f"no action has the id {str(action_id)[:80]!a}")


@contextmanager
def translated() -> Iterator[None]:
    """Around what a recorder is asked: the library's errors in our words."""
    try:
        yield
    except IntegrityError as error:
        raise LedgerConflict(str(error)) from error
    except AggregateNotFoundError as error:
        raise ActionNotFound(str(error)) from error
    except PersistenceError as error:
        raise LedgerUnavailable(str(error)) from error
