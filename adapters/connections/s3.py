"""Files of a bucket of Amazon S3.

    {"kind": "s3", "bucket": "acme-invoices", "prefix": "sent/", "region": "eu-central-1"}

A file is named by what follows the prefix. The role needs s3:GetObject on what the prefix begins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from adapters.aws import AwsService, require_aws
from adapters.connections.aws_entry import AwsEntry
from adapters.secrets import Secrets
from domain.outcome import Failure, Permanent

_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9_.=-]+/)*")


def _bucket(name: str) -> str:
    if not _BUCKET.fullmatch(name) or ".." in name:
        raise ValueError("this is not the name of a bucket")
    return name


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise ValueError("a prefix is made of letters, digits and _ . = -, in parts that each end in /")
    return text


class Model(AwsEntry):
    """An entry of kind `s3`."""

    bucket: Annotated[str, AfterValidator(_bucket)]
    prefix: Annotated[str, AfterValidator(_prefix)] = ""
    region: str | None = Field(default=None, pattern=r"^[a-z0-9-]{1,32}$")


def connect(name: str, entry: Model, _: Secrets) -> Bucket:
    """Raises ConfigurationError where botocore is not installed."""
    require_aws(f"connection {name}")
    return Bucket(name, entry)


class Bucket:
    """The port `domain.mail.FileStore`."""

    def __init__(self, connection: str, entry: Model) -> None:
        self._connection, self._entry = connection, entry
        self._service = AwsService("s3", title="S3", region=entry.region, endpoint_url=entry.endpoint_url)

    def close(self) -> None:
        """Ends the connections that wait for a next request."""
        self._service.close()

    def read(self, key: str, *, at_most: int, timeout: float) -> bytes | Failure:
        answer = self._service.call(
            "get_object", timeout=timeout, Bucket=self._entry.bucket, Key=f"{self._entry.prefix}{key}"
        )
        return self._content(answer, at_most) if isinstance(answer, Mapping) else answer

    def _content(self, answer: Mapping[str, Any], at_most: int) -> bytes | Failure:
        from botocore.exceptions import BotoCoreError

        body = answer["Body"]
        try:
            content = bytes(body.read(at_most + 1))
            if len(content) <= at_most:
                body.read(1)  # botocore compares with the length at the end alone
        except BotoCoreError:
            return self._service.unreadable("its file breaks off")
        finally:
            body.close()
        if len(content) > at_most:
            return Permanent("file_too_large", f"this file of {self._connection} is larger than {at_most} bytes")
        return content
