"""Files that are written once."""

from __future__ import annotations

import stat
from io import BytesIO
from pathlib import Path
from typing import NoReturn

import pytest

from adapters.checkpoint_directory import CheckpointDirectory
from adapters.no_checkpoints import NoCheckpoints
from domain.errors import ConfigurationError, LedgerUnavailable


@pytest.fixture
def store(tmp_path: Path) -> CheckpointDirectory:
    return CheckpointDirectory(tmp_path / "deep" / "evidence")


def content(store: CheckpointDirectory, name: str) -> bytes | None:
    file = store.read(name)
    if file is None:
        return None
    with file:
        return file.read()


def test_a_directory_that_is_not_there_yet_is_empty(store: CheckpointDirectory) -> None:
    assert store.names() == []
    assert store.read("00000001.checkpoint") is None


def test_what_was_put_is_there_for_all_to_read_and_for_none_to_write(store: CheckpointDirectory) -> None:
    assert store.put("one", BytesIO(b"text"))
    assert (store.names(), content(store, "one")) == (["one"], b"text")
    assert stat.S_IMODE((Path(store.where) / "one").stat().st_mode) == 0o444


def test_nothing_is_ever_written_over(store: CheckpointDirectory) -> None:
    store.put("one", BytesIO(b"text"))
    for other in (b"another", b"tex", b"text and more", b""):
        assert not store.put("one", BytesIO(other))
    assert content(store, "one") == b"text"


def test_the_same_again_is_no_other(store: CheckpointDirectory) -> None:
    assert store.put("one", BytesIO(b"text"))
    assert store.put("one", BytesIO(b"text"))
    assert store.names() == ["one"]


def test_who_dies_while_writing_leaves_nothing(store: CheckpointDirectory) -> None:
    class Dying(BytesIO):
        def read(self, size: int | None = -1, /) -> NoReturn:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.put("one", Dying())
    assert store.names() == []


@pytest.mark.parametrize("act", [lambda store: store.names(), lambda store: store.put("one", BytesIO(b""))])
def test_what_cannot_be_used_is_said_in_one_line(tmp_path: Path, act: object) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerUnavailable, match="directory that can be read"):
        act(CheckpointDirectory(tmp_path / "file"))  # type: ignore[operator]


def test_a_file_is_read_from_a_byte_on(tmp_path: Path) -> None:
    store = CheckpointDirectory(tmp_path)
    store.put("one", BytesIO(b"0123456789"))
    for offset, rest in ((0, b"0123456789"), (7, b"789"), (11, b"")):
        file = store.read_from("one", offset)
        assert file is not None
        with file:
            assert file.read() == rest
    assert store.read_from("two", 7) is None


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with pytest.raises(LedgerUnavailable):
        CheckpointDirectory(tmp_path).read("one")


def test_nowhere_has_none_and_takes_none() -> None:
    nowhere = NoCheckpoints()
    assert (nowhere.names(), nowhere.read("one")) == ([], None)
    with pytest.raises(ConfigurationError, match="EXECUTION_AGENT_CHECKPOINTS"):
        nowhere.put("one", BytesIO(b""))
