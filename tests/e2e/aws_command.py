"""As much of the AWS command line as the README uses: `aws SERVICE OPERATION --option value ... [OUTFILE]`.

Endpoint, region and credentials come from the usual variables.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3


def main(service: str, operation: str, *arguments: str) -> None:
    options = {_camel(name): _value(value) for name, value in pairwise(arguments) if name.startswith("--")}
    answer = getattr(boto3.client(service), operation.replace("-", "_"))(**options)
    if "Payload" in answer:
        Path(arguments[-1]).write_bytes(answer.pop("Payload").read())
    del answer["ResponseMetadata"]
    sys.stdout.write(json.dumps(answer) + "\n")


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.removeprefix("--").split("-"))


def _value(text: str) -> Any:
    return Path(text.removeprefix("fileb://")).read_bytes() if text.startswith("fileb://") else text


if __name__ == "__main__":
    main(*sys.argv[1:])
