"""The parameters of `call_webhook`, and which headers an action may bring."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from domain.base_action import Parameters
from domain.errors import Code, FieldError, Refused
from domain.field_class import Personal, Secret, Technical

LARGEST_HEADERS = 8 * 1024
"""Characters of all names and values together."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")

_OURS = re.compile(
    r"host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|accept-encoding|date"
    r"|idempotency-key|(?:content|webhook|proxy|sec)-.*"
)
"""Frames the message, or says which effect it is. Nobody else sets these."""

_TRUSTED = re.compile(
    r"(?:x-)?(?:authorization|auth|api-key|auth-.*|access-token|csrf-token|xsrf-token)|set-cookie2?|cookie2?"
    r"|user-agent|origin|referer|range|if-.*|forwarded|via|x-forwarded-.*|x-real-ip|x-client-ip|true-client-ip"
    r"|x-cluster-client-ip|cf-.*|x-envoy-.*|x-amz.*|x-original-.*|x-rewrite-.*|x-http-method.*|x-method-override"
    r"|.*signature.*"
)
"""A receiver may take these for the word of whoever operates us, so only the configuration sets them."""


class CallWebhookParameters(Parameters):
    """`webhook` names a configured target; `url` is one itself, where the configuration allows that."""

    webhook: Technical[str | None] = Field(
        default=None, description="The name of a configured target. Give either this or url.", examples=["crm-sync"]
    )
    url: Secret[str | None] = Field(
        default=None, description="The address itself, where the configuration allows it. Give either this or webhook."
    )
    payload: Personal[dict[str, Any]] = Field(
        description="The object that the target is sent as JSON, or the variables of the target's template.",
        examples=[{"account": "ACME-1"}],
    )
    headers: Secret[dict[str, str]] = Field(
        default_factory=dict,
        description="Headers to send along; those that a receiver trusts are for the configuration only.",
        examples=[{"x-campaign": "renewals"}],
    )

    @model_validator(mode="after")
    def _one_target(self) -> CallWebhookParameters:
        if (self.webhook is None) == (self.url is None):
            raise PydanticCustomError("one_target", "give either webhook or url")
        return self

    @field_validator("headers")
    @classmethod
    def _fit_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for problem in _problems(headers, configured=()):
            name = problem.field.rpartition("headers.")[2]
            raise PydanticCustomError("unfit_header", "{problem}", {"problem": f"{name}: {problem.message}"})
        return headers


def check_headers(headers: Mapping[str, str], *, configured: Collection[str] = ()) -> None:
    """Whether an action may bring these; `configured` are the names, in lower case, that its target sets itself.

    Raises Refused (invalid_parameters) with a detail for each header to repair. No message repeats a value.
    """
    problems = tuple(_problems(headers, configured))
    if problems:
        raise Refused(f"{problems[0].field}: {problems[0].message}", details=problems)


def unfit_to_configure(name: str, value: str) -> str | None:
    """What is wrong with a header of a target's configuration, or None."""
    if not _TOKEN.fullmatch(name):
        return "this is not the name of a header"
    if _OURS.fullmatch(name.lower()):
        return "this header is set by the execution agent itself"
    if not _VALUE.fullmatch(value) or len(value) > LARGEST_HEADERS:
        return f"a value is printable ASCII, without white space at its ends, of at most {LARGEST_HEADERS} characters"
    return None


def _problems(headers: Mapping[str, str], configured: Collection[str]) -> Iterator[FieldError]:
    if sum(len(name) + len(value) for name, value in headers.items()) > LARGEST_HEADERS:
        yield _problem("headers", f"at most {LARGEST_HEADERS} characters in all")
        return
    seen: set[str] = set()
    for name, value in headers.items():
        key = name.lower()
        field = f"headers.{name[:64]}"
        if problem := unfit_to_configure(name, value):
            yield _problem(field, problem)
        elif _TRUSTED.fullmatch(key) or key in configured:
            yield _problem(field, "only the configuration sets this header")
        elif key in seen:
            yield _problem(field, "this header is given twice")
        seen.add(key)


def _problem(field: str, message: str) -> FieldError:
    return FieldError(f"parameters.{field}", Code.INVALID_PARAMETERS, message)
