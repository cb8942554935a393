"""The parameters of `signal_workflow`."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from domain.base_action import Parameters
from domain.field_class import Personal, Secret, Technical
from domain.validators.start_workflow import WorkflowConnection


class SignalWorkflowParameters(Parameters):
    """Either `output` says what the waiting task was waiting for, or `error` that it will not come."""

    task_token: Secret[str] = Field(
        pattern=r"^[!-~]{1,2048}$",
        repr=False,
        description="The token that the waiting task gave away.",
        examples=["AAAAKgAAAAIAAAAAAAAAAQ"],
    )
    output: Personal[dict[str, Any] | None] = Field(
        default=None,
        description="What the task was waiting for, as JSON. Give either this or error.",
        examples=[{"approved": True}],
    )
    error: Technical[str | None] = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_.-]{1,256}$",
        description="A word for what went wrong, which the workflow can catch. Give either this or output.",
        examples=["Declined"],
    )
    cause: Personal[str] = Field(
        default="", max_length=2_000, description="Why it went wrong, for people. Goes with error."
    )
    connection: WorkflowConnection = None

    @model_validator(mode="after")
    def _one_end(self) -> SignalWorkflowParameters:
        if (self.output is None) == (self.error is None):
            raise PydanticCustomError("one_end", "give either output or error")
        if self.cause and self.error is None:
            raise PydanticCustomError("cause_without_error", "a cause goes with an error")
        return self
