"""The parameters of `stop_workflow`."""

from __future__ import annotations

from pydantic import Field

from domain.base_action import Parameters
from domain.field_class import Personal, Technical
from domain.validators.start_workflow import MachineName, WorkflowConnection


class StopWorkflowParameters(Parameters):
    """`execution` is a name, as the result of `start_workflow` tells it."""

    state_machine: MachineName
    execution: Technical[str] = Field(
        pattern=r"^[A-Za-z0-9_-]{1,80}$",
        description="The execution's name, as start_workflow told it; not an ARN.",
        examples=["act_01m87gb1k7e4sb6d1n6rvkge9g-r0"],
    )
    cause: Personal[str] = Field(
        default="", max_length=2_000, description="Why, for people.", examples=["The customer has cancelled."]
    )
    connection: WorkflowConnection = None
