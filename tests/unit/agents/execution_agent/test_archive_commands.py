"""The command line of keeping and letting go: one document for programs, and no "ok" where something is wrong."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from agents.execution_agent.cli import app

Cli = Callable[..., Result]

ADA = ("--actor", "ada", "--reason", "it was asked for")
NOW = ("--older-than", "0d")
MAIL = {"template": "renewal_reminder", "variables": {"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"}}


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    environ = {
        "EXECUTION_AGENT_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
        "EXECUTION_AGENT_EMAIL": f"outbox:{tmp_path}/outbox",
        "EXECUTION_AGENT_ARCHIVE": str(tmp_path / "archive"),
        "EXECUTION_AGENT_LOG_LEVEL": "",
    }

    def call(*words: str, stdin: str | None = None, **settings: str) -> Result:
        return CliRunner().invoke(app, list(words), input=stdin, env=environ | settings)

    return call


def document(result: Result) -> Any:
    """Exactly one JSON document on stdout."""
    return json.loads(result.stdout)


def mail(cli: Cli, recipient: str = "ada@example.com", **members: Any) -> str:
    """The id of a mail that was sent."""
    request = {"action_type": "send_email", "parameters": {**MAIL, "recipient": recipient}, **members}
    told: str = document(cli("run", "-", "--json", stdin=json.dumps(request)))["action_id"]
    return told


def test_what_is_over_is_copied_pruned_found_and_told(cli: Cli, tmp_path: Path) -> None:
    action_id = mail(cli)
    before = document(cli("status", action_id, "--json"))
    copied = cli("archive", "run", *NOW, "--json")
    assert (copied.exit_code, document(copied)["lives"], document(copied)["findings"]) == (0, 1, [])
    (place,) = document(cli("archive", "find", action_id, "--json"))
    assert (place["action_id"], place["last_version"], place["commits"]) == (action_id, 4, 2)
    assert (tmp_path / "archive" / place["file"]).exists()
    pruned = cli("archive", "prune", *ADA, "--json")
    assert (pruned.exit_code, document(pruned)["pruned"]) == (0, 1)
    assert document(cli("status", action_id, "--json")) == before
    assert [entry["type"] for entry in document(cli("history", action_id, "--json"))][-1] == "archived"
    alone = document(cli("status", action_id, "--json", EXECUTION_AGENT_ARCHIVE=""))
    assert (alone["status"], alone["error"]["code"]) == ("succeeded", "archived")
    verified = cli("archive", "verify", "--json")
    assert (verified.exit_code, document(verified)["sound"], document(verified)["commits"]) == (0, True, 2)


def test_an_auditor_sees_the_whole_where_the_archive_is_at_hand(cli: Cli) -> None:
    action_id = mail(cli)
    cli("archive", "run", *NOW)
    cli("archive", "prune", *ADA)
    (trail,) = document(cli("audit", "show", action_id, "--json"))["trails"]
    assert [entry["type"] for entry in trail["timeline"]] == [
        "requested",
        "validated",
        "attempted",
        "succeeded",
        "archived",
    ]
    found = document(cli("audit", "verify", "--json"))["findings"]
    assert [finding["code"] for finding in found] == ["no_checkpoint"]
    without = document(cli("audit", "verify", "--json", EXECUTION_AGENT_ARCHIVE=""))["findings"]
    assert [finding["code"] for finding in without] == ["no_checkpoint", "versions_missing"]


@pytest.mark.parametrize("readers", [(), ("--workers", "2")])
def test_a_replay_tells_what_was_pruned_or_that_it_is_elsewhere(cli: Cli, readers: tuple[str, ...]) -> None:
    mail(cli)
    before = document(cli("replay", "--json", *readers))
    cli("archive", "run", *NOW)
    cli("archive", "prune", *ADA)
    after = cli("replay", "--json", *readers)
    assert (after.exit_code, document(after)["result"]) == (0, before["result"])
    alone = cli("replay", "--json", *readers, EXECUTION_AGENT_ARCHIVE="")
    (finding,) = document(alone)["findings"]
    assert (alone.exit_code, document(alone)["result"]) == (1, [])
    assert finding["problem"] == "what was before version 5 is in an archive"


def test_where_no_archive_confirms_what_was_before_an_auditor_is_told(cli: Cli) -> None:
    """Whoever can write to the ledger can write that all the rest is in an archive."""
    action_id = mail(cli)
    cli("archive", "run", *NOW)
    cli("archive", "prune", *ADA)
    for words in (("show", action_id), ("export", "--format", "jsonl")):
        assert cli("audit", *words).exit_code == 0
        assert cli("audit", *words, EXECUTION_AGENT_ARCHIVE="").exit_code == 1
    (trail,) = document(cli("audit", "show", action_id, "--json", EXECUTION_AGENT_ARCHIVE=""))["trails"]
    assert [finding["problem"] for finding in trail["findings"]] == ["archived_elsewhere"]


def test_beside_a_damaged_checkpoint_nothing_is_archived_and_the_reason_is_one_line(cli: Cli, tmp_path: Path) -> None:
    mail(cli)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "00000001.checkpoint").write_bytes(b"junk")

    done = cli("archive", "run", *NOW, EXECUTION_AGENT_CHECKPOINTS=str(tmp_path / "checkpoints"))

    assert done.exit_code in (1, 3)
    assert "checkpoint 1: it is not a header and a signature" in done.output
    assert done.output.count("\n") == 1


def test_signed_checkpoints_vouch_for_what_is_only_in_the_archive(cli: Cli, tmp_path: Path) -> None:
    signed = {
        "EXECUTION_AGENT_CHECKPOINTS": str(tmp_path / "checkpoints"),
        "EXECUTION_AGENT_CHECKPOINT_KEY": f"file:{tmp_path}/key",
    }
    cli("audit", "keygen", str(tmp_path / "key"))
    action_id = mail(cli)
    assert cli("audit", "checkpoint", "--all", **signed).exit_code == 0
    cli("archive", "run", *NOW, **signed)
    cli("archive", "prune", *ADA)
    manifest = json.loads((tmp_path / "archive" / "00000001.manifest").read_bytes())
    assert manifest["checkpoint"].startswith("1:")
    verified = cli("audit", "verify", "--json", **signed)
    assert (verified.exit_code, document(verified)["sound"], document(verified)["commits"]) == (0, True, 3)
    without = cli("audit", "verify", "--json", **signed, EXECUTION_AGENT_ARCHIVE="")
    assert (without.exit_code, {found["code"] for found in document(without)["findings"]}) == (1, {"deleted"})
    assert {found["action_id"] for found in document(without)["findings"]} == {action_id}


def test_people_are_told_in_lines(cli: Cli) -> None:
    action_id = mail(cli)
    assert "1 actions and runs, 2 commits, in 1 files" in cli("archive", "run", *NOW).stdout
    assert "were in the archive before" in cli("archive", "run", *NOW).stdout
    assert "00000001.manifest" in cli("archive", "find", action_id).stdout
    cli("legal-hold", "place", action_id, "--matter", "case-7", *ADA)
    assert "0 actions are in the archive alone; left alone: 1 (legal hold)" in cli("archive", "prune", *ADA).stdout
    assert "case-7  ada: it was asked for" in cli("legal-hold", "list").stdout
    assert "sound: 1 manifests, 1 files, 1 lives, 2 commits" in cli("archive", "verify").stdout


@pytest.mark.parametrize("what", ["missing", "damaged"])
def test_a_file_that_is_not_as_it_was_is_named_and_nothing_is_well(cli: Cli, tmp_path: Path, what: str) -> None:
    action_id = mail(cli)
    cli("archive", "run", *NOW)
    (file,) = (tmp_path / "archive").glob("*.gz")
    file.chmod(0o644)
    if what == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    verified = cli("archive", "verify", "--json")
    assert (verified.exit_code, document(verified)["sound"]) == (1, False)
    assert [finding["name"] for finding in document(verified)["findings"]] == [file.name]
    pruned = cli("archive", "prune", *ADA, "--json")
    assert (pruned.exit_code, document(pruned)["pruned"]) == (1, 0)
    assert file.name in cli("archive", "verify").stdout
    assert document(cli("status", action_id, "--json"))["error"] is None


def test_a_file_that_is_gone_is_named_by_whoever_adds_to_the_archive_and_its_lives_are_copied_anew(
    cli: Cli, tmp_path: Path
) -> None:
    action_id = mail(cli)
    cli("archive", "run", *NOW)
    (file,) = (tmp_path / "archive").glob("*.gz")
    file.unlink()
    found = cli("archive", "find", action_id)
    assert (found.exit_code, f"{file.name}: it is missing" in found.stderr) == (1, True)
    again = cli("archive", "run", *NOW, "--json")
    assert (again.exit_code, document(again)["lives"]) == (1, 1)
    assert document(again)["findings"] == [
        {"name": file.name, "problem": "it is missing, and 00000001.manifest names it"}
    ]
    assert cli("archive", "find", action_id).exit_code == 0
    assert (cli("archive", "run", *NOW).exit_code, cli("archive", "verify").exit_code) == (0, 0)


def test_a_life_that_is_damaged_where_it_is_archived_is_not_found_there(cli: Cli, tmp_path: Path) -> None:
    action_id = mail(cli)
    cli("archive", "run", *NOW)
    (file,) = (tmp_path / "archive").glob("*.gz")
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-40])
    found = cli("archive", "find", action_id)
    assert (found.exit_code, file.name in found.stderr, "Traceback" in found.stderr) == (1, True, False)


def test_a_damaged_manifest_is_one_clear_line(cli: Cli, tmp_path: Path) -> None:
    mail(cli)
    cli("archive", "run", *NOW)
    manifest = tmp_path / "archive" / "00000001.manifest"
    manifest.chmod(0o644)
    manifest.write_bytes(b"{}")
    for words in (("prune", *ADA), ("find", "act_1"), ("run", *NOW)):
        told = cli("archive", *words, "--json")
        assert (told.exit_code, document(told)["error"]["code"]) == (1, "archive")
        assert "00000001.manifest" in document(told)["error"]["message"]


def test_what_is_damaged_in_the_ledger_is_named_and_the_rest_is_copied(cli: Cli, tmp_path: Path) -> None:
    damaged, sound = mail(cli), mail(cli, "eve@example.com")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as tool, tool:
        tool.execute("UPDATE commits SET at = '2020' WHERE action_id = ? AND version = 1", (damaged,))
    copied = cli("archive", "run", *NOW, "--json")
    assert (copied.exit_code, document(copied)["lives"]) == (1, 1)
    assert [finding["name"] for finding in document(copied)["findings"]] == [damaged]
    assert (cli("archive", "find", sound).exit_code, cli("archive", "find", damaged).exit_code) == (0, 1)


def test_where_there_is_no_archive_nothing_is_well(cli: Cli) -> None:
    assert cli("archive", "verify").exit_code == 1
    assert cli("archive", "find", "act_1").exit_code == 1
    told = cli("archive", "verify", "--json", EXECUTION_AGENT_ARCHIVE="")
    assert (told.exit_code, document(told)["error"]["code"]) == (3, "configuration")
    assert cli("archive", "verify", "--archive", "ftp://example.com").exit_code == 3


@pytest.mark.parametrize("age", ["400", "d", "-1d", "1w", "9999999d", "999999d"])
def test_an_age_that_is_none_is_refused(cli: Cli, age: str) -> None:
    told = cli("archive", "run", "--older-than", age, "--json")
    assert told.exit_code == 2


def test_young_actions_stay(cli: Cli) -> None:
    mail(cli)
    told = cli("archive", "run", "--older-than", "1h", "--json")
    assert (told.exit_code, document(told)["lives"], document(told)["stay"]) == (0, 0, {"younger": 1})


def test_a_ledger_in_dynamodb_is_never_pruned(cli: Cli) -> None:
    told = cli("archive", "prune", *ADA, "--json", EXECUTION_AGENT_LEDGER="dynamodb://ledger")
    assert (told.exit_code, document(told)["error"]["code"]) == (3, "configuration")
    assert "only a ledger in SQLite can be pruned" in document(told)["error"]["message"]


def test_whoever_prunes_says_who_and_why(cli: Cli) -> None:
    assert cli("archive", "prune").exit_code == 2
    assert cli("archive", "prune", "--actor", "", "--reason", "x").exit_code == 2


# -- legal holds ------------------------------------------------------------------------------------------------------


def test_a_hold_is_placed_on_all_that_have_something_in_common(cli: Cli) -> None:
    ada = mail(cli, "ada@example.com", correlation_id="c-1")
    eve = mail(cli, "eve@example.com", correlation_id="c-1", decision={"id": "d-1"})
    other = mail(cli, "bob@example.com")
    by_subject = cli("legal-hold", "place", "--subject", "ada@example.com", "--matter", "m1", *ADA, "--json")
    assert [(one["action_id"], one["error"]) for one in document(by_subject)] == [(ada, None)]
    by_all = cli("legal-hold", "place", other, "--correlation", "c-1", "--matter", "m2", *ADA, "--json")
    assert by_all.exit_code == 0
    assert {one["action_id"] for one in document(by_all)} == {ada, eve, other}
    by_decision = cli("legal-hold", "place", "--decision", "d-1", "--matter", "m3", *ADA, "--json")
    assert [one["action_id"] for one in document(by_decision)] == [eve]
    held = document(cli("legal-hold", "list", "--json"))
    assert sorted((hold["action_id"], hold["matter"]) for hold in held) == sorted(
        [(ada, "m1"), (ada, "m2"), (eve, "m2"), (other, "m2"), (eve, "m3")]
    )
    lifted = cli("legal-hold", "lift", "--all", "--matter", "m2", *ADA, "--json")
    assert (lifted.exit_code, len(document(lifted))) == (0, 3)
    assert document(cli("legal-hold", "list", "--matter", "m2", "--json")) == []
    assert cli("legal-hold", "lift", "--all", "--matter", "m2", *ADA).exit_code == 0


def test_a_person_is_found_however_the_address_is_written(cli: Cli) -> None:
    action_id = mail(cli, "Customer@EXAMPLE.com")
    told = cli("legal-hold", "place", "--subject", "customer@example.com", "--matter", "m", *ADA, "--json")
    assert (told.exit_code, [one["action_id"] for one in document(told)]) == (0, [action_id])


def test_where_something_cannot_be_found_nothing_is_held_by_what_is_in_common(cli: Cli, tmp_path: Path) -> None:
    old, action_id = mail(cli), mail(cli)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as tool, tool:
        tool.execute("UPDATE actions SET searchable = 0, subject = NULL WHERE action_id = ?", (old,))
    place = ("legal-hold", "place", "--matter", "m", *ADA, "--json")
    told = cli(*place, "--subject", "ada@example.com")
    assert told.exit_code == 1
    assert "1 rows of an earlier release" in document(told)["error"]["message"]
    assert document(cli("legal-hold", "list", "--json")) == []
    assert cli(*place, action_id).exit_code == 0
    assert cli("views", "rebuild").exit_code == 0
    assert {one["action_id"] for one in document(cli(*place, "--subject", "ada@example.com"))} == {old, action_id}


def test_a_hold_that_concerns_nobody_is_no_success(cli: Cli) -> None:
    mail(cli)
    assert cli("legal-hold", "place", "--subject", "nobody@example.com", "--matter", "m", *ADA).exit_code == 1
    assert cli("legal-hold", "place", "act_nobody", "--matter", "m", *ADA).exit_code == 1
    assert cli("legal-hold", "place", "--matter", "m", *ADA).exit_code == 2
    assert cli("legal-hold", "lift", "--matter", "m", *ADA).exit_code == 2


def test_what_was_pruned_is_held_all_the_same(cli: Cli) -> None:
    action_id = mail(cli)
    cli("archive", "run", *NOW)
    cli("archive", "prune", *ADA)
    told = cli("legal-hold", "place", action_id, "--matter", "m", *ADA)
    assert (told.exit_code, "done" in told.stdout) == (0, True)
    assert [hold["action_id"] for hold in document(cli("legal-hold", "list", "--json"))] == [action_id]
