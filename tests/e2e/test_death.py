"""A function is killed in the middle of an attempt, while the receiver holds its request and says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any
from uuid import uuid4

import pytest

from domain.identity import keyed_action_id
from tests.e2e.actions import swept_to, words_of
from tests.e2e.cloud import eventually
from tests.e2e.deployment import Deployment, FunctionFailed
from tests.e2e.hooks import SECONDS, SINK, effects, holds, takes
from tests.e2e.requests import renewal, somebody, webhook
from tests.receivers import Receiver

LONGEST_LEASE = SECONDS + 12.0
"""Seconds, generously."""


def keyed(request: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """A request with a key, and the id of its action: nobody is answered who could be asked for it."""
    key = uuid4().hex
    return {**request, "idempotency_key": key}, keyed_action_id(key)


@contextmanager
def killed_in_mid_attempt(deployment: Deployment, request: dict[str, Any], receiver: Receiver) -> Iterator[None]:
    """The caller of `Invoke` waits; its function is killed as soon as the receiver has the request."""
    held = Event()
    receiver.behaviour = holds(held)
    with ThreadPoolExecutor(1) as callers:
        call = callers.submit(deployment.invoke, request)
        assert held.wait(timeout=20)
        assert deployment.kill("Invoke") >= 1
        with pytest.raises(FunctionFailed):
            call.result(timeout=20)
    yield


def test_a_webhook_is_called_again_under_the_same_name(receiver: Receiver, deployment: Deployment) -> None:
    request, action_id = keyed(webhook(SINK))

    with killed_in_mid_attempt(deployment, request, receiver):
        assert words_of(deployment, action_id)[-1] == "attempted"
        eventually(swept_to(deployment, action_id, "succeeded"), within=LONGEST_LEASE)

    assert words_of(deployment, action_id) == [
        *("requested", "validated", "attempted", "attempt_failed", "attempted", "succeeded")
    ]
    assert effects(receiver.deliveries) == [f"{action_id}-r0"] * 2


def test_a_mail_is_in_doubt_and_never_sent_again(deployment: Deployment) -> None:
    request, action_id = keyed(renewal(somebody()))

    with Receiver(takes, reads=False) as provider:
        # Where SES would be, this one is. The lease of a mail's attempt lasts as long as its caller can wait.
        with deployment.configured("Invoke", {"AWS_ENDPOINT_URL_SESV2": provider.url("")}, timeout=6):
            with killed_in_mid_attempt(deployment, request, provider):
                eventually(swept_to(deployment, action_id, "in_doubt"), within=LONGEST_LEASE)
            assert deployment.invoke(request)["status"] == "in_doubt"
        deployment.invoke({}, function="Sweep")
        assert provider.connections == 1

    assert words_of(deployment, action_id) == ["requested", "validated", "attempted", "in_doubt"]


def test_what_was_accepted_outlives_the_consumer(receiver: Receiver, deployment: Deployment) -> None:
    request, action_id = keyed(webhook(SINK, options={"mode": "accept"}))
    held = Event()
    receiver.behaviour = holds(held)

    deployment.invoke(request)
    assert held.wait(timeout=20)
    assert deployment.kill("Stream") >= 1
    eventually(swept_to(deployment, action_id, "succeeded"), within=LONGEST_LEASE)

    assert effects(receiver.deliveries) == [f"{action_id}-r0"] * 2
