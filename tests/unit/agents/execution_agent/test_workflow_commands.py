"""The command line of workflow runs: what people see, one document for programs, and exit codes that mean something."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from agents.execution_agent.cli import app

Cli = Callable[..., Result]

MAIL = {
    "template": "renewal_reminder",
    "recipient": "${{ inputs.to }}",
    "variables": {"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"},
}
GREETING = json.dumps(
    {
        "name": "greeting",
        "inputs": {"to": {"type": "string", "required": True}, "seats": {"type": "integer", "default": 5}},
        "steps": [
            {"id": "first", "uses": "send_email", "with": MAIL},
            {"id": "pause", "wait": {"for": "3d"}, "needs": ["first"]},
            {"id": "second", "uses": "send_email", "with": MAIL, "needs": ["pause", "first"]},
        ],
    }
)
ADA = ("--actor", "ada", "--reason", "it was asked for")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    environ = {
        "EXECUTION_AGENT_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
        "EXECUTION_AGENT_EMAIL": f"outbox:{tmp_path}/outbox",
        "EXECUTION_AGENT_LOG_LEVEL": "",
    }

    def call(*words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, ["workflow", *words], input=stdin, env=environ)

    return call


@pytest.fixture
def run_id(cli: Cli) -> str:
    told = document(cli("run", "-", "--input", "to=a@example.com", "--wait", "30", "--json", stdin=GREETING))
    found: str = told["run_id"]
    return found


def document(result: Result) -> Any:
    """Exactly one JSON document on stdout."""
    return json.loads(result.stdout)


def test_a_run_is_shown_step_by_step(cli: Cli, run_id: str) -> None:
    shown = cli("show", run_id)
    assert shown.exit_code == 0
    assert "running" in shown.stdout
    for line in ("✓ first  send_email  succeeded  act_", "⏳ pause  wait  waiting", "· second  send_email  pending"):
        assert line in shown.stdout


def test_a_run_is_drawn_for_a_page(cli: Cli, run_id: str) -> None:
    drawn = cli("show", run_id, "--format", "mermaid").stdout.splitlines()
    assert drawn[0] == "flowchart TD"
    assert '    s0["first<br/>send_email<br/>succeeded"]:::succeeded' in drawn
    assert "    s1 --> s2" in drawn


def test_a_run_is_drawn_as_a_picture(cli: Cli, run_id: str) -> None:
    drawn = cli("show", run_id, "--format", "svg").stdout
    assert drawn.startswith("<svg ")
    assert drawn.endswith("</svg>\n")
    assert ">✓ first</text>" in drawn


def test_the_files_that_a_definition_starts_are_read_beside_it(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "mail.json").write_text(GREETING)
    given = {"to": "a@example.com"}
    whole = {"name": "whole", "steps": [{"id": "mails", "workflow": "parts/mail.json", "with": given}]}
    file = tmp_path / "whole.json"
    file.write_text(json.dumps(whole))
    told = document(cli("run", str(file), "--wait", "30", "--json"))
    assert [(one["uses"], one["status"]) for one in told["steps"]] == [("parts/mail.json", "running")]
    child = told["steps"][0]["run_id"]
    assert f"▶ mails  parts/mail.json  running  {child}" in cli("show", told["run_id"]).stdout
    assert "✓ first" in cli("show", child).stdout
    from_nowhere = cli("run", "-", "--json", stdin=json.dumps(whole))
    assert "there is no file parts/mail.json; there is none" in document(from_nowhere)["error"]["message"]


def test_schedules_are_added_listed_and_removed(cli: Cli) -> None:
    text = json.dumps({**json.loads(GREETING), "schedule": {"cron": "0 9 * * MON-FRI", "timezone": "Europe/Berlin"}})
    words = ("schedule", "add", "-", "--input", "to=a@example.com")
    added = document(cli(*words, "--json", stdin=text))
    assert (added["status"], added["schedule"]["next"][14:16]) == ("scheduled", "00")
    assert document(cli(*words, "--json", stdin=text))["duplicate"]
    assert document(cli("schedule", "list", "--json"))[0]["run_id"] == added["run_id"]
    assert f"The next run begins at {added['schedule']['next']}." in cli("schedule", "list").stdout
    assert cli("schedule", "add", "-", "--input", "to=b@example.com", stdin=text).exit_code == 1
    removed = cli("schedule", "remove", added["run_id"], *ADA)
    assert (removed.exit_code, "No run will begin any more." in removed.stdout) == (0, True)
    assert document(cli("schedule", "list", "--json")) == []


def test_inputs_are_text_where_text_is_declared_and_json_elsewhere(cli: Cli) -> None:
    wrong = cli("run", "-", "--input", "seats=many", "--input", "nobody=7", "--json", stdin=GREETING)
    told = {detail["field"]: detail["code"] for detail in document(wrong)["error"]["details"]}
    assert wrong.exit_code == 1
    assert told == {"inputs.nobody": "unknown_field", "inputs.seats": "invalid_type", "inputs.to": "missing_field"}
    assert cli("run", "-", "--input", "to", stdin=GREETING).exit_code == 2

    numbered = json.loads(GREETING)
    numbered["inputs"] |= {"customer": {"type": "string"}, "since": {"type": "date"}, "tags": {"type": "array"}}
    numbered["steps"] = [{"id": "pause", "wait": {"for": "3d"}}]
    words = (
        "--input",
        "to=true",
        "--input",
        "customer=1234",
        "--input",
        "since=2026-01-31",
        "--input",
        'tags=["a", 1]',
    )
    assert cli("run", "-", *words, "--input", "seats=7", stdin=json.dumps(numbered)).exit_code == 0
    scheduled = json.dumps({**numbered, "schedule": {"cron": "0 9 * * MON", "timezone": "Europe/Berlin"}})
    assert cli("schedule", "add", "-", *words, stdin=scheduled).exit_code == 0


def test_what_is_wrong_with_a_definition_is_told_line_by_line(cli: Cli) -> None:
    wrong = cli("run", "-", stdin="name: x\nsteps:\n  - id: a\n    uses: no_such_type\n")
    assert wrong.exit_code == 1
    assert "line 4" in wrong.stdout


def test_people_pause_resume_cancel_and_undo(cli: Cli, run_id: str) -> None:
    assert document(cli("pause", run_id, *ADA, "--json"))["status"] == "paused"
    again = cli("pause", run_id, *ADA, "--json")
    assert (again.exit_code, document(again)["error"]["code"]) == (1, "conflict")
    assert document(cli("resume", run_id, *ADA, "--json"))["status"] == "running"
    cancelled = cli("cancel", run_id, *ADA)
    assert cancelled.exit_code == 1
    assert "Left: first (send_email, act_" in cancelled.stdout
    undone = cli("undo", run_id, *ADA, "--json")
    assert (undone.exit_code, document(undone)["status"]) == (1, "partially_compensated")


def test_a_run_that_was_taken_back_because_a_step_failed_exits_with_1(cli: Cli) -> None:
    card = {"id": "card", "uses": "send_teams", "with": {"text": "A renewal is due."}}
    failed = cli("run", "-", "--json", stdin=json.dumps({"name": "card", "on_failure": "rollback", "steps": [card]}))
    assert (failed.exit_code, document(failed)["status"]) == (1, "compensated")
    assert cli("show", document(failed)["run_id"]).exit_code == 0


def test_a_run_that_is_cancelled_or_taken_back_before_it_did_anything_is_done_with(cli: Cli) -> None:
    waits = json.dumps({"name": "waits", "steps": [{"id": "pause", "wait": {"for": "3d"}}]})
    for act in ("cancel", "undo"):
        run_id = document(cli("run", "-", "--json", stdin=waits))["run_id"]
        ended = cli(act, run_id, *ADA, "--json")
        assert (ended.exit_code, document(ended)["status"]) == (0, "compensated")


def test_who_has_to_see_to_a_step_is_told_where_to_look(cli: Cli) -> None:
    call = {"id": "call", "uses": "call_webhook", "with": {"webhook": "nobody", "payload": {}}}
    text = json.dumps({"name": "calls", "steps": [call, {"id": "last", "wait": {"for": "1d"}, "needs": ["call"]}]})
    told = document(cli("run", "-", "--key", "k1", "--json", stdin=text))
    assert told["needs_operator"]["steps"] == ["call"]
    lines = cli("run", "-", "--key", "k1", stdin=text).stdout.splitlines()
    look = f"What became of call, its undo included: execution-agent audit show {told['steps'][0]['action_id']}"
    assert lines[lines.index(look) - 1].startswith("A person has to see to call: ")
    assert not any("What became of last" in line for line in lines)


def test_a_long_chain_is_shown_whole_and_no_wider_than_a_page(cli: Cli) -> None:
    steps = [{"id": f"s{n}", "wait": {"for": "1d"}, **({"needs": [f"s{n - 1}"]} if n else {})} for n in range(300)]
    told = document(cli("run", "-", "--wait", "0", "--json", stdin=json.dumps({"name": "chain", "steps": steps})))
    lines = cli("show", told["run_id"]).stdout.splitlines()
    for step in steps:
        assert any(f" {step['id']}  wait  " in line for line in lines), step["id"]
    assert max(map(len, lines)) < 160


def test_an_input_that_is_given_twice_is_refused(cli: Cli) -> None:
    asked = cli("run", "-", "--input", "to=a@example.com", "--input", "to=b@example.com", stdin=GREETING)
    assert (asked.exit_code, "'to' is given twice" in asked.stderr) == (2, True)
    assert document(cli("list", "--json")) == []


def test_the_same_key_is_the_same_run(cli: Cli) -> None:
    words = ("run", "-", "--input", "to=a@example.com", "--key", "k1", "--wait", "0", "--json")
    first, again = document(cli(*words, stdin=GREETING)), document(cli(*words, stdin=GREETING))
    assert (again["run_id"], again["duplicate"]) == (first["run_id"], True)


def test_runs_are_listed_by_where_they_stand(cli: Cli, run_id: str) -> None:
    assert [row["action_id"] for row in document(cli("list", "--json"))] == [run_id]
    assert document(cli("list", "--status", "completed", "--json")) == []
    assert run_id in cli("list", "--status", "running").stdout


def test_nobody_has_heard_of_it(cli: Cli) -> None:
    answer = ("callback", "run_x.a.b", "--payload", "{}")
    for words in (("show", "run_x"), ("status", "run_x"), ("undo", "run_x", *ADA), answer):
        assert cli(*words).exit_code in (1, 3)
    assert cli("callback", "x", "--payload", "{").exit_code == 2
    assert cli("callback", "x").exit_code == 2, "an answer that nobody gave uses up no token"
