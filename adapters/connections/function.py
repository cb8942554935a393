"""A function of AWS Lambda.

    {"kind": "function", "function": "arn:aws:lambda:eu-central-1:123456789012:function:score:live"}

`invocation` is `request_response` (default: the answer is the result) or `event` (Lambda queues the call, and may make
it more than once). `durable`: a durable function; its execution is called as the effect key is, so that a call which is
made again leads to the same execution. `timeout_s` is the total deadline of a call, 30 unless it says otherwise. The
role needs lambda:InvokeFunction on the function, or on the version or alias that the ARN ends in.

    Lambda answers                                    the outcome
    200 to request_response, 202 to event             Succeeded
    200 and FunctionError                             Unknown      the function raised, and may have done half its work
    an error before the function began, for now       Retry        documented: such errors keep it from running
    429                                               Retry
    another 4xx                                       Permanent
    everything else                                   Unknown
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from adapters.aws import AwsService, require_aws
from adapters.connections.aws_entry import AwsEntry, TimeoutSeconds, arn, region_of
from adapters.secrets import Secrets
from domain.errors import MalformedRequest
from domain.json_text import read_text
from domain.outcome import Outcome, Succeeded, Unknown

if TYPE_CHECKING:
    from botocore.response import StreamingBody

LONGEST_ANSWER = 64 * 1024
"""Bytes of a function's answer that go into the ledger."""

_STATUS = {"request_response": 200, "event": 202}
_TYPE = {"request_response": "RequestResponse", "event": "Event"}

_DID_NOT_BEGIN = frozenset(
    {
        "CodeArtifactUserPendingException",
        "EC2AccessDeniedException",
        "EC2ThrottledException",
        "EC2UnexpectedException",
        "EFSMountConnectivityException",
        "EFSMountTimeoutException",
        "ENILimitReachedException",
        "ENINotReadyException",
        "InvalidRuntimeException",
        "InvalidSecurityGroupIDException",
        "InvalidSubnetIDException",
        "InvalidZipFileException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "ResourceConflictException",
        "ResourceNotReadyException",
        "S3FilesMountConnectivityException",
        "S3FilesMountTimeoutException",
        "SnapStartNotReadyException",
        "SnapStartTimeoutException",
        "SubnetIPAddressLimitReachedException",
    }
)
"""What Lambda says when the function could not begin, and may be able to later."""


class Model(AwsEntry):
    """An entry of kind `function`."""

    function: Annotated[str, arn("lambda", r"function:[A-Za-z0-9_-]{1,64}(?::[A-Za-z0-9_$-]{1,128})?", "a function")]
    invocation: Literal["request_response", "event"] = "request_response"
    durable: bool = False
    timeout_s: TimeoutSeconds = 30.0


def connect(name: str, entry: Model, _: Secrets) -> ConfiguredFunction:
    """Raises ConfigurationError where botocore is not installed."""
    require_aws(f"connection {name}")
    return ConfiguredFunction(name, entry)


class ConfiguredFunction:
    """The port `domain.functions.Function`."""

    def __init__(self, connection: str, entry: Model) -> None:
        self._connection, self._entry = connection, entry
        self._service = AwsService(
            "lambda",
            title="Lambda",
            region=region_of(entry.function),
            endpoint_url=entry.endpoint_url,
            not_now=_DID_NOT_BEGIN,
        )

    @property
    def connection(self) -> str:
        return self._connection

    def close(self) -> None:
        """Ends the connections that wait for a next request."""
        self._service.close()

    @property
    def is_durable(self) -> bool:
        return self._entry.durable

    @property
    def timeout(self) -> float:
        return self._entry.timeout_s

    def invoke(self, payload: str, *, effect_key: str, timeout: float) -> Outcome:
        name = {"DurableExecutionName": effect_key} if self._entry.durable else {}
        answer = self._service.call(
            "invoke",
            timeout=timeout,
            FunctionName=self._entry.function,
            InvocationType=_TYPE[self._entry.invocation],
            Payload=payload.encode(),
            **name,
        )
        return self._outcome(answer) if isinstance(answer, Mapping) else answer

    def _outcome(self, answer: Mapping[str, Any]) -> Outcome:
        said = _read(answer.get("Payload"))
        request_id = answer.get("ResponseMetadata", {}).get("RequestId")
        if error := answer.get("FunctionError"):
            return Unknown(
                "function_error", f"the function raised ({error}): {(said or b'').decode(errors='replace')}"[:200]
            )
        if said is None or not request_id or answer.get("StatusCode") != _STATUS[self._entry.invocation]:
            return self._service.unreadable("does not tell what became of the call")
        reference = answer.get("DurableExecutionArn") or request_id
        result = {"answer": _readable(said)} if self._entry.invocation == "request_response" else {}
        if len(said) > LONGEST_ANSWER:
            result["truncated"] = True
        return Succeeded(result, reference=str(reference))


def _read(payload: StreamingBody | None) -> bytes | None:
    """The answer's first bytes, one more than are kept where there are more. None when it breaks off."""
    from botocore.exceptions import BotoCoreError

    if payload is None:
        return b""
    try:
        said = bytes(payload.read(LONGEST_ANSWER + 1))
        if len(said) <= LONGEST_ANSWER:
            payload.read(1)  # botocore compares with the length at the end alone
        return said
    except BotoCoreError:
        return None
    finally:
        payload.close()


def _readable(said: bytes) -> object:
    """A JSON object as one, if it is as plain as a request must be; anything else as text."""
    if len(said) <= LONGEST_ANSWER:
        try:
            return read_text(said)
        except MalformedRequest:
            pass
    return said[:LONGEST_ANSWER].decode("utf-8", "ignore" if len(said) > LONGEST_ANSWER else "replace")
