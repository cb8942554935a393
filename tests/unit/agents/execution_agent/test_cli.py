"""The command line: one document for programs, one line for what is broken, and exit codes that mean something."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from agents.execution_agent.cli import app

EXAMPLE = Path(__file__).parents[4] / "examples" / "renewal_reminder.json"
Cli = Callable[..., Result]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "EXECUTION_AGENT_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
        "EXECUTION_AGENT_EMAIL": f"outbox:{tmp_path}/outbox",
        "EXECUTION_AGENT_LOG_LEVEL": "",
    }


@pytest.fixture
def cli(environ: dict[str, str]) -> Cli:
    def call(*words: str, stdin: bytes | None = None, **changes: str) -> Result:
        return CliRunner().invoke(app, list(words), input=stdin, env=environ | changes)

    return call


def document(result: Result) -> Any:
    """Exactly one JSON document on stdout."""
    return json.loads(result.stdout)


def request_of(**members: Any) -> bytes:
    return json.dumps(json.loads(EXAMPLE.read_text("utf-8")) | members).encode()


def test_the_example_is_carried_out_and_its_mail_lies_in_the_outbox(cli: Cli, tmp_path: Path) -> None:
    result = cli("run", str(EXAMPLE), "--json")
    response = document(result)
    assert (result.exit_code, response["status"], response["attempts"]) == (0, "succeeded", 1)
    mail = Path(response["result"]["outbox"])
    assert mail.parent == tmp_path / "outbox"
    assert "Acme Inc." in mail.read_text("utf-8")


def test_another_process_tells_the_same_story(cli: Cli, environ: dict[str, str]) -> None:
    response = document(cli("run", str(EXAMPLE), "--json"))

    def in_another_process(*words: str) -> Any:
        command = [sys.executable, "-m", "agents.execution_agent", *words, response["action_id"], "--json"]
        done = subprocess.run(command, env=os.environ | environ, capture_output=True, check=True, timeout=30)
        return json.loads(done.stdout)

    assert in_another_process("status") == response
    history = in_another_process("history")
    assert [entry["type"] for entry in history] == ["requested", "validated", "attempted", "succeeded"]


def test_people_see_a_timeline_and_where_the_mail_lies(cli: Cli) -> None:
    shown = cli("run", str(EXAMPLE)).stdout
    for word in ("succeeded", "requested", "validated", "attempted", "renewal_reminder", ".eml", "history act_"):
        assert word in shown.replace("\n", "")


def test_standard_input_is_as_good_as_a_file(cli: Cli) -> None:
    assert document(cli("run", "-", "--json", stdin=request_of()))["status"] == "succeeded"


@pytest.mark.parametrize(
    ("stdin", "code"),
    [
        (b"{", "malformed"),
        (b"", "malformed"),
        (b"[" * 300_000, "too_large"),
        (request_of(action_type="drop_tables"), "unknown_action_type"),
        (request_of(surprise=1), "unknown_field"),
    ],
)
def test_what_is_refused_says_why_and_exits_with_one(cli: Cli, stdin: bytes, code: str) -> None:
    result = cli("run", "-", "--json", stdin=stdin)
    assert (result.exit_code, document(result)["error"]["code"]) == (1, code)
    told = cli("run", "-", stdin=stdin)
    assert (told.exit_code, code in told.stdout) == (1, True)


def test_a_file_that_is_not_there_is_a_matter_of_usage(cli: Cli) -> None:
    result = cli("run", "nowhere.json")
    assert result.exit_code == 2
    assert "nowhere.json" in result.stderr
    assert document(cli("run", "nowhere.json", "--json"))["error"]["code"] == "usage"


@pytest.mark.parametrize(
    "words", [(), ("fly",), ("status",), ("run",), ("cancel", "act_1"), ("work", "--threads", "0")]
)
def test_wrong_usage_exits_with_two(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli(*words).exit_code == 2


BROKEN = {
    "a setting that is no number": ({"MAX_RETRIES": "many"}, "MAX_RETRIES"),
    "a number out of range": ({"MAX_RETRIES": "101"}, "MAX_RETRIES"),
    "an unknown log level": ({"EXECUTION_AGENT_LOG_LEVEL": "LOUD"}, "EXECUTION_AGENT_LOG_LEVEL"),
    "an unknown ledger": ({"EXECUTION_AGENT_LEDGER": "postgres://x"}, "EXECUTION_AGENT_LEDGER"),
    "a ledger in memory": ({"EXECUTION_AGENT_LEDGER": "sqlite:///:memory:"}, "EXECUTION_AGENT_LEDGER"),
    "a ledger without a path": ({"EXECUTION_AGENT_LEDGER": "sqlite:///"}, "EXECUTION_AGENT_LEDGER"),
    "a ledger that cannot be written": ({"EXECUTION_AGENT_LEDGER": "sqlite:////proc/ledger.db"}, "/proc/ledger.db"),
    "a ledger that is no database": ({"EXECUTION_AGENT_LEDGER": f"sqlite:///{EXAMPLE}"}, "renewal_reminder.json"),
    "an unknown sender": ({"EXECUTION_AGENT_EMAIL": "pigeon:"}, "EXECUTION_AGENT_EMAIL"),
    "a sender without an address": ({"EXECUTION_AGENT_EMAIL": "ses:"}, "EXECUTION_AGENT_EMAIL_SENDER"),
    "an outbox that cannot be": ({"EXECUTION_AGENT_EMAIL": f"outbox:{EXAMPLE}/outbox"}, "renewal_reminder.json"),
    "webhooks that are not there": ({"WEBHOOK_CONFIG_PATH": "nowhere.json"}, "nowhere.json"),
    "webhooks that are no configuration": ({"WEBHOOK_CONFIG_PATH": str(EXAMPLE)}, "renewal_reminder.json"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_one_clear_line_and_exits_with_three(cli: Cli, case: str) -> None:
    changes, named = BROKEN[case]
    result = cli("run", str(EXAMPLE), **changes)
    assert result.exit_code == 3, result.output
    assert len(result.stderr.strip().splitlines()) == 1
    assert named in result.stderr
    assert "Traceback" not in result.output
    told = document(cli("run", str(EXAMPLE), "--json", **changes))
    assert named in told["error"]["message"]


def test_whoever_asks_for_the_trace_gets_it(cli: Cli) -> None:
    result = cli("run", str(EXAMPLE), MAX_RETRIES="many", EXECUTION_AGENT_LOG_LEVEL="DEBUG")
    assert result.exception is not None
    assert "MAX_RETRIES" in str(result.exception)


def test_an_unknown_id_is_not_found(cli: Cli) -> None:
    for command in ("status", "history"):
        result = cli(command, "act_nobody", "--json")
        assert (result.exit_code, document(result)["error"]["code"]) == (1, "not_found")


def test_actions_tells_what_each_type_promises(cli: Cli) -> None:
    told = {kind["action_type"]: kind["delivery"] for kind in document(cli("actions", "--json"))}
    assert told.items() >= {"send_email": "at_most_once", "call_webhook": "at_least_once"}.items()
    people = cli("actions").stdout
    assert "send_email  Send an e-mail" in people
    assert "    promise: at most once" in people


def test_actions_makes_the_table_of_the_readme(cli: Cli) -> None:
    table = cli("actions", "--markdown").stdout.splitlines()
    assert table[0].startswith("| action type | promise |")
    assert [line for line in table if line.startswith("| `send_email` | at most once |")] != []


def test_init_creates_the_ledger(cli: Cli, tmp_path: Path) -> None:
    assert document(cli("init", "--json"))["ledger"] == f"{tmp_path}/ledger.db"
    assert (tmp_path / "ledger.db").exists()
    assert cli("init").exit_code == 0


def test_what_was_accepted_is_listed_worked_on_and_done(cli: Cli) -> None:
    accepted = document(cli("run", str(EXAMPLE), "--accept", "--json"))
    assert accepted["status"] == "scheduled"
    assert [row["action_id"] for row in document(cli("list", "--status", "scheduled", "--json"))] == [
        accepted["action_id"]
    ]
    worked = cli("work", "--until-idle", "--json")
    assert (worked.exit_code, document(worked)["by_status"]) == (0, {"succeeded": 1})
    assert document(cli("status", accepted["action_id"], "--json"))["status"] == "succeeded"
    assert "succeeded" in cli("list").stdout


def test_a_list_that_ends_before_all_is_told_says_so(cli: Cli) -> None:
    for _ in range(2):
        cli("run", str(EXAMPLE), "--accept")
    cut = cli("list", "--limit", "1", "--json")
    assert (len(document(cut)), "there are more: execution-agent find" in cut.stderr) == (1, True)
    assert "there are more" not in cli("list", "--limit", "2").stderr


ADA = ("--actor", "ada", "--reason", "the customer asked")


def test_a_person_cancels_what_waits_and_is_told_when_it_is_too_late(cli: Cli) -> None:
    waiting = document(cli("run", str(EXAMPLE), "--accept", "--json"))["action_id"]
    done = document(cli("run", "-", "--json", stdin=request_of()))["action_id"]
    cancelled = cli("cancel", waiting, *ADA, "--json")
    assert (cancelled.exit_code, document(cancelled)["status"]) == (0, "cancelled")
    late = cli("cancel", done, *ADA, "--json")
    assert (late.exit_code, document(late)["error"]["code"]) == (1, "too_late")


def test_a_mail_cannot_be_taken_back_and_undo_says_what_can_be_done(cli: Cli) -> None:
    done = document(cli("run", "-", "--json", stdin=request_of()))["action_id"]
    undone = cli("undo", done, *ADA, "--json")
    assert (undone.exit_code, document(undone)["error"]["code"]) == (1, "irreversible")
    assert "as a new action" in cli("undo", done, *ADA).stdout
    assert document(cli("undo", "act_nobody", *ADA, "--json"))["error"]["code"] == "not_found"


@pytest.mark.parametrize("verb", ["approve", "deny"])
def test_only_what_is_held_is_approved_or_denied(cli: Cli, verb: str) -> None:
    waiting = document(cli("run", str(EXAMPLE), "--accept", "--json"))["action_id"]
    answer = cli(verb, waiting, *ADA, "--json")
    assert (answer.exit_code, document(answer)["error"]["code"]) == (1, "conflict")
    assert cli(verb, waiting).exit_code == 2


def test_a_doubt_is_resolved_by_one_word_and_not_by_two(cli: Cli) -> None:
    assert cli("resolve", "act_1", *ADA).exit_code == 2
    assert cli("resolve", "act_1", "--executed", "--not-executed", *ADA).exit_code == 2
    assert document(cli("resolve", "act_1", "--executed", *ADA, "--json"))["error"]["code"] == "not_found"


def test_ids_are_listed_whole(cli: Cli) -> None:
    accepted = document(cli("run", str(EXAMPLE), "--accept", "--json"))["action_id"]
    assert cli("list").stdout.split()[0] == accepted


def test_a_bulk_order_is_counted_first_and_never_done_twice(cli: Cli) -> None:
    for _ in range(3):
        cli("run", str(EXAMPLE), "--accept")
    order = ("bulk", "cancel", "--status", "scheduled", *ADA, "--json")
    count = document(cli(*order))
    assert count["count"] == 3
    assert len(document(cli("list", "--status", "scheduled", "--json"))) == 3
    cli("run", str(EXAMPLE), "--accept")
    done = cli(*order, "--bulk-id", count["bulk_id"])
    assert (done.exit_code, [item["status"] for item in document(done)]) == (0, ["cancelled"] * 3)
    assert document(cli(*order, "--bulk-id", count["bulk_id"])) == []
    assert len(document(cli("list", "--status", "scheduled", "--json"))) == 1
    for made_up in ("made-up", "blk_99991231T235959.000000Z-aa"):
        assert cli(*order, "--bulk-id", made_up).exit_code == 2


def test_completion_is_there_for_the_shell(cli: Cli) -> None:
    assert "--show-completion" in cli("--help").stdout


def test_a_worker_that_is_asked_to_stop_stops(cli: Cli, environ: dict[str, str]) -> None:
    accepted = document(cli("run", str(EXAMPLE), "--accept", "--json"))["action_id"]
    command = [sys.executable, "-m", "agents.execution_agent", "work", "--json"]
    with subprocess.Popen(command, env=os.environ | environ, stdout=subprocess.PIPE, text=True) as worker:
        while document(cli("status", accepted, "--json"))["status"] != "succeeded":
            assert worker.poll() is None
        worker.send_signal(signal.SIGTERM)
        output, _ = worker.communicate(timeout=30)
    assert worker.returncode == 0
    assert json.loads(output)["by_status"] == {"succeeded": 1}


@pytest.mark.parametrize("wanted", ["bedrock-function", "openapi", "agentcore", "mcp"])
def test_action_types_are_printed_as_tools(cli: Cli, wanted: str) -> None:
    for words in ((), ("--json",)):
        result = cli("schema", "--format", wanted, "--type", "send_email", *words)
        assert result.exit_code == 0
        told = json.dumps(document(result))
        assert ("send_email" in told, "call_webhook" in told) == (True, False)
    assert "call_webhook" in cli("schema", "--format", "mcp").stdout


def test_more_action_types_than_a_framework_takes_are_one_clear_line(cli: Cli) -> None:
    result = cli("schema", "--format", "bedrock-function")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "--type" in result.stderr


def test_tools_of_an_unknown_action_type_are_a_matter_of_usage(cli: Cli) -> None:
    result = cli("schema", "--format", "mcp", "--type", "fly")
    assert (result.exit_code, "send_email" in result.stderr) == (2, True)


def test_a_format_that_nobody_knows_is_a_matter_of_usage(cli: Cli) -> None:
    assert cli("schema", "--format", "soap").exit_code == 2
    assert cli("schema").exit_code == 2
