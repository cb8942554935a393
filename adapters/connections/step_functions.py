"""Workflows of AWS Step Functions.

    {"kind": "step_functions", "state_machines": {
        "onboarding": {"arn": "arn:aws:states:eu-central-1:123456789012:stateMachine:Onboarding"},
        "scoring":    {"arn": "arn:aws:states:eu-central-1:123456789012:stateMachine:Scoring:live", "type": "express"}}}

An ARN may end in a version or an alias. `type` is standard unless it says express: of a standard state machine the name
of an execution is unique for 90 days after its end, an express one takes every request for a new one. All of a
connection are in one region. The role needs states:StartExecution, StopExecution, DescribeExecution, SendTaskSuccess
and SendTaskFailure.

    StartExecution answers                            the outcome
    an execution                                      Succeeded
    ExecutionAlreadyExists, and it has our input      Succeeded      it is the one of an earlier attempt
    ExecutionAlreadyExists, and it has another        Permanent      somebody else's: ours was not started
    ExecutionLimitExceeded                            Retry

    StopExecution, and then DescribeExecution         the outcome
    ABORTED                                           Succeeded
    SUCCEEDED, FAILED, TIMED_OUT                      Permanent      execution_had_ended: there was nothing to stop

    SendTaskSuccess, SendTaskFailure                  the outcome
    TaskTimedOut, TaskDoesNotExist, InvalidToken      Permanent      the task has ended, or never was
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from adapters.aws import AwsService, require_aws
from adapters.connections.aws_entry import AwsEntry, arn, region_of
from adapters.secrets import Secrets
from domain.errors import Code, FieldError, Refused
from domain.instant import to_text
from domain.outcome import (
    CannotTell,
    Executed,
    Failure,
    Finding,
    NotExecuted,
    Outcome,
    Permanent,
    Succeeded,
    Unknown,
)
from domain.workflows import Signal, StateMachine, TaskSucceeded, Waiting

ARRIVED_BY_NOW = timedelta(minutes=30)
"""A signed request is taken for five minutes, and no attempt is longer than 15: then nothing is on its way any more."""
NAMES_ARE_KEPT = timedelta(days=90)
"""After that an execution cannot be asked for."""

_ALREADY_EXISTS = "execution_already_exists"
_NO_EXECUTION = "execution_does_not_exist"
_NOT_RUNNING = "validation"
_RUNS = ("RUNNING", "PENDING_REDRIVE")
_NOT_NOW = frozenset({"ExecutionLimitExceeded", "KmsThrottlingException"})

_MACHINE_NAME = r"[a-z0-9][a-z0-9_-]{0,63}"


class MachineEntry(BaseModel):
    """One state machine."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    arn: Annotated[str, arn("states", r"stateMachine:[A-Za-z0-9_-]{1,80}(?::[A-Za-z0-9._-]{1,80})?", "a state machine")]
    type: Literal["standard", "express"] = "standard"


class Model(AwsEntry):
    """An entry of kind `step_functions`."""

    state_machines: dict[Annotated[str, Field(pattern=f"^{_MACHINE_NAME}$")], MachineEntry] = Field(min_length=1)

    @field_validator("state_machines")
    @classmethod
    def _in_one_region(cls, machines: dict[str, MachineEntry]) -> dict[str, MachineEntry]:
        if len({region_of(machine.arn) for machine in machines.values()}) > 1:
            raise ValueError("they are in several regions; write a connection for each")
        return machines


def connect(name: str, entry: Model, _: Secrets) -> StepFunctions:
    """Raises ConfigurationError where botocore is not installed."""
    require_aws(f"connection {name}")
    return StepFunctions(name, entry)


class StepFunctions:
    """The port `domain.workflows.Workflows`."""

    def __init__(self, connection: str, entry: Model) -> None:
        self._connection = connection
        self._machines = entry.state_machines
        self._service = AwsService(
            "stepfunctions",
            title="Step Functions",
            region=region_of(next(iter(entry.state_machines.values())).arn),
            endpoint_url=entry.endpoint_url,
            not_now=_NOT_NOW,
        )

    @property
    def connection(self) -> str:
        return self._connection

    def close(self) -> None:
        """Ends the connections that wait for a next request."""
        self._service.close()

    def machine(self, name: str) -> StateMachine:
        if name not in self._machines:
            there = ", ".join(sorted(self._machines))
            message = f"{self._connection} has no state machine {name[:64]!a}; there are: {there}"
            raise Refused(message, details=[FieldError("parameters.state_machine", Code.INVALID_PARAMETERS, message)])
        return StateMachine(self._connection, name, is_express=self._machines[name].type == "express")

    # -- start ------------------------------------------------------------------------------------------------------

    def start(self, machine: StateMachine, document: str, *, effect_key: str, timeout: float) -> Outcome:
        answer = self._service.call(
            "start_execution",
            timeout=timeout / 2,
            stateMachineArn=self._machines[machine.name].arn,
            name=effect_key,
            input=document,
        )
        if isinstance(answer, Permanent) and answer.code == _ALREADY_EXISTS:
            return self._started_before(machine, document, effect_key, timeout / 2, answer)
        if not isinstance(answer, Mapping):
            return answer
        execution_arn = answer.get("executionArn")
        if not execution_arn or not isinstance(execution_arn, str):
            return self._service.unreadable("does not name the execution")
        return _started(machine, effect_key, execution_arn, answer)

    def _started_before(
        self, machine: StateMachine, document: str, effect_key: str, timeout: float, exists: Permanent
    ) -> Outcome:
        """There is an execution of this name. With our input it is ours: its start's answer was lost."""
        execution = self._describe(machine, effect_key, timeout)
        if not isinstance(execution, Mapping):
            return Unknown(exists.code, f"{exists.message}; it cannot be read: {execution.message}")
        if not _has_input(execution, document):
            return Permanent(exists.code, f"an execution of this name has another input: {effect_key}")
        return _started(machine, effect_key, self._execution_arn(machine, effect_key), execution)

    def find(self, machine: StateMachine, document: str, *, effect_key: str, age: timedelta, timeout: float) -> Finding:
        execution = self._describe(machine, effect_key, timeout)
        if isinstance(execution, Permanent) and execution.code == _NO_EXECUTION:
            if ARRIVED_BY_NOW <= age < NAMES_ARE_KEPT:
                return NotExecuted({"execution": effect_key, "found": False})
            return CannotTell("there is no such execution, and that is not certain yet, or not any more")
        if not isinstance(execution, Mapping):
            return CannotTell(execution.message)
        if not _has_input(execution, document):
            return NotExecuted({"execution": effect_key, "found": "an execution of this name has another input"})
        done = _started(machine, effect_key, self._execution_arn(machine, effect_key), execution)
        return Executed({"status": execution["status"]}, done.result, done.reference, done.undo)

    # -- stop -------------------------------------------------------------------------------------------------------

    def stop(self, machine: StateMachine, execution: str, *, cause: str, effect_key: str, timeout: float) -> Outcome:
        answer = self._service.call(
            "stop_execution",
            timeout=timeout / 2,
            executionArn=self._execution_arn(machine, execution),
            error=effect_key,
            cause=cause,
        )
        # One that has ended is refused, or taken as if it ran: only its status says which it was.
        if not isinstance(answer, Mapping) and answer.code != _NOT_RUNNING:
            return answer
        found = self._describe(machine, execution, timeout / 2)
        if not isinstance(found, Mapping):
            return Unknown(found.code, f"it was told to stop, and cannot be read: {found.message}")
        if found["status"] not in (*_RUNS, "ABORTED"):
            return Permanent("execution_had_ended", f"{execution} had ended as {found['status']}: nothing to stop")
        # What is read may be a moment old: one that was taken for running, and told to stop, stops.
        if found["status"] in _RUNS and not isinstance(answer, Mapping):
            return answer
        return Succeeded({"state_machine": machine.name, "execution": execution, "status": "ABORTED"})

    # -- signal -----------------------------------------------------------------------------------------------------

    def signal(self, waiting: Waiting, signal: Signal, *, timeout: float) -> Outcome:
        operation, says = _as_operation(signal)
        answer = self._service.call(operation, timeout=timeout, taskToken=waiting.token, **says)
        if not isinstance(answer, Mapping):
            return _without(waiting.token, answer)
        said: Mapping[str, Any] = answer["ResponseMetadata"]
        if said["HTTPStatusCode"] != 200 or not said.get("RequestId"):
            return self._service.unreadable("says nothing, not even which request it was")
        return Succeeded({"signal": type(signal).__name__})

    # -- executions -------------------------------------------------------------------------------------------------

    def _execution_arn(self, machine: StateMachine, execution: str) -> str:
        partition, region, account, name = _parts(self._machines[machine.name].arn)
        return f"arn:{partition}:states:{region}:{account}:execution:{name}:{execution}"

    def _describe(self, machine: StateMachine, execution: str, timeout: float) -> Mapping[str, Any] | Failure:
        """What is said of an execution; its `status` is a text."""
        answer = self._service.call(
            "describe_execution", timeout=timeout, executionArn=self._execution_arn(machine, execution)
        )
        if isinstance(answer, Mapping) and not isinstance(answer.get("status"), str):
            return self._service.unreadable("does not say how the execution stands")
        return answer


def _parts(machine_arn: str) -> tuple[str, str, str, str]:
    """Partition, region, account and name; a version or an alias is no part of an execution's name."""
    _, partition, _, region, account, _, name, *_ = machine_arn.split(":")
    return partition, region, account, name


def _started(machine: StateMachine, execution: str, execution_arn: str, answer: Mapping[str, Any]) -> Succeeded:
    started_at = answer.get("startDate")
    named = {"state_machine": machine.name, "execution": execution}
    return Succeeded(
        {
            **named,
            "execution_arn": execution_arn,
            "started_at": to_text(started_at) if isinstance(started_at, datetime) else None,
        },
        reference=execution_arn,
        undo=None if machine.is_express else {"connection": machine.connection, **named},
    )


def _has_input(execution: Mapping[str, Any], document: str) -> bool:
    """Whether it began with this document, as far as it says."""
    given = execution.get("input")
    if not isinstance(given, str):
        return True
    try:
        return bool(json.loads(given) == json.loads(document))
    except ValueError:
        return False


def _as_operation(signal: Signal) -> tuple[str, Mapping[str, str]]:
    if isinstance(signal, TaskSucceeded):
        return "send_task_success", {"output": signal.output}
    return "send_task_failure", {"error": signal.error, "cause": signal.cause}


def _without(token: str, failure: Failure) -> Failure:
    """The token ends a task for whoever has it. A message that repeats it ends there, for it may repeat only a part."""
    return replace(failure, message=failure.message.partition(token[:16])[0])
