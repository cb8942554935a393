"""The command line of searches: a table for people, one document for programs, one line for what is no search."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import Result
from typer.testing import CliRunner

from agents.execution_agent.cli import app

EXAMPLE = Path(__file__).parents[4] / "examples" / "renewal_reminder.json"
Cli = Callable[..., Result]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    environ = {
        "EXECUTION_AGENT_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
        "EXECUTION_AGENT_EMAIL": f"outbox:{tmp_path}/outbox",
        "EXECUTION_AGENT_LOG_LEVEL": "",
    }

    def call(*words: str) -> Result:
        return CliRunner().invoke(app, list(words), env=environ)

    return call


@pytest.fixture
def mails(cli: Cli, tmp_path: Path) -> list[str]:
    """The ids of three mails to one customer, and one that was refused."""
    request = json.loads(EXAMPLE.read_text("utf-8"))
    told = []
    for number in range(4):
        file = tmp_path / f"{number}.json"
        parameters = request["parameters"] | ({"recipient": "moc.elpmaxe\u202e@ada"} if number == 3 else {})
        decision = {"id": f"d-{number}", "agent": "renewals"}
        file.write_text(json.dumps({"action_type": "send_email", "parameters": parameters, "decision": decision}))
        told.append(json.loads(cli("run", str(file), "--json").stdout)["action_id"])
    return told


def document(result: Result) -> Any:
    return json.loads(result.stdout)


def test_people_see_a_line_each_and_copy_its_id(cli: Cli, mails: list[str]) -> None:
    result = cli("find", "--subject", "customer@example.com", "--status", "succeeded")
    assert result.exit_code == 0
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["id", "status", "type", "born", "subject", "target", "agent", "error"]
    assert [line.split()[0] for line in lines] == mails[2::-1]
    assert all("customer@example.com" in line and "renewals" in line for line in lines)


def test_programs_get_one_document_and_the_next_page(cli: Cli, mails: list[str]) -> None:
    first = document(cli("find", "--agent", "renewals", "--limit", "3", "--json"))
    assert [row["action_id"] for row in first["actions"]] == mails[:0:-1]
    second = document(cli("find", "--agent", "renewals", "--cursor", first["next"], "--json"))
    assert ([row["action_id"] for row in second["actions"]], second["next"]) == (mails[:1], None)


def test_where_there_may_be_more_people_are_told_how_to_see_it(cli: Cli, mails: list[str]) -> None:
    shown = cli("find", "--limit", "1").stdout
    assert "There may be more: the same with --cursor " in shown
    cursor = shown.split("--cursor ")[1].strip()
    assert mails[2] in cli("find", "--limit", "1", "--cursor", cursor).stdout


def test_nothing_found_is_said_and_is_1(cli: Cli, mails: list[str]) -> None:
    result = cli("find", "--decision", "d-9")
    assert (result.exit_code, result.stdout) == (1, "Nothing is found.\n")
    result = cli("find", "--decision", "d-9", "--json")
    assert (result.exit_code, document(result)) == (1, {"actions": [], "next": None})


def test_what_a_request_said_moves_no_cursor(cli: Cli, mails: list[str]) -> None:
    shown = cli("find").stdout
    assert "\u202e" not in shown
    assert "moc.elpmaxe @ada" in shown


@pytest.mark.parametrize(
    "words",
    [
        ("--since", "yesterday"),
        ("--since", "2026-03-02", "--until", "2026-03-01"),
        ("--cursor", "forged"),
        ("--subject", ""),
        ("--agent", "\udcff"),
    ],
)
def test_what_is_no_search_is_one_line_and_1(cli: Cli, words: tuple[str, ...]) -> None:
    result = cli("find", *words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("execution-agent: ")
    assert result.stderr.count("\n") == 1
    told = document(cli("find", *words, "--json"))
    assert told["error"]["code"] == "invalid_options"


@pytest.mark.parametrize("words", [("--colour", "red"), ("--status", "nope"), ("--limit", "0"), ("--limit", "many")])
def test_unknown_filters_are_usage(cli: Cli, words: tuple[str, ...]) -> None:
    result = cli("find", *words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_all_pages_are_read_until_there_are_enough(cli: Cli, mails: list[str], tmp_path: Path) -> None:
    """Far behind much else: a page that holds nothing is not the end."""
    connection = apsw.Connection(str(tmp_path / "ledger.db"))
    with connection:
        for number in range(1_200):
            kind, agent = ("greet", "renewals") if number % 2 else ("send_email", "another")
            connection.execute(
                "INSERT INTO actions (action_id, version, status, action_type, born, updated, agent, searchable)"
                " VALUES (?, 1, 'succeeded', ?, ?, 'x', ?, 1)",
                (f"act_{number}", kind, f"2099-01-01T00:00:00.{number:06}Z", agent),
            )
    connection.close()
    found = document(cli("find", "--agent", "renewals", "--type", "send_email", "--json"))
    assert [row["action_id"] for row in found["actions"]] == mails[::-1]


def test_rows_of_an_earlier_release_are_told_of(cli: Cli, mails: list[str], tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "ledger.db"))
    connection.execute("UPDATE actions SET searchable = 0, agent = NULL WHERE action_id = ?", (mails[0],))
    connection.close()
    result = cli("find", "--agent", "renewals", "--json")
    assert len(document(result)["actions"]) == 3
    assert "1 rows of an earlier release cannot be found by this yet: execution-agent views rebuild" in result.stderr
    assert "earlier release" not in cli("find", "--status", "succeeded").stderr


def test_counters_are_told(cli: Cli, mails: list[str]) -> None:
    counted = document(cli("counters", "--json"))["counters"]
    assert {(count["status"], count["action_type"]): count["count"] for count in counted} == {
        ("succeeded", "send_email"): 3,
        ("rejected", "send_email"): 1,
    }
    shown = cli("counters", "--since", "2020-01-01")
    assert shown.stdout.splitlines()[0].split() == ["hour", "status", "type", "count"]
    assert cli("counters", "--since", "never").exit_code == 1
