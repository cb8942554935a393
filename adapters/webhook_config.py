"""The file of webhook targets, read once and strictly.

    {
      "crm": {"url": "https://hooks.example.com/${CRM_PATH}", "method": "POST", "timeout_s": 10, "deduplicates": true,
              "headers": {"authorization": "Bearer ${secretsmanager:crm/token}"}, "undo": "crm-undo",
              "secret": ["secretsmanager:crm/new", "secretsmanager:crm/old"],
              "limits": {"per_second": 20, "at_once": 4}},
      "crm-undo": {"url": "https://hooks.example.com/undo"},
      "*": {"allow_direct_urls": true, "allow_hosts": ["*.partner.example"]}
    }

Only `url` is required. `undo` names the target that takes the call back. `secret` is one of Standard Webhooks, `whsec_`
and 16 to 64 bytes in base64, best 24 or more; or a list of them, the newest first, of which each signs: so a receiver
may change over when it likes. `limits` are what the target bears. `template` makes the body of a call out of an
action's payload, as `adapters.webhook_template` tells it; without one the payload is the body. What a text may say for
a value that stands elsewhere is told in `adapters.webhook_receiver`.
The entry `*` is about URLs that an action brings itself. They are refused unless it allows them; `allow_hosts` then
narrows them from any public host to exact names and `*.` with all names below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapters.http import PUBLIC, Reach
from adapters.webhook_receiver import Entry, Receiver, read_entry, receiver_of, wrong
from domain.errors import ConfigurationError, MalformedRequest
from domain.json_text import read_text

DIRECT = "*"
"""The entry that is about direct URLs. No target can have this name."""

_HOST_PATTERN = re.compile(r"(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)+")


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
    receivers = {name: receiver_of(name, entry, environ) for name, entry in entries.items()}
    for name, receiver in receivers.items():
        if receiver.undo is not None and receiver.undo not in receivers:
            raise wrong(name, "undo", "no target has this name")
    return WebhookConfig(receivers, None if direct is None else _direct_reach(direct))


# --- direct URLs ----------------------------------------------------------------------------------------------------


class _DirectEntry(Entry):
    allow_direct_urls: bool
    allow_hosts: list[str] | None = None


def _direct_reach(entry: object) -> Reach | None:
    given = read_entry(_DirectEntry, DIRECT, entry)
    if given.allow_hosts is None:
        return PUBLIC if given.allow_direct_urls else None
    for pattern in given.allow_hosts:
        if not _HOST_PATTERN.fullmatch(pattern):
            raise wrong(DIRECT, "allow_hosts", "a host is a name in lower case, or *. and a name for all below it")
    return Reach(allow_hosts=tuple(given.allow_hosts)) if given.allow_direct_urls else None
