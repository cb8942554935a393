"""What Lambda's own image brings to a function, for this machine: the real runtime client and the AWS SDK.

Nothing else that is installed here is in its reach, so a package that lacks something fails as it would on AWS.
"""

from __future__ import annotations

import platform
import sys
from importlib.metadata import distribution
from pathlib import Path

BROUGHT_ALONG = (
    *("awslambdaric", "simplejson", "snapshot-restore-py"),
    *("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3"),
)
"""Distributions: the runtime client with what it needs, and the SDK with what it needs."""

THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The Python that functions run on here: the one that the tests run on."""

THIS_ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
"""This machine's, in the words of Lambda."""


def make_runtime(folder: Path) -> Path:
    """Fills a new folder with links to what the image brings along, and returns it."""
    folder.mkdir()
    for name in BROUGHT_ALONG:
        for part in _top_level_parts(name):
            (folder / part.name).symlink_to(part)
    return folder


def command(handler: str) -> list[str]:
    """Runs a handler under the runtime client. What it may import is what PYTHONPATH says."""
    # Without -S, all that is installed beside the tests would be there, too.
    return [sys.executable, "-S", "-m", "awslambdaric", handler]


def import_path(code: Path | str, runtime: Path) -> str:
    """The PYTHONPATH of a function whose package lies unpacked in `code`."""
    return f"{code}:{runtime}"


def bootstrap(runtime: Path) -> str:
    """What a `provided` runtime starts: the runtime client on the function's own package."""
    path, client = import_path("$LAMBDA_TASK_ROOT", runtime), " ".join(command('"$_HANDLER"'))
    return f'#!/bin/sh\nPYTHONPATH="{path}" exec {client}\n'


def _top_level_parts(name: str) -> set[Path]:
    files = distribution(name).files or []
    tops = {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}
    return {Path(str(distribution(name).locate_file(top))) for top in tops if not top.endswith(".dist-info")}
