"""The whole of it on a local AWS: an engine on the loopback address, with the template and the package deployed in it.

    python -m infra.local_aws

It says how to speak to it, and ends with Ctrl-C; nothing of it stays. The engine checks what each role may do.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.cloud import REGION, local_cloud
from tests.e2e.deployment import SENDER, deployed, local_package, upload
from tests.engines import local_aws_environment

WORDS = Path(".execution-agent") / "local-aws"
"""Where a shell finds what it needs to speak to it."""

PARAMETERS = {"WEBHOOK_CONFIG_PATH": "WebhookConfigPath", "ACTION_TEMPLATES_PATH": "TemplatesPath"}
"""Settings that name files of this machine, and the template's words for them."""


def main() -> None:
    """What `make local-aws` runs."""
    # Both: whoever starts it in the background of a script hands down that Ctrl-C is ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    files = {PARAMETERS[name]: str(Path(os.environ[name]).resolve()) for name in PARAMETERS if os.environ.get(name)}
    with local_aws_environment(), tempfile.TemporaryDirectory(prefix="local-aws-") as folder, local_cloud() as cloud:
        upload(cloud, local_package(Path(folder)))
        cloud.client("sesv2").create_email_identity(EmailIdentity=SENDER)
        with deployed(cloud, "execution-agent", **files), told(cloud.url):
            print(f"A local AWS is at {cloud.url}, and the execution agent is deployed in it. Ctrl-C ends it.")
            print(f"In another terminal: . {WORDS}", flush=True)
            with suppress(KeyboardInterrupt):
                signal.pause()
            print("It ends, and all that was in it.")


@contextmanager
def told(url: str) -> Iterator[None]:
    """As long as it is there, a shell finds out how to speak to it."""
    WORDS.parent.mkdir(exist_ok=True)
    WORDS.write_text(words(url), "utf-8")
    try:
        yield
    finally:
        WORDS.unlink()


def words(url: str) -> str:
    """Variables for a shell, by which programs find the local AWS and the agent's own command line finds the ledger."""
    variables = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": os.environ["AWS_ACCESS_KEY_ID"],
        "AWS_SECRET_ACCESS_KEY": os.environ["AWS_SECRET_ACCESS_KEY"],
        "AWS_DEFAULT_REGION": REGION,
        "EXECUTION_AGENT_LEDGER": "dynamodb://execution-agent",
    }
    return "".join(f"export {name}='{value}'\n" for name, value in variables.items())


if __name__ == "__main__":
    main()
