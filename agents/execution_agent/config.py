"""Settings, read from the environment once, and ACTIONS, the action types that are built in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from domain.base_action import BaseAction
from domain.errors import ConfigurationError
from handlers.actions.call_webhook import CallWebhook
from handlers.actions.send_email import SendEmail

ACTIONS: tuple[type[BaseAction[Any]], ...] = (SendEmail, CallWebhook)
"""One line registers an action type. Distributions bring theirs by the entry-point group `execution_agent.actions`."""

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

DEFAULTS: Mapping[str, str] = {
    "EXECUTION_AGENT_LOG_LEVEL": "INFO",
    "ACTION_TEMPLATES_PATH": "/opt/templates",
    "MAX_RETRIES": "3",
    "RETRY_BACKOFF_MS": "1000",
    "WEBHOOK_CONFIG_PATH": "/opt/config/webhooks.json",
    "EXECUTION_AGENT_LEDGER": "sqlite:///.execution-agent/ledger.db",
    "EXECUTION_AGENT_EMAIL": "outbox:.execution-agent/outbox",
    "EXECUTION_AGENT_EMAIL_SENDER": "execution-agent@example.com",
    "EXECUTION_AGENT_CLOCK_SKEW_S": "30",
    "EXECUTION_AGENT_WAIT_S": "30",
}
"""Every setting that there is, and its value when the environment is silent."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says, checked. `ledger` is an environment for the persistence module it names."""

    log_level: str
    templates_path: str
    max_retries: int
    backoff: timedelta
    webhook_config_path: str
    webhook_config_required: bool
    ledger: Mapping[str, str]
    email: str
    email_sender: str
    clock_skew: timedelta
    wait: float

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Raises ConfigurationError: one line that names the setting and says what it may be."""
        value = {name: environ.get(name) or default for name, default in DEFAULTS.items()}
        return cls(
            log_level=_log_level(value),
            templates_path=value["ACTION_TEMPLATES_PATH"],
            max_retries=_whole(value, "MAX_RETRIES", most=100),
            backoff=timedelta(milliseconds=_whole(value, "RETRY_BACKOFF_MS", most=86_400_000)),
            webhook_config_path=value["WEBHOOK_CONFIG_PATH"],
            webhook_config_required=bool(environ.get("WEBHOOK_CONFIG_PATH")),
            ledger=ledger_environment(value["EXECUTION_AGENT_LEDGER"]),
            email=value["EXECUTION_AGENT_EMAIL"],
            email_sender=_sender(value, environ),
            clock_skew=timedelta(seconds=_whole(value, "EXECUTION_AGENT_CLOCK_SKEW_S", most=3_600)),
            wait=float(_whole(value, "EXECUTION_AGENT_WAIT_S", least=1, most=900)),
        )


def ledger_environment(url: str) -> Mapping[str, str]:
    """`sqlite:///PATH` or `dynamodb://TABLE[?endpoint_url=...&region=...]`, in the words of the persistence modules."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1 and rest[1:] != ":memory:" and "?" not in rest:
        return {"PERSISTENCE_MODULE": "adapters.sqlite_events", "SQLITE_DBNAME": rest[1:]}
    if scheme == "dynamodb":
        return _dynamodb_environment(url)
    raise ConfigurationError(
        "EXECUTION_AGENT_LEDGER must be sqlite:///PATH or dynamodb://TABLE[?endpoint_url=...&region=...],"
        f" not {url[:200]!r}"
    )


def _dynamodb_environment(url: str) -> Mapping[str, str]:
    parts = urlsplit(url)
    table = unquote(parts.netloc)
    if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", table) or parts.path not in ("", "/"):
        raise ConfigurationError(
            f"EXECUTION_AGENT_LEDGER names no DynamoDB table: {url[:200]!r};"
            " write dynamodb://TABLE, a name of 3 to 255 of A-Z a-z 0-9 _ . -"
        )
    given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    unknown = set(given) - {"endpoint_url", "region"}
    if unknown:
        raise ConfigurationError(
            f"EXECUTION_AGENT_LEDGER takes endpoint_url and region, not {', '.join(sorted(unknown))!r}"
        )
    environment = {"PERSISTENCE_MODULE": "adapters.dynamodb_events", "DYNAMODB_TABLE": table}
    if "endpoint_url" in given:
        environment["DYNAMODB_ENDPOINT_URL"] = given["endpoint_url"]
    if "region" in given:
        environment["DYNAMODB_REGION"] = given["region"]
    return environment


def _log_level(value: Mapping[str, str]) -> str:
    level = value["EXECUTION_AGENT_LOG_LEVEL"].upper()
    if level not in LOG_LEVELS:
        raise ConfigurationError(
            f"EXECUTION_AGENT_LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}, not {level[:40]!r}"
        )
    return level


def _whole(value: Mapping[str, str], name: str, *, most: int, least: int = 0) -> int:
    text = value[name]
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise ConfigurationError(f"{name} must be a whole number from {least} to {most}, not {text[:40]!r}")
    return int(text)


def _sender(value: Mapping[str, str], environ: Mapping[str, str]) -> str:
    name = "EXECUTION_AGENT_EMAIL_SENDER"
    if value["EXECUTION_AGENT_EMAIL"].startswith(("smtp:", "ses:")) and not environ.get(name):
        raise ConfigurationError(f"set {name} to the address that mails are sent from")
    return value[name]
