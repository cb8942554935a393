"""Checkpoints in S3 (`domain.checkpoint`): each object is put on the condition that there is none under its name.

The bucket keeps what it has when it has Object Lock with a default retention, in compliance mode; that is for its owner
to see to. What is asked of it: s3:PutObject and s3:GetObject on PREFIX/*, s3:ListBucket.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any, BinaryIO

from adapters.aws import AwsService
from domain.errors import LedgerUnavailable
from domain.outcome import Failure, Permanent

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TIMEOUT = 60.0
"""Seconds, for a call."""
FILE_TIMEOUT = 300.0
"""Seconds, for a leaf list to come or go."""
TRIES = 3
PIECE = 1 << 18
"""Bytes that are asked for at once where a file is not read whole: nearly every life of an archive is in one piece, and
whoever decompresses reads half of that ahead."""

_NOT_FOUND = frozenset({"no_such_key", "s3_404", "not_found"})
_BEHIND_THE_END = "invalid_range"


class CheckpointBucket:
    """Under a prefix of a bucket. `kept` is what people call its files."""

    def __init__(
        self, bucket: str, prefix: str, service: AwsService | None = None, *, kept: str = "checkpoints"
    ) -> None:
        self._kept = kept
        self._bucket, self._prefix = bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._s3 = service or AwsService("s3", title="S3")

    @property
    def where(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def names(self) -> list[str]:
        """Of all files. Raises LedgerUnavailable, as the others do."""
        names: list[str] = []
        page: dict[str, Any] = {}
        while True:
            answer = self._asked("list_objects_v2", Prefix=self._prefix, **page)
            names += [one["Key"].removeprefix(self._prefix) for one in answer.get("Contents", ())]
            if not answer.get("IsTruncated"):
                return names
            page = {"ContinuationToken": answer["NextContinuationToken"]}

    def read(self, name: str) -> BinaryIO | None:
        """None where there is no such file. It comes whole, into a temporary file, which the reader closes."""
        answer = self._call("get_object", timeout=FILE_TIMEOUT, Key=self._prefix + name)
        if not isinstance(answer, Mapping):
            if answer.code in _NOT_FOUND:
                return None
            raise self._unavailable(answer)
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the reader closes it
        try:
            shutil.copyfileobj(answer["Body"], file, 1 << 20)
        except Exception as error:
            file.close()
            raise self._incomplete(name, error) from error
        file.seek(0)
        return file

    def read_from(self, name: str, offset: int) -> BinaryIO | None:
        """The same from this byte on, piece by piece: of the rest not much more comes than is read."""
        first = self._piece(name, offset)
        if first is None:
            return None
        return BufferedReader(_Pieces(first, offset, lambda start: self._piece(name, start)), PIECE)

    def put(self, name: str, file: BinaryIO) -> bool:
        """All of it or nothing. False where there is another file of that name: it stays."""
        start = file.tell()
        answer = self._call(
            "put_object",
            timeout=FILE_TIMEOUT,
            Key=self._prefix + name,
            Body=file,
            IfNoneMatch="*",
            ChecksumAlgorithm="SHA256",
        )
        if isinstance(answer, Mapping):
            return True
        # Refused for what is there, or without an answer: it may be this very file that is there.
        file.seek(start)
        there = self.read(name)
        if there is None:
            raise self._unavailable(answer)
        with there:
            return _sha256(there) == _sha256(file)

    def _piece(self, name: str, start: int) -> bytes | None:
        """What begins at this byte, empty behind the end; None where there is no such file."""
        span = f"bytes={start}-{start + PIECE - 1}"
        answer = self._call("get_object", timeout=TIMEOUT, Key=self._prefix + name, Range=span)
        if not isinstance(answer, Mapping):
            if answer.code in _NOT_FOUND:
                return None
            if answer.code == _BEHIND_THE_END:
                return b""
            raise self._unavailable(answer)
        try:
            piece: bytes = answer["Body"].read()
        except Exception as error:
            raise self._incomplete(name, error) from error
        return piece

    def _asked(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        answer = self._call(operation, timeout=TIMEOUT, **parameters)
        if isinstance(answer, Mapping):
            return answer
        raise self._unavailable(answer)

    def _call(self, operation: str, *, timeout: float, **parameters: Any) -> Mapping[str, Any] | Failure:
        """Whatever is asked here is safe to ask again."""
        body: BinaryIO | None = parameters.get("Body")
        start = 0 if body is None else body.tell()
        for _ in range(TRIES):
            answer = self._s3.call(operation, timeout=timeout, Bucket=self._bucket, **parameters)
            if isinstance(answer, Mapping | Permanent):
                break
            if body is not None:
                body.seek(start)
        return answer

    def _incomplete(self, name: str, error: Exception) -> LedgerUnavailable:
        return LedgerUnavailable(f"{self.where}: {name} does not come whole ({type(error).__name__})")

    def _unavailable(self, failure: Failure) -> LedgerUnavailable:
        return LedgerUnavailable(f"the {self._kept} in {self.where} cannot be used: {failure.message}")


class _Pieces(RawIOBase):
    """A file that is asked for as it is read: the first piece is here. `piece` says what begins at a byte."""

    def __init__(self, first: bytes, offset: int, piece: Callable[[int], bytes | None]) -> None:
        self._piece = piece
        self._begin(first, offset)

    def _begin(self, piece: bytes, offset: int) -> None:
        self._here, self._next = piece, offset + len(piece)
        self._is_last = len(piece) < PIECE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if not self._here and not self._is_last:
            self._begin(self._piece(self._next) or b"", self._next)
        with memoryview(buffer) as room:
            taken = self._here[: len(room)]
            room[: len(taken)] = taken
        self._here = self._here[len(taken) :]
        return len(taken)


def _sha256(file: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.digest()
