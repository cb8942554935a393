"""What a process leaves behind that others can read, searched for secrets as it comes."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Self
from urllib.parse import quote, quote_plus

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.conformance.report import Breach, Rule

LOGGER = "execution_agent"
EVERY = 1_000_000


class Traces(logging.Handler):
    """Listens to every log record while the `with` lasts, as if all were to be logged, and is shown the rest.

    Holds where a secret was seen.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__(logging.NOTSET)
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
        self._sought = {spelling for secret in secrets for spelling in _spellings(secret)}
        self._seen: dict[str, None] = {}

    def __enter__(self) -> Self:
        self._levels = {name: logging.getLogger(name).level for name in (None, LOGGER)}
        logging.getLogger().addHandler(self)
        logging.getLogger().setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        self.keep(f"a log record of {record.name}", f"{self.format(record)} {vars(record)!r}")

    def keep(self, kind: str, text: str) -> None:
        """`kind` says what it is, in words that tell nothing of it."""
        if any(secret in text for secret in self._sought):
            self._seen[kind] = None

    def keep_story(self, agent: ExecutionAgent) -> None:
        """All that the agent's ledger tells."""
        for row in agent.list_actions(limit=EVERY):
            self.keep(f"the response of {row['action_type']}", json.dumps(agent.status(row["action_id"])))
            for event in agent.history(row["action_id"]):
                self.keep(f"the event {event['type']} of {row['action_type']}", json.dumps(event))

    def breaches(self) -> Iterator[Breach]:
        for kind in self._seen:
            yield Breach(Rule.TELLS_NO_SECRET, f"{kind} holds a secret")


def _spellings(secret: str) -> tuple[str, ...]:
    """As it is, and as it is escaped or encoded on its way."""
    return (
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        b64encode(secret.encode()).decode(),
        json.dumps(secret)[1:-1],
    )
