"""The project's own template and package, deployed as anybody would deploy them, and the deployed functions."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zipfile import ZipFile

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.config import Settings
from infra.package import build, compiler_for, wheels
from tests.e2e.cloud import REGION, Cloud, eventually
from tests.lambda_runtime import THIS_ARCHITECTURE, THIS_PYTHON, bootstrap, make_runtime

TEMPLATE = Path(__file__).resolve().parents[2] / "infra" / "template.yaml"
SENDER = "revops@example.com"
ARTIFACTS = "artifacts"
PACKAGE = "execution-agent.zip"

LOCAL = {
    # What `sam package` does.
    f"CodeUri: ../dist/{PACKAGE}": f"CodeUri: {{Bucket: {ARTIFACTS}, Key: {PACKAGE}}}",
    # The runtime that lets a package bring its own start: here the real runtime client, on this machine's Python.
    "Runtime: python3.13": "Runtime: provided.al2023",
}
"""All that becomes of the template before it is deployed."""


class FunctionFailed(Exception):
    """A function raised, or died. `error` is what its caller is told."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error.get('errorType')}: {error.get('errorMessage')}")
        self.error = error


@dataclass(frozen=True)
class Deployment:
    """A stack of the template. `resources` are its physical ids by the template's names."""

    cloud: Cloud
    stack: str
    resources: Mapping[str, str]
    outputs: Mapping[str, str]

    def invoke(self, event: Any, *, function: str = "Invoke") -> Any:
        """What a function of the template answers. Raises FunctionFailed."""
        answer = self.cloud.client("lambda").invoke(
            FunctionName=self.resources[function], InvocationType="RequestResponse", Payload=json.dumps(event)
        )
        said = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise FunctionFailed(said)
        return said

    def invoke_later(self, event: Any, *, function: str = "Invoke") -> None:
        """Nobody waits for the answer."""
        self.cloud.client("lambda").invoke(
            FunctionName=self.resources[function], InvocationType="Event", Payload=json.dumps(event)
        )

    @contextmanager
    def configured(self, function: str, environ: Mapping[str, str], *, timeout: int | None = None) -> Iterator[None]:
        """With these variables, or another time-out, a function is another one for a while, in processes of its own."""
        functions, name = self.cloud.client("lambda"), self.resources[function]
        before = functions.get_function_configuration(FunctionName=name)
        variables = before["Environment"]["Variables"]
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**variables, **environ}}, Timeout=timeout or before["Timeout"]
        )
        try:
            yield
        finally:
            functions.update_function_configuration(
                FunctionName=name, Environment={"Variables": variables}, Timeout=before["Timeout"]
            )

    @contextmanager
    def without_rings(self) -> Iterator[None]:
        """Neither the stream nor the doorbells ring for a while. What they had to say comes afterwards."""
        self._switch_rings(on=False)
        try:
            yield
        finally:
            self._switch_rings(on=True)

    def _switch_rings(self, *, on: bool) -> None:
        for mapping in ("StreamCommits", "StreamLaterDoorbells"):
            self.cloud.client("lambda").update_event_source_mapping(UUID=self.resources[mapping], Enabled=on)

    def kill(self, function: str) -> int:
        """Kills the processes of a function, as a machine does that breaks; how many there were."""
        told = {f"AWS_LAMBDA_FUNCTION_NAME={self.resources[function]}", f"AWS_ENDPOINT_URL={self.cloud.url}"}
        victims = [int(process.name) for process in Path("/proc").glob("[0-9]*") if told <= _environ_of(process)]
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        return len(victims)

    def log_of(self, function: str) -> list[str]:
        """All that a function has logged, and what Lambda says of each invocation."""
        logs = self.cloud.client("logs")
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{self.resources[function]}")
        return [event["message"] for page in pages for event in page["events"]]

    def invocations_of(self, function: str) -> int:
        """How often a function was invoked."""
        return sum(line.startswith("REPORT ") for line in self.log_of(function))

    def messages_in(self, queue: str) -> list[dict[str, Any]]:
        """Those in a queue of the template, which are then gone from it."""
        return self.cloud.taken_from(self.resources[queue])

    @cached_property
    def operator(self) -> ExecutionAgent:
        """An operator's own agent, on the ledger of the stack."""
        table = self.resources["LedgerTable"]
        ledger = f"dynamodb://{table}?region={REGION}&endpoint_url={quote(self.cloud.url, safe='')}"
        return ExecutionAgent(Settings.from_environment({"EXECUTION_AGENT_LEDGER": ledger}))


def local_package(folder: Path) -> bytes:
    """The package for this machine's Python, with the start of a `provided` runtime beside its code."""
    fetched = wheels(python=THIS_PYTHON, architecture=THIS_ARCHITECTURE)
    package = build(folder / PACKAGE, fetched, compiler=compiler_for(THIS_PYTHON))
    with ZipFile(package, "a") as archive:
        archive.writestr("bootstrap", bootstrap(make_runtime(folder / "runtime")))
    return package.read_bytes()


def upload(cloud: Cloud, package: bytes) -> None:
    """Puts the package where the template looks for it."""
    store = cloud.client("s3")
    store.create_bucket(Bucket=ARTIFACTS, CreateBucketConfiguration={"LocationConstraint": REGION})
    store.upload_fileobj(io.BytesIO(package), ARTIFACTS, PACKAGE)


@contextmanager
def deployed(cloud: Cloud, stack: str, **parameters: str) -> Iterator[Deployment]:
    """A stack of the template, created and waited for. Raises AssertionError when it cannot be created."""
    stacks = cloud.client("cloudformation")
    stacks.create_stack(
        StackName=stack,
        TemplateBody=local_template(),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in {"EmailSender": SENDER, **parameters}.items()
        ],
    )
    described = eventually(lambda: _settled(stacks.describe_stacks(StackName=stack)["Stacks"][0]), within=60)
    assert described["StackStatus"] == "CREATE_COMPLETE", _failures(stacks, stack)
    resources = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in stacks.describe_stack_resources(StackName=stack)["StackResources"]
    }
    _let_mail_pass(cloud, resources["CarryOut"])
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    deployment = Deployment(cloud, stack, resources, outputs)
    try:
        yield deployment
    finally:
        deployment.operator.close()


def local_template() -> str:
    """The template for this machine."""
    template = TEMPLATE.read_text("utf-8")
    for line, here in LOCAL.items():
        assert template.count(line) == 1, f"the template should say {line!r} once"
        template = template.replace(line, here)
    return template


def _environ_of(process: Path) -> set[str]:
    try:
        return set((process / "environ").read_text("utf-8", errors="replace").split("\0"))
    except OSError:
        return set()  # it is gone, or is not ours


def _let_mail_pass(cloud: Cloud, policy: str) -> None:
    """The engine asks whether a role may send mail for `*`, where AWS asks for the sender's identity and address."""
    policies = cloud.client("iam")
    document = policies.get_policy_version(PolicyArn=policy, VersionId="v1")["PolicyVersion"]["Document"]
    for statement in document["Statement"]:
        if "ses:SendEmail" in statement["Action"]:
            statement["Resource"] = "*"
            del statement["Condition"]
    policies.create_policy_version(PolicyArn=policy, PolicyDocument=json.dumps(document), SetAsDefault=True)


def _settled(stack: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack


def _failures(stacks: Any, stack: str) -> list[str]:
    events = stacks.describe_stack_events(StackName=stack)["StackEvents"]
    return [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}"
        for event in events
        if event["ResourceStatus"].endswith("FAILED")
    ]
