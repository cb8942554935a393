"""The one way to have an AWS service do something: sent once, and every way that it can end is classed.

    the service answers                              -> its answer, a mapping
    it says "not now", or nothing has left           -> Retry
    it refuses (4xx), or cannot be asked at all      -> Permanent
    it fails (5xx), hangs up, or makes no sense      -> Unknown      408 too: a gateway says so after it passed it on

The SDK repeats nothing: the ledger is the one retry layer. The ledger's own tables have another client, in
`adapters.dynamodb`, because what goes there is safe to send again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeGuard

from domain.errors import ConfigurationError
from domain.outcome import Failure, Permanent, Retry, Unknown

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.exceptions import BotoCoreError, ClientError

LONGEST_WORDS = 200
"""Characters of a service's message that are kept."""

_CONNECTING = 5.0
"""Seconds, for one address to take a call, where there is so much time."""
_READING = 900.0
"""Seconds: no call has more. What ends it in time is its own deadline."""

_NOT_NOW = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "LimitExceededException",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""What any service says when it did nothing, and may do it later."""

_NEVER_LEFT_FOR_NOW = frozenset(
    {"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "CredentialRetrievalError"}
)
"""What botocore raises when not a byte of the request has left."""

_NEVER_LEFT_FOR_GOOD = frozenset(
    {"NoCredentialsError", "NoRegionError", "ParamValidationError", "PartialCredentialsError"}
)
"""The same, and only another configuration changes it."""


class AwsService:
    """One service. For any number of threads; its client is built when it is first needed."""

    def __init__(
        self,
        service: str,
        *,
        title: str,
        region: str | None = None,
        endpoint_url: str | None = None,
        not_now: frozenset[str] = frozenset(),
    ) -> None:
        """`service` is botocore's name, `title` people's; region and endpoint default to the usual AWS variables.

        `not_now` are error codes by which this service says that it did nothing, and may do it later.
        """
        self._service, self._title = service, title
        self._prefix = re.sub("[^a-z0-9]+", "_", title.lower())
        self._region, self._endpoint_url = region, endpoint_url
        self._not_now = _NOT_NOW | not_now
        self._client: BaseClient | None = None
        self._building = Lock()

    def call(self, operation: str, *, timeout: float, **parameters: Any) -> Mapping[str, Any] | Failure:
        """`operation` in botocore's spelling (`send_email`), sent once; `timeout` is the total deadline in seconds.

        It counts for reading a body that is handed out (a StreamingBody), too, and not for building the client, once.
        """
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        from adapters.aws_wire import within
        from adapters.http import Deadline

        try:
            client = self._built()
        except (BotoCoreError, ValueError) as error:
            code = self._code(type(error).__name__)
            return Permanent(code, f"{self._title} cannot be used as it is configured: {_words(error)}")
        try:
            with within(Deadline(timeout, time.monotonic)):
                answer = getattr(client, operation)(**parameters)
        except ClientError as error:
            return self._answered(error)
        except BotoCoreError as error:
            return self._unanswered(error)
        except (ResponseParserError, AttributeError, TypeError, ValueError):  # so parsers end on what is not AWS
            return self.unreadable("the answer makes no sense")
        return answer if _is_whole(answer) else self.unreadable("the answer makes no sense")

    def unreadable(self, why: str) -> Unknown:
        """An answer came, and does not say what it must."""
        return Unknown(f"{self._prefix}_unreadable_reply", f"{self._title} answered, and {why}")

    def close(self) -> None:
        """Ends the connections that wait for a next request."""
        if self._client is not None:
            self._client.close()

    def _built(self) -> BaseClient:
        with self._building:
            if self._client is None:
                self._client = self._new_client()
            return self._client

    def _new_client(self) -> BaseClient:
        # Not boto3: it adds its own import to the cold start, and nothing that is used here.
        from botocore.config import Config
        from botocore.session import Session

        from adapters.aws_wire import keep_deadlines

        config = Config(
            connect_timeout=_CONNECTING,
            read_timeout=_READING,
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        client = Session().create_client(
            self._service, region_name=self._region, endpoint_url=self._endpoint_url, config=config
        )
        keep_deadlines(client)
        return client

    # -- how it ends ------------------------------------------------------------------------------------------------

    def _answered(self, error: ClientError) -> Failure:
        said: Mapping[str, Any] = error.response.get("Error", {})
        metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
        status, name = metadata.get("HTTPStatusCode", 0), str(said.get("Code", ""))
        code = self._code(name)
        # Of a signature that does not fit, services tell what they signed: the session's token is in it.
        words = "" if "Signature" in name else said.get("Message", "")
        message = f"{self._title} answered {status} {name}: {words}"[:LONGEST_WORDS]
        if name in self._not_now or status == 429:
            return Retry(code, message, retry_after=_seconds(metadata.get("HTTPHeaders", {}).get("retry-after")))
        if 400 <= status < 500 and status != 408:
            return Permanent(code, message)
        return Unknown(code, message)

    def _unanswered(self, error: BotoCoreError) -> Failure:
        name = type(error).__name__
        code, message = self._code(name), _words(error)
        if name in _NEVER_LEFT_FOR_GOOD:
            return Permanent(code, message)
        # TLS that fails on the certificate never carried a byte; TLS that breaks otherwise may have.
        if name in _NEVER_LEFT_FOR_NOW or (name == "SSLError" and "CERTIFICATE_VERIFY_FAILED" in str(error)):
            return Retry(code, message)
        return Unknown(code, message)

    def _code(self, name: str) -> str:
        """`TooManyRequestsException` is `too_many_requests`, a bare status `502` of SES is `ses_502`."""
        stem = re.sub("(Exception|Error)$", "", name)
        words = re.sub("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", stem).lower()
        code = re.sub("[^a-z0-9]+", "_", words)
        return code if code[:1].isalpha() else f"{self._prefix}_{code}"


def require_aws(setting: str) -> None:
    """Raises ConfigurationError where the library is not installed that `setting` asks for."""
    from importlib.util import find_spec

    if find_spec("botocore") is None:
        raise ConfigurationError(f'{setting} needs botocore; install "execution-agent[aws]"')


def _is_whole(answer: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether it is the answer that an operation has in the end; botocore takes 1xx for one, too."""
    return isinstance(answer, Mapping) and 200 <= answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) < 300


def _words(error: Exception) -> str:
    return str(error)[:LONGEST_WORDS]


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after and retry_after.isdecimal() else None
