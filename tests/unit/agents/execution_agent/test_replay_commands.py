"""Replays from the command line, and the rows that are made anew: what is told, what is refused, what goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import Result
from typer.testing import CliRunner

from agents.execution_agent.cli import app
from agents.execution_agent.config import DEFAULTS
from agents.execution_agent.replaying import SLICE, Account, Question, question_in, span_of, taken_up
from bench.verify import make_ledger
from domain.errors import Refused
from tests.recorded_lives import ENDED, WAITS, sqlite_ledger

ROOT = Path(__file__).parents[4]
SECOND = f"act_{1:026d}"
Cli = Callable[..., Result]

GUARDED = """
import json, sys

touched = []

def watch(event, args):
    if event.startswith("socket."):
        touched.append(event)
        raise PermissionError(f"{event}: there is no network here")

sys.addaudithook(watch)
answers = []
for asked in json.loads(sys.argv[1]):
    if isinstance(asked, dict):
        from agents.execution_agent import handler
        answers.append(handler.replay(asked, None)["actions"])
    else:
        from agents.execution_agent import cli
        try:
            cli.app(asked)
        except SystemExit as told:
            answers.append(told.code)
print(json.dumps([answers, touched, sorted(sys.modules)]))
"""
"""A process without a network, which says what it was answered and what it has loaded."""

READS = ("sqlite_", "group_commit", "memory_gates", "no_webhooks", "system")
"""Adapters that can change nothing in the world: the store, and the clock."""
WRITES_CHECKPOINTS = ("checkpoint_", "no_checkpoints", "leaf_index", "aws")
"""What the command line has beside, for its word `audit checkpoint`."""
REACHES_OUT = {"ssl", "http.client", "urllib.request"}
ACTS = {"smtplib", "httpcore", "botocore", "boto3", "jinja2"}

OWN_PROJECTION = """
import os, signal
from pathlib import Path

class Lengths:
    def __init__(self):
        self.lengths = {}

    def apply(self, story):
        if not Path("stopped").exists():
            Path("stopped").touch()
            signal.raise_signal(signal.SIGINT)
        self.lengths[story.action_id] = self.lengths.get(story.action_id, 0) + story.count

    def result(self):
        return self.lengths

    def add(self, result):
        for action_id, length in result.items():
            self.lengths[action_id] = self.lengths.get(action_id, 0) + length
"""
"""Of another distribution. It is told to stop by a person, once."""


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("twelve") / "ledger.db"
    with sqlite_ledger(path, count=12, lives=[WAITS, ENDED]):
        return path


@pytest.fixture
def ledger(twelve: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(twelve, tmp_path / "ledger.db"))


@pytest.fixture
def cli(ledger: Path) -> Cli:
    environ = {"EXECUTION_AGENT_LEDGER": f"sqlite:///{ledger}", "EXECUTION_AGENT_LOG_LEVEL": ""}
    return lambda *words: CliRunner().invoke(app, list(words), env=environ)


@pytest.fixture
def environ(ledger: Path, tmp_path: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name not in DEFAULTS}
    return ours | {"EXECUTION_AGENT_LEDGER": f"sqlite:///{ledger}", "PYTHONPATH": f"{ROOT}:{tmp_path}"}


def document(result: Result) -> Any:
    """Exactly one JSON document on stdout."""
    return json.loads(result.stdout)


def by_hand(ledger: Path, statement: str, *values: object) -> None:
    with closing(apsw.Connection(str(ledger))) as connection:
        connection.execute(statement, values)


# -- it can reach nothing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "answers", "adapters", "libraries"),
    [
        pytest.param(
            [{"replay": {"projection": "counts"}}, {"replay": {"projection": "views"}}],
            [12, 12],
            READS,
            ACTS | REACHES_OUT,
            id="the function",
        ),
        pytest.param(
            [["replay", "--json"], ["replay", "rows"], ["views", "rebuild"], ["views", "status"]],
            [0, 0, 0, 0],
            READS + WRITES_CHECKPOINTS,
            ACTS,
            id="the command line",
        ),
    ],
)
def test_a_replay_touches_no_socket_and_has_nothing_loaded_that_could_act(
    asked: list[Any],
    answers: list[int],
    adapters: tuple[str, ...],
    libraries: set[str],
    environ: dict[str, str],
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", GUARDED, json.dumps(asked)]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answered, touched, modules = json.loads(done.stdout.splitlines()[-1])
    assert (answered, touched) == (answers, [])
    loaded = [name.removeprefix("adapters.") for name in modules if name.startswith("adapters.")]
    assert [name for name in loaded if not name.startswith(adapters)] == []
    assert libraries & set(modules) == set()


# -- what is told ----------------------------------------------------------------------------------------------------


def test_it_counts_what_happened_hour_by_hour(cli: Cli) -> None:
    result = cli("replay", "--json")
    report = document(result)
    assert result.exit_code == 0
    assert (report["projection"], report["complete"], report["actions"], report["events"]) == ("counts", True, 12, 48)
    counted = {row["status"]: row["count"] for row in report["result"]}
    assert counted == {"requested": 12, "scheduled": 12, "attempted": 12, "retrying": 6, "succeeded": 6}


def test_rows_are_those_of_lists(cli: Cli) -> None:
    listed = document(cli("list", "--json"))
    replayed = document(cli("replay", "rows", "--json"))["result"]
    assert {row["action_id"]: row for row in replayed} == {row["action_id"]: row for row in listed}


def test_one_action_or_those_of_some_days_can_be_told(cli: Cli) -> None:
    assert document(cli("replay", "--action", SECOND, "--json"))["events"] == 4
    assert document(cli("replay", "--since", "2026-03-01", "--until", "2026-03-01", "--json"))["actions"] == 12
    assert document(cli("replay", "--since", "2026-03-02", "--json"))["actions"] == 0
    assert document(cli("replay", "--until", "2026-02-28", "--json"))["actions"] == 0
    assert document(cli("replay", "--since", "0001-01-01", "--until", "9999-12-31", "--json"))["actions"] == 12


def test_people_see_a_table_and_the_numbers(cli: Cli) -> None:
    told = cli("replay").stdout
    assert "2026-03-01T12" in told
    assert "48 events of 12 actions" in told


def test_people_see_as_many_columns_of_rows_as_a_line_has_room_for(cli: Cli) -> None:
    lines = cli("replay", "rows").stdout.splitlines()
    assert lines[0].split()[:3] == ["action_id", "status", "action_type"]
    assert sum("act_" in line for line in lines) == 12
    assert max(map(len, lines)) <= 80
    assert any("columns more; --json has all" in line for line in lines)


def test_where_nothing_was_stopped_there_is_nothing_to_resume(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = cli("replay", "--resume").stderr
    assert "there is nothing to resume" in told
    assert "Error" not in told


def test_processes_beside_each_other_come_to_the_same(cli: Cli) -> None:
    alone, together = cli("replay", "--json"), cli("replay", "--workers", "2", "--json")
    assert document(together) == document(alone)


# -- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--since", "yesterday"], "bad_range"),
        (["--until", "2026-13-01"], "bad_range"),
        (["--since", "2026-03-02", "--until", "2026-03-01"], "bad_range"),
        (["nobody_knows_it"], "unknown_projection"),
        (["--resume"], "bad_place"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    words: list[str], code: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = cli("replay", *words, "--json")
    assert (result.exit_code, document(result)["error"]["code"]) == (1, code)
    assert len(result.stderr.splitlines()) == 1


def test_an_action_that_nobody_knows_is_nothing_found(cli: Cli) -> None:
    result = cli("replay", "--action", "act_unknown", "--json")
    assert (result.exit_code, document(result)["actions"]) == (1, 0)


@pytest.mark.parametrize(
    ("statement", "version"),
    [
        ("UPDATE commits SET events = X'317A00' WHERE action_id = ? AND version = 4", 4),
        ("UPDATE commits SET events = 'text' WHERE action_id = ? AND version = 1", 1),
        ("DELETE FROM commits WHERE action_id = ? AND version = 1", 4),
    ],
)
def test_a_corrupted_row_is_named_and_the_others_go_on(statement: str, version: int, cli: Cli, ledger: Path) -> None:
    by_hand(ledger, statement, SECOND)
    for words in (["replay"], ["replay", "rows"], ["views", "rebuild"]):
        result = cli(*words, "--json")
        report = document(result)
        assert result.exit_code == 1
        assert [(finding["action_id"], finding["version"]) for finding in report["findings"]] == [(SECOND, version)]
        assert (report["complete"], report["actions"]) == (True, 12)
        assert SECOND in cli(*words).stdout


def test_a_broken_ledger_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database, and never was one" * 100)
    environ = {"EXECUTION_AGENT_LEDGER": f"sqlite:///{tmp_path}/ledger.db", "EXECUTION_AGENT_LOG_LEVEL": ""}
    for words in (["replay"], ["views", "status"], ["views", "rebuild"]):
        result = CliRunner().invoke(app, [*words, "--json"], env=environ)
        assert (result.exit_code, document(result)["error"]["code"]) == (3, "ledger")


# -- stopped, and gone on with -----------------------------------------------------------------------------------------


def test_what_ctrl_c_stops_goes_on_where_it_was_and_nothing_is_told_twice(
    environ: dict[str, str], tmp_path: Path
) -> None:
    # Given more than one slice, and a projection of another distribution
    make_ledger(tmp_path / "large.db", 2 * (SLICE + 500))
    environ = environ | {"EXECUTION_AGENT_LEDGER": f"sqlite:///{tmp_path}/large.db"}
    (tmp_path / "lengths.py").write_text(OWN_PROJECTION, "utf-8")
    installed = tmp_path / "lengths-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: lengths\nVersion: 1\n", "utf-8")
    (installed / "entry_points.txt").write_text("[execution_agent.projections]\nlengths = lengths:Lengths\n", "utf-8")

    def replay(*words: str) -> tuple[int, Any]:
        command = [sys.executable, "-m", "agents.execution_agent", "replay", *words, "--json"]
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)
        return done.returncode, json.loads(done.stdout)

    # When it is stopped in its first slice
    code, stopped = replay("lengths")
    # Then what was told by then is put down
    assert (code, stopped["complete"]) == (1, False)
    assert len(stopped["result"]) == SLICE
    # and the rest is told by the next one
    code, whole = replay("--resume")
    assert (code, whole["complete"], whole["actions"]) == (0, True, SLICE + 500)
    assert set(whole["result"].values()) == {4}
    assert not (tmp_path / ".execution-agent" / "replay.json").exists()


def test_what_was_put_down_can_be_taken_up_by_whoever_reads_it() -> None:
    account = Account(Question("counts", span_of("2026-03-01", None)))
    document = json.loads(json.dumps(account.put_down()))
    assert taken_up(document).put_down() == account.put_down()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"projection": "counts"},
        [],
        "text",
        {"projection": "counts", "since": None, "until": None, "action_id": None, "places": 1},
    ],
)
def test_what_no_replay_has_put_down_is_refused(document: Any) -> None:
    with pytest.raises(Refused):
        taken_up(document)


@pytest.mark.parametrize(
    "document", [{"projection": "counts", "mood": 1}, {"action_id": 7}, {"since": 7}, {"until": "x"}]
)
def test_what_is_no_question_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        question_in(document)


# -- rows ------------------------------------------------------------------------------------------------------------


def test_a_lost_row_is_noticed_and_made_anew(cli: Cli, ledger: Path) -> None:
    before = document(cli("list", "--json"))
    by_hand(ledger, "DELETE FROM actions WHERE action_id = ?", SECOND)
    result = cli("views", "status", "--json")
    told = document(result)
    assert result.exit_code == 1
    assert (told["rows"], told["actions"], told["missing"], told["behind"]) == (11, 12, 1, 2)
    assert "views rebuild" in cli("views", "status").stdout
    result = cli("views", "rebuild", "--json")
    assert (result.exit_code, document(result)["comparison"]) == (
        0,
        {"rows": 12, "missing": 1, "changed": 0, "stray": 0, "untold": 0},
    )
    assert document(cli("list", "--json")) == before
    assert cli("views", "status").exit_code == 0


def test_rows_are_put_in_their_places_without_a_table_beside(cli: Cli, ledger: Path) -> None:
    by_hand(ledger, "DELETE FROM actions")
    result = cli("views", "rebuild", "--in-place", "--json")
    assert (result.exit_code, document(result)["complete"], document(result)["comparison"]) == (0, True, None)
    assert cli("views", "status").exit_code == 0


def test_only_rows_that_were_made_are_said_to_be_in_their_places(cli: Cli, ledger: Path) -> None:
    by_hand(ledger, "UPDATE commits SET events = X'317A00' WHERE action_id = ? AND version = 4", SECOND)
    result = cli("views", "rebuild", "--in-place")
    assert result.exit_code == 1
    assert "11 rows were put in their places" in result.stdout


def test_a_row_that_somebody_damaged_is_counted_and_made_anew(
    cli: Cli, ledger: Path, caplog: pytest.LogCaptureFixture
) -> None:
    by_hand(ledger, "UPDATE actions SET born = 'never' WHERE action_id = ?", SECOND)
    assert len(document(cli("list", "--json"))) == 11
    assert len(document(cli("find", "--type", "greet", "--json"))["actions"]) == 11
    assert f"the row of '{SECOND}' cannot be read" in caplog.text
    result = cli("views", "status")
    assert (result.exit_code, "1 rows cannot be read" in result.stdout) == (1, True)
    assert cli("views", "rebuild").exit_code == 0
    assert cli("views", "status").exit_code == 0
    assert len(document(cli("list", "--json"))) == 12


def test_a_rebuild_that_nobody_wants_any_more_is_forgotten(cli: Cli) -> None:
    assert cli("views", "rebuild", "--abandon").exit_code == 0
    assert document(cli("views", "rebuild", "--json"))["resumed"] is False
