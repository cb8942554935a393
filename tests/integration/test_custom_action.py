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
    install(source, target)
    return target


def install(source: Path, target: Path) -> None:
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--no-index"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)]
    subprocess.run(command, check=True, timeout=120)


def run(site: Path, folder: Path, *words: str) -> Any:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join((str(site), str(ROOT)))}
    command = [sys.executable, "-m", "agents.execution_agent", *words, "--json"]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def agent_installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the agent as its wheel brings it, and the distribution beside it."""
    target = tmp_path_factory.mktemp("site")
    for source in (ROOT, EXAMPLE):
        folder = tmp_path_factory.mktemp("source") / "project"
        shutil.copytree(source, folder, ignore=_not_packaged)
        install(folder, target)
    return target


def _not_packaged(folder: str, names: list[str]) -> set[str]:
    kept = {"agents", "domain", "projections", "adapters", "handlers", "record_touchpoint"}
    kept |= {"pyproject.toml", "README.md", "LICENSE"}
    return {name for name in names if name not in kept} if Path(folder) in (ROOT, EXAMPLE) else {"__pycache__"}


def test_in_its_own_folder_it_is_held_to_its_word_by_the_kit_that_the_agent_brings(
    agent_installed: Path, tmp_path: Path
) -> None:
    """Nothing of this repository is there but what is installed."""
    test = shutil.copy(EXAMPLE / "test_record_touchpoint.py", tmp_path)
    where = "import agents.execution_agent.conformance as kit; print(kit.__file__)"
    environ = os.environ | {"PYTHONPATH": str(agent_installed)}
    found = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60
    )
    assert found.stdout.startswith(str(agent_installed)), found.stderr
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


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
