"""The playbooks that ship as examples: each is accepted, and each mail and message that it sends can be made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.templates import Templates
from adapters.webhooks import Webhooks
from adapters.workflow_files import WorkflowFiles
from agents.execution_agent.config import ACTIONS
from domain.request import read_request
from domain.validators.parameters import read_parameters
from domain.workflow_definition import Definition, OnFailure, Route, check_inputs, moment_of
from handlers.workflows.expressions import evaluate, holds
from handlers.workflows.reading import read_definition

PLAYBOOKS = Path(__file__).parents[4] / "examples" / "workflows"
ACTION_TYPES = {kind.action_type: kind.parameters for kind in ACTIONS}

INPUTS: Mapping[str, Mapping[str, Any]] = {
    "closed_lost_reengagement": {
        "opportunity": "006Hs0000000001AAA",
        "account_name": "Acme Inc.",
        "contact_name": "Ada",
        "contact_email": "ada@example.com",
        "owner_name": "Grace",
    },
    "renewal_at_risk": {
        "account": "001Hs0000000001AAA",
        "account_name": "Acme Inc.",
        "customer_email": "customer@example.com",
        "renewal_date": "2026-12-31",
        "risk": 0.7,
    },
    "two_reminders": {"customer_name": "Acme Inc.", "recipient": "customer@example.com"},
    "weekly_reminders": {"customer_name": "Acme Inc.", "recipient": "customer@example.com"},
    "onboarding": {
        "account_name": "Acme Inc.",
        "plan": "business",
        "start_date": "2026-04-01",
        "contact": {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com"},
    },
}
RESULTS: Mapping[str, Mapping[str, Any]] = {
    "draft": {"answer": {"opening": "There is something new."}},
    "approval": {"approved": True, "opening": None},
    "account": {"object": "Account", "id": "001Hs0000000002AAA", "created": True},
    "task": {"object": "Task", "id": "00THs0000000001AAA", "created": True},
}


def playbook(name: str) -> Definition:
    return read_definition((PLAYBOOKS / f"{name}.yaml").read_bytes(), ACTION_TYPES, WorkflowFiles(PLAYBOOKS))


def context_of(definition: Definition, **statuses: str) -> dict[str, Any]:
    """What a run knows when every step has succeeded, but for those named."""
    steps = {
        step.id: {
            "status": statuses.get(step.id, "succeeded"),
            "result": RESULTS.get(step.id, {}),
            "error": None,
            "action_id": None,
            "callback_token": "token",
        }
        for step in definition.steps
    }
    inputs = check_inputs(definition, INPUTS[definition.name])
    return {"inputs": inputs, "steps": steps, "run": {"id": "run_1", "started_at": "2026-03-01T12:00:00Z"}}


def test_each_playbook_is_looked_at() -> None:
    assert {path.stem for path in PLAYBOOKS.glob("*.yaml")} == {*INPUTS}


def test_the_webhooks_that_they_call_are_in_their_file() -> None:
    there = Webhooks.from_file(str(PLAYBOOKS.parent / "webhooks-playbooks.json"), {}, required=True)
    called = {
        step.parameters["webhook"] for name in INPUTS for step in playbook(name).steps if step.uses == "call_webhook"
    }
    assert {there.target(name).name for name in called} == {"approvals"}


@pytest.mark.parametrize(("alert", "shown"), [("succeeded", False), ("failed", True)])
def test_a_card_is_shown_where_the_alert_could_not_be_posted(alert: str, shown: bool) -> None:
    definition = playbook("renewal_at_risk")
    conditions = {step.id: step.condition for step in definition.steps if step.condition}
    assert holds(conditions["card"], context_of(definition, alert=alert)) is shown
    # Whoever has no Teams loses the card, and not the alert.
    assert [step.fallback for step in definition.steps if step.id == "alert"] == [()]


@pytest.mark.parametrize("name", [*INPUTS])
def test_a_playbook_is_accepted_under_its_own_name(name: str) -> None:
    definition = playbook(name)
    assert definition.name == name
    assert definition.document["description"]


@pytest.mark.parametrize("name", [*INPUTS])
def test_every_action_of_a_playbook_is_a_request_that_would_be_accepted(name: str) -> None:
    definition = playbook(name)
    context = context_of(definition)
    for step in definition.steps:
        routes = (*([Route(step.uses, step.parameters)] if step.uses else []), *step.fallback)
        for route in routes:
            parameters = evaluate(route.parameters, context)
            read_request({"action_type": route.uses, "parameters": parameters, "options": dict(step.options)})
            read_parameters(ACTION_TYPES[route.uses], parameters)
            if route.uses == "send_email":
                mail = Templates(PLAYBOOKS / "templates").render(parameters["template"], parameters["variables"])
                assert mail.subject
                assert "{{" not in mail.text


@pytest.mark.parametrize("name", [*INPUTS])
def test_every_condition_of_a_playbook_is_true_or_false_and_every_wait_has_an_end(name: str) -> None:
    definition = playbook(name)
    context = context_of(definition)
    for step in definition.steps:
        if step.condition is not None:
            holds(step.condition, context)
        if step.wait_until is not None:
            moment_of(evaluate(step.wait_until, context))


def test_every_template_of_the_playbooks_is_used() -> None:
    there = {path.name for path in (PLAYBOOKS / "templates").iterdir()}
    used = {
        route.parameters.get("template")
        for name in INPUTS
        for step in playbook(name).steps
        for route in (Route(step.uses or "", step.parameters), *step.fallback)
    }
    assert there == used - {None, "renewal_reminder"}


@pytest.mark.parametrize(
    ("statuses", "sent"),
    [
        ({}, {"first_mail": True, "second_mail": False, "third_mail": False, "tell_of_reply": True}),
        (
            {"pause_after_first": "timed_out"},
            {"first_mail": True, "second_mail": True, "third_mail": False, "tell_of_reply": True},
        ),
        (
            {"pause_after_first": "timed_out", "pause_after_second": "timed_out"},
            {"first_mail": True, "second_mail": True, "third_mail": True, "tell_of_reply": False},
        ),
    ],
    ids=["a reply to the first mail", "a reply to the second mail", "no reply"],
)
def test_a_reply_ends_the_mails_to_a_lost_deal(statuses: dict[str, str], sent: dict[str, bool]) -> None:
    definition = playbook("closed_lost_reengagement")
    context = context_of(definition, **statuses)
    conditions = {step.id: step.condition for step in definition.steps if step.condition}
    assert {name: holds(conditions[name], context) for name in sent} == sent


def test_nobody_is_written_to_without_approval() -> None:
    definition = playbook("closed_lost_reengagement")
    by_id = {step.id: step for step in definition.steps}
    context = context_of(definition)
    context["steps"]["approval"]["result"] = {"approved": False}
    assert by_id["first_mail"].condition is not None
    assert holds(by_id["first_mail"].condition, context) is False


@pytest.mark.parametrize(("answer", "escalated"), [("succeeded", False), ("timed_out", True), ("skipped", True)])
def test_silence_about_a_renewal_is_escalated(answer: str, escalated: bool) -> None:
    definition = playbook("renewal_at_risk")
    conditions = {step.id: step.condition for step in definition.steps if step.condition}
    for name in ("raise_priority", "escalate"):
        assert holds(conditions[name], context_of(definition, answer=answer)) is escalated


def test_an_onboarding_that_fails_is_taken_back_but_for_a_message_that_is_lost() -> None:
    definition = playbook("onboarding")
    assert {step.id: step.on_failure for step in definition.steps if step.on_failure is not OnFailure.ROLLBACK} == {
        "notify": OnFailure.CONTINUE
    }
    assert [step.id for step in definition.steps] == [
        "account",
        "contact",
        "provision",
        "first_day",
        "welcome",
        "notify",
    ]
