"""An action type's parameters, read through its model; whatever is wrong is told at once, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from domain.errors import Code, FieldError, Refused

P = TypeVar("P", bound=BaseModel)

_CODES: Mapping[str, Code] = {"missing": Code.MISSING_FIELD, "extra_forbidden": Code.UNKNOWN_FIELD}


def read_parameters(model: type[P], given: Mapping[str, Any]) -> P:
    """The parameters as the type's model. Raises Refused (invalid_parameters) with one detail for each field."""
    try:
        return model.model_validate(given)
    except ValidationError as invalid:
        details = tuple(
            FieldError(
                field=".".join(("parameters", *map(str, problem["loc"]))),
                code=_code_of(problem["type"]),
                message=problem["msg"],
            )
            for problem in invalid.errors(include_url=False, include_context=False, include_input=False)
        )
        raise Refused(f"{details[0].field}: {details[0].message}", details=details) from None


def _code_of(kind: str) -> str:
    if kind.endswith("_type") or kind == "is_instance_of":
        return Code.INVALID_TYPE
    return _CODES.get(kind, Code.INVALID_PARAMETERS)
