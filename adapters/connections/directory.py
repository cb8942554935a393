"""Files of a directory on this machine.

    {"kind": "directory", "path": "/srv/invoices"}

A file is named by its path below the directory. No symbolic link is followed there, so nothing outside can be named.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import AfterValidator

from adapters.connections import Entry
from adapters.secrets import Secrets
from domain.outcome import Failure, Permanent, Retry


def _absolute(path: str) -> str:
    if not path.startswith("/") or "\0" in path:
        raise ValueError("a path begins with /")
    return path


class Model(Entry):
    """An entry of kind `directory`."""

    path: Annotated[str, AfterValidator(_absolute)]


def connect(name: str, entry: Model, _: Secrets) -> Directory:
    return Directory(name, entry.path)


class Directory:
    """The port `domain.mail.FileStore`."""

    def __init__(self, connection: str, path: str) -> None:
        self._connection, self._path = connection, path

    def read(self, key: str, *, at_most: int, timeout: float) -> bytes | Failure:  # noqa: ARG002 - a disk keeps none
        try:
            with _opened_below(self._path, key) as descriptor:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return Permanent("not_a_file", f"{self._connection} has no such file")
                content = _read(descriptor, at_most + 1)
        except (FileNotFoundError, NotADirectoryError):
            return Permanent("file_not_found", f"{self._connection} has no such file")
        except OSError as error:
            if error.errno == errno.ELOOP:
                return Permanent("not_a_file", f"{self._connection} has no such file: links are not followed")
            return Retry("file_not_readable", f"a file of {self._connection} cannot be read: {error.strerror}")
        if len(content) > at_most:
            return Permanent("file_too_large", f"this file of {self._connection} is larger than {at_most} bytes")
        return content


@contextmanager
def _opened_below(root: str, key: str) -> Iterator[int]:
    """A descriptor of the file, found step by step from the root, so that nobody can put a link in the way."""
    *folders, file = key.split("/")
    if {"", ".", ".."} & {*folders, file}:
        raise FileNotFoundError
    place = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
            os.close(place)
            place = below
        found = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
    finally:
        os.close(place)
    try:
        yield found
    finally:
        os.close(found)


def _read(descriptor: int, most: int) -> bytes:
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        return file.read(most)
