"""What the README says of a local AWS, as a newcomer types it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.cloud import eventually

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(r"^    \. \.execution-agent/local-aws\n(?:    .*\n)+", re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader might try it, with the AWS command line on the path."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    command = tmp_path / "bin" / "aws"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/e2e/aws_command.py "$@"\n', "utf-8")
    command.chmod(0o755)
    return tmp_path


@pytest.fixture
def environ(folder: Path) -> dict[str, str]:
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "EXECUTION_AGENT_"))}
    return ours | {"PATH": path, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}


@contextmanager
def running(folder: Path, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """`make local-aws`, once it is ready."""
    command = [sys.executable, "-m", "infra.local_aws"]
    with subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any("In another terminal" in line for line in process.stdout)
            yield process
        finally:
            process.terminate()


def typed(block: str, folder: Path, environ: Mapping[str, str]) -> str:
    """What a shell shows."""
    script = ["bash", "-euo", "pipefail", "-c", block]
    done = subprocess.run(script, cwd=folder, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_newcomer_deploys_invokes_and_looks(folder: Path, environ: dict[str, str]) -> None:
    [block] = BLOCK.findall(README)
    first_line, *_, last_line = block.splitlines()

    with running(folder, environ) as process:
        shown = typed(block, folder, environ)
        response = json.loads((folder / "answer.json").read_text("utf-8"))
        row = re.compile(rf"{response['action_id']} +succeeded +send_email")
        assert eventually(lambda: row.search(typed(f"{first_line}\n{last_line}", folder, environ)))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0

    assert response["status"] == "succeeded"
    assert "Acme Inc." in shown
    assert not (folder / ".execution-agent" / "local-aws").exists()
