"""A ledger in DynamoDB, at the local engine that the tests use: a process of its own, so that its work is not ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from agents.execution_agent.assembly import prepare_ledger
from agents.execution_agent.config import Settings
from tests.engines import local_aws_environment, ministack_engine

REGION = "eu-central-1"
TABLE = "bench"


@contextmanager
def dynamodb() -> Iterator[tuple[str, dict[str, str]]]:
    """The engine's URL, and the setting of a ledger there that is ready for use."""
    with local_aws_environment(), ministack_engine() as engine:
        ledger = f"dynamodb://{TABLE}?endpoint_url={quote(engine.url, safe='')}&region={REGION}"
        # As on Lambda, where the rows of lists are left to the stream.
        environ = {"EXECUTION_AGENT_LEDGER": ledger, "AWS_LAMBDA_FUNCTION_NAME": TABLE}
        prepare_ledger(Settings.from_environment(environ))
        yield engine.url, environ
