"""Secrets by reference: read late, kept until a provider refuses them, and told to nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.aws import AwsService
from adapters.secrets import FAILURE_KEPT, LARGEST_VALUE, TIMEOUT, SecretReference, Secrets, checked_reference
from domain.errors import ConfigurationError
from domain.outcome import Permanent, Unknown
from tests.fakes import FakeClock

CANARY = "canary-1679091c5a880faf6fb5e6087eb1b2dc"


class Store(AwsService):
    """Answers what it is told to, and counts."""

    def __init__(self, answer: Any) -> None:
        super().__init__("ssm", title="a store")
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.timeouts: list[float] = []

    def call(self, operation: str, *, timeout: float, **parameters: Any) -> Any:
        self.asked.append((operation, parameters))
        self.timeouts.append(timeout)
        return self.answer


class BusyStore(Store):
    """Says nothing of the secret `slow` before it may."""

    def __init__(self, answer: Any) -> None:
        super().__init__(answer)
        self.is_asked, self.may_answer = Event(), Event()

    def call(self, operation: str, *, timeout: float, **parameters: Any) -> Any:
        if parameters["SecretId"] == "slow":
            self.is_asked.set()
            assert self.may_answer.wait(5)
        return super().call(operation, timeout=timeout, **parameters)


def secrets(
    environ: Mapping[str, str] | None = None, store: Store | None = None, clock: FakeClock | None = None
) -> Secrets:
    def service(name: str, title: str) -> AwsService:
        assert store is not None
        return store

    return Secrets({} if environ is None else environ, service, monotonic=(clock or FakeClock()).monotonic)


# -- references -------------------------------------------------------------------------------------------------------

REFERENCES = [
    "env:SLACK_TOKEN",
    "env:_x1",
    "file:/run/secrets/slack",
    "file:/run/secrets/a name with spaces",
    "secretsmanager:prod/slack+token=1@2._-",
    "ssm:/prod/slack",
]
NO_REFERENCES = [
    "",
    CANARY,
    "env:",
    "env:1X",
    "env:A B",
    "env:A\n",
    "file:relative/path",
    "file:",
    "file:/a\x00b",
    "file:/a\nb",
    "secretsmanager:",
    "secretsmanager:a b",
    "secretsmanager:" + "a" * 513,
    "ssm:",
    "vault:secret/slack",
    "ENV:TOKEN",
    " env:TOKEN",
]


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_reference_says_where_a_secret_is(reference: str) -> None:
    assert checked_reference(reference) == reference


@pytest.mark.parametrize("text", NO_REFERENCES)
def test_what_is_no_reference_is_refused_and_not_repeated(text: str) -> None:
    """Somebody may have put the secret itself there."""
    with pytest.raises(ValueError, match="a secret is written env:NAME") as refused:
        checked_reference(text)
    assert CANARY not in str(refused.value)


def test_as_a_field_of_an_entry_it_is_checked_and_not_repeated() -> None:
    class Entry(BaseModel):
        model_config = ConfigDict(strict=True, hide_input_in_errors=True)

        token: SecretReference

    assert Entry(token="env:TOKEN").token == "env:TOKEN"
    with pytest.raises(ValidationError) as invalid:
        Entry(token=CANARY)
    assert CANARY not in str(invalid.value)


# -- the environment and files ----------------------------------------------------------------------------------------


def test_a_variable_is_a_secret() -> None:
    assert secrets({"TOKEN": CANARY}).value("env:TOKEN") == CANARY


@pytest.mark.parametrize("environ", [{}, {"TOKEN": ""}])
def test_a_variable_that_is_missing_or_empty_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"^the secret env:TOKEN is empty or not there$"):
        secrets(environ).value("env:TOKEN")


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_a_file_is_a_secret_without_its_line_end(tmp_path: Path, end: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(f"{CANARY}{end}".encode())
    assert secrets().value(f"file:{file}") == CANARY


def test_white_space_within_a_file_is_of_the_secret(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(b" BEGIN\nMIIE\nEND \n")
    assert secrets().value(f"file:{file}") == " BEGIN\nMIIE\nEND "


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_file_is_no_secret(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="is empty or not there"):
        secrets().value(f"file:{file}")


def test_a_file_that_is_not_there_is_named_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as missing:
        secrets().value(f"file:{tmp_path}/none")
    assert str(missing.value) == f"the secret file:{tmp_path}/none cannot be read: FileNotFoundError"


def test_a_folder_and_what_is_no_text_are_no_secrets(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"canary\xff\xfe")
    for place, reason in ((tmp_path, "IsADirectoryError"), (binary, "UnicodeDecodeError")):
        with pytest.raises(ConfigurationError) as unreadable:
            secrets().value(f"file:{place}")
        assert str(unreadable.value) == f"the secret file:{place} cannot be read: {reason}"


def test_half_a_secret_is_none(tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"x" * LARGEST_VALUE)
    assert len(secrets().value(f"file:{file}")) == LARGEST_VALUE
    file.write_bytes(b"x" * (LARGEST_VALUE + 1))
    with pytest.raises(ConfigurationError, match=f"file:{file} has more than {LARGEST_VALUE} bytes"):
        secrets().value(f"file:{file}")


# -- stores -----------------------------------------------------------------------------------------------------------


def test_a_store_is_asked_for_the_name() -> None:
    store = Store({"SecretString": CANARY})
    assert secrets(store=store).value("secretsmanager:prod/slack") == CANARY
    assert store.asked == [("get_secret_value", {"SecretId": "prod/slack"})]
    store = Store({"Parameter": {"Value": CANARY}})
    assert secrets(store=store).value("ssm:/prod/slack") == CANARY
    assert store.asked == [("get_parameter", {"Name": "/prod/slack", "WithDecryption": True})]


@pytest.mark.parametrize("reference", ["secretsmanager:prod/slack", "ssm:/prod/slack"])
@pytest.mark.parametrize(
    "answer", [{}, {"SecretString": ""}, {"SecretString": None}, {"Parameter": {}}, {"SecretBinary": b"canary"}]
)
def test_a_store_that_has_no_text_for_it_has_no_secret(reference: str, answer: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"^the secret {reference} is empty or not there$"):
        secrets(store=Store(answer)).value(reference)


@pytest.mark.parametrize("reference", ["secretsmanager:prod/slack", "ssm:/prod/slack"])
@pytest.mark.parametrize("failure", [Permanent("access_denied", CANARY), Unknown("read_timeout", CANARY)])
def test_a_store_that_refuses_is_told_by_its_code_alone(reference: str, failure: Any) -> None:
    with pytest.raises(ConfigurationError) as unreadable:
        secrets(store=Store(failure)).value(reference)
    assert str(unreadable.value) == f"the secret {reference} cannot be read: {failure.code}"


# -- remembered, and forgotten ----------------------------------------------------------------------------------------


def test_a_value_is_asked_for_once_until_a_provider_refuses_it() -> None:
    store = Store({"SecretString": "old"})
    kept = secrets(store=store)
    assert [kept.value("secretsmanager:slack") for _ in range(3)] == ["old"] * 3
    assert len(store.asked) == 1
    store.answer = {"SecretString": "new"}
    assert kept.value("secretsmanager:slack") == "old"
    kept.forget("secretsmanager:slack")
    assert kept.value("secretsmanager:slack") == "new"
    assert len(store.asked) == 2


def test_one_secret_is_forgotten_and_the_others_are_kept() -> None:
    environ = {"A": "a", "B": "b"}
    kept = secrets(environ)
    assert (kept.value("env:A"), kept.value("env:B")) == ("a", "b")
    environ |= {"A": "new a", "B": "new b"}
    kept.forget("env:A")
    assert (kept.value("env:A"), kept.value("env:B")) == ("new a", "b")


def test_what_was_never_known_can_be_forgotten() -> None:
    secrets().forget("env:NOTHING")


def test_a_failure_is_remembered_for_a_second() -> None:
    environ: dict[str, str] = {}
    clock = FakeClock()
    kept = secrets(environ, clock=clock)
    failures = []
    for passed in (0.0, 0.9):
        clock.pass_time(passed)
        with pytest.raises(ConfigurationError) as failed:
            kept.value("env:TOKEN")
        failures.append(str(failed.value))
        environ["TOKEN"] = CANARY
    assert failures == ["the secret env:TOKEN is empty or not there"] * 2
    clock.pass_time(FAILURE_KEPT - 0.9)
    assert kept.value("env:TOKEN") == CANARY


def test_of_many_threads_one_asks() -> None:
    store = Store({"SecretString": CANARY})
    kept, start = secrets(store=store), Barrier(16)
    found: list[str] = []

    def ask() -> None:
        start.wait(5)
        found.append(kept.value("secretsmanager:slack"))

    threads = [Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert found == [CANARY] * 16
    assert len(store.asked) == 1


# -- in the time that there is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("timeout", "given"), [(0.6, 0.6), (60.0, TIMEOUT)])
def test_a_store_has_the_time_that_the_caller_has(timeout: float, given: float) -> None:
    store = Store({"SecretString": CANARY})
    secrets(store=store).value("secretsmanager:slack", timeout=timeout)
    assert store.timeouts == [given]


@pytest.mark.parametrize("timeout", [0.0, -1.0])
def test_without_time_no_store_is_asked_and_what_is_known_is_told(timeout: float) -> None:
    store = Store({"SecretString": CANARY})
    kept = secrets(store=store)
    with pytest.raises(
        ConfigurationError, match=r"^the secret secretsmanager:slack cannot be read: it takes too long$"
    ):
        kept.value("secretsmanager:slack", timeout=timeout)
    assert store.asked == []
    assert kept.value("secretsmanager:slack") == kept.value("secretsmanager:slack", timeout=timeout) == CANARY


def test_who_needs_one_secret_does_not_wait_for_another() -> None:
    store = BusyStore({"SecretString": CANARY})
    kept = secrets(store=store)
    asking = Thread(target=kept.value, args=("secretsmanager:slow",))
    asking.start()
    assert store.is_asked.wait(5)
    assert kept.value("secretsmanager:quick") == CANARY
    kept.forget("secretsmanager:slow")
    with pytest.raises(ConfigurationError, match="slow cannot be read: it takes too long"):
        kept.value("secretsmanager:slow", timeout=0.05)
    store.may_answer.set()
    asking.join(5)
    assert kept.value("secretsmanager:slow", timeout=0.0) == CANARY


def test_those_who_wait_for_a_store_that_fails_are_told_together() -> None:
    store = BusyStore(Unknown("read_timeout", "no answer"))
    kept = secrets(store=store)
    told: list[str] = []

    def ask() -> None:
        try:
            kept.value("secretsmanager:slow")
        except ConfigurationError as failure:
            told.append(str(failure))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert store.is_asked.wait(5)
    store.may_answer.set()
    for thread in threads:
        thread.join(5)
    assert told == ["the secret secretsmanager:slow cannot be read: read_timeout"] * 8
    assert len(store.asked) == 1


# -- told to nobody ---------------------------------------------------------------------------------------------------


def test_its_repr_counts_and_tells_nothing() -> None:
    kept = secrets({"TOKEN": CANARY})
    assert repr(kept) == str(kept) == "Secrets(0 known)"
    kept.value("env:TOKEN")
    assert repr(kept) == "Secrets(1 known)"


@given(st.text(max_size=60))
def test_whatever_stands_for_a_reference_is_a_reference_or_refused(text: str) -> None:
    try:
        assert checked_reference(text) == text
    except ValueError:
        return
    assert text.partition(":")[0] in ("env", "file", "secretsmanager", "ssm")
