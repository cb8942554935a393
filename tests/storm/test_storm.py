"""A small storm: real processes, killed at every point; and every planted bug is found."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engines import Engine
from tests.storm.plants import PLANTS

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300
"""Seconds."""


FOUND_IN = [
    ("effect-before-intent", "kills", "duplicate effect"),
    ("lapse-is-certain", "kills", "duplicate effect"),
    ("own-commit-is-a-conflict", "kills", "outcome taken for late"),
    ("answered-before-commit", "kills", "lost"),
    ("key-of-the-attempt", "kills", "effect that nobody ordered"),
    ("everybody-is-dead", "zombies", "otherwise than planned"),
    ("undo-of-the-moment", "undos", "lost"),
    ("deaf-run", "runs", "not settled"),
]
"""Each planted bug, the part of the storm that finds it, and as what."""


@dataclass(frozen=True)
class Report:
    """What a storm said: its exit code, its text, and the same for programs."""

    code: int
    text: str
    said: dict[str, Any]


def storm(directory: Path, *options: str) -> Report:
    # In a process of its own: it forks, and this one has threads.
    file = directory / "storm.json"
    command = [sys.executable, "-m", "tests.storm", *options, "--json", str(file)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if not file.exists():
        raise AssertionError(f"the storm itself broke:\n{ended.stdout}\n{ended.stderr}")
    return Report(ended.returncode, ended.stdout, json.loads(file.read_text("utf-8")))


@pytest.mark.xdist_group("storm")
def test_no_promise_is_broken_when_processes_die_at_every_point(tmp_path: Path) -> None:
    parts = [f"--part={name}" for name in ("restart", "zombies", "outages", "crowd", "undos", "runs", "kills")]
    report = storm(tmp_path, "--engine", "sqlite", "--kills", "400", "--actions", "1000", *parts)

    assert report.said["violations"] == [], report.text
    assert report.said["lacks"] == []
    assert report.said["kills"]["sqlite"] >= 400
    assert report.said["by_part"]["undos"] >= 20
    assert report.said["by_part"]["runs"] >= 40
    assert report.said["zombies"] == 25
    assert report.said["outages"] > 0
    assert report.code == 0


def test_no_promise_is_broken_on_dynamodb_either(ministack: Engine, tmp_path: Path) -> None:
    parts = ["--part", "zombies", "--part", "undos", "--part", "runs", "--part", "kills"]
    report = storm(tmp_path, "--engine", "dynamodb", "--kills", "20", "--endpoint", ministack.url, *parts)

    assert report.said["violations"] == [], report.text
    assert report.said["kills"]["dynamodb"] >= 20
    assert report.code == 0


@pytest.mark.xdist_group("plants")
@pytest.mark.parametrize(("plant", "part", "found"), FOUND_IN)
def test_a_storm_finds_what_is_planted(plant: str, part: str, found: str, tmp_path: Path) -> None:
    report = storm(tmp_path, "--engine", "sqlite", "--kills", "40", "--part", part, "--plant", plant)

    assert report.code == 1
    assert found in report.said["violations"]
    assert f"\n{found.upper()}\n  " in report.text


@pytest.mark.xdist_group("plants")
def test_every_plant_is_tried() -> None:
    assert {plant for plant, _, _ in FOUND_IN} == set(PLANTS)


@pytest.mark.xdist_group("plants")
def test_a_storm_that_did_too_little_does_not_pass(tmp_path: Path) -> None:
    report = storm(tmp_path, "--engine", "sqlite", "--kills", "40", "--part", "kills", "--minutes", "0")

    assert report.said["violations"] == []
    assert report.said["lacks"] == ["0 kills, asked for 40", "0 actions, asked for 40"]
    assert report.code == 1
