"""`execution-agent audit keygen`, `checkpoint`, `verify`, `prove`: one document, one line, meaningful exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import Result
from typer.testing import CliRunner

from agents.execution_agent import evidence
from agents.execution_agent.cli import app
from agents.execution_agent.config import Settings
from agents.execution_agent.handler import checkpoint_with
from bench.verify import make_ledger
from domain.errors import ConfigurationError, CorruptEvent
from tests.house import agent_with, greet

Cli = Callable[..., Result]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "EXECUTION_AGENT_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
        "EXECUTION_AGENT_CHECKPOINTS": str(tmp_path / "evidence"),
        "EXECUTION_AGENT_CHECKPOINT_KEY": f"file:{tmp_path}/key.pem",
        "EXECUTION_AGENT_LOG_LEVEL": "",
    }


@pytest.fixture
def cli(environ: dict[str, str]) -> Cli:
    def call(*words: str, **changes: str) -> Result:
        return CliRunner().invoke(app, ["audit", *words], env=environ | changes)

    return call


@pytest.fixture
def action_id(cli: Cli, environ: dict[str, str], tmp_path: Path) -> str:
    """Of one of two actions in a ledger with a key, and no checkpoint as yet."""
    assert cli("keygen", str(tmp_path / "key.pem")).exit_code == 0
    with agent_with(ledger=Settings.from_environment(environ).ledger) as agent:
        agent.process(greet())
        said: str = agent.process(greet())["action_id"]
    return said


def tamper(tmp_path: Path, sql: str) -> None:
    connection = apsw.Connection(str(tmp_path / "ledger.db"))
    connection.execute(sql)
    connection.close()


def document(result: Result) -> Any:
    """Exactly one JSON document on stdout."""
    return json.loads(result.stdout)


def codes(result: Result) -> list[str]:
    return [finding["code"] for finding in document(result)["findings"]]


def test_a_sound_ledger_is_sound(cli: Cli, action_id: str) -> None:
    sealed = cli("checkpoint", "--json")
    assert (sealed.exit_code, document(sealed)["checkpoint"]["size"], document(sealed)["findings"]) == (0, 4, [])

    verified = cli("verify", "--json")

    assert verified.exit_code == 0
    assert document(verified) == {
        "sound": True,
        "found": 0,
        "findings": [],
        "actions": 2,
        "commits": 4,
        "events": 8,
        "under_no_checkpoint": 0,
        "before_chaining": 0,
        "late": 0,
        "repeated": 0,
        "notices": [],
        "checkpoints": 1,
        "newest": document(sealed)["checkpoint"],
    }


def test_people_are_told_the_same(cli: Cli, action_id: str) -> None:
    told = cli("checkpoint")
    remembered = told.stdout.rpartition("--expect ")[2].strip()
    verified = cli("verify", "--expect", remembered)
    assert (verified.exit_code, verified.stdout.split()[:2]) == (0, ["sound", "2"])
    assert remembered in verified.stdout


def test_what_was_edited_is_named_and_the_exit_code_says_so(cli: Cli, action_id: str, tmp_path: Path) -> None:
    cli("checkpoint")
    tamper(tmp_path, f"UPDATE commits SET at = '2020' WHERE action_id = '{action_id}' AND version = 1")

    verified = cli("verify")

    assert verified.exit_code == 1
    assert "1 found" in verified.stdout
    assert f"altered  {action_id} version 1  checkpoint 1" in verified.stdout
    assert codes(cli("verify", "--json")) == ["altered"]


def test_without_a_checkpoint_it_is_never_sound(cli: Cli, action_id: str) -> None:
    for nowhere in ({}, {"EXECUTION_AGENT_CHECKPOINTS": "", "EXECUTION_AGENT_CHECKPOINT_KEY": ""}):
        verified = cli("verify", "--json", **nowhere)
        assert (verified.exit_code, codes(verified)) == (1, ["no_checkpoint"])
        assert document(verified)["under_no_checkpoint"] == 4


def test_the_wrong_key_is_a_finding_and_no_key_is_a_line(cli: Cli, action_id: str, tmp_path: Path) -> None:
    cli("checkpoint")
    cli("keygen", str(tmp_path / "other"))
    assert codes(cli("verify", "--json", "--public-key", str(tmp_path / "other.pub"))) == ["checkpoint_wrong_key"]
    without = {"EXECUTION_AGENT_CHECKPOINT_KEY": ""}
    assert codes(cli("verify", "--json", "--public-key", str(tmp_path / "key.pem.pub"), **without)) == []

    none = cli("verify", **without)
    assert (none.exit_code, none.stderr) == (
        3,
        "execution-agent: name the public key of the checkpoints: --public-key FILE\n",
    )
    missing = cli("verify", "--json", "--public-key", str(tmp_path / "missing"))
    assert (missing.exit_code, document(missing)["error"]["code"]) == (3, "configuration")


def test_a_checkpoint_that_is_remembered_and_gone_is_a_finding(cli: Cli, action_id: str, tmp_path: Path) -> None:
    for _ in range(2):
        cli("checkpoint")
    (tmp_path / "evidence" / "00000002.checkpoint").unlink()
    assert codes(cli("verify", "--json")) == []
    assert codes(cli("verify", "--json", "--expect", "2")) == ["checkpoint_missing"]
    assert codes(cli("verify", "--json", "--since-checkpoint", "2")) == ["checkpoint_missing"]


@pytest.mark.parametrize("expect", ["", "x", "1:", "1:zz", "-1", "1:abc"])
def test_what_is_no_memory_is_usage(cli: Cli, action_id: str, expect: str) -> None:
    assert cli("verify", "--expect", expect).exit_code == 2


def test_a_checkpoint_needs_a_place_and_a_key(cli: Cli, action_id: str) -> None:
    for setting in ("EXECUTION_AGENT_CHECKPOINTS", "EXECUTION_AGENT_CHECKPOINT_KEY"):
        refused = cli("checkpoint", **{setting: ""})
        assert refused.exit_code == 3
        assert setting in refused.stderr
        assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("EXECUTION_AGENT_CHECKPOINTS", "s3://"),
        ("EXECUTION_AGENT_CHECKPOINTS", "ftp://host/path"),
        ("EXECUTION_AGENT_CHECKPOINTS", "s3://UPPER/case"),
        ("EXECUTION_AGENT_CHECKPOINT_KEY", "secret"),
        ("EXECUTION_AGENT_CHECKPOINT_KEY", "kms:"),
    ],
)
def test_a_wrong_setting_is_one_line(setting: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=setting) as refused:
        Settings.from_environment({setting: value})
    assert "secret" not in str(refused.value)


def test_an_action_is_proved_to_whoever_has_its_proof_the_verifier_and_the_key(
    cli: Cli, action_id: str, tmp_path: Path
) -> None:
    cli("checkpoint")
    file = tmp_path / "told" / "proof.json"
    file.parent.mkdir()

    proof = cli("prove", action_id, "--out", str(file), "--with-verifier", "--json")

    assert (proof.exit_code, document(proof)["commits"], document(proof)["under_no_checkpoint"]) == (0, 2, [])
    command = [
        sys.executable,
        "-I",
        "-S",
        str(file.with_name("verify_proof.py")),
        str(file),
        str(tmp_path / "key.pem.pub"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"PROVED: {action_id}, 4 events" in done.stdout


def test_a_proof_on_standard_output_is_all_that_stands_there(cli: Cli, action_id: str) -> None:
    cli("checkpoint")
    for words in ((), ("--json",)):
        proof = cli("prove", action_id, "--out", "-", *words)
        assert (proof.exit_code, document(proof)["action_id"]) == (0, action_id)


def test_what_no_checkpoint_holds_yet_is_named_and_not_called_proved(cli: Cli, action_id: str, tmp_path: Path) -> None:
    proof = cli("prove", action_id, "--out", str(tmp_path / "proof.json"), "--json")
    assert (proof.exit_code, document(proof)["under_no_checkpoint"]) == (1, [1, 4])
    told = cli("prove", action_id, "--out", str(tmp_path / "proof.json"))
    assert "under no checkpoint yet, and so not proved: versions 1, 4" in told.stderr


def test_a_ledger_that_is_not_what_a_checkpoint_holds_proves_nothing(cli: Cli, action_id: str, tmp_path: Path) -> None:
    cli("checkpoint")
    tamper(tmp_path, f"UPDATE commits SET previous = x'' WHERE action_id = '{action_id}' AND version = 4")
    proof = cli("prove", action_id, "--out", str(tmp_path / "proof.json"))
    assert proof.exit_code == 1
    assert "altered" in proof.stderr


def test_nothing_is_proved_of_what_is_not_there(cli: Cli, action_id: str) -> None:
    missing = cli("prove", "act_unknown", "--json")
    assert (missing.exit_code, document(missing)["error"]["code"]) == (1, "not_found")


def test_a_proof_that_cannot_be_written_is_usage(cli: Cli, action_id: str, tmp_path: Path) -> None:
    cli("checkpoint")
    assert cli("prove", action_id, "--out", str(tmp_path / "none" / "proof.json")).exit_code == 2


def test_a_key_is_told_and_its_private_half_is_not(cli: Cli, tmp_path: Path) -> None:
    made = cli("keygen", str(tmp_path / "new.pem"), "--json")
    assert document(made)["key"].startswith("ed25519:")
    assert "PRIVATE" not in made.output
    assert cli("keygen", str(tmp_path / "new.pem")).exit_code == 3


def test_several_processes_find_what_one_finds(environ: dict[str, str], tmp_path: Path) -> None:
    settings = Settings.from_environment(environ)
    CliRunner().invoke(app, ["audit", "keygen", str(tmp_path / "key.pem")])
    make_ledger(tmp_path / "ledger.db", 60)
    evidence.seal(settings)
    tamper(tmp_path, "UPDATE commits SET at = '2020' WHERE action_id IN (SELECT action_id FROM commits LIMIT 20)")
    tamper(tmp_path, "DELETE FROM commits WHERE action_id IN (SELECT max(action_id) FROM commits)")

    alone, together = (evidence.verify(settings, processes=number, many=1) for number in (1, 2))

    def words(found: evidence.Verified) -> list[str]:
        return sorted(f"{finding.action_id} {finding.version} {finding.trouble}" for finding in found.examined.findings)

    assert words(alone) == words(together)
    assert together.examined.found > 20
    assert (alone.examined.commits, alone.examined.lives) == (together.examined.commits, together.examined.lives)


def test_the_function_signs_what_is_new_and_rings_where_something_was_changed(
    environ: dict[str, str], action_id: str, tmp_path: Path
) -> None:
    settings = Settings.from_environment(environ)
    assert checkpoint_with(settings)["size"] == 4

    tamper(tmp_path, f"UPDATE commits SET at = '2027' WHERE action_id = '{action_id}' AND version = 1")

    with pytest.raises(CorruptEvent, match="1 commits are not what they were"):
        checkpoint_with(settings)
    assert (tmp_path / "evidence" / "00000002.checkpoint").exists()
