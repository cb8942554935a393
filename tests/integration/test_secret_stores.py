"""Secrets Manager and Parameter Store, as a local engine of AWS has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import boto3
import pytest

from adapters.aws import AwsService
from adapters.secrets import Secrets
from domain.errors import ConfigurationError
from tests.engines import Engine

CANARY = "canary-8f14e45fceea167a5a36dedd4bea2543"


@contextmanager
def client(engine: Engine, service: str) -> Iterator[Any]:
    with closing(boto3.client(service, endpoint_url=engine.url)) as made:
        yield made


@pytest.fixture
def secrets(moto: Engine) -> Secrets:
    # The engine loads a store when it is first asked, and that takes longer than a store may take.
    with client(moto, "ssm") as store, client(moto, "secretsmanager") as manager:
        store.describe_parameters(MaxResults=1)
        manager.list_secrets(MaxResults=1)
    return Secrets({}, lambda name, title: AwsService(name, title=title, endpoint_url=moto.url))


def test_a_secret_of_secrets_manager_is_read_and_read_anew_once_it_was_refused(moto: Engine, secrets: Secrets) -> None:
    with client(moto, "secretsmanager") as manager:
        manager.create_secret(Name="prod/slack", SecretString=CANARY)
        assert secrets.value("secretsmanager:prod/slack") == CANARY
        manager.put_secret_value(SecretId="prod/slack", SecretString="rotated")
        assert secrets.value("secretsmanager:prod/slack") == CANARY
        secrets.forget("secretsmanager:prod/slack")
        assert secrets.value("secretsmanager:prod/slack") == "rotated"


def test_a_secret_in_bytes_is_none(moto: Engine, secrets: Secrets) -> None:
    with client(moto, "secretsmanager") as manager:
        manager.create_secret(Name="prod/bytes", SecretBinary=CANARY.encode())
    with pytest.raises(ConfigurationError, match=r"^the secret secretsmanager:prod/bytes is empty or not there$"):
        secrets.value("secretsmanager:prod/bytes")


def test_a_parameter_is_read_decrypted(moto: Engine, secrets: Secrets) -> None:
    with client(moto, "ssm") as store:
        store.put_parameter(Name="/prod/slack", Value=CANARY, Type="SecureString")
        store.put_parameter(Name="/prod/plain", Value="plain", Type="String")
    assert (secrets.value("ssm:/prod/slack"), secrets.value("ssm:/prod/plain")) == (CANARY, "plain")


@pytest.mark.parametrize(
    ("reference", "code"),
    [("secretsmanager:none", "resource_not_found"), ("ssm:/none", "parameter_not_found")],
)
def test_what_is_not_there_is_named_with_the_stores_own_word(secrets: Secrets, reference: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as missing:
        secrets.value(reference)
    assert str(missing.value) == f"the secret {reference} cannot be read: {code}"


def test_a_store_that_cannot_be_reached_is_one_line(aws: None) -> None:
    secrets = Secrets({}, lambda name, title: AwsService(name, title=title, endpoint_url="http://127.0.0.1:1"))
    with pytest.raises(ConfigurationError, match=r"^the secret ssm:/prod/slack cannot be read: endpoint_connection$"):
        secrets.value("ssm:/prod/slack")
