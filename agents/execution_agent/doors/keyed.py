"""What makes a message that comes twice a duplicate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def under_key(request: Mapping[str, Any], name: object) -> dict[str, Any]:
    """The request under the key that its carrier gave it: the message's own `name`.

    A key of its own holds, and so does the id of its decision, which is the stronger claim: it recognises the same
    action in another message as well.
    """
    decision = request.get("decision")
    decided = isinstance(decision, dict) and decision.get("id") is not None
    if request.get("idempotency_key") is not None or decided or not name:
        return dict(request)
    return {**request, "idempotency_key": name}
