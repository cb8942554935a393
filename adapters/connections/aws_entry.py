"""What the entries of AWS have in common: how a name of theirs is written, and where the service answers.

ARNs and URLs stand in the file of connections and nowhere else: an action names a connection.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from adapters.connections import Entry

_ENDPOINT = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?|http://(?:127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}")


def _checked_endpoint(url: str) -> str:
    if not _ENDPOINT.fullmatch(url):
        raise ValueError("an endpoint is https://HOST, or http://127.0.0.1:PORT on this machine")
    return url


EndpointUrl = Annotated[str, AfterValidator(_checked_endpoint)]


class AwsEntry(Entry):
    """The base of the kinds of AWS. Credentials come from the usual AWS variables."""

    endpoint_url: EndpointUrl | None = None
    """Where the service answers, where that is not its usual place."""


def arn(service: str, resource: str, words: str) -> AfterValidator:
    """A field that is an ARN of this service; `resource` is a pattern, `words` say what it is."""
    pattern = re.compile(rf"arn:aws[a-z-]*:{service}:[a-z0-9-]+:[0-9]{{12}}:{resource}")

    def checked(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"this is not the ARN of {words}")
        return text

    return AfterValidator(checked)


def region_of(name: str) -> str:
    """The region that an ARN tells."""
    return name.split(":")[3]


TimeoutSeconds = Annotated[float, Field(gt=0, le=900)]
"""No Lambda lives longer."""
