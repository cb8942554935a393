"""Step Functions, EventBridge, SQS, SNS and Lambda over real sockets: what is sent, and what each answer proves."""

from __future__ import annotations

import gc
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.connections import event_bus, function, queue, step_functions, topic
from adapters.secrets import Secrets
from domain.functions import Function
from domain.messaging import Event, EventBus, Message, MessageChannel
from domain.outcome import (
    CannotTell,
    Executed,
    Finding,
    NotExecuted,
    Outcome,
    Permanent,
    Retry,
    Succeeded,
    Unknown,
)
from domain.workflows import TaskFailed, TaskSucceeded, Waiting, Workflows
from tests.scripted_aws import Answer, ScriptedAws, hangs_up, refuses, says, scripted_aws

pytestmark = pytest.mark.usefixtures("aws")

KEY = "act_01m87gb1k7e4sb6d1n6rvkge9g-r0"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:Onboarding"
EXECUTION = f"arn:aws:states:eu-central-1:123456789012:execution:Onboarding:{KEY}"
BUS = "arn:aws:events:eu-central-1:123456789012:event-bus/revops"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:renewals"
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:score:live"
TOKEN = "AAAAKgAAAAIAAAAAAAAAAc4n4ry" + "x" * 500


KINDS = {
    "step_functions": step_functions,
    "event_bus": event_bus,
    "queue": queue,
    "topic": topic,
    "function": function,
}


@dataclass
class Double:
    """One endpoint for all of them, and the adapters that were built for it: to build one takes long."""

    aws: ScriptedAws
    adapters: dict[str, Any] = field(default_factory=dict)

    def connected(self, *answers: Answer, **entry: Any) -> Any:
        """The adapter of this entry; the endpoint answers so, and has not been asked yet."""
        self.aws.begin(*answers)
        name = json.dumps(entry)
        if name not in self.adapters:
            module = KINDS[entry["kind"]]
            place = {} if module is queue else {"endpoint_url": self.aws.url}
            self.adapters[name] = module.connect("it", module.Model.model_validate({**entry, **place}), Secrets({}))
        return self.adapters[name]

    def workflows(self, *answers: Answer, **machine: Any) -> Workflows:
        machines = {"onboarding": {"arn": MACHINE, **machine}}
        flows: Workflows = self.connected(*answers, kind="step_functions", state_machines=machines)
        return flows

    def publish(self, *answers: Answer) -> Outcome:
        bus: EventBus = self.connected(*answers, kind="event_bus", bus=BUS, source="revops.decisions")
        return bus.publish(Event("Renewal At Risk", '{"account":"ACME-1"}', NOON), timeout=8)

    def send_to_queue(self, *answers: Answer, name: str = "renewals", group: str | None = None) -> Outcome:
        return _send(self.connected(*answers, kind="queue", url=f"{self.aws.url}/123456789012/{name}"), group)

    def send_to_topic(self, *answers: Answer, arn: str = TOPIC, group: str | None = None) -> Outcome:
        return _send(self.connected(*answers, kind="topic", arn=arn), group)

    def invoke(self, *answers: Answer, **more: Any) -> Outcome:
        called: Function = self.connected(*answers, kind="function", function=FUNCTION, **more)
        return called.invoke('{"account":"ACME-1"}', effect_key=KEY, timeout=8)


def _send(channel: MessageChannel, group: str | None) -> Outcome:
    return channel.send(Message('{"account":"ACME-1"}', {"kind": "renewal"}, group), effect_key=KEY, timeout=8)


@pytest.fixture(scope="module")
def double(aws: None) -> Iterator[Double]:
    with scripted_aws(hangs_up) as endpoint:
        found = Double(endpoint)
        yield found
        for adapter in found.adapters.values():
            adapter.close()


def nobody_knows(outcome: object) -> bool:
    return isinstance(outcome, Unknown)


# -- workflows ------------------------------------------------------------------------------------------------------


def start(flows: Workflows) -> Outcome:
    return flows.start(flows.machine("onboarding"), '{"account":"ACME-1"}', effect_key=KEY, timeout=8)


def find(flows: Workflows, age: timedelta = timedelta(hours=1)) -> Finding:
    return flows.find(flows.machine("onboarding"), '{"account":"ACME-1"}', effect_key=KEY, age=age, timeout=8)


def stop(flows: Workflows) -> Outcome:
    return flows.stop(flows.machine("onboarding"), KEY, cause="cancelled", effect_key="stop-key", timeout=8)


def signal(flows: Workflows) -> Outcome:
    return flows.signal(Waiting(TOKEN), TaskSucceeded("{}"), timeout=8)


STARTED = says(200, {"executionArn": EXECUTION, "startDate": 1772366400.5})
STOPPED = says(200, {"stopDate": 1772366460.0})
THERE_ALREADY = refuses(400, "ExecutionAlreadyExists")
NOT_THERE = refuses(400, "ExecutionDoesNotExist")


def stands(status: str, given: str | None = '{"account": "ACME-1"}') -> Answer:
    said = {"executionArn": EXECUTION, "status": status, "startDate": 1772366400.5}
    return says(200, said if given is None else {**said, "input": given})


DONE = Succeeded(
    {
        "state_machine": "onboarding",
        "execution": KEY,
        "execution_arn": EXECUTION,
        "started_at": "2026-03-01T12:00:00.500000Z",
    },
    reference=EXECUTION,
    undo={"connection": "it", "state_machine": "onboarding", "execution": KEY},
)


def test_an_execution_is_started_under_the_effect_key(double: Double) -> None:
    flows = double.workflows(STARTED)
    assert start(flows) == DONE
    (asked,) = double.aws.asked
    assert asked.operation == "StartExecution"
    assert asked.body == {"stateMachineArn": MACHINE, "name": KEY, "input": '{"account":"ACME-1"}'}


def test_of_an_express_execution_there_is_nothing_to_undo(double: Double) -> None:
    flows = double.workflows(STARTED, type="express")
    started = start(flows)
    assert isinstance(started, Succeeded)
    assert started.undo is None


def test_a_version_or_alias_is_started_and_is_no_part_of_the_execution(double: Double) -> None:
    flows = double.workflows(STARTED, stands("RUNNING"), arn=f"{MACHINE}:live")
    start(flows)
    find(flows)
    assert [double.aws.asked[0].body["stateMachineArn"], double.aws.asked[1].body["executionArn"]] == [
        f"{MACHINE}:live",
        EXECUTION,
    ]


def test_an_execution_of_this_name_with_our_input_is_the_one_of_an_earlier_attempt(double: Double) -> None:
    flows = double.workflows(THERE_ALREADY, stands("SUCCEEDED"))
    assert start(flows) == DONE
    assert double.aws.of("DescribeExecution")[0].body == {"executionArn": EXECUTION}


def test_an_execution_whose_input_is_not_told_is_known_by_its_name(double: Double) -> None:
    flows = double.workflows(THERE_ALREADY, stands("FAILED", given=None))
    assert start(flows) == DONE


@pytest.mark.parametrize("given", ['{"account": "ACME-2"}', "nonsense", "[]"])
def test_an_execution_of_this_name_with_another_input_is_somebody_elses(double: Double, given: str) -> None:
    flows = double.workflows(THERE_ALREADY, stands("RUNNING", given))
    outcome = start(flows)
    assert isinstance(outcome, Permanent)
    assert outcome.code == "execution_already_exists"


@pytest.mark.parametrize("look", [NOT_THERE, refuses(400, "AccessDeniedException"), hangs_up, says(200, {})])
def test_an_execution_of_this_name_that_cannot_be_read_leaves_doubt(double: Double, look: Answer) -> None:
    flows = double.workflows(THERE_ALREADY, look)
    assert nobody_knows(start(flows))


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (refuses(400, "ExecutionLimitExceeded"), Retry, "execution_limit_exceeded"),
        (refuses(400, "KmsThrottlingException"), Retry, "kms_throttling"),
        (refuses(400, "ThrottlingException"), Retry, "throttling"),
        (refuses(400, "StateMachineDoesNotExist"), Permanent, "state_machine_does_not_exist"),
        (refuses(400, "StateMachineDeleting"), Permanent, "state_machine_deleting"),
        (refuses(400, "InvalidExecutionInput"), Permanent, "invalid_execution_input"),
        (refuses(400, "AccessDeniedException"), Permanent, "access_denied"),
        (refuses(500, "InternalServerError"), Unknown, "internal_server"),
        (refuses(503, "ServiceUnavailable"), Unknown, "service_unavailable"),
        (says(200, {}), Unknown, "step_functions_unreadable_reply"),
        (says(200, {"executionArn": ""}), Unknown, "step_functions_unreadable_reply"),
        (says(200, b"<html>Please sign in</html>"), Unknown, "step_functions_unreadable_reply"),
        (hangs_up, Unknown, "connection_closed"),
    ],
)
def test_what_a_start_is_answered_is_classed(double: Double, answer: Answer, kind: type[Outcome], code: str) -> None:
    flows = double.workflows(answer)
    outcome = start(flows)
    assert isinstance(outcome, kind)
    assert getattr(outcome, "code", None) == code
    assert len(double.aws.asked) == 1


def test_an_execution_that_is_found_was_started(double: Double) -> None:
    flows = double.workflows(stands("TIMED_OUT"))
    assert find(flows) == Executed({"status": "TIMED_OUT"}, DONE.result, DONE.reference, DONE.undo)


@pytest.mark.parametrize(
    ("age", "is_certain"),
    [
        (timedelta(minutes=29), False),
        (timedelta(minutes=30), True),
        (timedelta(days=89), True),
        (timedelta(days=90), False),
    ],
)
def test_one_that_is_not_found_was_not_started_once_nothing_is_on_its_way(
    double: Double, age: timedelta, is_certain: bool
) -> None:
    flows = double.workflows(NOT_THERE)
    assert isinstance(find(flows, age), NotExecuted if is_certain else CannotTell)


def test_one_of_this_name_with_another_input_is_not_ours(double: Double) -> None:
    flows = double.workflows(stands("RUNNING", '{"account": "ACME-2"}'))
    assert isinstance(find(flows), NotExecuted)


@pytest.mark.parametrize(
    "answer", [refuses(400, "AccessDeniedException"), refuses(500, "Oops"), hangs_up, says(200, {})]
)
def test_a_look_that_fails_tells_nothing(double: Double, answer: Answer) -> None:
    flows = double.workflows(answer)
    assert isinstance(find(flows), CannotTell)


def test_an_execution_is_stopped_with_who_and_why(double: Double) -> None:
    flows = double.workflows(STOPPED, stands("ABORTED"))
    outcome = stop(flows)
    assert outcome == Succeeded({"state_machine": "onboarding", "execution": KEY, "status": "ABORTED"})
    assert double.aws.asked[0].body == {"executionArn": EXECUTION, "error": "stop-key", "cause": "cancelled"}


NOT_RUNNING = refuses(400, "ValidationException")


@pytest.mark.parametrize("told", [STOPPED, NOT_RUNNING], ids=["taken", "refused"])
@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "TIMED_OUT"])
def test_one_that_had_ended_could_not_be_stopped(double: Double, told: Answer, status: str) -> None:
    flows = double.workflows(told, stands(status))
    outcome = stop(flows)
    assert isinstance(outcome, Permanent)
    assert outcome.code == "execution_had_ended"
    assert status in outcome.message


def test_one_that_was_stopped_before_is_stopped(double: Double) -> None:
    flows = double.workflows(NOT_RUNNING, stands("ABORTED"))
    assert isinstance(stop(flows), Succeeded)


def test_one_that_is_read_a_moment_too_early_is_stopped_if_it_was_told_so(double: Double) -> None:
    flows = double.workflows(STOPPED, stands("RUNNING"))
    assert isinstance(stop(flows), Succeeded)
    flows = double.workflows(NOT_RUNNING, stands("RUNNING"))
    assert isinstance(stop(flows), Permanent)


@pytest.mark.parametrize(
    ("told", "look", "kind"),
    [
        (NOT_THERE, hangs_up, Permanent),
        (refuses(400, "KmsThrottlingException"), hangs_up, Retry),
        (refuses(500, "InternalServerError"), hangs_up, Unknown),
        (hangs_up, hangs_up, Unknown),
        (STOPPED, refuses(400, "AccessDeniedException"), Unknown),
        (STOPPED, hangs_up, Unknown),
    ],
)
def test_what_a_stop_is_answered_is_classed(double: Double, told: Answer, look: Answer, kind: type[Outcome]) -> None:
    flows = double.workflows(told, look)
    assert isinstance(stop(flows), kind)


def test_a_waiting_task_is_told_how_it_ended(double: Double) -> None:
    flows = double.workflows(says(200, {}))
    done = flows.signal(Waiting(TOKEN), TaskSucceeded('{"approved":true}'), timeout=8)
    failed = flows.signal(Waiting(TOKEN), TaskFailed("Declined", "too dear"), timeout=8)
    assert (done, failed) == (Succeeded({"signal": "TaskSucceeded"}), Succeeded({"signal": "TaskFailed"}))
    assert [(asked.operation, asked.body) for asked in double.aws.asked] == [
        ("SendTaskSuccess", {"taskToken": TOKEN, "output": '{"approved":true}'}),
        ("SendTaskFailure", {"taskToken": TOKEN, "error": "Declined", "cause": "too dear"}),
    ]


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (refuses(400, "TaskTimedOut"), Permanent, "task_timed_out"),
        (refuses(400, "TaskDoesNotExist"), Permanent, "task_does_not_exist"),
        (refuses(400, "InvalidToken"), Permanent, "invalid_token"),
        (refuses(400, "InvalidOutput"), Permanent, "invalid_output"),
        (refuses(400, "KmsThrottlingException"), Retry, "kms_throttling"),
        (refuses(500, "InternalServerError"), Unknown, "internal_server"),
        (says(200, b"", x_amzn_RequestId=""), Unknown, "step_functions_unreadable_reply"),
        (hangs_up, Unknown, "connection_closed"),
    ],
)
def test_what_a_signal_is_answered_is_classed(double: Double, answer: Answer, kind: type[Outcome], code: str) -> None:
    flows = double.workflows(answer)
    outcome = signal(flows)
    assert isinstance(outcome, kind)
    assert getattr(outcome, "code", None) == code


@pytest.mark.parametrize("told", [TOKEN, f"Invalid Token: '{TOKEN}'", f"{TOKEN} and {TOKEN}"])
def test_no_answer_repeats_the_token(double: Double, told: str) -> None:
    flows = double.workflows(refuses(400, "InvalidToken", told))
    outcome = signal(flows)
    assert "c4n4ry" not in repr([outcome, Waiting(TOKEN), flows])


# -- events ---------------------------------------------------------------------------------------------------------


def entry(**said: Any) -> Answer:
    return says(200, {"FailedEntryCount": 1 if "ErrorCode" in said else 0, "Entries": [said]})


def test_an_event_is_put_on_the_configured_bus_under_the_configured_source(double: Double) -> None:
    outcome = double.publish(entry(EventId="e-1"))
    assert outcome == Succeeded({"event_id": "e-1"}, reference="e-1")
    (asked,) = double.aws.asked
    assert (asked.operation, asked.body) == (
        "PutEvents",
        {
            "Entries": [
                {
                    "Time": NOON.timestamp(),
                    "Source": "revops.decisions",
                    "DetailType": "Renewal At Risk",
                    "Detail": '{"account":"ACME-1"}',
                    "EventBusName": "arn:aws:events:eu-central-1:123456789012:event-bus/revops",
                }
            ]
        },
    )


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (entry(ErrorCode="ThrottlingException"), Retry),
        (entry(ErrorCode="InternalFailure"), Unknown),
        (entry(ErrorCode="SomethingNew"), Unknown),
        (entry(ErrorCode="AccessDeniedException", ErrorMessage="no"), Permanent),
        (entry(ErrorCode="InvalidArgument"), Permanent),
        (entry(ErrorCode="MalformedDetail"), Permanent),
        (entry(ErrorCode="NotAuthorizedForSourceException"), Permanent),
        (says(200, {"FailedEntryCount": 1, "Entries": [{"EventId": "e-1"}]}), Unknown),
        (says(200, {"FailedEntryCount": 0, "Entries": [{}]}), Unknown),
        (says(200, {"FailedEntryCount": 0, "Entries": []}), Unknown),
        (says(200, {"FailedEntryCount": 0}), Unknown),
        (says(200, {"Entries": [{"EventId": "e-1"}]}), Unknown),
        (says(200, {}), Unknown),
        (refuses(400, "ThrottlingException"), Retry),
        (refuses(400, "ResourceNotFoundException"), Permanent),
        (refuses(413, "RequestEntityTooLarge"), Permanent),
        (refuses(500, "InternalException"), Unknown),
        (hangs_up, Unknown),
    ],
)
def test_what_an_event_is_answered_is_classed(double: Double, answer: Answer, kind: type[Outcome]) -> None:
    outcome = double.publish(answer)
    assert isinstance(outcome, kind)
    assert len(double.aws.asked) == 1


# -- messages -------------------------------------------------------------------------------------------------------


ATTRIBUTES = {
    "kind": {"DataType": "String", "StringValue": "renewal"},
    "effect_key": {"DataType": "String", "StringValue": KEY},
}


def sent(message_id: object = "m-1", **more: Any) -> Answer:
    return says(200, {"MessageId": message_id, **more})


def test_a_message_carries_the_effect_key_as_an_attribute(double: Double) -> None:
    outcome = double.send_to_queue(sent())
    assert outcome == Succeeded({"message_id": "m-1"}, reference="m-1")
    (asked,) = double.aws.asked
    assert asked.operation == "SendMessage"
    assert asked.body == {
        "QueueUrl": f"{double.aws.url}/123456789012/renewals",
        "MessageBody": '{"account":"ACME-1"}',
        "MessageAttributes": ATTRIBUTES,
    }


def test_a_queue_that_keeps_an_order_deduplicates_by_the_effect_key(double: Double) -> None:
    outcome = double.send_to_queue(sent(SequenceNumber="18850"), group="ACME-1", name="renewals.fifo")
    assert outcome == Succeeded({"message_id": "m-1", "sequence_number": "18850"}, reference="m-1")
    assert double.aws.asked[0].body["MessageGroupId"] == "ACME-1"
    assert double.aws.asked[0].body["MessageDeduplicationId"] == KEY


PUBLISHED = b"""<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>
<MessageId>m-2</MessageId></PublishResult></PublishResponse>"""


@pytest.mark.parametrize(("arn", "deduplicates"), [(TOPIC, False), (f"{TOPIC}.fifo", True)])
def test_a_topic_is_told_alike(double: Double, arn: str, deduplicates: bool) -> None:
    outcome = double.send_to_topic(says(200, PUBLISHED), group="ACME-1", arn=arn)
    assert outcome == Succeeded({"message_id": "m-2"}, reference="m-2")
    (asked,) = double.aws.asked
    assert (asked.operation, asked.body["TopicArn"], asked.body["Message"]) == ("Publish", arn, '{"account":"ACME-1"}')
    attributes = {asked.body[f"MessageAttributes.entry.{n}.Name"]: n for n in (1, 2)}
    assert asked.body[f"MessageAttributes.entry.{attributes['effect_key']}.Value.StringValue"] == KEY
    assert asked.body.get("MessageDeduplicationId") == (KEY if deduplicates else None)
    assert asked.body["MessageGroupId"] == "ACME-1"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refuses(403, "RequestThrottled"), Retry),
        (refuses(400, "OverLimit"), Retry),
        (refuses(400, "KmsThrottled"), Retry),
        (refuses(400, "QueueDoesNotExist"), Permanent),
        (refuses(400, "InvalidMessageContents"), Permanent),
        (refuses(400, "InvalidParameterValue"), Permanent),
        (refuses(500, "InternalFailure"), Unknown),
        (sent(""), Unknown),
        (sent(5), Unknown),
        (says(200, b""), Unknown),
        (says(200, b"<html>"), Unknown),
        (hangs_up, Unknown),
    ],
)
def test_what_a_queue_answers_is_classed(double: Double, answer: Answer, kind: type[Outcome]) -> None:
    outcome = double.send_to_queue(answer)
    assert isinstance(outcome, kind)
    assert len(double.aws.asked) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refuses(429, "Throttled"), Retry),
        (refuses(400, "KMSThrottling"), Retry),
        (refuses(404, "NotFound"), Permanent),
        (refuses(400, "InvalidParameter"), Permanent),
        (refuses(403, "AuthorizationError"), Permanent),
        (refuses(500, "InternalError"), Unknown),
        (says(200, b"<PublishResponse><PublishResult></PublishResult></PublishResponse>"), Unknown),
        (says(200, b""), Unknown),
        (says(200, b"no xml"), Unknown),
        (hangs_up, Unknown),
    ],
)
def test_what_a_topic_answers_is_classed(double: Double, answer: Answer, kind: type[Outcome]) -> None:
    outcome = double.send_to_topic(answer, arn=TOPIC)
    assert isinstance(outcome, kind)
    assert len(double.aws.asked) == 1


# -- functions ------------------------------------------------------------------------------------------------------


def test_a_function_is_called_and_its_answer_is_the_result(double: Double) -> None:
    outcome = double.invoke(says(200, {"score": 7}))
    assert outcome == Succeeded({"answer": {"score": 7}}, reference="r-1")
    (asked,) = double.aws.asked
    assert (asked.operation, asked.body) == ("invocations", {"account": "ACME-1"})
    assert asked.headers["x-amz-invocation-type"] == "RequestResponse"
    assert "x-amz-durable-execution-name" not in asked.headers


def test_a_function_may_be_called_without_waiting_for_it(double: Double) -> None:
    outcome = double.invoke(says(202), invocation="event")
    assert outcome == Succeeded({}, reference="r-1")
    assert double.aws.asked[0].headers["x-amz-invocation-type"] == "Event"


def test_a_durable_function_runs_under_the_effect_key(double: Double) -> None:
    arn = f"{FUNCTION}/durable-execution/{KEY}/1"
    outcome = double.invoke(says(200, {"ok": True}, X_Amz_Durable_Execution_Arn=arn), durable=True)
    assert outcome == Succeeded({"answer": {"ok": True}}, reference=arn)
    assert double.aws.asked[0].headers["x-amz-durable-execution-name"] == KEY


def test_a_function_that_raised_may_have_done_half_of_its_work(double: Double) -> None:
    raised = says(200, {"errorMessage": "boom"}, X_Amz_Function_Error="Unhandled")
    outcome = double.invoke(raised)
    assert isinstance(outcome, Unknown)
    assert outcome.code == "function_error"
    assert "boom" in outcome.message


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"", {"answer": ""}),
        (b'"text"', {"answer": '"text"'}),
        (b"null", {"answer": "null"}),
        (b'{"a": NaN}', {"answer": '{"a": NaN}'}),
        (b"\xff", {"answer": "\ufffd"}),
        (b"x" * 65536, {"answer": "x" * 65536}),
        (b"x" * 65537, {"answer": "x" * 65536, "truncated": True}),
    ],
)
def test_an_answer_is_kept_as_an_object_or_as_text_and_cut_when_it_is_long(
    double: Double, body: bytes, kept: dict[str, Any]
) -> None:
    outcome = double.invoke(says(200, body))
    assert outcome == Succeeded(kept, reference="r-1")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refuses(429, "TooManyRequestsException", Retry_After="7"), Retry),
        (refuses(502, "EC2ThrottledException"), Retry),
        (refuses(502, "ENILimitReachedException"), Retry),
        (refuses(409, "ResourceConflictException"), Retry),
        (refuses(408, "SnapStartTimeoutException"), Retry),
        (refuses(408, "SomethingNew"), Unknown),
        (refuses(404, "ResourceNotFoundException"), Permanent),
        (refuses(413, "RequestTooLargeException"), Permanent),
        (refuses(409, "DurableExecutionAlreadyStartedException"), Permanent),
        (refuses(403, "AccessDeniedException"), Permanent),
        (refuses(500, "ServiceException"), Unknown),
        (refuses(502, "SomethingNew"), Unknown),
        (says(200, b"{}", x_amzn_RequestId=""), Unknown),
        (says(202, b""), Unknown),
        (says(204, b""), Unknown),
        (hangs_up, Unknown),
    ],
)
def test_what_a_call_is_answered_is_classed(double: Double, answer: Answer, kind: type[Outcome]) -> None:
    outcome = double.invoke(answer)
    assert isinstance(outcome, kind)
    assert len(double.aws.asked) == 1


def test_an_answer_that_breaks_off_is_unknown(double: Double) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        outcome = double.invoke(says(200, b'{"score": 7}', Content_Length="1000"))
        gc.collect()  # botocore leaves the connection of a cut-off answer to the collector
    assert nobody_knows(outcome)


# -- every service --------------------------------------------------------------------------------------------------

CALLS: dict[str, Callable[[Double, Answer], Outcome]] = {
    "start": lambda double, answer: start(double.workflows(answer)),
    "signal": lambda double, answer: signal(double.workflows(answer)),
    "publish": Double.publish,
    "queue": Double.send_to_queue,
    "topic": Double.send_to_topic,
    "function": Double.invoke,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("status", [1, 101, 199, 201, 204, 299, 300, 399, 408, 500, 599, 600, 999])
def test_no_service_is_believed_for_its_status_alone(
    double: Double, call: Callable[[Double, Answer], Outcome], status: int
) -> None:
    assert nobody_knows(call(double, says(status)))
