"""One target of the file of webhooks: what an action may know of it, and what stays in here.

A text may say `${NAME}`: the value in the environment, read when the agent starts. It may also say where a secret is
kept, as `adapters.secrets` tells it: `${secretsmanager:crm/token}`, `${ssm:/crm/token}`, `${file:/run/secrets/crm}`.
Such a secret is read when the target is first called, and anew after it has answered 401. A `secret` may leave out
the `${}`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adapters.guard import locate
from adapters.http import PUBLIC, Reach, UnsafeTarget
from adapters.secrets import checked_reference
from domain.errors import ConfigurationError
from domain.gate import MOST_PAUSE, Limits
from domain.ports import WebhookTarget
from domain.validators.call_webhook import unfit_to_configure

if TYPE_CHECKING:
    from adapters.webhook_template import WebhookTemplate

LONGEST_TIMEOUT = 900.0
"""Seconds; no Lambda lives longer."""
DEFAULT_TIMEOUT = 30.0
MOST_SECRETS = 4
"""With which a call is signed. A rotation needs two."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_REFERENCE = re.compile(r"(?:env|file|secretsmanager|ssm):[^{}]*")
_VALUE = re.compile(rf"\$\{{([A-Za-z_][A-Za-z0-9_]*|{_REFERENCE.pattern})\}}")
_SEALED = "${}"
"""Stands for a secret that is not read yet. No name, and no method, is like it."""


@dataclass(frozen=True, slots=True)
class Private:
    """What stays in here. `keys` sign, the first is the newest; `confidential` must never come to light."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    confidential: tuple[str, ...] = field(default=(), repr=False)


Opened: TypeAlias = Callable[[Callable[[str], str]], Private]
"""Takes what tells the value of a reference to a secret."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A target. `header_names` are those that it sets itself, in lower case; `references` name its secrets."""

    target: WebhookTarget
    opened: Opened = field(repr=False)
    """What stays in here. Raises ConfigurationError, one line without a value, where a secret cannot be read."""
    reach: Reach = PUBLIC
    header_names: frozenset[str] = frozenset()
    references: tuple[str, ...] = ()
    undo: str | None = None
    template: WebhookTemplate | None = None


# --- an entry -------------------------------------------------------------------------------------------------------


class Entry(BaseModel):
    """The base of what the file says: strict, closed, frozen. Its repr tells nothing."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    def __repr__(self) -> str:
        return type(self).__name__

    __str__ = __repr__


def _as_list(secret: object) -> object:
    return [secret] if isinstance(secret, str) else secret


class LimitsEntry(Entry):
    """What a target bears, as `domain.gate.Limits` tells it."""

    per_second: float | None = Field(default=None, gt=0, le=10_000)
    at_once: int | None = Field(default=None, ge=1, le=10_000)
    failures: int = Field(default=Limits().failures, ge=1, le=10_000)
    pause_s: float = Field(default=Limits().pause, gt=0, le=MOST_PAUSE)


class TargetEntry(Entry):
    """An entry of the file."""

    url: str
    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    secret: Annotated[list[str], BeforeValidator(_as_list)] = Field(default_factory=list, max_length=MOST_SECRETS)
    timeout_s: float = Field(default=DEFAULT_TIMEOUT, gt=0, le=LONGEST_TIMEOUT)
    deduplicates: bool = False
    allow_http: bool = False
    allow_private_network: bool = False
    undo: str | None = None
    limits: LimitsEntry | None = None
    template: dict[str, Any] | None = None


E = TypeVar("E", bound=Entry)


def read_entry(model: type[E], name: str, entry: object) -> E:
    """Raises ConfigurationError, one line that names the target and the field, and repeats no value."""
    try:
        return model.model_validate(entry)
    except ValidationError as invalid:
        problem = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
    raise wrong(name, ".".join(map(str, problem["loc"])), problem["msg"])


def wrong(name: str, field_name: str, problem: str) -> ConfigurationError:
    """What is said of a field that cannot be used."""
    place = f"webhook {name}: {field_name}" if field_name else f"webhook {name}"
    return ConfigurationError(f"{place}: {problem}")


# --- a target -------------------------------------------------------------------------------------------------------


def receiver_of(name: str, entry: object, environ: Mapping[str, str]) -> Receiver:
    """The target that an entry tells. Raises ConfigurationError for all that can be known before a secret is read."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"webhook {name[:64]!r}: a name matches {_NAME.pattern}")
    texts = _Texts(name, environ, lambda _: _SEALED)
    given = read_entry(TargetEntry, name, texts.of(entry, ""))
    template = _template(name, given)
    return Receiver(
        target=WebhookTarget(
            name,
            given.method,
            given.deduplicates,
            given.timeout_s,
            _limits(given),
            template.sha256 if template else None,
        ),
        opened=_opener(name, entry, given, texts),
        reach=Reach(allow_http=given.allow_http, allow_private_network=given.allow_private_network),
        header_names=_header_names(name, given),
        references=tuple(texts.secrets),
        undo=given.undo,
        template=template,
    )


def _opener(name: str, entry: object, given: TargetEntry, texts: _Texts) -> Opened:
    """Without a reference all is known, and checked, at once."""
    if not texts.secrets:
        private = _private(name, given, texts)
        return lambda _: private

    def opened(secret: Callable[[str], str]) -> Private:
        again = _Texts(name, texts.variables, secret)
        return _private(name, read_entry(TargetEntry, name, again.of(entry, "")), again)

    return opened


def _private(name: str, given: TargetEntry, texts: _Texts) -> Private:
    _check_url(name, given)
    _check_header_values(name, given.headers)
    return Private(
        url=given.url,
        headers=given.headers,
        keys=tuple(_key(name, secret) for secret in given.secret),
        confidential=_longest_first({*texts.used, *given.headers.values(), given.url, *given.secret}),
    )


def _limits(given: TargetEntry) -> Limits | None:
    if given.limits is None:
        return None
    limits = given.limits
    return Limits(limits.per_second, limits.at_once, limits.failures, limits.pause_s)


def _template(name: str, given: TargetEntry) -> WebhookTemplate | None:
    if given.template is None:
        return None
    # Imported here: most targets are sent the payload as it is.
    from adapters.webhook_template import read_template

    return read_template(name, given.template)


def _header_names(name: str, given: TargetEntry) -> frozenset[str]:
    names = frozenset(header.lower() for header in given.headers)
    if len(names) < len(given.headers):
        raise wrong(name, "headers", "a header is given twice")
    return names


def _check_url(name: str, given: TargetEntry) -> None:
    try:
        locate(given.url, allow_http=given.allow_http, allow_private_network=given.allow_private_network)
    except UnsafeTarget as unsafe:
        raise wrong(name, "url", unsafe.message) from None


def _check_header_values(name: str, headers: Mapping[str, str]) -> None:
    for header, value in headers.items():
        if problem := unfit_to_configure(header, value):
            raise wrong(name, f"headers.{header[:64]}", problem)


def _key(name: str, secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith("whsec_") or not 16 <= len(key) <= 64:
        raise wrong(name, "secret", "a secret is whsec_ and 16 to 64 bytes in base64, best 24 or more")
    return key


def _longest_first(texts: set[str]) -> tuple[str, ...]:
    """Shorter ones are no secrets, and would be found in everything."""
    return tuple(sorted((text for text in texts if len(text) >= 6), key=len, reverse=True))


# --- what a text stands for -----------------------------------------------------------------------------------------


def has_place_for_a_value(text: str) -> bool:
    """Whether a variable or a secret would be put into this text."""
    return _VALUE.search(text) is not None


class _Texts:
    """Puts values in the places of `${...}`, all in one go: what a value says is not read once more."""

    def __init__(self, target: str, environ: Mapping[str, str], secret: Callable[[str], str]) -> None:
        """`secret` tells the value of a reference."""
        self._target = target
        self._environ = environ
        self._secret = secret
        self.variables: dict[str, str] = {}
        self.secrets: dict[str, str] = {}

    @property
    def used(self) -> Iterator[str]:
        """Every value that was put in a place."""
        yield from self.variables.values()
        yield from self.secrets.values()

    def of(self, value: object, place: str) -> object:
        """`place` is the dotted path of the value. A template stays as it is: no value may be read as one."""
        if place == "template":
            return value
        if isinstance(value, str):
            return self._text(value, place)
        if isinstance(value, dict):
            return {name: self.of(member, f"{place}.{name}" if place else name) for name, member in value.items()}
        if isinstance(value, list):
            return [self.of(member, place) for member in value]
        return value

    def _text(self, text: str, place: str) -> str:
        if place == "secret" and _REFERENCE.fullmatch(text):
            return self._referred(text, place)
        if "${" in _VALUE.sub("", text):
            raise wrong(self._target, place, "a variable is written ${NAME}, a secret ${secretsmanager:NAME}")
        return _VALUE.sub(lambda found: self._value(found[1], place), text)

    def _value(self, name: str, place: str) -> str:
        return self._referred(name, place) if ":" in name else self._variable(name, place)

    def _variable(self, name: str, place: str) -> str:
        value = self._environ.get(name)
        if not value:
            raise wrong(self._target, place, f"the environment variable {name} is not set")
        self.variables[name] = value
        return value

    def _referred(self, reference: str, place: str) -> str:
        try:
            checked_reference(reference)
        except ValueError as unfit:
            raise wrong(self._target, place, str(unfit)) from None
        self.secrets[reference] = self._secret(reference)
        return self.secrets[reference]
