"""Local engines of AWS, for tests alone: on the loopback address, on a free port, and gone with the test run."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    import pytest

LOOPBACK = "127.0.0.1"
MINISTACK = Path(__file__).resolve().parent.parent / ".venv-engine" / "bin" / "ministack"
START_WITHIN = 30.0
"""Seconds."""


@dataclass(frozen=True)
class Engine:
    """A local AWS that answers at `url`."""

    name: str
    url: str

    def new_ledger(self) -> dict[str, str]:
        """The environment of a persistence module whose table is new, and made when it is first used."""
        return {
            "PERSISTENCE_MODULE": "adapters.dynamodb_events",
            "DYNAMODB_TABLE": f"ledger-{uuid4().hex}",
            "DYNAMODB_ENDPOINT_URL": self.url,
            "CREATE_TABLE": "y",
        }


def new_ledger(request: pytest.FixtureRequest, folder: Path) -> dict[str, str]:
    """The same for the store that a suite is parametrised with: `memory`, `sqlite`, or an engine by its name."""
    if request.param == "memory":
        return {"PERSISTENCE_MODULE": "adapters.memory_events"}
    if request.param == "sqlite":
        return {"PERSISTENCE_MODULE": "adapters.sqlite_events", "SQLITE_DBNAME": str(folder / "ledger.db")}
    engine: Engine = request.getfixturevalue(request.param)
    return engine.new_ledger()


@contextmanager
def local_aws_environment() -> Iterator[None]:
    """Credentials that are worth nothing, a region, and nothing of what the machine knows of the real AWS."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_DEFAULT_REGION="eu-central-1",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        NO_PROXY=LOOPBACK,
        no_proxy=LOOPBACK,
    )
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def moto_engine() -> Iterator[Engine]:
    """moto, one request at a time: with threads, two conditional puts can both win there."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log(self, *_: object) -> None:
            pass

    application = DomainDispatcherApplication(create_backend_app)
    server = make_server(LOOPBACK, 0, application, threaded=False, request_handler=Silent)
    serving = Thread(target=server.serve_forever, args=(0.05,), name="moto", daemon=True)
    serving.start()
    try:
        yield Engine("moto", f"http://{LOOPBACK}:{server.server_port}")
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@contextmanager
def ministack_engine(**options: str) -> Iterator[Engine]:
    """ministack, a process of its own, in the environment that `make install` made for it.

    `options` are environment variables for it, such as `AUTH="true"`: roles may do what their policies say, no more.
    """
    if not MINISTACK.exists():
        raise RuntimeError(f"{MINISTACK} is missing: run `make install`")
    url = f"http://{LOOPBACK}:{(port := _free_port())}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ministack-")))
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [MINISTACK],
                env={**_ministack_environment(port, folder), **options},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        stack.callback(_end, process)
        stack.enter_context(_ended_with_us(process))
        try:
            _wait_until_ready(process, f"{url}/_ministack/ready")
        except RuntimeError as error:
            raise RuntimeError(f"ministack does not start ({error}):\n{log.read_text(errors='replace')}") from error
        yield Engine("ministack", url)


def _ministack_environment(port: int, folder: Path) -> Mapping[str, str]:
    return {
        **os.environ,
        "GATEWAY_PORT": str(port),
        # Where its functions find AWS.
        "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{port}",
        # It would bind every interface, and other ports for MQTT and SFTP.
        "BIND_HOST": LOOPBACK,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "TMPDIR": str(folder),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"it ended with {process.returncode}")
        try:
            with opener.open(url, timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"it is not ready after {START_WITHIN:.0f} s")


@contextmanager
def _ended_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """A watchdog reads a pipe that closes however this process dies, and then ends the other one."""
    watchdog = subprocess.Popen(
        ["sh", "-c", 'read -r _; kill "$1"', "watchdog", str(process.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        watchdog.kill()
        watchdog.communicate()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
