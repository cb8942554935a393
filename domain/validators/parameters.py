"""An action type's parameters, read through its model; whatever is wrong is told at once, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from domain.errors import Code, FieldError, Refused
from domain.refusal import MAX_PROBLEMS, dotted

P = TypeVar("P", bound=BaseModel)

_CODES: Mapping[str, Code] = {"missing": Code.MISSING_FIELD, "extra_forbidden": Code.UNKNOWN_FIELD}


def read_parameters(model: type[P], given: Mapping[str, Any]) -> P:
    """The parameters as the type's model. Raises Refused (invalid_parameters) with one detail for each field."""
    try:
        return model.model_validate(given)
    except ValidationError as invalid:
        problems = invalid.errors(include_url=False, include_context=False, include_input=False)
        details = [
            FieldError(dotted(("parameters", *problem["loc"])), _code_of(problem["type"]), _words_of(problem, model))
            for problem in problems[:MAX_PROBLEMS]
        ]
        more = f" (the first of {len(problems)} problems)" if len(problems) > 1 else ""
        raise Refused(f"{details[0].field}: {details[0].message}{more}", details=details) from None


def _words_of(problem: ErrorDetails, model: type[BaseModel]) -> str:
    if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
        return f"unknown field; there are {', '.join(model.model_fields)}"
    return _WORDS.get(problem["type"], problem["msg"].removeprefix("Value error, "))[:MAX_WORDS]


_WORDS: Mapping[str, str] = {
    "missing": "this field is required",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "list_type": "must be an array",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
}
MAX_WORDS = 500
"""Characters of what a model says of one field."""


def _code_of(kind: str) -> str:
    if kind.endswith("_type") or kind == "is_instance_of":
        return Code.INVALID_TYPE
    return _CODES.get(kind, Code.INVALID_PARAMETERS)
