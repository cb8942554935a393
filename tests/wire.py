"""Faults on the way to AWS and back. botocore's own hooks carry them: all that is ours runs as it does in earnest."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

Fault = Callable[[AWSPreparedRequest], AWSResponse | None]
"""Answers a request itself, raises, or lets it go on its way (None)."""


def on_the_wire(client: DynamoDBClient, operation: str, *script: Fault) -> None:
    """The next requests of an operation of DynamoDB meet the script, one by one; later ones pass."""
    faults = iter(script)

    def meet(request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        fault = next(faults, passes)
        return fault(request)

    client.meta.events.register(f"before-send.dynamodb.{operation}", cast("Callable[..., None]", meet))


def passes(request: AWSPreparedRequest) -> None:
    """Nothing happens to it."""


def lost(request: AWSPreparedRequest) -> None:
    """The request never arrives, and the sender cannot know."""
    raise ConnectionClosedError(endpoint_url=request.url)


def answer_lost(request: AWSPreparedRequest) -> None:
    """The request is carried out; its answer never comes."""
    carried_out(request)
    raise ReadTimeoutError(endpoint_url=request.url)


def reset_after(request: AWSPreparedRequest) -> None:
    """The request is carried out; then the machine itself tears the connection down."""
    carried_out(request)
    raise ConnectionResetError("connection reset by peer")


def failed_after(request: AWSPreparedRequest) -> AWSResponse:
    """The request is carried out; the answer is an internal error."""
    carried_out(request)
    return answer(request, 500, {"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"})


def refused(code: str, message: str = "") -> Fault:
    """The request is not carried out, and the answer says why."""
    return lambda request: answer(
        request, 400, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    )


def a_page_of_the_proxy(request: AWSPreparedRequest) -> AWSResponse:
    """Something between takes the request for its own, and says 200."""
    return _response(request, 200, b"<html>Please sign in</html>")


def after(act: Callable[[], object], fault: Fault) -> Fault:
    """Somebody else acts first."""

    def acted(request: AWSPreparedRequest) -> AWSResponse | None:
        act()
        return fault(request)

    return acted


def carried_out(request: AWSPreparedRequest) -> AWSResponse:
    """The true answer."""
    session = URLLib3Session()
    try:
        return session.send(request)
    finally:
        session.close()


def said(request: AWSPreparedRequest) -> dict[str, Any]:
    """What a request asks for."""
    parameters: dict[str, Any] = json.loads(cast("bytes", request.body))
    return parameters


def answer(request: AWSPreparedRequest, status: int, body: Any) -> AWSResponse:
    """An answer of the test's own."""
    return _response(request, status, json.dumps(body).encode())


def _response(request: AWSPreparedRequest, status: int, body: bytes) -> AWSResponse:
    headers = HTTPHeaders()
    headers["Content-Type"] = "application/x-amz-json-1.0"
    return AWSResponse(request.url, status, headers, _Body(body))


class _Body(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()
