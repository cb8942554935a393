"""The parameters of `start_workflow`, and how the parameters of all workflow actions name things."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from domain.base_action import Parameters
from domain.field_class import FieldClass, Personal

MachineName = Annotated[
    str,
    FieldClass.TECHNICAL,
    Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="The state machine, by the name that the configuration gives it; not an ARN.",
        examples=["onboarding"],
    ),
]
WorkflowConnection = Annotated[
    str | None,
    FieldClass.TECHNICAL,
    Field(description="The connection of kind step_functions; may be left out where there is only one."),
]


class StartWorkflowParameters(Parameters):
    """`state_machine` is a name of the configuration, `input` what its execution begins with."""

    state_machine: MachineName
    input: Personal[dict[str, Any]] = Field(
        default_factory=dict, description="What the execution begins with, as JSON.", examples=[{"account": "ACME-1"}]
    )
    connection: WorkflowConnection = None
