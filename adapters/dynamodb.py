"""The one way to DynamoDB: a client built when it is first needed, one retry layer, and a count of all that was asked.

Whatever goes through `call` must be safe to send again: reads are, and so is a conditional put that knows its own item
when it meets it. That is why one rule serves every failure that leaves the answer open: ask again, a few times.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from eventsourcing.persistence import OperationalError

from domain.errors import ConfigurationError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb.client import DynamoDBClient

Item = Mapping[str, Any]
"""In the words of the wire: `{"pk": {"S": "act_..."}, "sk": {"N": "1"}}`."""

TRIES = 5
CONNECT_TIMEOUT = 2.0
READ_TIMEOUT = 5.0
"""Seconds, for one try."""
LONGEST_PAUSE = 2.0
"""Seconds between two tries."""
LONGEST_CALL = TRIES * (CONNECT_TIMEOUT + READ_TIMEOUT) + (TRIES - 1) * LONGEST_PAUSE
"""Seconds after which a call has been carried out, or never will be."""
_CONNECTIONS = 50

_ALWAYS_SAID: Mapping[str, str] = {
    "BatchGetItem": "Responses",
    "GetItem": "ConsumedCapacity",
    "PutItem": "ConsumedCapacity",
    "Query": "Items",
    "Scan": "Items",
}
"""What the answer to an operation on items cannot be without. botocore takes any body under status 200, even a proxy's
page, for an answer in which nothing is said."""

_NOT_NOW = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionConflictException",
    }
)
_NOT_ALLOWED = frozenset(
    {
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)


class ConditionFailed(OperationalError):
    """The condition of a put does not hold. `item` is what is there instead, where the answer says so."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition of a put does not hold")
        self.item = item


class AccessDenied(OperationalError):
    """Whoever asks has no right to."""


class TableMissing(OperationalError):
    """There is no such table."""


class TableExists(OperationalError):
    """There is such a table already."""


class _AskAgain(OperationalError):
    """No answer, or "not now": whether a put was carried out stays open until it is sent again."""


class _NotYetActive(OperationalError):
    """The table or one of its indexes is still being made."""


class DynamoDB:
    """One table, for any number of threads.

    `requests` counts what was sent, by operation, every try by itself. `read_units` and `write_units` add up what
    DynamoDB says it consumed; of a put that it refuses it does not say.
    """

    def __init__(
        self,
        table: str,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.table = table
        self.requests: Counter[str] = Counter()
        self.read_units = 0.0
        self.write_units = 0.0
        self._region = region
        self._endpoint_url = endpoint_url
        self._sleep = sleep
        self._lock = Lock()
        self._client: DynamoDBClient | None = None

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Sends one operation of the API, again where the answer stays open, at most `TRIES` times.

        Raises ConditionFailed, TableMissing, TableExists; ConfigurationError when botocore is not installed; for all
        the rest OperationalError, in one line. Whether a put was carried out is then unknown.
        """
        if operation in _ALWAYS_SAID:
            parameters["ReturnConsumedCapacity"] = "TOTAL"
        try:
            return self._send(operation, parameters)
        except _AskAgain:
            return self._send_again(operation, parameters)

    def _send_again(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        # Imported here: a cold start that goes well does without.
        from tenacity import (
            RetryCallState,
            Retrying,
            retry_if_exception_type,
            stop_after_attempt,
            wait_random_exponential,
        )

        pauses = wait_random_exponential(multiplier=0.1, max=LONGEST_PAUSE)
        asking = Retrying(
            retry=retry_if_exception_type(_AskAgain),
            stop=stop_after_attempt(TRIES - 1),
            wait=pauses,
            sleep=self._sleep,
            reraise=True,
        )
        self._sleep(pauses(RetryCallState(asking, None, (), {})))
        return asking(self._send, operation, parameters)

    def query(self, **parameters: Any) -> Iterator[Item]:
        """The items that a Query finds, page after page; a page is asked for when its first item is wanted."""
        return self._paged("Query", parameters)

    def scan(self, **parameters: Any) -> Iterator[Item]:
        """All items of the table, page after page. The ledger's own functions have no right to it."""
        return self._paged("Scan", parameters)

    def _paged(self, operation: str, parameters: dict[str, Any]) -> Iterator[Item]:
        page: dict[str, Any] = {}
        while not page or "LastEvaluatedKey" in page:
            if page:
                parameters["ExclusiveStartKey"] = page["LastEvaluatedKey"]
            page = self.call(operation, TableName=self.table, **parameters)
            yield from page["Items"]

    def create_table(self, **definition: Any) -> None:
        """Makes the table unless it is there, and waits until it and its indexes are active, a minute at most."""
        with suppress(TableExists):
            self.call("CreateTable", TableName=self.table, **definition)
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

        waiting = Retrying(
            retry=retry_if_exception_type((_NotYetActive, TableMissing)),
            stop=stop_after_attempt(60),
            wait=wait_fixed(1),
            sleep=self._sleep,
            reraise=True,
        )
        waiting(self._expect_active)

    def delete_table(self) -> None:
        """Removes the table, and waits until it is gone, a minute at most. Raises TableMissing where there is none."""
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

        self.call("DeleteTable", TableName=self.table)
        waiting = Retrying(
            retry=retry_if_exception_type(TableExists),
            stop=stop_after_attempt(60),
            wait=wait_fixed(1),
            sleep=self._sleep,
            reraise=True,
        )
        waiting(self._expect_gone)

    @property
    def client(self) -> DynamoDBClient:
        """botocore's client, built on the first call."""
        with self._lock:
            if self._client is None:
                self._client = self._build()
            return self._client

    def close(self) -> None:
        """Closes the connections. A later call opens new ones."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _build(self) -> DynamoDBClient:
        try:
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
            from botocore.session import Session
        except ImportError as error:
            raise ConfigurationError("a ledger in DynamoDB needs botocore: install execution-agent[aws]") from error
        config = Config(
            retries={"total_max_attempts": 1},
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            max_pool_connections=_CONNECTIONS,
        )
        if self._endpoint_url:
            # An account's own host name leads past an endpoint that was chosen by hand.
            config = config.merge(Config(account_id_endpoint_mode="disabled"))
        try:
            # Not boto3: it adds its own import to the cold start, and nothing that is used here.
            client = Session().create_client(
                "dynamodb", region_name=self._region, endpoint_url=self._endpoint_url, config=config
            )
        except (BotoCoreError, ValueError) as error:
            raise self._explained("the first request", error) from error
        return cast("DynamoDBClient", client)

    def _send(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        client = self.client
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        with self._lock:
            self.requests[operation] += 1
        try:
            answer: dict[str, Any] = getattr(client, xform_name(operation))(**parameters)
        except ClientError as error:
            raise self._refused(operation, error) from error
        except (BotoCoreError, ResponseParserError, OSError) as error:
            raise self._explained(operation, error) from error
        if _ALWAYS_SAID.get(operation, "ResponseMetadata") not in answer:
            raise _AskAgain(f"the answer to {operation} on {self._where()} cannot be read")
        self._count_units(operation, answer.get("ConsumedCapacity", []))
        return answer

    def _count_units(self, operation: str, consumed: Any) -> None:
        by_table = consumed if isinstance(consumed, list) else [consumed]
        units = sum(table["CapacityUnits"] for table in by_table)
        with self._lock:
            if operation == "PutItem":
                self.write_units += units
            else:
                self.read_units += units

    def _refused(self, operation: str, error: ClientError) -> OperationalError:
        """What it means that DynamoDB answers with an error."""
        answer = cast("Mapping[str, Any]", error.response)
        code = answer["Error"].get("Code", "")
        if code == "ConditionalCheckFailedException":
            return ConditionFailed(answer.get("Item"))
        if code == "ResourceNotFoundException":
            return TableMissing(f"there is no DynamoDB {self._where()}: run `execution-agent init`")
        if code == "ResourceInUseException":
            return TableExists(f"there is a DynamoDB {self._where()} already")
        said = f"{operation} on {self._where()}: {code}: {_first_line(answer['Error'].get('Message', ''))}"
        if code in _NOT_NOW or answer["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            return _AskAgain(f"DynamoDB is too busy or failing, {said}")
        if code == "AccessDeniedException":
            return AccessDenied(f"access denied, {said}")
        return OperationalError(f"{'access denied' if code in _NOT_ALLOWED else 'DynamoDB refuses'}, {said}")

    def _explained(self, operation: str, error: Exception) -> OperationalError:
        """What it means that there is no answer."""
        from botocore import exceptions as botocore
        from botocore.parsers import ResponseParserError

        said = _first_line(str(error))
        match error:
            case botocore.NoCredentialsError() | botocore.PartialCredentialsError():
                return OperationalError(
                    "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or take a role"
                )
            case botocore.NoRegionError():
                return OperationalError("no AWS region: set AWS_DEFAULT_REGION, or region= in the ledger's URL")
            case botocore.EndpointConnectionError() | botocore.ConnectTimeoutError():
                return _AskAgain(f"cannot connect to DynamoDB, {self._where()}")
            case (
                botocore.HTTPClientError()
                | botocore.ConnectionError()
                | botocore.IncompleteReadError()
                | ResponseParserError()
                | OSError()
            ):
                return _AskAgain(f"no certain answer to {operation} on {self._where()}: {type(error).__name__}: {said}")
            case _:
                return OperationalError(f"DynamoDB cannot be asked, {self._where()}: {said}")

    def _where(self) -> str:
        region = self._client.meta.region_name if self._client else self._region
        return f"table {self.table!r} ({self._endpoint_url or region or 'region not yet known'})"

    def _expect_gone(self) -> None:
        with suppress(TableMissing):
            self.call("DescribeTable", TableName=self.table)
            raise TableExists(f"{self._where()} is still there after a minute of waiting")

    def _expect_active(self) -> None:
        table = self.call("DescribeTable", TableName=self.table)["Table"]
        states = [table["TableStatus"], *(index["IndexStatus"] for index in table.get("GlobalSecondaryIndexes", ()))]
        if set(states) != {"ACTIVE"}:
            raise _NotYetActive(f"{self._where()} is not active after a minute of waiting")


def _first_line(message: str) -> str:
    # Further lines may quote parameters, and those may be private.
    return message.partition("\n")[0][:300]
