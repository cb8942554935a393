"""What a door answers when the agent cannot work: the ledger or its configuration is broken.

An answer of the contract would have to claim a status. Nothing is known of one, so only the error is told, as the
command line does; what exactly is broken stands in the log, for operators.
"""

from __future__ import annotations

from typing import Any

from domain.errors import ConfigurationError, LedgerError

LEDGER = "ledger"
CONFIGURATION = "configuration"

_WORDS = {
    LEDGER: "the ledger cannot be used now, so nobody can tell here what was recorded;"
    " send the same request again later, under the same idempotency_key or decision id",
    CONFIGURATION: "the execution agent is not configured rightly; nothing was done",
}


def report(error: ConfigurationError | LedgerError) -> dict[str, Any]:
    """`{"error": {"code", "message", "details"}}`."""
    code = CONFIGURATION if isinstance(error, ConfigurationError) else LEDGER
    return {"error": {"code": code, "message": _WORDS[code], "details": []}}
