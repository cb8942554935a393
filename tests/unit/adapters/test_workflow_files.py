"""The files of a folder are read, and nothing that lies outside of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters.workflow_files import WorkflowFiles
from domain.json_value import MAX_BYTES
from domain.workflow_sources import Unreadable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.yaml").write_text("name: secret\n")
    inside = tmp_path / "inside"
    (inside / "deep").mkdir(parents=True)
    (inside / "deep" / "child.yaml").write_text("name: child\n")
    return inside


def test_a_file_of_the_folder_is_read(folder: Path) -> None:
    assert WorkflowFiles(folder).text_of("deep/child.yaml") == b"name: child\n"


def test_a_link_within_the_folder_is_followed(folder: Path) -> None:
    (folder / "link.yaml").symlink_to(folder / "deep" / "child.yaml")
    assert WorkflowFiles(folder).text_of("link.yaml") == b"name: child\n"


def test_a_folder_may_be_a_link_itself(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert WorkflowFiles(tmp_path / "link").text_of("deep/child.yaml") == b"name: child\n"


@pytest.mark.parametrize("path", ["../secret.yaml", "link.yaml", "out/secret.yaml", "deep/../../secret.yaml"])
def test_what_leads_out_of_the_folder_is_not_there(path: str, folder: Path, tmp_path: Path) -> None:
    (folder / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (folder / "out").symlink_to(tmp_path)
    with pytest.raises(Unreadable, match="leads out of the folder"):
        WorkflowFiles(folder).text_of(path)


def test_what_is_no_file_is_told_in_words(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")
    (folder / "round.yaml").symlink_to(folder / "round.yaml")
    for path, why in (
        ("deep", "is no file"),
        ("pipe.yaml", "is no file"),
        ("nobody.yaml", "there is no file nobody.yaml"),
        ("round.yaml", "cannot be read"),
        ("x\0.yaml", "cannot be read"),
    ):
        with pytest.raises(Unreadable, match=why):
            WorkflowFiles(folder).text_of(path)
    with pytest.raises(Unreadable):
        WorkflowFiles(folder / "nowhere").text_of("child.yaml")


def test_of_a_huge_file_no_more_is_read_than_shows_that_it_is_too_large(folder: Path) -> None:
    (folder / "huge.yaml").write_bytes(b"#" * (3 * MAX_BYTES))
    assert len(WorkflowFiles(folder).text_of("huge.yaml")) == MAX_BYTES + 1
