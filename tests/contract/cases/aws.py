"""Step Functions, EventBridge, SQS, SNS, Lambda and SES, behind one endpoint that does what they do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote

from adapters.email import SesSender
from agents.execution_agent.conformance import Answer, HttpCase, Means, Request
from domain.text_messages import TextMessages
from handlers.actions.invoke_function import InvokeFunction
from handlers.actions.publish_event import PublishEvent
from handlers.actions.send_email import SendEmail
from handlers.actions.send_message import SendMessage
from handlers.actions.send_sms import SendSms
from handlers.actions.signal_workflow import SignalWorkflow
from handlers.actions.start_workflow import StartWorkflow
from handlers.actions.stop_workflow import StopWorkflow
from tests.aws_cloud import PORTS
from tests.doubles.connections import connections
from tests.engines import local_aws_environment

REGION = "eu-central-1"
PORTS_OF = {**PORTS, "sms": TextMessages}
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "canary-c4ca4238a0b923820dcc509a6f75849b",
    "AWS_SESSION_TOKEN": "canary-c81e728d9d4c2f636f067f89cc14862c",
}
TOKEN = "canary-AAAAKgAAAAIAAAAAAAAAAeccbc87e4b5ce2fe"
NOON = 1772366400.5

THROTTLES = ("ThrottlingException", "Throttling", "RequestLimitExceeded", "TooManyRequestsException")
REFUSALS = ("AccessDeniedException", "UnrecognizedClientException", "IncompleteSignature", "ValidationError")


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:123456789012:{resource}"


def json_answer(said: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(said).encode(), {"x-amzn-RequestId": "r-1"})


def refusal(status: int, code: str, message: str = "no") -> Answer:
    """As the protocols that speak JSON tell it."""
    headers = {"x-amzn-RequestId": "r-1", "x-amzn-ErrorType": code}
    return Answer(status, json.dumps({"__type": code, "message": message}).encode(), headers)


class AwsCase(HttpCase):
    """One service. Its client is built once: that takes long."""

    secrets: Sequence[str] = tuple(SECRETS.values())
    refusal = refusal(400, "AWordOfNextYear")
    repeats_in_its_yes = False

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with local_aws_environment():
            os.environ.update(SECRETS)
            with super().opened(), closing(self.adapter()):
                yield

    def opened(self) -> AbstractContextManager[Any]:
        return self._opened()

    def world(self) -> Mapping[str, Any]:
        return {"connections": self._connections}

    def adapter(self) -> Any:
        """What is to be closed in the end."""
        return self._connections.of(PORTS_OF[self.entry()["kind"]])

    @cached_property
    def _connections(self) -> Any:
        return connections({}, aws=self.entry())

    def entry(self) -> dict[str, Any]:
        """The connection, as a file tells it."""
        raise NotImplementedError

    def is_read(self, request: Request) -> bool:
        return operation(request).startswith("Describe")

    def meaning(self, status: int) -> Means:
        """Nothing redirects an AWS client; and 425 is no status of theirs."""
        if 200 <= status < 300:
            return self.meaning_of_yes(status)
        if status == 429:
            return Means.RETRY
        return Means.PERMANENT if 400 <= status < 500 and status != 408 else Means.UNKNOWN

    def meaning_of_yes(self, _: int) -> Means:
        return Means.SUCCEEDED

    def refused(self, status: int, code: str, message: str = "no") -> Answer:
        return refusal(status, code, message)

    def refusal_saying(self, text: str) -> Answer:
        """What AWS repeats is what a signature should have been made of."""
        return self.refused(400, "InvalidSignatureException", text)

    def documented(self) -> Mapping[str, tuple[Answer, Means]]:
        return {
            **{code: (self.refused(400, code), Means.RETRY) for code in (*THROTTLES, "ExpiredTokenException")},
            **{code: (self.refused(400, code), Means.PERMANENT) for code in REFUSALS},
            "InternalFailure": (self.refused(500, "InternalFailure"), Means.UNKNOWN),
            "ServiceUnavailable": (self.refused(503, "ServiceUnavailable"), Means.UNKNOWN),
        }


def operation(request: Request) -> str:
    """What its target header names, or its form."""
    target = request.headers.get("x-amz-target", "").rpartition(".")[2]
    return target or dict(parse_qsl(request.body.decode("utf-8", "replace"))).get("Action", "")


def said(request: Request) -> Any:
    return json.loads(request.body)


# -- Step Functions ---------------------------------------------------------------------------------------------------


class StepFunctionsCase(AwsCase):
    """A machine whose executions run until they are stopped."""

    machine_type: ClassVar[str] = "standard"

    def __init__(self) -> None:
        super().__init__()
        self.executions: dict[str, dict[str, Any]] = {}
        self.stopped: list[str] = []
        self.waiting: set[str] = set()
        self.signals: list[str] = []

    def entry(self) -> dict[str, Any]:
        machine = {"arn": arn("states", "stateMachine:Onboarding"), "type": self.machine_type}
        return {"kind": "step_functions", "endpoint_url": self.provider.url, "state_machines": {"onboarding": machine}}

    def reply(self, request: Request) -> Answer:
        given = said(request)
        match operation(request):
            case "StartExecution":
                return self._started(given["name"], given["input"])
            case "StopExecution":
                return self._stopped(given["executionArn"].rpartition(":")[2])
            case "DescribeExecution":
                return self._described(given["executionArn"].rpartition(":")[2])
            case _:
                return self._signalled(given["taskToken"])

    def _started(self, name: str, document: str) -> Answer:
        if self.machine_type == "express":
            name = f"{name}:{len(self.executions)}"
        known = self.executions.setdefault(name, {"input": document, "status": "RUNNING"})
        if known["input"] != document or known["status"] != "RUNNING":
            return refusal(400, "ExecutionAlreadyExists")
        return json_answer({"executionArn": arn("states", f"execution:Onboarding:{name}"), "startDate": NOON})

    def _stopped(self, name: str) -> Answer:
        if name not in self.executions:
            return refusal(400, "ExecutionDoesNotExist")
        self.executions[name]["status"] = "ABORTED"
        self.stopped = [*dict.fromkeys((*self.stopped, name))]
        return json_answer({"stopDate": NOON})

    def _described(self, name: str) -> Answer:
        if name not in self.executions:
            return refusal(400, "ExecutionDoesNotExist")
        named = {"executionArn": arn("states", f"execution:Onboarding:{name}"), "name": name, "startDate": NOON}
        return json_answer({**named, "stateMachineArn": arn("states", "x"), **self.executions[name]})

    def _signalled(self, token: str) -> Answer:
        if token not in self.waiting:
            return refusal(400, "TaskTimedOut", f"Task Timed Out: 'Provided task does not exist anymore: {token}'")
        self.waiting.remove(token)
        self.signals.append(token)
        return json_answer({})


class StartsWorkflow(StepFunctionsCase):
    action = StartWorkflow
    others = (StopWorkflow,)

    @property
    def name(self) -> str:
        return f"start_workflow, {self.machine_type}"

    def parameters(self) -> Mapping[str, Any]:
        return {"state_machine": "onboarding", "input": {"account": "ACME-1"}}

    def key_of(self, request: Request) -> str | None:
        key: str | None = said(request).get("name")
        return key

    def effects(self) -> Sequence[object]:
        return [name for name, execution in self.executions.items() if execution["status"] == "RUNNING"]

    def documented(self) -> Mapping[str, tuple[Answer, Means]]:
        never = ("StateMachineDoesNotExist", "InvalidArn", "InvalidName", "InvalidExecutionInput", "KmsAccessDenied")
        return {
            **super().documented(),
            "ExecutionLimitExceeded": (refusal(400, "ExecutionLimitExceeded"), Means.RETRY),
            "StateMachineDeleting": (refusal(400, "StateMachineDeleting"), Means.PERMANENT),
            **{code: (refusal(400, code), Means.PERMANENT) for code in never},
        }


class StartsExpressWorkflow(StartsWorkflow):
    machine_type = "express"
    can_be_asked = False


class StopsWorkflow(StepFunctionsCase):
    """Told to stop, it is looked at again."""

    action = StopWorkflow
    says_nothing = None
    is_broken = None

    def parameters(self) -> Mapping[str, Any]:
        name = f"execution-{len(self.executions)}"
        self._started(name, "{}")
        return {"state_machine": "onboarding", "execution": name}

    def key_of(self, request: Request) -> str | None:
        key: str = said(request)["error"]
        return key

    def effects(self) -> Sequence[object]:
        return tuple(self.stopped)


class SignalsWorkflow(StepFunctionsCase):
    """Its yes has nothing to say: the head of the answer says it all."""

    action = SignalWorkflow
    says_yes_again = False
    says_nothing = None
    is_broken = None

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def parameters(self) -> Mapping[str, Any]:
        self._count += 1
        token = f"token-of-a-task-{self._count}"
        self.waiting.add(token)
        return {"task_token": token, "output": {"approved": True}}

    def key_of(self, request: Request) -> str | None:
        return None

    def effects(self) -> Sequence[object]:
        return tuple(self.signals)

    def meaning_of_yes(self, status: int) -> Means:
        return Means.SUCCEEDED if status == 200 else Means.UNKNOWN


# -- EventBridge, SQS and SNS -----------------------------------------------------------------------------------------


class PublishesEvent(AwsCase):
    action = PublishEvent

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def entry(self) -> dict[str, Any]:
        place = {"endpoint_url": self.provider.url, "bus": arn("events", "event-bus/revops")}
        return {"kind": "event_bus", "source": "revops.decisions", **place}

    def parameters(self) -> Mapping[str, Any]:
        return {"detail_type": "Renewal At Risk", "detail": {"account": "ACME-1"}}

    def reply(self, request: Request) -> Answer:
        self.events.append(said(request)["Entries"][0]["Detail"])
        return json_answer({"FailedEntryCount": 0, "Entries": [{"EventId": f"e-{len(self.events)}"}]})

    def key_of(self, request: Request) -> str | None:
        key: str = json.loads(said(request)["Entries"][0]["Detail"])["effect_key"]
        return key

    def effects(self) -> Sequence[object]:
        return tuple(self.events)

    def documented(self) -> Mapping[str, tuple[Answer, Means]]:
        """An entry that was not taken is told of in a 200."""

        def entry(code: str) -> Answer:
            return json_answer({"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "no"}]})

        return {
            **super().documented(),
            "an entry: ThrottlingException": (entry("ThrottlingException"), Means.RETRY),
            "an entry: InternalFailure": (entry("InternalFailure"), Means.UNKNOWN),
            "an entry: MalformedDetail": (entry("MalformedDetail"), Means.PERMANENT),
            "an entry: AWordOfNextYear": (entry("AWordOfNextYear"), Means.UNKNOWN),
            "a count that contradicts its entry": (
                json_answer({"FailedEntryCount": 1, "Entries": [{"EventId": "e"}]}),
                Means.UNKNOWN,
            ),
            "two entries for one": (
                json_answer({"FailedEntryCount": 0, "Entries": [{"EventId": "e"}, {"EventId": "f"}]}),
                Means.UNKNOWN,
            ),
        }


class ChannelCase(AwsCase):
    """A queue or a topic. One that keeps an order takes a key once."""

    action = SendMessage
    keeps_order: ClassVar[bool] = False
    channel: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    @property
    def name(self) -> str:
        return f"send_message, {self.channel}{' in order' if self.keeps_order else ''}"

    def parameters(self) -> Mapping[str, Any]:
        group = {"group": "ACME-1"} if self.keeps_order else {}
        return {"message": {"account": "ACME-1"}, "attributes": {"kind": "renewal"}, **group}

    def take(self, key: str) -> None:
        if not self.keeps_order or key not in self.messages:
            self.messages.append(key)

    def effects(self) -> Sequence[object]:
        return tuple(self.messages)


class SendsToQueue(ChannelCase):
    channel = "a queue"

    def entry(self) -> dict[str, Any]:
        name = "renewals.fifo" if self.keeps_order else "renewals"
        return {"kind": "queue", "url": f"{self.provider.url}/123456789012/{name}"}

    def reply(self, request: Request) -> Answer:
        self.take(self.key_of(request) or "")
        return json_answer({"MessageId": f"m-{len(self.messages)}"})

    def key_of(self, request: Request) -> str | None:
        given = said(request)
        key: str = given["MessageAttributes"]["effect_key"]["StringValue"]
        assert not self.keeps_order or given["MessageDeduplicationId"] == key
        return key


class SendsToQueueInOrder(SendsToQueue):
    keeps_order = True


class QueryCase(AwsCase):
    """A service that speaks forms and XML."""

    refusal = Answer(400, b"<ErrorResponse><Error><Code>AWordOfNextYear</Code></Error></ErrorResponse>")

    def refused(self, status: int, code: str, message: str = "no") -> Answer:
        text = message.replace("&", "&amp;").replace("<", "&lt;")
        said = f"<ErrorResponse><Error><Code>{code}</Code><Message>{text}</Message></Error></ErrorResponse>"
        return Answer(status, said.encode())


def published(message_id: str) -> Answer:
    said = f"<PublishResponse><PublishResult><MessageId>{message_id}</MessageId></PublishResult></PublishResponse>"
    return Answer(200, said.encode())


class SendsToTopic(QueryCase, ChannelCase):
    channel = "a topic"

    def entry(self) -> dict[str, Any]:
        name = "renewals.fifo" if self.keeps_order else "renewals"
        return {"kind": "topic", "endpoint_url": self.provider.url, "arn": arn("sns", name)}

    def reply(self, request: Request) -> Answer:
        self.take(self.key_of(request) or "")
        return published(f"m-{len(self.messages)}")

    def key_of(self, request: Request) -> str | None:
        form = dict(parse_qsl(request.body.decode()))
        names = {value: name for name, value in form.items() if name.endswith(".Name")}
        return form[names["effect_key"].replace(".Name", ".Value.StringValue")]


class SendsToTopicInOrder(SendsToTopic):
    keeps_order = True


class SendsSms(QueryCase):
    action = SendSms

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def entry(self) -> dict[str, Any]:
        return {"kind": "sms", "region": REGION, "prefixes": ["+49"], "endpoint_url": self.provider.url}

    def parameters(self) -> Mapping[str, Any]:
        return {"recipient": "+4915112345678", "text": "ACME-1 renews."}

    def reply(self, request: Request) -> Answer:
        self.messages.append(dict(parse_qsl(request.body.decode()))["Message"])
        return published(f"m-{len(self.messages)}")

    def key_of(self, request: Request) -> str | None:
        return None

    def effects(self) -> Sequence[object]:
        return tuple(self.messages)


# -- Lambda and SES ---------------------------------------------------------------------------------------------------


class InvokesFunction(AwsCase):
    """Whatever a function says is its answer."""

    action = InvokeFunction
    invocation: ClassVar[str] = "request_response"
    durable: ClassVar[bool] = False
    says_nothing = Means.SUCCEEDED

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    @property
    def name(self) -> str:
        return f"invoke_function, {self.invocation}{', durable' if self.durable else ''}"

    def entry(self) -> dict[str, Any]:
        place = {"endpoint_url": self.provider.url, "function": arn("lambda", "function:score")}
        return {"kind": "function", "invocation": self.invocation, "durable": self.durable, **place}

    def parameters(self) -> Mapping[str, Any]:
        return {"payload": {"account": "ACME-1"}}

    def reply(self, request: Request) -> Answer:
        assert unquote(request.path).endswith("/functions/" + arn("lambda", "function:score") + "/invocations")
        key = self.key_of(request) or ""
        if not self.durable or key not in self.calls:
            self.calls.append(key)
        return json_answer({"score": 7})

    def key_of(self, request: Request) -> str | None:
        key: str = said(request)["effect_key"]
        assert not self.durable or request.headers["x-amz-durable-execution-name"] == key
        return key

    def effects(self) -> Sequence[object]:
        return tuple(self.calls)

    def meaning_of_yes(self, status: int) -> Means:
        return Means.SUCCEEDED if status == 200 else Means.UNKNOWN

    def documented(self) -> Mapping[str, tuple[Answer, Means]]:
        raised = json_answer({"errorMessage": "boom"})
        did_not_begin = ("EC2ThrottledException", "KMSDisabledException", "ENILimitReachedException")
        return {
            **super().documented(),
            "the function raised": (
                Answer(200, raised.body, {**raised.headers, "X-Amz-Function-Error": "Unhandled"}),
                Means.UNKNOWN,
            ),
            **{code: (refusal(502, code), Means.RETRY) for code in did_not_begin},
            "a function that is not there": (refusal(404, "ResourceNotFoundException"), Means.PERMANENT),
            "a payload that is too large": (refusal(413, "RequestTooLargeException"), Means.PERMANENT),
            "Lambda breaks": (refusal(500, "ServiceException"), Means.UNKNOWN),
        }


class QueuesCallOfFunction(InvokesFunction):
    invocation = "event"
    yes_has_no_body = True

    def reply(self, request: Request) -> Answer:
        super().reply(request)
        return Answer(202, b"", {"x-amzn-RequestId": "r-1"})

    def meaning_of_yes(self, status: int) -> Means:
        return Means.SUCCEEDED if status == 202 else Means.UNKNOWN


class InvokesDurableFunction(InvokesFunction):
    durable = True


class SendsMailBySes(AwsCase):
    action = SendEmail
    can_be_asked = False

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[str] = []

    @property
    def name(self) -> str:
        return "send_email, by SES"

    def world(self) -> Mapping[str, Any]:
        return {"email": self._sender}

    def adapter(self) -> Any:
        return self._sender

    @cached_property
    def _sender(self) -> SesSender:
        return SesSender("renewals@example.com", region=REGION, endpoint_url=self.provider.url)

    def parameters(self) -> Mapping[str, Any]:
        variables = {"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"}
        return {"template": "renewal_reminder", "recipient": "ada@example.com", "variables": variables}

    def reply(self, request: Request) -> Answer:
        self.mails.append(self.key_of(request) or "")
        return json_answer({"MessageId": f"m-{len(self.mails)}"})

    def key_of(self, request: Request) -> str | None:
        key: str = said(request)["EmailTags"][0]["Value"]
        return key

    def effects(self) -> Sequence[object]:
        return tuple(self.mails)

    def documented(self) -> Mapping[str, tuple[Answer, Means]]:
        never = ("MessageRejected", "MailFromDomainNotVerifiedException", "AccountSuspendedException")
        return {
            **super().documented(),
            "a limit": (refusal(400, "LimitExceededException"), Means.RETRY),
            "a pause": (refusal(400, "SendingPausedException"), Means.RETRY),
            **{code: (refusal(400, code), Means.PERMANENT) for code in never},
        }


CASES = (
    StartsWorkflow,
    StartsExpressWorkflow,
    StopsWorkflow,
    SignalsWorkflow,
    PublishesEvent,
    SendsToQueue,
    SendsToQueueInOrder,
    SendsToTopic,
    SendsToTopicInOrder,
    SendsSms,
    InvokesFunction,
    QueuesCallOfFunction,
    InvokesDurableFunction,
    SendsMailBySes,
)
