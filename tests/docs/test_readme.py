"""The README does what it says: its blocks run, and nothing that there is is missing from it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agents.execution_agent.audit_group import app as auditors
from agents.execution_agent.cli import app
from agents.execution_agent.config import ACTIONS, DEFAULTS
from agents.execution_agent.promises import as_markdown
from agents.execution_agent.workflow_commands import app as workflow_commands
from domain.errors import Code
from domain.lifecycle import Life, Status
from domain.workflow_standing import RunStatus, StepStatus, UndoStatus

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [body for found, body in BLOCK.findall(README) if found == language]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader might try it: a folder with the examples and nothing else."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


@pytest.fixture
def environ() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name not in DEFAULTS}
    return ours | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def test_the_python_of_the_readme_runs(folder: Path, environ: dict[str, str]) -> None:
    assert len(blocks("python")) >= 5
    script = folder / "readme.py"
    script.write_text("\n\n".join(blocks("python")), "utf-8")
    (folder / "webhooks.json").write_text("{}", "utf-8")
    done = subprocess.run([sys.executable, script], cwd=folder, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", blocks("console"))
def test_the_commands_of_the_readme_run(block: str, folder: Path, environ: dict[str, str]) -> None:
    commands = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    assert commands
    script = "set -euo pipefail\n" + "\n".join(commands)
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_setting_and_its_default_are_told() -> None:
    for name, default in DEFAULTS.items():
        cell = f" `{default}` " if default else " "
        assert f"| `{name}` |{cell}|" in README


def test_what_each_action_type_promises_is_told_as_it_declares_it() -> None:
    """`execution-agent actions --markdown` makes the table."""
    assert f"\n\n{as_markdown(kind() for kind in ACTIONS)}\n\n" in README


def test_every_status_event_and_code_is_told() -> None:
    words = {*Status, *Life, *Code, *RunStatus, *StepStatus, *UndoStatus}
    assert [word for word in words if str(word) not in README] == []


def test_every_command_is_told() -> None:
    names = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    commands = {name.replace("_", "-") for name in names}
    assert [command for command in commands if f"execution-agent {command}" not in README] == []


def test_every_command_of_workflows_is_told() -> None:
    names = {
        command.name or getattr(command.callback, "__name__", "") for command in workflow_commands.registered_commands
    }
    assert [name for name in names if f"workflow {name}" not in README] == []


def test_every_command_of_auditors_is_told() -> None:
    names = {command.name or getattr(command.callback, "__name__", "") for command in auditors.registered_commands}
    assert [name for name in names if f"audit {name}" not in README] == []


def test_every_make_target_that_it_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"(?:`|^ {4})make ([a-z0-9-]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_what_continuous_integration_runs_is_what_the_readme_says() -> None:
    assert "\nexec make test\n" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert "    make test " in README
