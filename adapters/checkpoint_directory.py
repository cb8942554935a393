"""Checkpoints in a directory (`domain.checkpoint`): each file is written once, whole, and to the disk.

It should lie where whoever may change the ledger may not write: with another user, on another machine, on a medium that
takes no changes.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

from domain.errors import LedgerUnavailable

UNFINISHED = ".unfinished-"
"""How the name of a file begins that nobody has finished; it counts for nothing."""
PIECE = 1 << 20


class CheckpointDirectory:
    """Made when the first file is put. `kept` is what people call its files."""

    def __init__(self, path: Path, *, kept: str = "checkpoints") -> None:
        self._path = path
        self._kept = kept

    @property
    def where(self) -> str:
        return str(self._path)

    def names(self) -> list[str]:
        """Of all files. Raises LedgerUnavailable, as the others do."""
        try:
            return [entry.name for entry in self._path.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unavailable(error) from error

    def read(self, name: str) -> BinaryIO | None:
        """None where there is no such file. The reader closes it."""
        try:
            return (self._path / name).open("rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable(error) from error

    def read_from(self, name: str, offset: int) -> BinaryIO | None:
        """The same from this byte on, and of the rest not much more than is read."""
        file = self.read(name)
        if file is not None:
            file.seek(offset)
        return file

    def put(self, name: str, file: BinaryIO) -> bool:
        """All of it, on disk, or nothing. False where there is another file of that name: it stays."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            unfinished = self._written(file)
            try:
                # A link is made whole or not at all, and never over what is there.
                os.link(unfinished, self._path / name)
            except FileExistsError:
                return _is_same(unfinished, self._path / name)
            finally:
                unfinished.unlink()
            self._sync()
        except OSError as error:
            raise self._unavailable(error) from error
        return True

    def _written(self, file: BinaryIO) -> Path:
        with NamedTemporaryFile(dir=self._path, prefix=UNFINISHED, delete=False) as unfinished:
            path = Path(unfinished.name)
            try:
                shutil.copyfileobj(file, unfinished, PIECE)
                unfinished.flush()
                os.fchmod(unfinished.fileno(), 0o444)
                os.fsync(unfinished.fileno())
            except BaseException:
                with suppress(OSError):
                    path.unlink()
                raise
        return path

    def _sync(self) -> None:
        """A name is on disk when its directory is."""
        directory = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _unavailable(self, error: OSError) -> LedgerUnavailable:
        return LedgerUnavailable(
            f"the {self._kept} in {self._path} cannot be used ({error.strerror or error}): it must be a directory that"
            " can be read and written, on a file system with hard links"
        )


def _is_same(one: Path, other: Path) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while piece := first.read(PIECE):
            if second.read(len(piece)) != piece:
                return False
        return not second.read(1)
