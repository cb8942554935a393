"""Every place in the tree from which something can leave this machine: a short list, and each place is on it.

The syntax trees are read, not the text: an import under another name, or within a function, is seen as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from adapters.aws import AwsService

ROOT = Path(__file__).parents[3]
PACKAGES = ("agents", "domain", "projections", "adapters", "handlers")

WAYS_OUT = frozenset(
    {
        *("socket", "socketserver", "ssl", "asyncio", "multiprocessing.connection", "selectors"),
        *(
            "http.client",
            "http.server",
            "urllib.request",
            "xmlrpc",
            "smtplib",
            "ftplib",
            "imaplib",
            "poplib",
            "nntplib",
        ),
        *("telnetlib", "webbrowser", "httpx", "httpcore", "httplib2", "requests", "aiohttp", "urllib3", "pycurl"),
        *("boto3", "botocore.session", "botocore.client", "botocore.httpsession", "botocore.awsrequest", "s3transfer"),
        *(
            "slack_sdk",
            "slack",
            "simple_salesforce",
            "hubspot",
            "twilio",
            "pymsteams",
            "grpc",
            "websocket",
            "websockets",
        ),
        *("paramiko", "redis", "pymongo", "psycopg", "psycopg2", "pymysql", "ldap3", "dns", "h2", "hpack"),
        *(
            "subprocess",
            "os.system",
            "os.popen",
            "os.execv",
            "os.execve",
            "os.execvp",
            "os.posix_spawn",
            "pty",
            "ctypes",
        ),
        *("importlib.import_module", "runpy", "__import__", "eval", "exec", "compile"),
    }
)
"""Modules and functions whose calls, and whose classes, lead out of this process; or to code that nobody can list."""

METHODS = frozenset({"wrap_socket", "create_client", "load_module", "exec_module"})
"""The same, of whatever object they are asked for."""

HARMLESS = frozenset({"httpcore.Origin", "httpcore.URL", "httpcore.Request"})
"""Values."""

ALLOWED: Mapping[str, set[str]] = {
    # What an effect leaves by.
    "adapters/exchange.py": {
        "httpcore.HTTPConnection",
        "httpcore.NetworkBackend",
        "httpcore.NetworkStream",
        "socket.socket",
        "ssl",  # asked for a constant that not every build has
        ".wrap_socket",
    },
    "adapters/http.py": {"socket.getaddrinfo", "ssl.SSLContext"},
    "adapters/smtp_dialogue.py": {
        "socket.create_connection",
        "socket.getaddrinfo",
        "ssl.create_default_context",
        ".wrap_socket",
    },
    "adapters/aws.py": {"botocore.session.Session", ".create_client"},
    "adapters/aws_wire.py": {
        *("botocore.awsrequest.AWSHTTPConnection", "botocore.awsrequest.AWSHTTPConnectionPool"),
        *("botocore.awsrequest.AWSHTTPSConnection", "botocore.awsrequest.AWSHTTPSConnectionPool"),
        *("http.client.HTTPResponse", "socket.getaddrinfo", "urllib3.util.connection.create_connection"),
        *("urllib3.exceptions.ConnectTimeoutError", "urllib3.exceptions.NameResolutionError"),
        "urllib3.exceptions.NewConnectionError",
    },
    # The ledger's own tables.
    "adapters/dynamodb.py": {"botocore.session.Session", ".create_client"},
    # Modules of closed lists.
    "adapters/connections/__init__.py": {"importlib.import_module"},
    "agents/execution_agent/config.py": {"importlib.import_module"},
    # The kit: a provider on the loopback address, and another process that has no way out.
    "agents/execution_agent/conformance/elsewhere.py": {"importlib.import_module"},
    "agents/execution_agent/conformance/http_provider.py": {"socket.socket"},
    "agents/execution_agent/conformance/undoing.py": {"subprocess.run"},
}


def test_nothing_leaves_this_machine_but_from_the_places_that_are_meant_for_it() -> None:
    found = {
        str(file.relative_to(ROOT)): ways
        for package in PACKAGES
        for file in modules(package)
        if (ways := ways_out(file))
    }
    assert found == ALLOWED


def modules(package: str) -> Iterator[Path]:
    return (ROOT / package).rglob("*.py")


def ways_out(file: Path) -> set[str]:
    return set(_ways_out(ast.parse(file.read_text("utf-8"))))


def _ways_out(tree: ast.AST) -> Iterator[str]:
    names = dict(_imported(tree))
    for used in _called(tree):
        yield from _leading_out(used, names)
        if isinstance(used, ast.Attribute) and used.attr in METHODS:
            yield f".{used.attr}"
    for handed_on in _handed_on(tree):
        yield from (way for way in _leading_out(handed_on, names) if not _is_constant(way))


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What each name stands for, wherever in the module it is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _called(tree: ast.AST) -> Iterator[ast.expr]:
    """What is called, and what is derived from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.func
        elif isinstance(node, ast.ClassDef):
            yield from node.bases


def _handed_on(tree: ast.AST) -> Iterator[ast.expr]:
    """What somebody else may call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from node.args
            yield from (keyword.value for keyword in node.keywords)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.Return) and node.value is not None:
            yield node.value


def _leading_out(node: ast.expr, names: Mapping[str, str]) -> Iterator[str]:
    dotted = _dotted(node, names)
    if dotted is not None and dotted not in HARMLESS and _leads_out(dotted):
        yield dotted


def _dotted(node: ast.expr, names: Mapping[str, str]) -> str | None:
    """`socket.socket` for whatever leads to it; None for what is no name."""
    if isinstance(node, ast.Attribute):
        stem = _dotted(node.value, names)
        return None if stem is None else f"{stem}.{node.attr}"
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id if node.id in WAYS_OUT else None)
    return None


def _leads_out(dotted: str) -> bool:
    """The module itself, or something of it."""
    return any(dotted == way or dotted.startswith(f"{way}.") for way in WAYS_OUT)


def _is_constant(dotted: str) -> bool:
    """Such as `socket.AF_INET`."""
    return dotted.rpartition(".")[2].isupper()


@pytest.mark.parametrize(
    ("source", "way"),
    [
        ("import socket\nsocket.create_connection(('example.com', 80))", "socket.create_connection"),
        ("import socket as s\ndef f():\n    return s.socket()", "socket.socket"),
        (
            "def f():\n    from urllib.request import urlopen as read\n    return read('https://example.com')",
            "urllib.request.urlopen",
        ),
        ("import urllib.request\nurllib.request.urlopen('https://example.com')", "urllib.request.urlopen"),
        ("import httpx\nclass A(httpx.Client): pass", "httpx.Client"),
        ("from boto3 import client\nsqs = client('sqs')", "boto3.client"),
        ("import boto3\nmake = boto3.client", "boto3.client"),
        ("import requests\nlist(map(requests.get, []))", "requests.get"),
        ("from slack_sdk import WebClient\nWebClient(token='x')", "slack_sdk.WebClient"),
        ("from simple_salesforce import Salesforce\nSalesforce()", "simple_salesforce.Salesforce"),
        ("import smtplib\nwith smtplib.SMTP('example.com') as s: pass", "smtplib.SMTP"),
        ("from ssl import SSLContext\nSSLContext()", "ssl.SSLContext"),
        ("context.wrap_socket(x)", ".wrap_socket"),
        ("from botocore.session import Session\nSession().create_client('sqs')", ".create_client"),
        ("import subprocess\nsubprocess.run(['curl'])", "subprocess.run"),
        ("import os\nos.system('curl')", "os.system"),
        ("__import__('socket')", "__import__"),
        ("eval('1')", "eval"),
    ],
)
def test_however_it_is_written_a_way_out_is_seen(source: str, way: str) -> None:
    assert way in set(_ways_out(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "import re\nre.compile('x')",
        "import socket\ndef f(s: socket.socket) -> None: ...",
        "import socket\nx = socket.AF_INET",
        "from urllib.parse import quote\nquote('x')",
        "import httpcore\nhttpcore.URL(scheme='https', host='x', target='/')",
    ],
)
def test_what_leads_nowhere_is_not_taken_for_one(source: str) -> None:
    assert set(_ways_out(ast.parse(source))) == set()


# -- one attempt ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "service", ["events", "kms", "lambda", "s3", "secretsmanager", "sesv2", "sns", "sqs", "ssm", "stepfunctions"]
)
def test_what_botocore_has_built_for_an_effect_sends_once(aws: None, service: str) -> None:
    made = AwsService(service, title=service, region="eu-central-1")
    with closing(made):
        config = made._built().meta.config
    assert config.retries["total_max_attempts"] == 1
    assert "max_attempts" not in config.retries


def test_the_services_are_those_that_the_tree_asks_for() -> None:
    asked = {name for package in PACKAGES for file in modules(package) for name in _services(file)}
    (mark,) = test_what_botocore_has_built_for_an_effect_sends_once.pytestmark  # type: ignore[attr-defined]
    assert asked <= set(mark.args[1])


def _services(file: Path) -> Iterator[str]:
    """The first word of everything that makes an AWS service."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute) and node.args:
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            first = node.args[0]
            if called in ("AwsService", "_service") and isinstance(first, ast.Constant):
                yield str(first.value)
