"""The template passes the linters, and what it asks them to overlook has a reason."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cloudformation import ROOT, TEMPLATE, translated_text

CFN_LINT = Path(sys.executable).parent / "cfn-lint"
CHECKOV = ROOT / ".venv-infra" / "bin" / "checkov"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_the_template_is_well_formed() -> None:
    done = run(CFN_LINT, TEMPLATE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_sam_makes_of_it_is_well_formed(tmp_path: Path) -> None:
    # The linter knows of SAM's resources little more than their names.
    translated = tmp_path / "translated.json"
    translated.write_text(translated_text(), "utf-8")
    done = run(CFN_LINT, translated)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("queue", ["no", "yes"])
def test_nothing_in_it_is_unsafe(queue: str, tmp_path: Path) -> None:
    # A resource whose condition does not hold is not looked at.
    unchosen, template = 'Default: "no"', TEMPLATE.read_text("utf-8")
    assert template.count(unchosen) == 1
    chosen = tmp_path / "template.yaml"
    chosen.write_text(template.replace(unchosen, f'Default: "{queue}"'), "utf-8")
    done = run(CHECKOV, "--file", chosen, "--framework", "cloudformation", "--skip-download", "--compact", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Failed checks: 0" in done.stdout


def test_what_is_overlooked_has_a_reason() -> None:
    overlooked = re.findall(r"checkov:skip=(\w+)(.*)", TEMPLATE.read_text("utf-8"))
    assert overlooked
    assert [check for check, reason in overlooked if not re.fullmatch(r":\w.{15,}", reason)] == []
