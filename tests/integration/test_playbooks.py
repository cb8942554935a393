"""The playbooks, carried out with the example's connections, before systems that behave: to an end, and back."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, chdir
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL
from threading import Event
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from adapters.connections import ConfiguredConnections
from adapters.secrets import Secrets
from adapters.templates import Templates
from adapters.webhooks import Webhooks
from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.cli import app
from agents.execution_agent.config import ACTIONS, DEFAULTS
from domain.outcome import Permanent
from tests.doubles import slack
from tests.doubles.connections import LOCAL
from tests.doubles.salesforce import CLIENT_ID, CLIENT_SECRET, SalesforceDouble
from tests.doubles.server import Asked, Double, Reply
from tests.doubles.slack import SlackDouble
from tests.fakes import FakeClock, FakeEmailSender, fake_world
from tests.house import agent_with
from tests.scripted_aws import ScriptedAws, says, scripted_aws

ROOT = Path(__file__).parents[2]
RENEWALS, SALES = "C0123ABCD", "C0456EFGH"
SECRETS = {"SALESFORCE_CLIENT_SECRET": CLIENT_SECRET, "SLACK_BOT_TOKEN": slack.TOKEN, "APPROVALS": "whsec_" + "k" * 32}
DAY = 86_400.0


class Approvals(Double):
    """Where approvals are given."""

    def reply(self, asked: Asked) -> Reply:
        return Reply(200, b"{}")

    def questions(self) -> list[dict[str, Any]]:
        return [json.loads(asked.body) for asked in self.asked]


@dataclass
class Systems:
    """Everything that the playbooks need. AWS answers what a test tells it."""

    salesforce: SalesforceDouble
    slack: SlackDouble
    approvals: Approvals
    aws: ScriptedAws

    def write_files(self, folder: Path, *, without: str = "") -> None:
        """The example's files, with what was made here in their places."""
        connections = json.loads((ROOT / "examples" / "connections-playbooks.json").read_text("utf-8"))
        connections.pop(without, None)
        connections["sales"] |= {"base_url": self.salesforce.url, "client_id": CLIENT_ID, **LOCAL}
        connections["workspace"] |= {"base_url": self.slack.url, **LOCAL}
        for name in ("flows", "draft", "revops"):
            connections[name]["endpoint_url"] = self.aws.url
        (folder / "connections-playbooks.json").write_text(json.dumps(connections), "utf-8")
        webhooks = json.loads((ROOT / "examples" / "webhooks-playbooks.json").read_text("utf-8"))
        webhooks["approvals"] |= {"url": self.approvals.url, "secret": "${APPROVALS}", **LOCAL}
        (folder / "webhooks-playbooks.json").write_text(json.dumps(webhooks), "utf-8")


@pytest.fixture
def systems() -> Iterator[Systems]:
    with ExitStack() as stack:
        found = Systems(
            stack.enter_context(SalesforceDouble()),
            stack.enter_context(SlackDouble()),
            stack.enter_context(Approvals()),
            stack.enter_context(scripted_aws(says(200, {}))),
        )
        found.slack.channels = {RENEWALS: [], SALES: []}
        yield found


@dataclass
class House:
    """An agent whose time is in the hands of the test."""

    systems: Systems
    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    mail: FakeEmailSender = field(default_factory=FakeEmailSender)

    def __post_init__(self) -> None:
        self.systems.write_files(self.folder)
        connections = ConfiguredConnections.from_file(self.folder / "connections-playbooks.json", Secrets(SECRETS))
        world = fake_world(
            clock=self.clock,
            email=self.mail,
            connections=connections,
            webhooks=Webhooks.from_file(str(self.folder / "webhooks-playbooks.json"), SECRETS, required=True),
            templates=Templates(str(ROOT / "examples" / "workflows" / "templates")),
            callback_key=lambda: b"a secret of the test",
        )
        self.agent: ExecutionAgent = agent_with(world=world, actions=ACTIONS, max_retries=0)

    def start(self, playbook: str, **inputs: Any) -> str:
        text = (ROOT / "examples" / "workflows" / f"{playbook}.yaml").read_bytes()
        told = self.agent.start_workflow_run(text, inputs)
        assert told["error"] is None, told
        self.work()
        run_id: str = told["run_id"]
        return run_id

    def work(self, after: float = 0.0) -> None:
        self.clock.pass_time(after)
        self.agent.worker(threads=1).run(Event(), until_idle=True)

    def call_back(self, token: str, **payload: Any) -> None:
        told = self.agent.callback(token, payload)
        assert told["error"] is None, told
        self.work()

    def steps(self, run_id: str) -> dict[str, str]:
        return {one["id"]: one["status"] for one in self.agent.workflow_status(run_id)["steps"]}


@pytest.fixture
def house(aws: None, systems: Systems, tmp_path: Path) -> House:
    return House(systems, tmp_path)


# -- a lost deal ------------------------------------------------------------------------------------------------------


def test_a_lost_deal_is_written_to_until_there_is_a_reply(house: House) -> None:
    systems = house.systems
    systems.aws.begin(
        says(200, {"opening": "There is something new."}),
        says(200, {"FailedEntryCount": 0, "Entries": [{"EventId": "e-1"}]}),
    )
    run_id = house.start(
        "closed_lost_reengagement",
        opportunity="006Hs0000000001AAA",
        account_name="Acme Inc.",
        contact_name="Ada",
        contact_email="ada@example.com",
        owner_name="Grace",
    )
    [question] = systems.approvals.questions()
    assert question["text"] == "There is something new."
    assert house.mail.sent == []

    house.call_back(question["callback_token"], approved=True)
    assert [recipient for recipient, _ in house.mail.sent] == ["ada@example.com"]
    house.work(after=7 * DAY)
    assert len(house.mail.sent) == 2

    detail = json.loads(systems.aws.asked[-1].body["Entries"][0]["Detail"])
    house.call_back(detail["callback_tokens"][1])
    house.work(after=30 * DAY)
    assert len(house.mail.sent) == 2
    assert systems.slack.texts(SALES) == ["Ada of Acme Inc. has replied. Over to you, Grace."]
    assert house.agent.workflow_status(run_id)["status"] == "completed"
    assert (house.steps(run_id)["pause_after_second"], house.steps(run_id)["third_mail"]) == ("succeeded", "skipped")


# -- an onboarding ----------------------------------------------------------------------------------------------------


def test_an_onboarding_that_fails_is_taken_back_the_last_step_first(house: House) -> None:
    systems = house.systems
    arn = "arn:aws:states:eu-central-1:123456789012:execution:Onboarding:e-1"
    started = says(200, {"executionArn": arn, "startDate": 1772366400})
    systems.aws.begin(started, says(200, {"stopDate": 1772366400}), says(200, {"status": "ABORTED"}))
    house.mail.answers.append(Permanent("recipient_refused", "nobody of that name is here"))
    run_id = house.start(
        "onboarding",
        account_name="Acme Inc.",
        plan="business",
        start_date="2026-04-01",
        contact={"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com"},
    )
    [account], [contact] = systems.salesforce.rows("Account"), systems.salesforce.rows("Contact")
    assert contact.values["AccountId"] == account.id
    assert house.steps(run_id)["first_day"] == "waiting"

    house.work(after=60 * DAY)
    told = house.agent.workflow_status(run_id)
    assert (told["status"], told["remaining"]) == ("compensated", [])
    steps = house.steps(run_id)
    assert [steps[name] for name in ("account", "contact", "provision", "welcome", "notify")] == [
        *["compensated"] * 3,
        "failed",
        "pending",
    ]
    assert (account.is_deleted, contact.is_deleted) == (True, True)
    assert [asked.operation for asked in systems.aws.asked] == ["StartExecution", "StopExecution", "DescribeExecution"]
    deleted = [asked.path.rpartition("/")[2] for asked in systems.salesforce.asked if asked.verb == "DELETE"]
    assert deleted == [contact.id, account.id]
    events = house.agent.workflow_history(run_id)
    ended = [one["data"]["step"] for one in events if one["type"] == "step_ended"]
    undone = [one["data"]["step"] for one in events if one["type"] == "step_undone"]
    assert undone == [name for name in reversed(ended) if name in ("account", "contact", "provision")]


# -- a renewal at risk ------------------------------------------------------------------------------------------------


def renewal_at_risk(house: House) -> str:
    return house.start(
        "renewal_at_risk",
        account=house.systems.salesforce.add("Account", Name="Acme Inc."),
        account_name="Acme Inc.",
        customer_email="ada@example.com",
        renewal_date="2026-06-01",
        risk=0.7,
    )


def test_a_renewal_of_which_somebody_has_heard_is_not_escalated(house: House) -> None:
    run_id = renewal_at_risk(house)
    [task] = house.systems.salesforce.rows("Task")
    [line] = [line for line in task.values["Description"].splitlines() if "workflow callback" in line]
    _, _, _, token, _, payload = shlex.split(line)
    house.call_back(token, **json.loads(payload))
    house.work(after=30 * DAY)
    assert house.agent.workflow_status(run_id)["status"] == "completed"
    steps = house.steps(run_id)
    assert (steps["answer"], steps["raise_priority"], steps["escalate"]) == ("succeeded", "skipped", "skipped")
    assert house.systems.slack.texts(SALES) == []


def test_a_renewal_of_which_nobody_has_heard_is_escalated(house: House) -> None:
    run_id = renewal_at_risk(house)
    house.work(after=5 * DAY)
    steps = house.steps(run_id)
    assert (steps["answer"], steps["raise_priority"], steps["escalate"]) == ("timed_out", "succeeded", "succeeded")
    [task] = house.systems.salesforce.rows("Task")
    assert task.values["Priority"] == "Urgent"
    assert len(house.systems.slack.texts(SALES)) == 1


# -- the same, as the README has it -----------------------------------------------------------------------------------

README = ROOT / "README.md"
PICTURE = ROOT / "examples" / "workflows" / "renewal_at_risk.svg"


def typed() -> list[tuple[str, str]]:
    """What the README types to carry out a renewal at risk, and what it says is answered, where it says so."""
    blocks = re.findall(r"^```sh\n(\$ .*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    [block] = [block for block in blocks if "renewal_at_risk.yaml" in block]
    commands = (command.partition("\n") for command in block.removeprefix("$ ").split("\n$ "))
    return [(line, answer.strip()) for line, _, answer in commands]


@dataclass
class Shell:
    """Whoever types what the README says, in a folder with the examples."""

    folder: Path
    environ: dict[str, str | None]

    def export(self, line: str) -> None:
        self.environ |= dict(word.split("=", 1) for word in shlex.split(line)[1:])

    def begin(self, line: str) -> subprocess.Popen[bytes]:
        """A process of its own."""
        words = [sys.executable, "-m", "agents.execution_agent", *shlex.split(line)[1:-1]]
        environ = {name: value for name, value in {**os.environ, **self.environ}.items() if value is not None}
        return subprocess.Popen(words, cwd=self.folder, env=environ, stdout=subprocess.DEVNULL)

    def run(self, line: str) -> Result:
        """As good as one: it knows only what is in the ledger."""
        with chdir(self.folder):
            return CliRunner().invoke(app, shlex.split(line)[1:], env=self.environ)


@pytest.fixture
def shell(systems: Systems, tmp_path: Path) -> Shell:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    systems.write_files(tmp_path / "examples", without="revops-team")
    unset = dict.fromkeys(DEFAULTS)
    return Shell(tmp_path, {**unset, **SECRETS, "CALLBACK_SECRET": "c" * 32, "PYTHONPATH": str(ROOT)})


def test_a_renewal_whose_process_is_killed_goes_on_and_is_taken_back_as_the_readme_says(
    systems: Systems, shell: Shell
) -> None:
    account, tasks = systems.salesforce.add("Account", Name="Acme Inc."), systems.salesforce.objects["Task"]
    processes: list[subprocess.Popen[bytes]] = []

    def pull_the_plug() -> None:
        processes[0].kill()

    systems.salesforce.before_writes = [lambda: None, pull_the_plug]
    for line, answer in typed():
        if line.startswith("export "):
            shell.export(line)
        elif line.endswith(" &"):
            processes.append(shell.begin(line))
        elif line.endswith("kill -9 $!"):
            # The plug is pulled at the worst moment: while the CRM writes, and before it answers.
            assert processes[0].wait(30) == -SIGKILL
        else:
            done = shell.run(line)
            assert done.exit_code == (1 if " undo " in line else 0), done.output
            assert answer in ("", done.stdout.strip())
        if " show " in line:
            assert systems.salesforce.objects["Account"][account].values["Renewal_At_Risk__c"] is True
            assert [task.values["WhatId"] for task in tasks.values()] == [account]
            assert len(systems.slack.texts(RENEWALS)) == 1
            assert shell.run(f"{line} --format svg").stdout == PICTURE.read_text("utf-8"), f"write {PICTURE} anew"
    assert systems.salesforce.objects["Account"][account].values == {"Name": "Acme Inc."}
    assert [task.is_deleted for task in tasks.values()] == [True]
    assert systems.slack.texts(RENEWALS) == []
    assert len([*(shell.folder / ".execution-agent" / "outbox").glob("*.eml")]) == 1
