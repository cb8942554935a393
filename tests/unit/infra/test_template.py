"""The template: what it keeps, what it runs, what it watches."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import pytest
import yaml

from adapters import dynamodb_events, dynamodb_gates, dynamodb_views
from agents.execution_agent.config import DEFAULTS, PushTarget, Settings
from agents.execution_agent.metrics import tell_of_sweep
from handlers.sweep import SweepReport
from tests.cloudformation import CODE, ROOT, TEMPLATE, Template, attribute, resources, translated

FUNCTIONS = {
    "Invoke": ("${Name}", "invoke"),
    "Stream": ("${Name}-stream", "on_stream"),
    "Sweep": ("${Name}-sweep", "sweep"),
    "Replay": ("${Name}-replay", "replay"),
    "Checkpoint": ("${Name}-checkpoint", "checkpoint"),
    "RequestsFromQueue": ("${Name}-requests", "invoke"),
}
"""Each function's name, and its handler."""

MADE_BY_THE_TEMPLATE = {
    "EXECUTION_AGENT_LEDGER": "dynamodb://${LedgerTable}",
    "EXECUTION_AGENT_DOORBELLS": "${Doorbells}",
    "EXECUTION_AGENT_QUARANTINE": "${Quarantine}",
    "EXECUTION_AGENT_PUSH": "eventbridge:${EventBus},webhook:${PushWebhook}",
}
"""Settings that the template puts together, mostly of what it makes itself."""


# -- what is kept ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "called", "definition"),
    [
        ("LedgerTable", "${Ledger}", dynamodb_events.TABLE),
        ("GatesTable", dynamodb_gates.gates_table("${Ledger}"), dynamodb_gates.TABLE),
        ("ViewsTable", dynamodb_views.views_table("${Ledger}"), dynamodb_views.TABLE),
    ],
)
def test_a_table_is_the_one_that_its_adapter_reads(name: str, called: str, definition: Mapping[str, Any]) -> None:
    table = resources(translated(), "AWS::DynamoDB::Table")[name]
    assert table["TableName"] == called
    # CloudFormation has a stream where it is told what the stream shows.
    stream = {"StreamSpecification": {"StreamEnabled": True, **table.get("StreamSpecification", {})}}
    described = {member: (table | stream).get(member) for member in definition}
    assert in_any_order(described) == in_any_order(definition)
    assert ("StreamSpecification" in table) == ("StreamSpecification" in definition)


def in_any_order(definition: Mapping[str, Any]) -> dict[str, Any]:
    attributes = sorted(definition["AttributeDefinitions"], key=lambda it: it["AttributeName"])
    return {**definition, "AttributeDefinitions": attributes}


def test_nobody_removes_the_ledger_by_mistake() -> None:
    ledger = translated()["Resources"]["LedgerTable"]
    assert ledger["DeletionPolicy"] == ledger["UpdateReplacePolicy"] == "Retain"
    assert ledger["Properties"]["DeletionProtectionEnabled"] is True
    assert ledger["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_every_queue_is_encrypted() -> None:
    for queue in resources(translated(), "AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True


# -- what runs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_its_name_and_its_handler_is_there(name: str) -> None:
    function = resources(translated(), "AWS::Lambda::Function")[name]
    called, handler = FUNCTIONS[name]
    assert (function["FunctionName"], function["Handler"]) == (called, f"agents.execution_agent.handler.{handler}")
    module, _, attribute = function["Handler"].rpartition(".")
    assert callable(getattr(import_module(module), attribute))


def test_these_are_all_functions_and_the_decision_agent_knows_the_first_by_name() -> None:
    template = translated()
    assert resources(template, "AWS::Lambda::Function").keys() == FUNCTIONS.keys()
    assert template["Parameters"]["Name"]["Default"] == "revops-ai-v2-execution-agent"


@pytest.mark.parametrize("setting", sorted(DEFAULTS))
def test_every_setting_reaches_every_function(setting: str) -> None:
    template = translated()
    said = {function["Environment"]["Variables"][setting] for function in functions(template)}
    assert len(said) == 1
    (value,) = said
    if setting in MADE_BY_THE_TEMPLATE:
        assert value == MADE_BY_THE_TEMPLATE[setting]
    else:
        parameter = template["Parameters"][value.removeprefix("${").removesuffix("}")]
        assert f"({setting})" in parameter["Description"]


def test_nothing_else_is_set() -> None:
    assert {frozenset(function["Environment"]["Variables"]) for function in functions(translated())} == {
        frozenset(DEFAULTS)
    }


def test_the_template_leaves_a_setting_as_it_is_unless_it_must_not() -> None:
    template, changed = translated(), {}
    for setting, value in environment(template).items():
        default = template["Parameters"].get(value[2:-1], {}).get("Default")
        if setting not in MADE_BY_THE_TEMPLATE and str(default) not in ("", DEFAULTS[setting]):
            changed[setting] = default
    # A function has no outbox that anybody could look into, and mail needs a sender.
    assert changed == {"EXECUTION_AGENT_EMAIL": "ses:", "EXECUTION_AGENT_EMAIL_SENDER": None}


def test_the_agent_takes_the_settings_of_the_template() -> None:
    template = translated()
    chosen = {name: str(said.get("Default", "ops@example.com")) for name, said in template["Parameters"].items()}
    placed = chosen | {"LedgerTable": chosen["Ledger"], "PushWebhook": "ops"}
    placed |= {queue: f"https://sqs.eu-central-1.amazonaws.com/1/{queue}" for queue in ("Doorbells", "Quarantine")}
    environ = {name: filled(str(value), placed) for name, value in environment(template).items()}
    settings = Settings.from_environment(environ)
    assert settings.ledger == {"PERSISTENCE_MODULE": "adapters.dynamodb_events", "DYNAMODB_TABLE": "execution-agent"}
    assert settings.push == (PushTarget("eventbridge", "default"), PushTarget("webhook", "ops"))
    assert not settings.webhook_config_required


def test_a_request_that_nobody_waits_for_is_never_invoked_again_and_never_lost() -> None:
    invoking = resources(translated(), "AWS::Lambda::EventInvokeConfig")["InvokeEventInvokeConfig"]
    assert invoking["MaximumRetryAttempts"] == 0
    assert invoking["DestinationConfig"] == {"OnFailure": {"Destination": attribute("FailedRequests")}}


def test_the_door_on_the_web_asks_who_is_there() -> None:
    template = translated()
    assert [url["AuthType"] for url in resources(template, "AWS::Lambda::Url").values()] == ["AWS_IAM"]
    callers = {name: it["Principal"] for name, it in resources(template, "AWS::Lambda::Permission").items()}
    assert callers == dict.fromkeys(
        ("SweepEveryMinutePermission", "CheckpointEveryHourPermission"), "events.amazonaws.com"
    )


def test_the_stream_loses_nothing_and_is_not_held_up() -> None:
    commits = resources(translated(), "AWS::Lambda::EventSourceMapping")["StreamCommits"]
    assert commits["EventSourceArn"] == attribute("LedgerTable", "StreamArn")
    patterns = [json.loads(it["Pattern"]) for it in commits["FilterCriteria"]["Filters"]]
    assert patterns == [{"eventName": ["INSERT", "MODIFY", "REMOVE"]}], "whoever tampers with an item is noticed"
    assert commits["StartingPosition"] == "TRIM_HORIZON"
    assert commits["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert commits["BisectBatchOnFunctionError"] is True
    assert commits["DestinationConfig"] == {"OnFailure": {"Destination": attribute("DeadRecords")}}
    assert 0 < commits["MaximumRetryAttempts"] <= 100
    assert 1 < commits["ParallelizationFactor"] <= 10
    # A stream keeps its records for a day.
    assert 0 < commits["MaximumRecordAgeInSeconds"] < 86_400


@pytest.mark.parametrize("mapping", ["StreamLaterDoorbells", "RequestsFromQueueRequests"])
def test_a_queue_is_answered_message_by_message_and_what_fails_is_kept(mapping: str) -> None:
    template = translated()
    reading = resources(template, "AWS::Lambda::EventSourceMapping")[mapping]
    queue = template["Resources"][named_in(reading["EventSourceArn"])]["Properties"]
    function = template["Resources"][named_in(reading["FunctionName"])]["Properties"]
    assert reading["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert reading["ScalingConfig"]["MaximumConcurrency"] >= 2
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    kept = template["Resources"][named_in(queue["RedrivePolicy"]["deadLetterTargetArn"])]["Properties"]
    assert kept["MessageRetentionPeriod"] == 14 * 86_400


@pytest.mark.parametrize(("function", "often"), [("Sweep", "rate(1 minute)"), ("Checkpoint", "rate(1 hour)")])
def test_what_nobody_rings_for_comes_by_itself(function: str, often: str) -> None:
    rules = resources(translated(), "AWS::Events::Rule").values()
    (rule,) = (rule for rule in rules if [target["Arn"] for target in rule["Targets"]] == [attribute(function)])
    assert rule["ScheduleExpression"] == often
    assert rule.get("State", "ENABLED") == "ENABLED"
    assert len(rules) == 2


def test_logs_of_a_function_go_to_a_group_of_its_own_and_end_some_day() -> None:
    template = translated()
    groups = resources(template, "AWS::Logs::LogGroup")
    written = [named_in(function["LoggingConfig"]["LogGroup"]) for function in functions(template)]
    assert sorted(written) == sorted(groups)
    for function, group in zip(functions(template), written, strict=True):
        assert groups[group]["LogGroupName"] == f"/aws/lambda/{function['FunctionName']}"
        assert groups[group]["RetentionInDays"] == "${LogRetentionDays}"


# -- what is watched ---------------------------------------------------------------------------------------------------


def test_every_queue_for_what_failed_has_an_alarm() -> None:
    assert set(queues_for_what_failed(translated())) == set(watched_queues(translated()))


def test_a_queue_that_nobody_watches_would_be_noticed() -> None:
    template = translated()
    del template["Resources"]["RecordsDied"]
    assert set(queues_for_what_failed(template)) - set(watched_queues(template)) == {"DeadRecords"}


def test_every_function_has_alarms() -> None:
    template = translated()
    watched = {(of_function(it), it["MetricName"]) for it in alarms(template) if it.get("Namespace") == "AWS/Lambda"}
    assert watched == {
        ("Stream", "IteratorAge"),
        *((function, metric) for function in FUNCTIONS for metric in ("Errors", "Throttles")),
    }


def test_what_people_must_see_to_has_an_alarm_on_what_the_sweep_tells(capsys: pytest.CaptureFixture[str]) -> None:
    # Given what a sweep tells
    tell_of_sweep(SweepReport(due=0, left=0, quarantined=0, lag_s=0.0, oldest_in_doubt_s=0.0))
    (told,) = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"]
    # Then alarms listen to it, under the same names and without dimensions
    ours = {it["MetricName"]: it for it in alarms(translated()) if it["Namespace"] == told["Namespace"]}
    assert ours.keys() <= {metric["Name"] for metric in told["Metrics"]}
    assert told["Dimensions"] == [[]]
    assert not [name for name, alarm in ours.items() if "Dimensions" in alarm]
    assert ours.keys() == {"OldestInDoubtSeconds", "SweepLagSeconds"}
    # A sweep that is not there says nothing.
    assert ours["SweepLagSeconds"]["TreatMissingData"] == "breaching"


def test_every_alarm_says_what_it_is_about_and_reaches_the_topic() -> None:
    for alarm in alarms(translated()):
        assert alarm["AlarmDescription"]
        assert alarm["AlarmActions"] == ["${AlarmTopic}"]
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"


def test_the_dashboard_can_be_read_and_shows_what_there_is() -> None:
    template = translated()
    (dashboard,) = resources(template, "AWS::CloudWatch::Dashboard").values()
    assert json.loads(dashboard["DashboardBody"])["widgets"]
    named = set(re.findall(r"\$\{(\w+)", dashboard["DashboardBody"]))
    assert named - {"AWS"} <= template["Resources"].keys()


# -- how it is written -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "some"),
    [
        ("HasRequestsQueue", {"Requests", "DeadRequests", "RequestsFromQueue", "RequestsRole", "RequestsLogs"}),
        (
            "HasCheckpoints",
            {"Checkpoint", "CheckpointRole", "CheckpointLogs", "CheckpointEveryHour", "CheckpointRaises"},
        ),
    ],
)
def test_what_comes_and_goes_by_a_condition_is_named_by_nothing_else(condition: str, some: set[str]) -> None:
    template = translated()
    conditional = {name for name, it in template["Resources"].items() if it.get("Condition") == condition}
    assert conditional >= some
    others = {name: it for name, it in template["Resources"].items() if name not in conditional}
    assert {name for name in conditional if re.search(rf"\$\{{{name}\b", json.dumps(others))} == set()


def test_cloudformation_can_read_it() -> None:
    events = yaml.parse(TEMPLATE.read_text("utf-8"))
    # It refuses aliases, though the SAM CLI resolves them.
    assert not [event for event in events if isinstance(event, yaml.AliasEvent)]


def test_the_package_that_it_names_is_the_one_that_is_made_for_its_python() -> None:
    from infra import package

    template = translated()
    assert (TEMPLATE.parent / CODE).resolve() == package.PACKAGE
    assert {function["Runtime"] for function in functions(template)} == {f"python{package.RUNTIME}"}
    assert template["Parameters"]["Architecture"]["AllowedValues"] == list(package.PLATFORMS)
    assert f"Python :: {package.RUNTIME}" in (ROOT / "pyproject.toml").read_text("utf-8")


def functions(template: Template) -> list[dict[str, Any]]:
    return list(resources(template, "AWS::Lambda::Function").values())


def environment(template: Template) -> Mapping[str, str]:
    variables: Mapping[str, str] = functions(template)[0]["Environment"]["Variables"]
    return variables


def alarms(template: Template) -> list[dict[str, Any]]:
    return list(resources(template, "AWS::CloudWatch::Alarm").values())


def named_in(value: str) -> str:
    """The logical name in `${Name}` or `${Name.Attribute}`."""
    found = re.fullmatch(r"\$\{(\w+)(\.\w+)?}", value)
    assert found, value
    return found[1]


def of_function(alarm: Mapping[str, Any]) -> str:
    (dimension,) = alarm["Dimensions"]
    return named_in(dimension["Value"])


def filled(text: str, placed: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)}", lambda found: placed[found[1]], text)


def queues_for_what_failed(template: Template) -> Iterator[str]:
    yield "Quarantine"
    for queue in resources(template, "AWS::SQS::Queue").values():
        if "RedrivePolicy" in queue:
            yield named_in(queue["RedrivePolicy"]["deadLetterTargetArn"])
    for kind in ("AWS::Lambda::EventInvokeConfig", "AWS::Lambda::EventSourceMapping"):
        for sending in resources(template, kind).values():
            if sending.get("DestinationConfig"):
                yield named_in(sending["DestinationConfig"]["OnFailure"]["Destination"])


def watched_queues(template: Template) -> Iterator[str]:
    for alarm in alarms(template):
        if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible":
            assert (alarm["Threshold"], alarm["Statistic"]) == (0, "Maximum")
            (dimension,) = alarm["Dimensions"]
            assert dimension["Value"].endswith(".QueueName}")
            yield named_in(dimension["Value"])
