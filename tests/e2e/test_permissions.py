"""Each function's own role is enough for it; without any one of its permissions, something does not work any more.

The engine enforces what is asked for over its API. What it does itself, in Lambda's place, it does not ask itself for:
that is in NOT_SHOWN, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pytest
from _pytest.mark.structures import ParameterSet

from tests.e2e import ways
from tests.e2e.cloud import Cloud
from tests.e2e.deployment import Deployment, deployed
from tests.e2e.roles import denied, granted
from tests.e2e.ways import Place, Way
from tests.receivers import Receiver

CARRYING_OUT: Mapping[str, Way] = {
    "dynamodb:PutItem LedgerTable": ways.a_mail,
    "dynamodb:GetItem GatesTable": ways.a_gate,
    "dynamodb:PutItem GatesTable": ways.a_gate,
    "sqs:SendMessage Doorbells": ways.a_later_ring,
    "ses:SendEmail *": ways.a_mail,
}
NEEDED: Mapping[str, Mapping[str, Way]] = {
    "Invoke": {**CARRYING_OUT, "dynamodb:Query LedgerTable": ways.a_duplicate},
    "RequestsFromQueue": {**CARRYING_OUT, "dynamodb:Query LedgerTable": ways.a_duplicate},
    "Stream": {
        **CARRYING_OUT,
        "dynamodb:Query LedgerTable": ways.a_mail,
        "dynamodb:PutItem ViewsTable": ways.a_row,
        "events:PutEvents default": ways.the_news,
        "sqs:SendMessage Quarantine": ways.a_poisoned_action,
    },
    "Sweep": {
        **CARRYING_OUT,
        "dynamodb:Query LedgerTable": ways.a_mail,
        "dynamodb:Query LedgerTable/index/due": ways.a_mail,
        "dynamodb:BatchGetItem LedgerTable": ways.a_mail,
        "dynamodb:PutItem ViewsTable": ways.a_row,
        "dynamodb:Query ViewsTable/index/by_status": ways.the_oldest_doubt,
        "sqs:SendMessage Quarantine": ways.a_poisoned_action,
    },
    "Replay": {
        "dynamodb:Query LedgerTable": ways.a_row_made_anew,
        "dynamodb:Query LedgerTable/index/born": ways.a_row_made_anew,
        "dynamodb:GetItem GatesTable": ways.a_row_made_anew,
        "dynamodb:PutItem ViewsTable": ways.a_row_made_anew,
    },
}
"""The permissions of each function's role, and the way that is blocked without."""

AFTER_A_SWITCH = "it is for the table that a rebuild puts in the place of the first one"
LAMBDA_DOES = "Lambda does it with the role; the engine does it without"
NOT_SHOWN: Mapping[str, str] = {
    "logs:CreateLogStream": LAMBDA_DOES,
    "logs:PutLogEvents": LAMBDA_DOES,
    "dynamodb:DescribeStream": LAMBDA_DOES,
    "dynamodb:GetRecords": LAMBDA_DOES,
    "dynamodb:GetShardIterator": LAMBDA_DOES,
    "dynamodb:ListStreams": LAMBDA_DOES,
    "sqs:ReceiveMessage": LAMBDA_DOES,
    "sqs:DeleteMessage": LAMBDA_DOES,
    "sqs:GetQueueAttributes": LAMBDA_DOES,
    "sqs:SendMessage FailedRequests": LAMBDA_DOES,
    "sqs:SendMessage DeadRecords": LAMBDA_DOES,
    "ses:SendRawEmail": "the engine asks for ses:SendEmail alone, also where a message is handed over whole",
    "dynamodb:PutItem roles-views-2": AFTER_A_SWITCH,
    "dynamodb:Query roles-views-2/index/by_status": AFTER_A_SWITCH,
    "dynamodb:GetItem LedgerTable": "it is for a refused put whose answer does not say what is there instead",
}
"""What cannot be shown here, by the action, or by the action and what it is done to."""


@pytest.fixture(scope="module")
def roles(cloud: Cloud, webhooks: str) -> Iterator[Deployment]:
    """A deployment of its own: what is denied here leaves a mess behind."""
    names = {"Name": "roles", "Ledger": "roles"}
    settings = {"RequestsQueue": "yes", "WebhookConfigPath": webhooks, "ClockSkewSeconds": "0"}
    with deployed(cloud, "roles", **names, **settings) as deployment:
        yield deployment


def sampled(cases: Iterable[tuple[str, str, Way]]) -> list[ParameterSet]:
    """Of the functions that share a way, one stands for all in `make test`."""
    standing: dict[Way, str] = {}
    return [
        pytest.param(
            function,
            permission,
            way,
            marks=[] if standing.setdefault(way, function) == function else [pytest.mark.full],
            id=f"{function}: {permission or way.__name__}",
        )
        for function, permission, way in cases
    ]


WAYS = sampled((function, "", way) for function, needed in NEEDED.items() for way in dict.fromkeys(needed.values()))
PERMISSIONS = sampled((function, name, way) for function, needed in NEEDED.items() for name, way in needed.items())


@pytest.mark.parametrize(("function", "_", "way"), WAYS)
def test_the_role_is_enough_for(
    function: str, _: str, way: Way, roles: Deployment, receiver: Receiver, listener: str
) -> None:
    assert way(Place(roles, function, receiver, listener))


@pytest.mark.parametrize(("function", "permission", "way"), PERMISSIONS)
def test_something_does_not_work_without(
    function: str, permission: str, way: Way, roles: Deployment, receiver: Receiver, listener: str
) -> None:
    action, _, _ = permission.partition(" ")

    with denied(roles, function, action, granted(roles, function)[permission]):
        assert not way(Place(roles, function, receiver, listener))


@pytest.mark.parametrize("function", NEEDED)
def test_no_permission_is_left_out(function: str, roles: Deployment) -> None:
    for permission in granted(roles, function).keys() - NEEDED[function].keys():
        action, _, _ = permission.partition(" ")
        assert action in NOT_SHOWN or permission in NOT_SHOWN
