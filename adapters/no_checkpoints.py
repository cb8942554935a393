"""Where checkpoints are kept when no setting says where: nowhere."""

from __future__ import annotations

from typing import BinaryIO

from domain.errors import ConfigurationError


class NoCheckpoints:
    """Has none, and takes none."""

    where = "nowhere"

    def names(self) -> list[str]:
        return []

    def read(self, name: str) -> BinaryIO | None:  # noqa: ARG002 - whatever its name
        return None

    def put(self, name: str, file: BinaryIO) -> bool:  # noqa: ARG002 - whatever it is
        """Raises ConfigurationError."""
        raise ConfigurationError("set EXECUTION_AGENT_CHECKPOINTS to PATH or s3://BUCKET/PREFIX: where checkpoints go")
