"""The command line of auditors: a trail, an export, and an exit code that says whether all of it is sound."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from agents.execution_agent.audit_console import tell_trail
from agents.execution_agent.cli import app
from handlers.export import Format

REQUEST = {
    "action_type": "send_email",
    "parameters": {
        "template": "renewal_reminder",
        "recipient": "customer@example.com",
        "variables": {"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"},
    },
    "decision": {"id": "d-1", "agent": "renewals"},
    "correlation_id": "c-1",
}
Cli = Callable[..., Result]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    environ = {
        "EXECUTION_AGENT_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
        "EXECUTION_AGENT_EMAIL": f"outbox:{tmp_path}/outbox",
        "EXECUTION_AGENT_LOG_LEVEL": "",
        "EXPORT_KEY": "a key of ours",
        "COLUMNS": "200",
    }

    def call(*words: str, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(app, list(words), input=stdin, env=environ)

    return call


@pytest.fixture
def sent(cli: Cli) -> str:
    """The id of a mail that was sent."""
    action_id: str = json.loads(cli("run", "-", "--json", stdin=json.dumps(REQUEST).encode()).stdout)["action_id"]
    return action_id


@pytest.fixture
def damaged(cli: Cli, sent: str, tmp_path: Path) -> str:
    """The id of an action whose end somebody has damaged; another one is sound."""
    cli("run", "-", "--json", stdin=json.dumps({**REQUEST, "decision": {"id": "d-2"}}).encode())
    connection = apsw.Connection(str(tmp_path / "ledger.db"))
    connection.execute("UPDATE commits SET events = x'00' WHERE action_id = ? AND version = 4", (sent,))
    connection.close()
    return sent


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


# -- show -------------------------------------------------------------------------------------------------------------


def test_people_see_who_what_how_often_and_with_what_end(cli: Cli, sent: str) -> None:
    shown = cli("audit", "show", sent)

    assert shown.exit_code == 0
    for word in (
        "succeeded",
        sent,
        "send_email",
        "renewals",
        "d-1",
        "attempts",
        "route 0",
        "template",
        "policy",
        "requested",
    ):
        assert word in shown.stdout


@pytest.mark.parametrize("key", [("--decision", "d-1"), ("--correlation", "c-1")])
def test_a_trail_is_found_by_what_it_came_of(cli: Cli, sent: str, key: tuple[str, str]) -> None:
    (trail,) = json.loads(cli("audit", "show", *key, "--json").stdout)["trails"]
    assert trail["id"] == sent


def test_as_of_a_version_and_a_time(cli: Cli, sent: str) -> None:
    def status(at: str) -> str:
        told: str = json.loads(cli("audit", "show", sent, "--at", at, "--json").stdout)["trails"][0]["status"]
        return told

    assert status("2") == "scheduled"
    assert status((datetime.now(UTC) + timedelta(minutes=1)).isoformat()) == "succeeded"
    assert cli("audit", "show", sent, "--at", "2001-01-01T00:00:00Z").exit_code == 1


def test_an_attempt_whose_lease_still_runs_is_under_way(cli: Cli, sent: str) -> None:
    then = cli("audit", "show", sent, "--at", "3").stdout
    (attempt,) = json.loads(cli("audit", "show", sent, "--at", "3", "--json").stdout)["trails"][0]["attempts"]
    until = attempt["lease_until"]
    assert f"under way until {until[:23].replace('T', ' ')}" in then
    assert "nobody knows" not in then


@pytest.mark.parametrize(("later_s", "said"), [(-1, "under way until"), (0, "nobody knows what became of it")])
def test_an_attempt_without_an_end_is_lost_when_its_lease_is_over(later_s: int, said: str, cli: Cli, sent: str) -> None:
    trail = json.loads(cli("audit", "show", sent, "--at", "3", "--json").stdout)["trails"][0]
    lapses = datetime.fromisoformat(trail["attempts"][0]["lease_until"])
    console = Console(record=True, width=200, file=StringIO())
    tell_trail(console, trail, then=lapses + timedelta(seconds=later_s))
    assert said in console.export_text()


def test_a_version_that_there_is_not_is_said_to_be_none(cli: Cli, sent: str) -> None:
    shown = cli("audit", "show", sent, "--at", "99")
    assert shown.exit_code == 0
    assert "there is no version 99: this is version 4, the last" in shown.stdout
    assert "there is no version" not in cli("audit", "show", sent, "--at", "4").stdout


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["act_1", "--decision", "d-1"],
        ["act_1", "--at", "yesterday"],
        ["act_1", "--at", "2026-11-25T09:00:00"],
        ["--decision", "d-1", "--at", "3"],
    ],
)
def test_what_cannot_be_asked_is_one_line_and_exits_with_2(cli: Cli, words: list[str]) -> None:
    result = cli("audit", "show", *words)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert json.loads(cli("audit", "show", *words, "--json").stdout)["error"]["code"]


def test_where_nothing_is_known_it_exits_with_1(cli: Cli, sent: str) -> None:
    for words in (["act_nobody"], ["--decision", "d-9"], ["--workflow", "run_nobody"]):
        result = cli("audit", "show", *words)
        assert (result.exit_code, result.stdout.startswith("nothing is known of")) == (1, True)


def test_a_damaged_row_is_named_and_exits_with_1(cli: Cli, damaged: str) -> None:
    shown = cli("audit", "show", damaged)
    assert shown.exit_code == 1
    assert f"{damaged} version 4: damaged" in shown.stdout.replace("\n", "")


def test_what_an_agent_wrote_cannot_move_the_cursor(cli: Cli, tmp_path: Path) -> None:
    request = {**REQUEST, "decision": {"id": "d-1", "agent": "[red]\u202ex", "reason": "[bold]\n\tgone\u2028\u200b"}}
    response = json.loads(cli("run", "-", "--json", stdin=json.dumps(request).encode()).stdout)
    shown = cli("audit", "show", str(response["action_id"])).stdout

    assert not {"\x1b", "\t", "\u2028", "\u200b", "\u202e"} & set(shown)
    assert "[red] x" in shown
    assert "[bold]  gone" in shown


# -- export -----------------------------------------------------------------------------------------------------------


def test_an_export_is_redacted_and_a_class_can_be_revealed(cli: Cli, sent: str) -> None:
    hidden = cli("audit", "export", "--format", "jsonl")
    shown = cli("audit", "export", "--format", "jsonl", "--reveal", "personal")

    assert (hidden.exit_code, shown.exit_code) == (0, 0)
    assert [line["type"] for line in lines(hidden)] == ["requested", "validated", "attempted", "succeeded"]
    assert "customer@example.com" not in hidden.stdout
    assert "customer@example.com" in shown.stdout
    assert "findings: 0" in hidden.stderr


def test_digests_agree_under_one_key_and_are_an_exports_own_without(cli: Cli, sent: str) -> None:
    def digest(*words: str) -> str:
        first = lines(cli("audit", "export", "--format", "jsonl", *words))[0]
        told: str = first["data"]["request"]["parameters"]["recipient"]["digest"]
        return told

    key = ("--key", "env:EXPORT_KEY")
    assert digest(*key) == digest(*key)
    assert len({digest(), digest(), digest(*key)}) == 3


@pytest.mark.parametrize("wanted", [str(one) for one in Format])
def test_a_file_is_whole_and_for_its_owner_alone(cli: Cli, sent: str, tmp_path: Path, wanted: str) -> None:
    out = tmp_path / "export"
    result = cli("audit", "export", "--format", wanted, "--out", str(out), "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"lives": 1, "events": 4, "findings": 0, "named": []}
    assert sent in out.read_text("utf-8")
    assert out.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir() if "export" in file.name] == ["export"]


@pytest.mark.parametrize("wanted", [str(one) for one in Format])
def test_each_format_says_how_it_is_made(cli: Cli, wanted: str) -> None:
    assert json.loads(cli("audit", "schema", "--format", wanted).stdout)["title"]


@pytest.mark.parametrize("wanted", [str(one) for one in Format])
def test_a_damaged_row_is_in_the_export_and_nothing_else_is_lost(cli: Cli, damaged: str, wanted: str) -> None:
    result = cli("audit", "export", "--format", wanted)

    assert result.exit_code == 1
    assert "findings: 1" in result.stderr
    assert f"{damaged} version 4: damaged" in result.stderr
    assert "damaged" in result.stdout
    assert "Traceback" not in result.output
    if wanted == "csv":
        rows = list(csv.DictReader(StringIO(result.stdout, newline="")))
        assert sorted(row["type"] for row in rows if row["action_id"] != damaged) == sorted(
            ["requested", "validated", "attempted", "succeeded"]
        )
        assert [row["problem"] for row in rows if row["action_id"] == damaged] == ["", "", "", "damaged"]


def test_only_what_was_born_within_the_days_is_exported(cli: Cli, sent: str) -> None:
    today, yesterday = datetime.now(UTC).date(), datetime.now(UTC).date() - timedelta(days=1)

    assert lines(cli("audit", "export", "--format", "jsonl", "--since", str(yesterday), "--until", str(today)))
    for words in (["--until", str(yesterday)], ["--since", "2999-01-01"]):
        assert lines(cli("audit", "export", "--format", "jsonl", *words)) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--since", "2026-12-01", "--until", "2026-11-01"], 1),
        (["--since", "yesterday"], 1),
        (["--until", "2026-13-01"], 1),
        (["--reveal", "secret"], 1),
        (["--reveal", "everything"], 1),
        (["--out", "/nowhere/at/all"], 1),
        (["--json"], 2),
    ],
)
def test_a_bad_range_or_class_or_file_is_one_line(cli: Cli, sent: str, words: list[str], code: int) -> None:
    result = cli("audit", "export", "--format", "csv", *words)

    assert result.exit_code == code
    assert len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.output


def test_an_export_that_finds_a_directory_in_its_place_leaves_nothing_behind(
    cli: Cli, sent: str, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    result = cli("audit", "export", "--format", "csv", "--out", str(tmp_path / "there"))
    assert (result.exit_code, "it is a directory" in result.stderr) == (1, True)
    assert list(tmp_path.glob(".there-*")) == []


@pytest.mark.parametrize("reference", ["env:NOT_SET_ANYWHERE", "the key itself"])
def test_a_key_that_cannot_be_had_is_one_line_and_is_not_repeated(cli: Cli, sent: str, reference: str) -> None:
    result = cli("audit", "export", "--format", "csv", "--key", reference)

    assert result.exit_code == 3
    assert result.stdout == ""
    assert "the key itself" not in result.stderr


def test_a_ledger_that_breaks_in_the_midst_leaves_no_half_a_file(cli: Cli, sent: str, tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "ledger.db"))
    connection.execute("ALTER TABLE commits RENAME COLUMN events TO elsewhere")
    connection.close()
    result = cli("audit", "export", "--format", "csv", "--out", str(tmp_path / "out.csv"))

    assert result.exit_code == 3
    assert len(result.stderr.splitlines()) == 1
    assert [file.name for file in tmp_path.iterdir() if "out.csv" in file.name] == []
    assert cli("audit", "show", sent).exit_code == 3


def test_a_ledger_that_is_none_is_one_line_and_leaves_no_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("this is no ledger", "utf-8")
    result = cli("audit", "export", "--format", "csv", "--out", str(tmp_path / "out.csv"))

    assert result.exit_code == 3
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.db"]
