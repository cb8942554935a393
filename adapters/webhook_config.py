"""The file of webhook targets, read once and strictly.

    {
      "crm": {"url": "https://hooks.example.com/${CRM_PATH}", "method": "POST", "timeout_s": 10, "deduplicates": true,
              "headers": {"authorization": "Bearer ${CRM_TOKEN}"}, "secret": "${CRM_SECRET}", "undo": "crm-undo"},
      "crm-undo": {"url": "https://hooks.example.com/undo"},
      "*": {"allow_direct_urls": true, "allow_hosts": ["*.partner.example"]}
    }

Only `url` is required. `undo` names the target that takes the call back. `secret` is one of Standard Webhooks: `whsec_`
and 16 to 64 bytes in base64, best 24 or more. A text may say `${NAME}`: the value in the environment, which may not be
empty.
The entry `*` is about URLs that an action brings itself. They are refused unless it allows them; `allow_hosts` then
narrows them from any public host to exact names and `*.` with all names below.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.guard import locate
from adapters.http import PUBLIC, Reach, UnsafeTarget
from domain.errors import ConfigurationError, MalformedRequest
from domain.json_text import read_text
from domain.ports import WebhookTarget
from domain.validators.call_webhook import unfit_to_configure

DIRECT = "*"
"""The entry that is about direct URLs. No target can have this name."""
LONGEST_TIMEOUT = 900.0
"""Seconds; no Lambda lives longer."""
DEFAULT_TIMEOUT = 30.0

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_HOST_PATTERN = re.compile(r"(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class Receiver:
    """A target with everything that stays in here. `key` signs; `confidential` must never come to light."""

    target: WebhookTarget
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    key: bytes | None = field(default=None, repr=False)
    confidential: tuple[str, ...] = field(default=(), repr=False)
    reach: Reach = PUBLIC
    undo: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """What the file says. `direct` is the reach of direct URLs, or None when they are refused."""

    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    direct: Reach | None = None


def read_config(path: str | Path, environ: Mapping[str, str], *, required: bool) -> WebhookConfig:
    """Raises ConfigurationError, one line that names the file, the target and the field, and repeats no value."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        if required:
            raise ConfigurationError(f"WEBHOOK_CONFIG_PATH: there is no file {path}") from None
        return WebhookConfig()
    except OSError as error:
        raise ConfigurationError(f"WEBHOOK_CONFIG_PATH: cannot read {path}: {error.strerror}") from None
    try:
        return parse_config(data, environ)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def parse_config(data: bytes, environ: Mapping[str, str]) -> WebhookConfig:
    """The same, of what the file holds."""
    try:
        entries = read_text(data)
    except MalformedRequest as malformed:
        raise ConfigurationError(f"webhooks: {malformed.message}") from None
    direct = entries.pop(DIRECT, None)
    receivers = {name: _receiver(name, entry, environ) for name, entry in entries.items()}
    for name, receiver in receivers.items():
        if receiver.undo is not None and receiver.undo not in receivers:
            raise _wrong(name, "undo", "no target has this name")
    return WebhookConfig(receivers, None if direct is None else _direct_reach(direct))


# --- an entry -------------------------------------------------------------------------------------------------------


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _TargetEntry(_Entry):
    url: str
    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    secret: str | None = None
    timeout_s: float = Field(default=DEFAULT_TIMEOUT, gt=0, le=LONGEST_TIMEOUT)
    deduplicates: bool = False
    allow_http: bool = False
    allow_private_network: bool = False
    undo: str | None = None


class _DirectEntry(_Entry):
    allow_direct_urls: bool
    allow_hosts: list[str] | None = None


E = TypeVar("E", bound=_Entry)


def _read(model: type[E], name: str, entry: object) -> E:
    try:
        return model.model_validate(entry)
    except ValidationError as invalid:
        problem = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
    raise _wrong(name, ".".join(map(str, problem["loc"])), problem["msg"])


def _wrong(name: str, field_name: str, problem: str) -> ConfigurationError:
    place = f"webhook {name}: {field_name}" if field_name else f"webhook {name}"
    return ConfigurationError(f"{place}: {problem}")


# --- a target -------------------------------------------------------------------------------------------------------


def _receiver(name: str, entry: object, environ: Mapping[str, str]) -> Receiver:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"webhook {name[:64]!r}: a name matches {_NAME.pattern}")
    expansion = _Expansion(name, environ)
    given = _read(_TargetEntry, name, expansion.of(entry, ""))
    reach = Reach(allow_http=given.allow_http, allow_private_network=given.allow_private_network)
    _check_url(name, given.url, reach)
    _check_headers(name, given.headers)
    return Receiver(
        target=WebhookTarget(name, given.method, given.deduplicates, given.timeout_s),
        url=given.url,
        headers=given.headers,
        key=None if given.secret is None else _key(name, given.secret),
        confidential=_longest_first({*expansion.used, *given.headers.values(), given.url, given.secret or ""}),
        reach=reach,
        undo=given.undo,
    )


class _Expansion:
    """Puts the environment's values in the place of `${NAME}`, and remembers them."""

    def __init__(self, target: str, environ: Mapping[str, str]) -> None:
        self._target = target
        self._environ = environ
        self.used: set[str] = set()

    def of(self, value: object, place: str) -> object:
        if isinstance(value, str):
            return self._text(value, place)
        if isinstance(value, dict):
            return {name: self.of(member, f"{place}.{name}" if place else name) for name, member in value.items()}
        return value

    def _text(self, text: str, place: str) -> str:
        if "${" in _VARIABLE.sub("", text):
            raise _wrong(self._target, place, "a variable is written ${NAME}")
        return _VARIABLE.sub(lambda found: self._variable(found[1], place), text)

    def _variable(self, name: str, place: str) -> str:
        value = self._environ.get(name)
        if not value:
            raise _wrong(self._target, place, f"the environment variable {name} is not set")
        self.used.add(value)
        return value


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _check_url(name: str, url: str, reach: Reach) -> None:
    try:
        locate(url, allow_http=reach.allow_http, allow_private_network=reach.allow_private_network)
    except UnsafeTarget as unsafe:
        raise _wrong(name, "url", unsafe.message) from None


def _check_headers(name: str, headers: Mapping[str, str]) -> None:
    for header, value in headers.items():
        if problem := unfit_to_configure(header, value):
            raise _wrong(name, f"headers.{header[:64]}", problem)
    if len({header.lower() for header in headers}) < len(headers):
        raise _wrong(name, "headers", "a header is given twice")


def _key(name: str, secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith("whsec_") or not 16 <= len(key) <= 64:
        raise _wrong(name, "secret", "a secret is whsec_ and 16 to 64 bytes in base64, best 24 or more")
    return key


def _longest_first(texts: set[str]) -> tuple[str, ...]:
    """Shorter ones are no secrets, and would be found in everything."""
    return tuple(sorted((text for text in texts if len(text) >= 6), key=len, reverse=True))


# --- direct URLs ----------------------------------------------------------------------------------------------------


def _direct_reach(entry: object) -> Reach | None:
    given = _read(_DirectEntry, DIRECT, entry)
    if given.allow_hosts is None:
        return PUBLIC if given.allow_direct_urls else None
    for pattern in given.allow_hosts:
        if not _HOST_PATTERN.fullmatch(pattern):
            raise _wrong(DIRECT, "allow_hosts", "a host is a name in lower case, or *. and a name for all below it")
    return Reach(allow_hosts=tuple(given.allow_hosts)) if given.allow_direct_urls else None
