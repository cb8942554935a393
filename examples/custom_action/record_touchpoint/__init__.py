"""Notes a touchpoint with an account, one JSON line each, in the file that TOUCHPOINTS_PATH names."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import Field

from domain.base_action import Attempt, BaseAction, Parameters, Prepared
from domain.field_class import Business, Personal, technical
from domain.outcome import Outcome, Retry, Succeeded
from domain.policy import Delivery
from domain.ports import World


class RecordTouchpointParameters(Parameters):
    """The account, and what there is to note."""

    account: Business[str] = Field(pattern=r"^[A-Z0-9-]{1,32}$", description="The account.", examples=["ACME-1"])
    note: Personal[str] = Field(min_length=1, max_length=500, description="What there is to note.")


class RecordTouchpoint(BaseAction[RecordTouchpointParameters]):
    """Idempotent by key: a line that bears the effect key is not written again."""

    action_type = "record_touchpoint"
    summary = "Note a touchpoint with an account."
    parameters = RecordTouchpointParameters
    delivery = Delivery.IDEMPOTENT_BY_KEY
    correction = "A line that is written stays written; note what is right, as a new action."
    tells = technical("file", "reference")
    timeout = 5.0

    def execute(self, prepared: Prepared[RecordTouchpointParameters], attempt: Attempt, world: World) -> Outcome:
        """An OSError before the write is certain: nothing happened. Any other exception would mean doubt."""
        path = Path(os.environ.get("TOUCHPOINTS_PATH", "touchpoints.jsonl"))
        line = json.dumps({"key": attempt.effect_key, **prepared.parameters.model_dump()}) + "\n"
        try:
            known = path.read_text("utf-8") if path.exists() else ""
            stream = path.open("a", encoding="utf-8")
        except OSError as error:
            return Retry("file_unavailable", f"cannot open {path}: {error.strerror}")
        with stream:
            if line not in known:
                # A process that was killed may have left half a line: it is not ours to complete.
                stream.write(line if known.endswith("\n") or not known else "\n" + line)
        return Succeeded({"file": str(path)}, reference=attempt.effect_key)
