"""An action type of another distribution: installed, found, and used like a built-in one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "custom_action"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder of installed distributions, as `pip install` leaves it."""
    source, target = tmp_path / "source", tmp_path / "site"
    shutil.copytree(EXAMPLE, source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--no-index"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)]
    subprocess.run(command, check=True, timeout=120)
    return target


def run(site: Path, folder: Path, *words: str) -> Any:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join((str(site), str(ROOT)))}
    command = [sys.executable, "-m", "agents.execution_agent", *words, "--json"]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_it_is_listed_carried_out_and_idempotent_by_key(installed: Path, tmp_path: Path) -> None:
    promises = {kind["action_type"]: kind["delivery"] for kind in run(installed, tmp_path, "actions")}
    assert promises["record_touchpoint"] == "idempotent_by_key"

    response = run(installed, tmp_path, "run", str(ROOT / "examples" / "record_touchpoint.json"))

    assert (response["status"], response["result"]) == ("succeeded", {"file": "touchpoints.jsonl"})
    written = [json.loads(line) for line in (tmp_path / "touchpoints.jsonl").read_text("utf-8").splitlines()]
    assert written == [
        {"key": f"{response['action_id']}-r0", "account": "ACME-1", "note": "Sent the renewal reminder."}
    ]


def test_without_it_the_type_is_unknown(tmp_path: Path) -> None:
    response = run(tmp_path, tmp_path, "run", str(ROOT / "examples" / "record_touchpoint.json"))
    assert response["error"]["code"] == "unknown_action_type"


def test_a_distribution_that_cannot_be_loaded_is_one_clear_line(installed: Path, tmp_path: Path) -> None:
    (installed / "record_touchpoint" / "__init__.py").write_text("raise RuntimeError('broken')", "utf-8")
    told = run(installed, tmp_path, "actions")
    assert "record_touchpoint" in told["error"]["message"]
