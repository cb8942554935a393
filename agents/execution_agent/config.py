"""Settings, read from the environment once, and the action types that are built in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from domain.base_action import BaseAction
from domain.errors import ConfigurationError

BUILT_IN: Mapping[str, str] = {
    "send_email": "handlers.actions.send_email:SendEmail",
    "call_webhook": "handlers.actions.call_webhook:CallWebhook",
    "start_workflow": "handlers.actions.start_workflow:StartWorkflow",
    "stop_workflow": "handlers.actions.stop_workflow:StopWorkflow",
    "signal_workflow": "handlers.actions.signal_workflow:SignalWorkflow",
    "publish_event": "handlers.actions.publish_event:PublishEvent",
    "send_message": "handlers.actions.send_message:SendMessage",
    "invoke_function": "handlers.actions.invoke_function:InvokeFunction",
    "send_slack": "handlers.actions.send_slack:SendSlack",
    "delete_slack": "handlers.actions.delete_slack:DeleteSlack",
    "send_teams": "handlers.actions.send_teams:SendTeams",
    "send_sms": "handlers.actions.send_sms:SendSms",
    "crm_create": "handlers.actions.crm_create:CrmCreate",
    "crm_update": "handlers.actions.crm_update:CrmUpdate",
    "crm_upsert": "handlers.actions.crm_upsert:CrmUpsert",
    "crm_delete": "handlers.actions.crm_delete:CrmDelete",
    "crm_restore": "handlers.actions.crm_restore:CrmRestore",
}
"""One line registers an action type: its name, and where its class is. A class is imported when it is first wanted, so
that a function that sends mail does not load a CRM. Distributions bring theirs by the entry-point group
`execution_agent.actions`."""

if TYPE_CHECKING:
    ACTIONS: tuple[type[BaseAction[Any]], ...]
    """Every built-in class."""


def __getattr__(name: str) -> Any:
    if name == "ACTIONS":
        return tuple(built_in(action_type) for action_type in BUILT_IN)
    raise AttributeError(name)


def built_in(action_type: str) -> type[BaseAction[Any]]:
    """The class of a built-in type. Raises KeyError."""
    module, _, class_name = BUILT_IN[action_type].partition(":")
    found: type[BaseAction[Any]] = getattr(import_module(module), class_name)
    return found


LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

DEFAULTS: Mapping[str, str] = {
    "EXECUTION_AGENT_LOG_LEVEL": "INFO",
    "ACTION_TEMPLATES_PATH": "/opt/templates",
    "MAX_RETRIES": "3",
    "RETRY_BACKOFF_MS": "1000",
    "WEBHOOK_CONFIG_PATH": "/opt/config/webhooks.json",
    "EXECUTION_AGENT_CONNECTIONS": "",
    "EXECUTION_AGENT_CALLBACK_KEY": "",
    "EXECUTION_AGENT_LEDGER": "sqlite:///.execution-agent/ledger.db",
    "EXECUTION_AGENT_EMAIL": "outbox:.execution-agent/outbox",
    "EXECUTION_AGENT_EMAIL_SENDER": "execution-agent@example.com",
    "EXECUTION_AGENT_CLOCK_SKEW_S": "30",
    "EXECUTION_AGENT_WAIT_S": "30",
    "EXECUTION_AGENT_DOORBELLS": "",
    "EXECUTION_AGENT_QUARANTINE": "",
    "EXECUTION_AGENT_PUSH": "",
    "EXECUTION_AGENT_UNDO": "",
    "EXECUTION_AGENT_CHECKPOINTS": "",
    "EXECUTION_AGENT_CHECKPOINT_KEY": "",
    "EXECUTION_AGENT_ARCHIVE": "",
}
"""Every setting that there is, and its value when the environment is silent."""


@dataclass(frozen=True, slots=True)
class PushTarget:
    """Who is told how actions ended: `kind` is eventbridge or webhook."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says, checked. `ledger` is an environment for the persistence module it names."""

    log_level: str
    templates_path: str
    max_retries: int
    backoff: timedelta
    webhook_config_path: str
    webhook_config_required: bool
    connections_path: str
    callback_key: str
    """A reference to the secret that callback tokens are made with."""
    ledger: Mapping[str, str]
    email: str
    email_sender: str
    clock_skew: timedelta
    wait: float
    doorbells: str
    quarantine: str
    push: tuple[PushTarget, ...]
    undo_doors: frozenset[str]
    """Through which an action may be taken back."""
    checkpoints: str
    """Where checkpoints are kept: a directory, or s3://BUCKET/PREFIX."""
    checkpoint_key: str
    """What signs them: file:PATH or kms:KEY-ID."""
    archive: str
    """Where the archive is that is at hand: a directory, or s3://BUCKET/PREFIX."""
    keeps_views: bool
    """Whether this process keeps the rows of lists, where the ledger itself does not. On Lambda the stream does it."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Raises ConfigurationError: one line that names the setting and says what it may be."""
        value = {name: environ.get(name) or default for name, default in DEFAULTS.items()}
        ledger = ledger_environment(value["EXECUTION_AGENT_LEDGER"])
        _require_a_stream(value)
        return cls(
            log_level=_log_level(value),
            templates_path=value["ACTION_TEMPLATES_PATH"],
            max_retries=_whole(value, "MAX_RETRIES", most=100),
            backoff=timedelta(milliseconds=_whole(value, "RETRY_BACKOFF_MS", most=86_400_000)),
            webhook_config_path=value["WEBHOOK_CONFIG_PATH"],
            connections_path=value["EXECUTION_AGENT_CONNECTIONS"],
            callback_key=value["EXECUTION_AGENT_CALLBACK_KEY"],
            webhook_config_required=bool(environ.get("WEBHOOK_CONFIG_PATH")),
            ledger=ledger,
            email=value["EXECUTION_AGENT_EMAIL"],
            email_sender=_sender(value, environ),
            clock_skew=timedelta(seconds=_whole(value, "EXECUTION_AGENT_CLOCK_SKEW_S", most=3_600)),
            wait=float(_whole(value, "EXECUTION_AGENT_WAIT_S", least=1, most=900)),
            doorbells=_queue(value, "EXECUTION_AGENT_DOORBELLS"),
            quarantine=_queue(value, "EXECUTION_AGENT_QUARANTINE"),
            push=_push(value),
            undo_doors=_undo_doors(value),
            checkpoints=_place_of_files(value, "EXECUTION_AGENT_CHECKPOINTS"),
            archive=_place_of_files(value, "EXECUTION_AGENT_ARCHIVE"),
            checkpoint_key=_checkpoint_key(value),
            keeps_views="AWS_LAMBDA_FUNCTION_NAME" not in environ,
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


_QUEUE = re.compile(r"(?:https://[A-Za-z0-9.:-]+|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?)/[!-~]+")
_BUS = re.compile(r"[A-Za-z0-9/._-]{1,256}|arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9/._-]{1,256}")
_WEBHOOK = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def _require_a_stream(value: Mapping[str, str]) -> None:
    """What the stream's consumer does is done by nobody where there is no stream."""
    for name in ("EXECUTION_AGENT_DOORBELLS", "EXECUTION_AGENT_QUARANTINE", "EXECUTION_AGENT_PUSH"):
        if value[name] and not value["EXECUTION_AGENT_LEDGER"].startswith("dynamodb:"):
            raise ConfigurationError(f"{name} needs a ledger in DynamoDB, whose stream it serves; leave it empty")


def _queue(value: Mapping[str, str], name: str) -> str:
    url = value[name]
    if url and not _QUEUE.fullmatch(url):
        raise ConfigurationError(f"{name} must be the https URL of an SQS queue, not {url[:200]!r}")
    return url


_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9!_.*'()/-]*)?")
_CHECKPOINT_KEY = re.compile(r"file:[^\x00\n]+|kms:[A-Za-z0-9:/_-]{1,2048}")


def _place_of_files(value: Mapping[str, str], name: str) -> str:
    return place_of_files(value[name], name)


def place_of_files(where: str, name: str) -> str:
    """The path of a directory or s3://BUCKET/PREFIX, as it was given. `name` says where it was. Raises
    ConfigurationError."""
    if "://" in where and not _BUCKET.fullmatch(where):
        raise ConfigurationError(f"{name} must be the path of a directory or s3://BUCKET/PREFIX, not {where[:200]!r}")
    return where


def _checkpoint_key(value: Mapping[str, str]) -> str:
    # What is wrong is not repeated: it may be the key itself.
    reference = value["EXECUTION_AGENT_CHECKPOINT_KEY"]
    if reference and not _CHECKPOINT_KEY.fullmatch(reference):
        raise ConfigurationError("EXECUTION_AGENT_CHECKPOINT_KEY must be file:PATH or kms:KEY-ID")
    return reference


UNDO_DOORS = ("direct", "http")


def _undo_doors(value: Mapping[str, str]) -> frozenset[str]:
    asked = value["EXECUTION_AGENT_UNDO"]
    doors = frozenset(part.strip() for part in asked.split(",")) if asked else frozenset()
    if not doors <= {*UNDO_DOORS}:
        raise ConfigurationError(
            f"EXECUTION_AGENT_UNDO must be {' and '.join(UNDO_DOORS)}, separated by commas, not {asked[:200]!r}"
        )
    return doors


def _push(value: Mapping[str, str]) -> tuple[PushTarget, ...]:
    asked = [part.strip() for part in value["EXECUTION_AGENT_PUSH"].split(",")] if value["EXECUTION_AGENT_PUSH"] else []
    return tuple(_push_target(part) for part in dict.fromkeys(asked))


def _push_target(text: str) -> PushTarget:
    kind, _, name = text.partition(":")
    allowed = {"eventbridge": _BUS, "webhook": _WEBHOOK}.get(kind)
    if allowed is None or not allowed.fullmatch(name):
        raise ConfigurationError(
            f"EXECUTION_AGENT_PUSH must be eventbridge:BUS and webhook:NAME, separated by commas, not {text[:200]!r}"
        )
    return PushTarget(kind, name)
