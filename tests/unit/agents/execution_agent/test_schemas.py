"""The exported documents: what each framework takes, and that a call made by one is carried out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV30SpecValidator
from pydantic import create_model

from agents.execution_agent.config import ACTIONS
from agents.execution_agent.doors.bedrock_values import read_values
from agents.execution_agent.handler import answer
from agents.execution_agent.model_schemas import DoesNotFit, types_of
from agents.execution_agent.schemas import Format, chosen, document_of
from domain.base_action import BaseAction, Parameters
from domain.errors import Refused
from domain.outcome import Permanent, Succeeded
from domain.ports import WebhookTarget, World
from handlers.actions.call_webhook import CallWebhook
from handlers.actions.send_email import SendEmail
from tests.fakes import FakeEmailSender, FakeWebhooks, Greet, fake_world
from tests.house import agent_with, greet
from tests.lambda_calls import Context, failing_ledger
from tests.unit.agents.execution_agent.doors.test_agentcore import gateway
from tests.unit.agents.execution_agent.doors.test_bedrock_api import call as api_call
from tests.unit.agents.execution_agent.doors.test_bedrock_api import told as api_told
from tests.unit.agents.execution_agent.doors.test_bedrock_function import call as function_call
from tests.unit.agents.execution_agent.doors.test_bedrock_function import told as function_told

SOME = [SendEmail(), CallWebhook()]
ALL = [kind() for kind in ACTIONS]


def with_parameters(action_type_: str, **fields: Any) -> BaseAction[Any]:
    """An action type of this name with these parameters."""
    model = create_model("Some", __base__=Parameters, **fields)
    return type("Some", (Greet,), {"action_type": action_type_, "parameters": model})()


def many(count: int) -> list[BaseAction[Any]]:
    return [with_parameters(f"kind_{number}", name=(str, ...)) for number in range(count)]


# -- what each framework takes --------------------------------------------------------------------------------------


def aws_says(service: str, shape: str, document: Any) -> str:
    """What the SDK finds wrong with it; "" for nothing."""
    model = get_session().get_service_model(service).shape_for(shape)
    report: str = ParamValidator().validate(document, model).generate_report()
    return report


def test_function_details_are_what_bedrock_takes() -> None:
    document = document_of(Format.BEDROCK_FUNCTION, SOME)
    assert aws_says("bedrock-agent", "FunctionSchema", document) == ""
    types = {p["type"] for f in document["functions"] for p in f["parameters"].values()}
    assert types <= {"string", "number", "integer", "boolean", "array"}


def test_tool_definitions_are_what_a_gateway_takes() -> None:
    document = document_of(Format.AGENTCORE, SOME)
    assert aws_says("bedrock-agentcore-control", "ToolDefinitions", document) == ""
    assert [set(tool) for tool in document] == [{"name", "description", "inputSchema", "outputSchema"}] * len(SOME)
    assert [set(tool["inputSchema"]) for tool in document] == [{"type", "properties", "required"}] * len(SOME)


def test_the_api_schema_is_openapi_without_what_bedrock_does_not_read() -> None:
    document = document_of(Format.OPENAPI, SOME)
    OpenAPIV30SpecValidator(document).validate()
    assert document["openapi"] == "3.0.0"
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert all(operation["description"] and operation["operationId"] for operation in operations)
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    words = json.dumps(document)
    assert not [word for word in ("enum", "anyOf", "oneOf", "allOf", "$ref") if f'"{word}"' in words]


def test_tools_of_mcp_are_json_schema() -> None:
    (name, tools), *others = document_of(Format.MCP, SOME).items()
    assert (name, others) == ("tools", [])
    for tool in tools:
        assert set(tool) == {"name", "description", "inputSchema", "outputSchema"}
        Draft202012Validator.check_schema(tool["inputSchema"])
        Draft202012Validator.check_schema(tool["outputSchema"])


@pytest.mark.parametrize("wanted", Format)
def test_every_document_is_json_and_describes_every_parameter(wanted: Format) -> None:
    document = document_of(wanted, SOME)
    assert json.loads(json.dumps(document)) == document
    for kind in SOME:
        for field in kind.parameters.model_fields.values():
            assert field.description
            assert field.description in json.dumps(document, ensure_ascii=False)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.action_type)
def test_every_action_type_is_a_tool_whose_parameters_say_what_they_are(kind: BaseAction[Any]) -> None:
    assert [name for name, field in kind.parameters.model_fields.items() if not field.description] == []
    assert aws_says("bedrock-agentcore-control", "ToolDefinitions", document_of(Format.AGENTCORE, [kind])) == ""
    OpenAPIV30SpecValidator(document_of(Format.OPENAPI, [kind])).validate()
    assert document_of(Format.MCP, [kind])


def test_what_is_not_wanted_is_left_out() -> None:
    assert chosen(SOME, None) == SOME
    assert [kind.action_type for kind in chosen(SOME, ["call_webhook", "call_webhook"])] == ["call_webhook"]
    with pytest.raises(Refused, match="there are: call_webhook, send_email"):
        chosen(SOME, ["send_email", "fly"])


# -- what does not fit ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wanted", "most"), [(Format.BEDROCK_FUNCTION, 11), (Format.OPENAPI, 9)])
def test_an_action_group_holds_eleven_operations(wanted: Format, most: int) -> None:
    assert document_of(wanted, many(most))
    with pytest.raises(DoesNotFit, match=f"{wanted}: an action group holds at most 11 .*{most + 1} action types"):
        document_of(wanted, many(most + 1))


UNFIT: list[tuple[BaseAction[Any], str, set[Format]]] = [
    (
        with_parameters("large", **{f"p{number}": (str, "") for number in range(6)}),
        "at most 5 parameters, large has 6",
        {Format.BEDROCK_FUNCTION},
    ),
    (with_parameters("odd__name"), "'odd__name'", {Format.BEDROCK_FUNCTION}),
    (with_parameters("odd", odd__name=(str, "")), "'odd__name'", {Format.BEDROCK_FUNCTION}),
    (
        with_parameters("vague", amount=(int | str, 0)),
        "vague: the parameter amount may be of several types",
        {Format.BEDROCK_FUNCTION, Format.OPENAPI, Format.AGENTCORE},
    ),
]


@pytest.mark.parametrize(("kind", "words", "formats"), UNFIT)
def test_what_does_not_fit_is_told_in_a_line(kind: BaseAction[Any], words: str, formats: set[Format]) -> None:
    for wanted in Format:
        if wanted not in formats:
            assert document_of(wanted, [kind])
            continue
        with pytest.raises(DoesNotFit) as told:
            document_of(wanted, [kind])
        assert str(told.value).startswith(f"{wanted}: ")
        assert words in str(told.value)
        assert "\n" not in str(told.value)


# -- there and back -------------------------------------------------------------------------------------------------


def world() -> World:
    target = WebhookTarget("crm-sync", "POST", deduplicates=True, timeout=5.0)
    return fake_world(email=FakeEmailSender(), webhooks=FakeWebhooks([target]))


def example_of(kind: BaseAction[Any], named: Any) -> dict[str, Any]:
    """The examples of those parameters that a document names and the model has one for."""
    fields = kind.parameters.model_fields
    return {name: fields[name].examples[0] for name in named if fields[name].examples}


def as_values(kind: BaseAction[Any], schemas: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What Bedrock makes of the examples: text, with the type that the document declares."""
    return [
        (name, schemas[name]["type"], value if isinstance(value, str) else json.dumps(value))
        for name, value in example_of(kind, schemas).items()
    ]


@pytest.mark.parametrize("kind", SOME, ids=lambda kind: kind.action_type)
def test_a_call_that_is_made_by_a_document_is_carried_out(kind: BaseAction[Any]) -> None:
    agent = agent_with(world=world(), actions=[SendEmail, CallWebhook])
    name = kind.action_type

    functions = document_of(Format.BEDROCK_FUNCTION, [kind])["functions"][0]
    reply = answer(agent, function_call(functions["name"], *as_values(kind, functions["parameters"])), Context())
    assert function_told(reply)["status"] == "succeeded"

    (path, operation), *_ = document_of(Format.OPENAPI, [kind])["paths"].items()
    schema = operation["post"]["requestBody"]["content"]["application/json"]["schema"]
    reply = answer(agent, api_call("POST", path, *as_values(kind, schema["properties"])), Context())
    assert api_told(reply)["status"] == "succeeded"

    (tool,) = document_of(Format.AGENTCORE, [kind])
    arguments = example_of(kind, tool["inputSchema"]["properties"])
    Draft202012Validator(tool["inputSchema"]).validate(arguments)
    assert answer(agent, arguments, gateway(f"revops___{tool['name']}"))["status"] == "succeeded"

    (tool,) = document_of(Format.MCP, [kind])["tools"]
    arguments = example_of(kind, tool["inputSchema"]["properties"])
    Draft202012Validator(tool["inputSchema"]).validate(arguments)
    assert answer(agent, {"action_type": name, "parameters": arguments}, Context())["status"] == "succeeded"


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.action_type)
def test_the_examples_of_a_model_are_sound_and_survive_bedrock(kind: BaseAction[Any]) -> None:
    (operation, *_) = document_of(Format.OPENAPI, [kind])["paths"].values()
    schemas = operation["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    values = [{"name": name, "type": declared, "value": text} for name, declared, text in as_values(kind, schemas)]
    assert read_values(values, types_of(kind.parameters)) == example_of(kind, schemas)


def test_what_is_looked_up_by_the_document_is_found() -> None:
    agent = agent_with()
    action_id = agent.process(greet())["action_id"]
    paths = document_of(Format.OPENAPI, [])["paths"]
    assert len(paths) == 2
    for path, operation in paths.items():
        (parameter,) = operation["get"]["parameters"]
        given = [{"name": parameter["name"], "type": parameter["schema"]["type"], "value": action_id}]
        reply = answer(agent, api_call("GET", path, parameters=given), Context())
        assert reply["response"]["httpStatusCode"] == 200


def test_whatever_is_answered_is_as_the_documents_say() -> None:
    (tool,) = document_of(Format.AGENTCORE, SOME[:1])
    (whole,) = document_of(Format.MCP, SOME[:1])["tools"]
    agent = agent_with(world=fake_world(extras={"provider": iter_provider()}))
    answers = [answer(agent, {"name": "Ada"}, gateway("revops___greet")) for _ in range(2)]
    answers.append(answer(agent, {}, gateway("revops___greet")))
    assert {response["status"] for response in answers} == {"succeeded", "failed", "rejected"}
    for response in answers:
        Draft202012Validator(tool["outputSchema"]).validate(response)
        Draft202012Validator(whole["outputSchema"]).validate(response)
    with failing_ledger(agent):
        broken = answer(agent, {"name": "Ada"}, gateway("revops___greet"))
    Draft202012Validator(tool["outputSchema"]).validate(broken)


def iter_provider() -> Any:
    answers = iter([Succeeded({"greeting": "Hello"}), Permanent("gone", "never")])
    return lambda attempt: next(answers)
