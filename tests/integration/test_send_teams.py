"""Cards to Microsoft Teams, and messages by an incoming webhook of Slack, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agents.execution_agent.agent import ExecutionAgent
from handlers.actions.delete_slack import DeleteSlack
from handlers.actions.send_slack import SendSlack
from handlers.actions.send_teams import SendTeams
from tests.doubles.connections import LOCAL, connections
from tests.doubles.server import Asked, Double, Reply, Trouble
from tests.doubles.teams import TeamsDouble
from tests.fakes import FakeClock, fake_world
from tests.house import agent_with, words

ADA = {"actor": "ada", "reason": "the wrong account"}
FACTS = [{"title": "Account", "value": "ACME-1"}, {"title": "Amount", "value": "12,000"}]


@pytest.fixture
def teams() -> Iterator[TeamsDouble]:
    with TeamsDouble() as double:
        yield double


class Hook(Double):
    """An incoming webhook of Slack."""

    def reply(self, asked: Asked) -> Reply:
        return Reply(200, b"ok")


def agent_of(there: Any, **settings: Any) -> ExecutionAgent:
    world = fake_world(clock=FakeClock(), connections=there)
    return agent_with(world=world, actions=(SendTeams, SendSlack, DeleteSlack), **({"max_retries": 0} | settings))


def agent_for(teams: TeamsDouble, **settings: Any) -> ExecutionAgent:
    there = connections({"TEAMS": teams.webhook}, team={"kind": "teams", "url": "env:TEAMS", **LOCAL})
    return agent_of(there, **settings)


def card(**parameters: Any) -> dict[str, Any]:
    given = {"title": "A renewal is due", "text": "**ACME-1** renews.", "facts": FACTS}
    return {"action_type": "send_teams", "parameters": given | parameters}


def test_a_card_is_handed_to_the_workflow_once(teams: TeamsDouble) -> None:
    agent = agent_for(teams)
    response = agent.process(card())
    assert (response["status"], response["result"]) == ("succeeded", {"status": 202})
    [shown] = teams.cards
    assert [element.get("text") for element in shown["body"]] == ["A renewal is due", "**ACME-1** renews.", None]
    assert shown["body"][2]["facts"] == FACTS
    assert teams.asked[0].headers["x-ms-client-tracking-id"] == f"{response['action_id']}-r0"
    assert agent.history(response["action_id"])[-1]["data"]["reference"] == "08584000001CU17"


def test_facts_alone_are_a_card_and_a_template_too(teams: TeamsDouble) -> None:
    agent = agent_for(teams)
    variables = {"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"}
    assert agent.process(card(title=None, text=None))["status"] == "succeeded"
    assert agent.process(card(text=None, template="renewal_reminder", variables=variables))["status"] == "succeeded"
    assert "Acme Inc." in teams.cards[1]["body"][1]["text"]


@pytest.mark.parametrize("trouble", [trouble for trouble in Trouble if trouble.seen in ("hangs", "hangs up", "fails")])
def test_of_a_card_in_doubt_nobody_can_be_asked(teams: TeamsDouble, trouble: Trouble) -> None:
    teams.troubles.append(trouble)
    agent = agent_for(teams)
    response = agent.process(card(), wait=0.6)
    assert response["status"] == "in_doubt"
    assert "probe_at" not in agent.history(response["action_id"])[-1]["data"]
    assert len(teams.cards) == trouble.acts


def test_a_workflow_that_is_busy_is_asked_again_and_one_that_is_off_is_not(teams: TeamsDouble) -> None:
    agent = agent_for(teams, max_retries=1)
    teams.troubles.append(Trouble.RATE_LIMITED)
    response = agent.process(card(), wait=60)
    assert (response["status"], response["attempts"]) == ("succeeded", 2)
    teams.is_on = False
    assert agent.process(card())["error"]["code"] == "http_404"
    teams.is_on, teams.signature = True, "another"
    assert agent.process(card(), wait=1)["status"] == "retrying"


def test_a_card_stays_posted(teams: TeamsDouble) -> None:
    agent = agent_for(teams)
    done = agent.process(card())
    refused = agent.undo(done["action_id"], **ADA)
    assert refused["error"]["code"] == "irreversible"
    assert "post a correction" in refused["error"]["message"]


@pytest.mark.parametrize(
    ("parameters", "code", "field"),
    [
        ({"text": "one\r\ntwo"}, "invalid_characters", "parameters.text"),
        ({"text": "x" * 29_000}, "invalid_parameters", "parameters.text"),
        ({"text": None, "facts": []}, "invalid_parameters", "parameters"),
        ({"text": ""}, "invalid_parameters", "parameters.text"),
        ({"title": ""}, "invalid_parameters", "parameters.title"),
        ({"facts": FACTS * 26}, "invalid_parameters", "parameters.facts"),
        ({"facts": [{"title": "Account"}]}, "invalid_parameters", "parameters.facts.0.value"),
        ({"facts": {"Account": "ACME-1"}}, "invalid_parameters", "parameters.facts"),
        ({"url": "https://example.com"}, "invalid_parameters", "parameters.url"),
        ({"connection": "https://example.com"}, "invalid_parameters", "parameters.connection"),
    ],
)
def test_what_is_refused_is_refused_before_the_attempt(
    teams: TeamsDouble, parameters: dict[str, Any], code: str, field: str
) -> None:
    agent = agent_for(teams)
    response = agent.process(card(**parameters))
    assert (response["status"], response["error"]["code"]) == ("rejected", code)
    assert response["error"]["details"][0]["field"] == field
    assert teams.asked == []


def test_the_url_is_told_to_nobody(teams: TeamsDouble, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    there = connections({"TEAMS": teams.webhook}, team={"kind": "teams", "url": "env:TEAMS", **LOCAL})
    agent = agent_of(there)
    responses = []
    for trouble in (None, *Trouble, Reply(302, b"", {"Location": teams.webhook}), Reply(401, teams.webhook.encode())):
        teams.troubles.append(trouble)
        responses.append(agent.process(card(), wait=0.6))
    told = json.dumps([responses, [agent.history(response["action_id"]) for response in responses]])
    adapter = there._adapters["team"]
    assert "canary" not in told + caplog.text + repr((adapter, vars(adapter)))


# -- an incoming webhook of Slack -------------------------------------------------------------------------------------


def slack_message(**parameters: Any) -> dict[str, Any]:
    return {"action_type": "send_slack", "parameters": {"channel": "renewals", "text": "ACME-1 renews."} | parameters}


def test_a_message_by_a_webhook_can_neither_be_found_nor_taken_back() -> None:
    with Hook() as hook:
        entry = {"kind": "slack_webhook", "url": "env:HOOK", "channel": "renewals", **LOCAL}
        clock = FakeClock()
        there = connections({"HOOK": f"{hook.url}/services/T0/B0/canary"}, hook=entry)
        agent = agent_with(world=fake_world(clock=clock, connections=there), actions=(SendSlack, DeleteSlack))
        done = agent.process(slack_message())
        assert (done["status"], done["result"]) == ("succeeded", {"channel": "renewals"})
        assert agent.undo(done["action_id"], **ADA)["error"]["code"] == "irreversible"
        assert agent.process(slack_message(channel="general"))["status"] == "rejected"
        assert agent.process(slack_message(text="<!channel>"))["status"] == "rejected"
        hook.troubles.append(Trouble.HANGS_UP_AFTER)
        clock.pass_time(5)
        doubtful = agent.process(slack_message(), wait=1)
        assert doubtful["status"] == "in_doubt"
        clock.pass_time(3000)
        assert agent.advance(doubtful["action_id"])["status"] == "in_doubt"
        assert words(agent, doubtful)[-1] == "probed"
        assert "again_at" not in agent.history(doubtful["action_id"])[-1]["data"]
        told = json.dumps([agent.history(response["action_id"]) for response in (done, doubtful)])
    assert "canary" not in told
    assert json.loads(hook.asked[0].body)["text"] == "ACME-1 renews."
