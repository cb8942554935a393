"""`execution-agent schema`, with an action type of another distribution that a framework has no word for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

VAGUE = """
from __future__ import annotations
from domain.base_action import BaseAction, Parameters
from domain.outcome import Succeeded

class VagueParameters(Parameters):
    amount: int | str

class Vague(BaseAction[VagueParameters]):
    action_type = "vague"
    parameters = VagueParameters
    def execute(self, prepared, attempt, world):
        return Succeeded()
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed distributions that holds this one."""
    folder = tmp_path / "site"
    described = folder / "vague-1.0.dist-info"
    described.mkdir(parents=True)
    (folder / "vague.py").write_text(VAGUE, "utf-8")
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: vague\nVersion: 1.0\n", "utf-8")
    (described / "entry_points.txt").write_text("[execution_agent.actions]\nvague = vague:Vague\n", "utf-8")
    return folder


def schema(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join((str(site), str(ROOT)))}
    command = [sys.executable, "-m", "agents.execution_agent", "schema", *words]
    return subprocess.run(command, cwd=site, env=environ, capture_output=True, text=True, timeout=60)


def test_what_does_not_fit_is_one_clear_line_and_exits_with_one(site: Path) -> None:
    done = schema(site, "--format", "agentcore")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "agentcore: vague: the parameter amount" in line
    told = schema(site, "--format", "agentcore", "--json")
    assert (told.returncode, json.loads(told.stdout)["error"]["code"]) == (1, "does_not_fit")


def test_an_installed_type_is_a_tool_like_any_other(site: Path) -> None:
    done = schema(site, "--format", "mcp")
    assert done.returncode == 0
    assert [tool["name"] for tool in json.loads(done.stdout)["tools"]][-1] == "vague"
