"""What the file of connections may say of AWS: names of its own things, and nothing that leads elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.connections import ConfiguredConnections, read_connections
from adapters.secrets import Secrets
from domain.errors import ConfigurationError, Refused
from domain.functions import Function
from domain.messaging import EventBus, MessageChannel
from domain.workflows import StateMachine, Workflows

MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:Onboarding"
BUS = "arn:aws:events:eu-central-1:123456789012:event-bus/revops"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:renewals"
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/renewals"
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:score"

STEP_FUNCTIONS: dict[str, Any] = {"kind": "step_functions", "state_machines": {"onboarding": {"arn": MACHINE}}}
EVENT_BUS: dict[str, Any] = {"kind": "event_bus", "bus": BUS, "source": "revops.decisions"}
A_QUEUE: dict[str, Any] = {"kind": "queue", "url": QUEUE}
A_TOPIC: dict[str, Any] = {"kind": "topic", "arn": TOPIC}
A_FUNCTION: dict[str, Any] = {"kind": "function", "function": FUNCTION}


def connections(**entries: Any) -> ConfiguredConnections:
    return ConfiguredConnections(read_connections(json.dumps(entries).encode()), Secrets({}))


def machine(**more: Any) -> dict[str, Any]:
    return {**STEP_FUNCTIONS, "state_machines": {"onboarding": {"arn": MACHINE, **more}}}


def test_an_entry_is_found_by_what_it_can_do() -> None:
    configured = connections(
        flows=STEP_FUNCTIONS, bus=EVENT_BUS, orders=A_QUEUE, news={**A_TOPIC, "arn": f"{TOPIC}.fifo"}, score=A_FUNCTION
    )
    assert configured.of(Workflows).machine("onboarding") == StateMachine("flows", "onboarding", is_express=False)
    assert configured.of(EventBus).connection == "bus"
    assert not configured.of(MessageChannel, "orders").keeps_order
    assert configured.of(MessageChannel, "news").keeps_order
    function = configured.of(Function)
    assert (function.connection, function.is_durable, function.timeout) == ("score", False, 30.0)


@pytest.mark.parametrize("name", ["other", "", MACHINE, "Onboarding", "onboarding\n"])
def test_only_the_state_machines_of_the_configuration_are_there(name: str) -> None:
    with pytest.raises(Refused) as refused:
        connections(flows=STEP_FUNCTIONS).of(Workflows).machine(name)
    assert [(detail.field, detail.code) for detail in refused.value.details] == [
        ("parameters.state_machine", "invalid_parameters")
    ]


def test_an_express_state_machine_says_so() -> None:
    assert connections(flows=machine(type="express")).of(Workflows).machine("onboarding").is_express


@pytest.mark.parametrize(
    "entry",
    [
        machine(arn=f"{MACHINE}:live"),
        machine(arn=f"{MACHINE}:17"),
        machine(arn=MACHINE.replace("aws", "aws-cn", 1)),
        {**STEP_FUNCTIONS, "endpoint_url": "https://vpce-1.states.eu-central-1.vpce.amazonaws.com"},
        {**EVENT_BUS, "bus": BUS.replace("revops", "aws.partner/example.com/1")},
        {**A_QUEUE, "url": f"{QUEUE}.fifo"},
        {**A_QUEUE, "url": "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/renewals"},
        {**A_QUEUE, "url": "https://vpce-1.sqs.eu-central-1.vpce.amazonaws.com/123456789012/renewals"},
        {**A_QUEUE, "url": "http://127.0.0.1:4566/000000000000/renewals"},
        {**A_FUNCTION, "function": f"{FUNCTION}:$LATEST", "invocation": "event", "durable": True, "timeout_s": 900},
        {**A_FUNCTION, "endpoint_url": "http://127.0.0.1:4566"},
    ],
)
def test_what_there_is_on_aws_can_be_named(entry: dict[str, Any]) -> None:
    assert list(read_connections(json.dumps({"x": entry}).encode())) == ["x"]


CANARY = "c4n4ry"


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"kind": "step_functions"}, "state_machines"),
        ({**STEP_FUNCTIONS, "state_machines": {}}, "state_machines"),
        ({**STEP_FUNCTIONS, "state_machines": {"On": {"arn": MACHINE}}}, "state_machines"),
        (machine(arn=CANARY), "state_machines.onboarding.arn"),
        (machine(arn=f"{MACHINE}\n"), "state_machines.onboarding.arn"),
        (machine(arn=f"{MACHINE}/label"), "state_machines.onboarding.arn"),
        (machine(arn=f"{MACHINE}:a:b"), "state_machines.onboarding.arn"),
        (machine(arn=MACHINE.replace("stateMachine", "execution")), "state_machines.onboarding.arn"),
        (machine(arn=MACHINE.replace("states", "lambda")), "state_machines.onboarding.arn"),
        (machine(type=CANARY), "state_machines.onboarding.type"),
        (machine(role=CANARY), "state_machines.onboarding.role"),
        (
            {
                **STEP_FUNCTIONS,
                "state_machines": {"a": {"arn": MACHINE}, "b": {"arn": MACHINE.replace("central", "west")}},
            },
            "state_machines",
        ),
        ({**STEP_FUNCTIONS, "endpoint_url": f"http://{CANARY}.example.com"}, "endpoint_url"),
        ({**STEP_FUNCTIONS, "endpoint_url": "http://169.254.169.254:80"}, "endpoint_url"),
        ({**STEP_FUNCTIONS, "endpoint_url": f"https://user:{CANARY}@example.com"}, "endpoint_url"),
        ({**EVENT_BUS, "bus": "revops"}, "bus"),
        ({**EVENT_BUS, "source": "aws.ec2"}, "source"),
        ({**EVENT_BUS, "source": "revops.execution-agent"}, "source"),
        ({**EVENT_BUS, "source": ""}, "source"),
        ({"kind": "event_bus", "bus": BUS}, "source"),
        ({**A_QUEUE, "url": f"https://example.com/{CANARY}"}, "url"),
        ({**A_QUEUE, "url": "http://sqs.eu-central-1.amazonaws.com/123456789012/renewals"}, "url"),
        ({**A_QUEUE, "url": f"{QUEUE}?Action={CANARY}"}, "url"),
        ({**A_QUEUE, "url": f"{QUEUE}\n"}, "url"),
        ({**A_QUEUE, "url": QUEUE.replace("https://", f"https://{CANARY}@")}, "url"),
        ({**A_TOPIC, "arn": f"{TOPIC}:subscription"}, "arn"),
        ({**A_TOPIC, "arn": QUEUE}, "arn"),
        ({**A_FUNCTION, "function": "score"}, "function"),
        ({**A_FUNCTION, "function": f"{FUNCTION}:a:b"}, "function"),
        ({**A_FUNCTION, "invocation": "DryRun"}, "invocation"),
        ({**A_FUNCTION, "durable": "yes"}, "durable"),
        ({**A_FUNCTION, "timeout_s": 901}, "timeout_s"),
        ({**A_FUNCTION, "timeout_s": 0}, "timeout_s"),
        ({**A_FUNCTION, "secret": CANARY}, "secret"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_field_and_no_value(entry: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        read_connections(json.dumps({"x": entry}).encode())
    assert str(wrong.value).startswith(f"connection x: {field}")
    assert "\n" not in str(wrong.value)
    assert CANARY not in repr(wrong.value)
