"""Messages to Slack, from the request to the channel and back, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from agents.execution_agent.agent import ExecutionAgent
from domain.base_action import Inquiry
from domain.outcome import CannotTell, Executed
from domain.validators.send_slack import SendSlackParameters
from handlers.actions.delete_slack import DeleteSlack
from handlers.actions.send_slack import SendSlack
from tests.doubles.connections import LOCAL, connections
from tests.doubles.server import Reply, Trouble
from tests.doubles.slack import RENEWALS, TOKEN, SlackDouble
from tests.fakes import FakeClock, fake_world
from tests.house import agent_with, words

ADA = {"actor": "ada", "reason": "the wrong channel"}
NOTHING_DONE = ["requested", "rejected"]


class House:
    """An agent with one connection to a workspace. `environ` is where its token is."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.slack = SlackDouble(self.clock.now)
        self.environ = {"SLACK_BOT_TOKEN": TOKEN}

    def agent(self, *, retries: int = 3, **entry: Any) -> ExecutionAgent:
        workspace = {
            "kind": "slack",
            "token": "env:SLACK_BOT_TOKEN",
            "channels": {"renewals": RENEWALS},
            "base_url": self.slack.url,
            **LOCAL,
        }
        self.connections = connections(self.environ, workspace=workspace | entry)
        world = fake_world(clock=self.clock, connections=self.connections)
        return agent_with(world=world, actions=(SendSlack, DeleteSlack), max_retries=retries)

    def doubt(self, agent: ExecutionAgent, trouble: Trouble, **parameters: Any) -> dict[str, Any]:
        """A message of which nobody knows whether it was posted."""
        self.slack.troubles.append(trouble)
        response = agent.process(message(**parameters), wait=0.6)
        assert response["status"] == "in_doubt"
        return response

    def ask(self, agent: ExecutionAgent, response: dict[str, Any], *, after: float) -> dict[str, Any]:
        """How it stands once its time for a probe has come, `after` seconds later."""
        self.clock.pass_time(after)
        return agent.advance(response["action_id"])


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    with house.slack:
        yield house


def message(**parameters: Any) -> dict[str, Any]:
    return {"action_type": "send_slack", "parameters": {"channel": "renewals", "text": "ACME-1 renews."} | parameters}


def attempted(agent: ExecutionAgent, response: dict[str, Any]) -> dict[str, Any]:
    """What stands in the ledger of its first attempt."""
    history = agent.history(response["action_id"])
    data: dict[str, Any] = next(entry["data"] for entry in history if entry["type"] == "attempted")
    return data


# -- posting ----------------------------------------------------------------------------------------------------------


def test_a_message_is_posted_once_and_its_effect_key_with_it(house: House) -> None:
    agent = house.agent()
    response = agent.process(message(text="*ACME-1* & <others> renew: <https://example.com|all of them>"))
    assert (response["status"], response["attempts"]) == ("succeeded", 1)
    [post] = house.slack.channels[RENEWALS]
    assert response["result"] == {"channel": RENEWALS, "ts": post.ts}
    assert post.says["text"] == "*ACME-1* &amp; &lt;others&gt; renew: <https://example.com|all of them>"
    assert post.says["metadata"] == {
        "event_type": "execution_agent",
        "event_payload": {"effect_key": f"{response['action_id']}-r0", "action_id": response["action_id"]},
    }
    [asked] = house.slack.asked
    sent = json.loads(asked.body)
    assert (sent["unfurl_links"], sent["unfurl_media"]) == (False, False)
    succeeded = agent.history(response["action_id"])[-1]["data"]
    assert succeeded["reference"] == f"{RENEWALS}/{post.ts}"


def test_blocks_and_a_thread_go_as_they_are(house: House) -> None:
    parent = house.slack.somebody_says("Which accounts renew?")
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "<!date^1|x> *ACME-1* & Co"}}
    response = house.agent().process(message(text=None, blocks=[block], thread_ts=parent, channel=RENEWALS))
    assert response["status"] == "succeeded"
    [_, post] = house.slack.channels[RENEWALS]
    assert (post.thread, post.says["blocks"]) == (parent, [block])


def test_a_template_says_what_the_message_says(house: House) -> None:
    variables = {"customer_name": "Acme & Sons", "renewal_date": "2023-12-31"}
    agent = house.agent()
    response = agent.process(message(text=None, template="renewal_reminder", variables=variables))
    assert response["status"] == "succeeded"
    assert "Acme &amp; Sons" in house.slack.texts()[0]
    facts = attempted(agent, response)["facts"]
    assert (facts["connection"], facts["channel"], facts["template"]) == ("workspace", RENEWALS, "renewal_reminder")


def test_every_try_of_an_action_carries_the_same_key(house: House) -> None:
    agent = house.agent(retries=1)
    house.slack.troubles += [Trouble.RATE_LIMITED, Reply(200, b'{"ok":false,"error":"rate_limited"}')]
    failed = agent.process(message(), wait=60)
    assert (failed["status"], failed["attempts"]) == ("failed", 2)
    agent.redrive(failed["action_id"], **ADA)
    house.clock.pass_time(60)
    assert agent.advance(failed["action_id"])["status"] == "succeeded"
    sent = [json.loads(asked.body)["metadata"]["event_payload"] for asked in house.slack.calls("chat.postMessage")]
    assert sent == [{"effect_key": f"{failed['action_id']}-r0", "action_id": failed["action_id"]}] * 3
    assert len(house.slack.texts()) == 1


def test_slack_says_when_to_come_back(house: House) -> None:
    house.slack.troubles.append(Trouble.RATE_LIMITED)
    agent = house.agent()
    response = agent.process(message(), wait=2)
    assert response["status"] == "retrying"
    retry_at = agent.history(response["action_id"])[-1]["data"]["retry_at"]
    assert retry_at >= "2026-03-01T12:00:30"


def test_a_token_that_was_changed_is_asked_for_anew(house: House) -> None:
    agent = house.agent()
    assert agent.process(message())["status"] == "succeeded"
    house.slack.token = house.environ["SLACK_BOT_TOKEN"] = "xoxb-canary-another"
    house.clock.pass_time(5)
    response = agent.process(message(), wait=10)
    assert (response["status"], response["attempts"]) == ("succeeded", 2)


def test_a_token_that_cannot_be_had_is_certain_and_named_by_its_reference(house: House) -> None:
    del house.environ["SLACK_BOT_TOKEN"]
    response = house.agent(retries=0).process(message())
    assert (response["status"], response["error"]["code"]) == ("failed", "secret_unavailable")
    assert "env:SLACK_BOT_TOKEN" in response["error"]["message"]
    assert house.slack.asked == []


# -- refused before anything is attempted -----------------------------------------------------------------------------

BROADCAST = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "broadcast"}]}]}


@pytest.mark.parametrize(
    ("parameters", "code", "field"),
    [
        ({"text": "one\r\ntwo"}, "invalid_characters", "parameters.text"),
        ({"text": "x" * 40_001}, "too_large", "parameters.text"),
        ({"text": " \n "}, "invalid_parameters", "parameters.text"),
        ({"text": None}, "invalid_parameters", "parameters"),
        ({"text": 7}, "invalid_parameters", "parameters.text"),
        ({"template": "renewal_reminder"}, "invalid_parameters", "parameters"),
        ({"text": None, "template": "no_such"}, "invalid_template", "parameters.template"),
        ({"variables": {"a": 1}}, "invalid_parameters", "parameters"),
        ({"channel": "general"}, "invalid_parameters", "parameters.channel"),
        ({"channel": "C0GENERAL"}, "invalid_parameters", "parameters.channel"),
        ({"channel": "renewals\n"}, "invalid_parameters", "parameters.channel"),
        ({"channel": "https://hooks.slack.com/services/T0/B0/x"}, "invalid_parameters", "parameters.channel"),
        ({"channel": "U0SOMEBODY"}, "invalid_parameters", "parameters.channel"),
        ({"connection": "https://slack.com"}, "invalid_parameters", "parameters.connection"),
        ({"connection": "another"}, "invalid_parameters", "parameters.connection"),
        ({"thread_ts": "yesterday"}, "invalid_parameters", "parameters.thread_ts"),
        ({"thread_ts": "1503435956.000247\n"}, "invalid_parameters", "parameters.thread_ts"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_parameters", "parameters.blocks"),
        ({"blocks": ["divider"]}, "invalid_parameters", "parameters.blocks.0"),
        ({"blocks": [{}]}, "invalid_parameters", "parameters.blocks"),
        ({"text": "Look, <!channel>"}, "invalid_parameters", "parameters.text"),
        ({"text": "Look, <!here|here>"}, "invalid_parameters", "parameters.text"),
        ({"text": "Look, <!subteam^S0SALES>"}, "invalid_parameters", "parameters.text"),
        ({"blocks": [BROADCAST]}, "invalid_parameters", "parameters.blocks"),
        ({"blocks": [{"type": "markdown", "text": "<!everyone>"}]}, "invalid_parameters", "parameters.blocks"),
        ({"url": "https://example.com"}, "invalid_parameters", "parameters.url"),
    ],
)
def test_what_is_refused_is_refused_before_the_attempt(
    house: House, parameters: dict[str, Any], code: str, field: str
) -> None:
    agent = house.agent()
    response = agent.process(message(**parameters))
    assert (response["status"], response["error"]["code"]) == ("rejected", code)
    assert response["error"]["details"][0]["field"] == field
    assert house.slack.asked == []
    if response["action_id"]:
        assert words(agent, response) == NOTHING_DONE


def test_a_text_that_grows_too_long_by_escaping_is_refused(house: House) -> None:
    response = house.agent().process(message(text="&" * 8_001))
    assert response["status"] == "rejected"
    assert "40005 characters" in response["error"]["message"]


def test_a_mention_that_a_variable_brings_is_refused(house: House) -> None:
    variables = {"customer_name": "<!channel>", "renewal_date": "2023-12-31"}
    response = house.agent().process(message(text=None, template="renewal_reminder", variables=variables))
    assert response["error"]["details"][0]["field"] == "parameters.template"


def test_mentions_go_where_the_connection_allows_them(house: House) -> None:
    response = house.agent(allow_mentions=True).process(message(text="<!here> ACME-1 renews", blocks=[BROADCAST]))
    assert response["status"] == "succeeded"
    assert house.slack.texts() == ["<!here> ACME-1 renews"]


IMAGE = {"type": "image", "image_url": "https://example.com/?d=ACME-1", "alt_text": "ACME-1"}


@pytest.mark.parametrize("block", [IMAGE, {"type": "section", "accessory": IMAGE}])
def test_what_slack_would_fetch_carries_nothing_out(house: House, block: dict[str, Any]) -> None:
    response = house.agent().process(message(text="ACME-1 renews", blocks=[block]))
    assert response["error"]["details"][0]["field"] == "parameters.blocks"
    assert house.slack.asked == []


def test_images_go_where_the_connection_allows_them(house: House) -> None:
    response = house.agent(allow_images=True).process(message(text="ACME-1 renews", blocks=[IMAGE]))
    assert (response["status"], house.slack.texts()) == ("succeeded", ["ACME-1 renews"])


# -- doubt, and what settles it ---------------------------------------------------------------------------------------

POSTED = [
    Trouble.HANGS_AFTER,
    Trouble.HANGS_UP_AFTER,
    Trouble.CUT_OFF_AFTER,
    Trouble.UNREADABLE_AFTER,
    Trouble.FAILS_AFTER,
]
NOT_POSTED = [Trouble.HANGS_BEFORE, Trouble.HANGS_UP_BEFORE, Trouble.FAILS_BEFORE]


@pytest.mark.parametrize("trouble", POSTED)
def test_a_message_that_was_posted_is_found_by_its_key(house: House, trouble: Trouble) -> None:
    agent = house.agent()
    response = house.doubt(agent, trouble)
    settled = house.ask(agent, response, after=60)
    assert settled["status"] == "succeeded"
    [post] = house.slack.channels[RENEWALS]
    assert settled["result"] == {"channel": RENEWALS, "ts": post.ts}
    resolved, succeeded = (entry["data"] for entry in agent.history(response["action_id"])[-2:])
    assert (resolved["by"], resolved["evidence"]) == ("probe", {"channel": RENEWALS, "ts": post.ts})
    assert succeeded["reference"] == f"{RENEWALS}/{post.ts}"


@pytest.mark.parametrize("trouble", NOT_POSTED)
def test_a_message_that_was_not_posted_is_sent_once_that_is_certain(house: House, trouble: Trouble) -> None:
    agent = house.agent()
    response = house.doubt(agent, trouble)
    house.slack.somebody_says("Lunch?")
    assert house.ask(agent, response, after=60)["status"] == "in_doubt"
    assert house.ask(agent, response, after=300)["status"] == "in_doubt"
    assert house.slack.texts() == ["Lunch?"]
    assert house.ask(agent, response, after=1800)["status"] == "retrying"
    assert house.ask(agent, response, after=60)["status"] == "succeeded"
    assert house.slack.texts() == ["Lunch?", "ACME-1 renews."]


@pytest.mark.parametrize("trouble", [Trouble.HANGS_AFTER, Trouble.HANGS_BEFORE])
def test_an_answer_in_a_thread_is_looked_for_in_the_thread(house: House, trouble: Trouble) -> None:
    parent = house.slack.somebody_says("Which accounts renew?")
    agent = house.agent()
    response = house.doubt(agent, trouble, thread_ts=parent)
    house.slack.somebody_says("The usual ones.", thread=parent)
    settled = house.ask(agent, response, after=2000)
    assert settled["status"] == ("succeeded" if trouble.acts else "retrying")
    assert not house.slack.calls("conversations.history")


def test_the_message_is_found_behind_many_others(house: House) -> None:
    house.slack.largest_page = 15
    agent = house.agent()
    response = house.doubt(agent, Trouble.UNREADABLE_AFTER)
    for number in range(40):
        house.slack.somebody_says(f"chatter {number}")
    assert house.ask(agent, response, after=60)["status"] == "succeeded"
    assert len(house.slack.calls("conversations.history")) == 3


def test_the_message_of_another_action_is_not_taken_for_this_one(house: House) -> None:
    agent = house.agent()
    response = house.doubt(agent, Trouble.HANGS_BEFORE)
    house.clock.pass_time(2)
    assert agent.process(message())["status"] == "succeeded"
    assert house.ask(agent, response, after=2000)["status"] == "retrying"


CANNOT_TELL = {
    "the app may not read": lambda slack: slack.scopes.discard("channels:history"),
    "the channel is gone": lambda slack: slack.channels.clear(),
    "the token is refused": lambda slack: setattr(slack, "token", "xoxb-another"),
    "Slack fails": lambda slack: slack.troubles.append(Trouble.FAILS_BEFORE),
    "Slack is busy": lambda slack: slack.troubles.append(Trouble.RATE_LIMITED),
    "the answer is cut off": lambda slack: slack.troubles.append(Trouble.CUT_OFF_AFTER),
    "the answer is no history": lambda slack: slack.troubles.append(Reply(200, b'{"ok":true}')),
    "messages are no messages": lambda slack: slack.troubles.append(Reply(200, b'{"ok":true,"messages":[1]}')),
    "older ones are not shown": lambda slack: slack.troubles.append(
        Reply(200, b'{"ok":true,"messages":[],"is_limited":true}')
    ),
    "there are more, and no way to them": lambda slack: slack.troubles.append(
        Reply(200, b'{"ok":true,"messages":[],"has_more":true}')
    ),
    "the next page cannot be read": lambda slack: slack.troubles.extend(
        [
            Reply(200, b'{"ok":true,"messages":[],"has_more":true,"response_metadata":{"next_cursor":"x"}}'),
            Trouble.RATE_LIMITED,
        ]
    ),
    "nobody says who we are": lambda slack: slack.troubles.extend([None, Reply(200, b'{"ok":true}')]),
    "who we are cannot be asked": lambda slack: slack.troubles.extend([None, Trouble.FAILS_BEFORE]),
    "the app has posted something without metadata": lambda slack: slack.somebody_says("?", bot_id="B0OURS"),
    "a message was deleted": lambda slack: slack.somebody_says("", subtype="tombstone"),
}


@pytest.mark.parametrize("obstacle", CANNOT_TELL)
def test_what_is_not_certain_stays_in_doubt(house: House, obstacle: str) -> None:
    agent = house.agent()
    response = house.doubt(agent, Trouble.FAILS_BEFORE)
    house.clock.pass_time(60)
    CANNOT_TELL[obstacle](house.slack)
    assert house.ask(agent, response, after=1800)["status"] == "in_doubt"
    assert words(agent, response)[-1] == "probed"


def test_metadata_that_slack_dropped_leaves_the_doubt(house: House) -> None:
    house.slack.keeps_metadata = False
    agent = house.agent()
    response = house.doubt(agent, Trouble.UNREADABLE_AFTER)
    assert house.ask(agent, response, after=2000)["status"] == "in_doubt"


def test_a_message_that_the_workspace_may_not_have_kept_stays_in_doubt(house: House) -> None:
    agent = house.agent()
    response = house.doubt(agent, Trouble.HANGS_UP_BEFORE)
    assert house.ask(agent, response, after=90_000)["status"] == "in_doubt"
    assert house.ask(agent, response, after=900_000)["status"] == "in_doubt"
    assert words(agent, response).count("probed") == 1


def test_a_probe_looks_where_the_attempt_has_posted_whatever_the_configuration_says_by_now(house: House) -> None:
    agent = house.agent()
    response = house.doubt(agent, Trouble.HANGS_UP_AFTER)
    house.slack.channels["C0OTHER"] = []
    house.agent(channels={"renewals": "C0OTHER"})
    world = fake_world(clock=house.clock, connections=house.connections)
    key, facts = f"{response['action_id']}-r0", attempted(agent, response)["facts"]
    inquiry = Inquiry(response["action_id"], key, house.clock.now(), number=1, facts=facts, timeout=5.0)
    parameters = SendSlackParameters(channel="renewals", text="ACME-1 renews.")
    assert isinstance(SendSlack().probe(parameters, inquiry, world), Executed)
    assert isinstance(SendSlack().probe(parameters, replace(inquiry, facts={}), world), CannotTell)


# -- taking back ------------------------------------------------------------------------------------------------------


def test_a_message_is_taken_back(house: House) -> None:
    agent = house.agent()
    done = agent.process(message())
    undone = agent.undo(done["action_id"], **ADA)
    assert (undone["status"], undone["error"]) == ("compensated", None)
    assert house.slack.texts() == []
    compensation = agent.history(undone["result"]["compensation"])
    assert compensation[0]["data"]["request"]["parameters"] == {"connection": "workspace", **done["result"]}
    assert agent.undo(done["action_id"], **ADA)["duplicate"] is True
    assert len(house.slack.calls("chat.delete")) == 1


def test_a_message_that_a_probe_found_is_taken_back_as_well(house: House) -> None:
    agent = house.agent()
    response = house.doubt(agent, Trouble.FAILS_AFTER)
    house.ask(agent, response, after=60)
    assert agent.undo(response["action_id"], **ADA)["status"] == "compensated"
    assert house.slack.texts() == []


def test_a_message_that_is_gone_already_is_taken_back(house: House) -> None:
    agent = house.agent()
    done = agent.process(message())
    house.slack.delete(done["result"]["ts"])
    undone = agent.undo(done["action_id"], **ADA)
    assert undone["status"] == "compensated"
    assert agent.status(undone["result"]["compensation"])["result"]["already_gone"] is True


@pytest.mark.parametrize("trouble", [Trouble.HANGS_AFTER, Trouble.HANGS_BEFORE, Trouble.UNREADABLE_AFTER])
def test_a_deletion_of_which_nobody_knows_is_done_again(house: House, trouble: Trouble) -> None:
    agent = house.agent()
    done = agent.process(message())
    house.slack.troubles.append(trouble)
    assert agent.undo(done["action_id"], wait=0.6, **ADA)["status"] == "compensating"
    house.clock.pass_time(30)
    compensation = agent.history(done["action_id"])[-1]["data"]["compensation"]
    assert agent.advance(compensation)["status"] == "succeeded"
    assert agent.status(done["action_id"])["status"] == "compensated"
    assert house.slack.texts() == []


def test_what_may_not_be_deleted_is_shown_as_it_is(house: House) -> None:
    agent = house.agent()
    ts = house.slack.somebody_says("mine")
    response = agent.process({"action_type": "delete_slack", "parameters": {"channel": "renewals", "ts": ts}})
    assert (response["status"], response["error"]["code"]) == ("failed", "cant_delete_message")
    foreign = agent.process({"action_type": "delete_slack", "parameters": {"channel": "C0GENERAL", "ts": ts}})
    assert foreign["error"]["details"][0]["field"] == "parameters.channel"


# -- the token --------------------------------------------------------------------------------------------------------


def test_the_token_is_told_to_nobody(
    house: House, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    agent = house.agent(retries=0)
    echo = json.dumps({"ok": False, "error": TOKEN, "needed": TOKEN, "channel": TOKEN, "ts": TOKEN}).encode()
    responses = []
    for trouble in (None, *Trouble, Reply(200, echo), Reply(200, echo.replace(b"false", b"true")), Reply(401, echo)):
        house.slack.troubles.append(trouble)
        responses.append(agent.process(message(), wait=0.6))
        house.clock.pass_time(60)
    for response in responses:
        house.clock.pass_time(2000)
        agent.advance(response["action_id"])
    told = json.dumps([agent.history(response["action_id"]) for response in responses])
    chat = house.connections._adapters["workspace"]
    told += json.dumps(responses) + caplog.text + "".join(capsys.readouterr()) + repr((chat, chat._api, vars(chat)))
    assert "canary" not in told
