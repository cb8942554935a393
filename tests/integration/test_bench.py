"""The bench still runs, and what it counts, which no noise can move, keeps its targets."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

# One run serves all: whichever process has it, has all tests of it.
pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("bench")]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one quick run says."""
    file = tmp_path_factory.mktemp("bench") / "report.json"
    subprocess.run([sys.executable, "-m", "bench", "--quick", "--json", str(file)], cwd=ROOT, check=True, timeout=120)
    said: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return said


def figures(report: Mapping[str, Any], part: str) -> dict[str, Mapping[str, Any]]:
    return {figure["name"]: figure for figure in report["parts"][part]}


def test_nothing_that_is_counted_misses_its_target(report: dict[str, Any]) -> None:
    counted = [figure for part in report["parts"].values() for figure in part if figure["counted"]]

    assert [figure for figure in counted if figure["passed"] is False] == []


def test_one_caller_pays_two_synced_transactions_and_many_share_theirs(report: dict[str, Any]) -> None:
    latency = figures(report, "latency")

    assert latency["synced transactions an action, 1 caller"]["value"] == 2
    assert latency["synced transactions an action, 32 callers"]["value"] < 2


def test_sqlite_syncs_its_files_as_often_as_the_recorder_says(report: dict[str, Any]) -> None:
    assert figures(report, "store")["SQLite, syncs of its files"]["value"] == 2


def test_an_action_is_two_puts_in_dynamodb_and_nothing_else(report: dict[str, Any]) -> None:
    store = figures(report, "store")

    assert store["DynamoDB, PutItem"]["value"] == 2
    assert store["DynamoDB, requests in all"]["value"] == 2
    assert store["DynamoDB, write units"]["value"] > 0
    assert store["DynamoDB, read units"]["value"] == 0


def test_no_process_loads_a_library_that_its_first_action_does_not_need(report: dict[str, Any]) -> None:
    loaded = [
        figure["beside"]["they are"]
        for part in ("cold_start", "lambda_start")
        for figure in report["parts"][part]
        if figure["name"].endswith("libraries loaded without need")
    ]

    assert loaded == ["none", "none", "none"]


def test_every_part_compares_something_with_its_floor_or_with_itself(report: dict[str, Any]) -> None:
    parts = {"latency", "webhook", "growth", "search", "cold_start", "lambda_start", "lambda_runtime", "store"}
    assert set(report["parts"]) == parts
    assert all(figure["value"] >= 0 for part in report["parts"].values() for figure in part)
