from __future__ import annotations

import json
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.email import OutboxSender, SesSender, SmtpSender, email_sender
from domain.errors import ConfigurationError, InvalidMessage
from domain.outcome import Retry, Succeeded
from domain.ports import Email

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = "act_01m87gb1k7e4sb6d1n6rvkge9g-r0"
SENDER = "Acme Renewals <renewals@example.com>"
LETTER = Email("ada@example.org", "Your renewal", "Hello\n")


def send(sender: OutboxSender, message: bytes = b"Subject: x\r\n\r\n", effect_key: str = KEY) -> object:
    return sender.send(message, recipient="ada@example.org", effect_key=effect_key, timeout=30)


# The outbox


def test_the_outbox_keeps_one_file_a_message(tmp_path: Path) -> None:
    outbox = OutboxSender(tmp_path / "deep" / "outbox", SENDER)
    message = outbox.compose(LETTER, effect_key=KEY, at=NOON)
    path = tmp_path / "deep" / "outbox" / f"{KEY}.eml"
    assert send(outbox, message) == Succeeded(
        {"message_id": f"<{KEY}@example.com>", "outbox": str(path)}, reference=f"<{KEY}@example.com>"
    )
    assert path.read_bytes() == message
    assert [*path.parent.iterdir()] == [path]


def test_an_envelope_lies_beside_a_message_that_others_get_too(tmp_path: Path) -> None:
    outbox = OutboxSender(tmp_path, SENDER)
    copies = ("bob@example.com", "archive@example.com")
    outcome = outbox.send(b"x", recipient="ada@example.org", copies=copies, effect_key=KEY, timeout=30)
    assert isinstance(outcome, Succeeded)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{KEY}.eml", f"{KEY}.envelope.json"]
    envelope = json.loads((tmp_path / f"{KEY}.envelope.json").read_text("utf-8"))
    assert envelope == {"from": "renewals@example.com", "to": ["ada@example.org", *copies]}


def test_without_its_envelope_no_message_is_written(tmp_path: Path) -> None:
    """Whoever picks it up would send it to one alone."""
    (tmp_path / f"{KEY}.envelope.json").mkdir()
    outbox = OutboxSender(tmp_path, SENDER)
    outcome = outbox.send(b"x", recipient="ada@example.org", copies=["b@example.com"], effect_key=KEY, timeout=30)
    assert isinstance(outcome, Retry)
    assert not (tmp_path / f"{KEY}.eml").exists()


def test_a_message_is_for_its_owner_alone(tmp_path: Path) -> None:
    send(OutboxSender(tmp_path, SENDER))
    assert stat.S_IMODE((tmp_path / f"{KEY}.eml").stat().st_mode) == 0o600


def test_an_effect_that_happened_is_not_repeated(tmp_path: Path) -> None:
    outbox = OutboxSender(tmp_path, SENDER)
    first = send(outbox, b"the first attempt")
    written = (tmp_path / f"{KEY}.eml").stat()
    assert send(outbox, b"the second attempt") == first
    assert (tmp_path / f"{KEY}.eml").read_bytes() == b"the first attempt"
    assert (tmp_path / f"{KEY}.eml").stat() == written


def test_other_effects_are_other_files(tmp_path: Path) -> None:
    outbox = OutboxSender(tmp_path, SENDER)
    keys = [f"act_{number}-r0" for number in range(50)]
    with ThreadPoolExecutor(8) as pool:
        assert all(
            isinstance(outcome, Succeeded) for outcome in pool.map(lambda key: send(outbox, effect_key=key), keys)
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{key}.eml" for key in keys)


@pytest.mark.parametrize("effect_key", ["../escape", "a/b", "", ".", "..", "a\x00b", "a.eml/../../b"])
def test_an_effect_key_never_names_a_file_elsewhere(tmp_path: Path, effect_key: str) -> None:
    with pytest.raises(InvalidMessage):
        send(OutboxSender(tmp_path / "outbox", SENDER), effect_key=effect_key)
    assert [*tmp_path.iterdir()] == []


def test_a_message_that_was_not_written_may_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("where the outbox should be")
    for directory in (tmp_path / "file", tmp_path / "file" / "below"):
        outcome = send(OutboxSender(directory, SENDER))
        assert isinstance(outcome, Retry)
        assert outcome.code == "outbox_not_writable"
        assert str(directory) in outcome.message
    (tmp_path / "file").unlink()
    assert isinstance(send(OutboxSender(tmp_path / "file", SENDER)), Succeeded)


def test_a_message_that_gets_no_name_leaves_nothing_behind(tmp_path: Path) -> None:
    """A directory has taken the name: the draft is written, and the renaming fails."""
    (tmp_path / f"{KEY}.eml").mkdir()
    assert isinstance(send(OutboxSender(tmp_path, SENDER)), Retry)
    assert [path.name for path in tmp_path.iterdir()] == [f"{KEY}.eml"]


def test_an_outbox_that_cannot_even_be_looked_into_may_be_tried_again(tmp_path: Path) -> None:
    outbox = OutboxSender(tmp_path / ("x" * 300), SENDER)
    assert isinstance(send(outbox), Retry)


FULL_DISK = """
import resource, signal, sys
from adapters.email import OutboxSender
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
outbox = OutboxSender(sys.argv[1], "a@example.com")
outcome = outbox.send(b"x" * 100_000, recipient="b@example.com", effect_key="k", timeout=1)
print(type(outcome).__name__, outcome.code)
"""


def test_half_a_message_is_no_message(tmp_path: Path) -> None:
    """The system takes no more than 4096 bytes a file: so ends a full disk, too."""
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert run.stdout.split() == ["Retry", "outbox_not_writable"]
    assert [*tmp_path.iterdir()] == []


# The setting


def test_a_setting_names_one_of_three_senders(tmp_path: Path) -> None:
    assert isinstance(email_sender(f"outbox:{tmp_path}/outbox", SENDER), OutboxSender)
    assert isinstance(email_sender("smtp://mail.example.com:25", SENDER), SmtpSender)
    assert isinstance(email_sender("smtp://127.0.0.1:1025/", SENDER), SmtpSender)
    assert isinstance(email_sender("smtp://[::1]:1025", SENDER), SmtpSender)
    assert isinstance(email_sender("ses:", SENDER), SesSender)
    assert [*tmp_path.iterdir()] == [], "nothing is made before the first message"


@pytest.mark.parametrize(
    "setting",
    ["", "outbox", "outbox:", "/var/mail", "smtp:", "smtp://", "smtp://host", "smtp://host:", "smtp://host:0",
     "smtp://host:65536",
     "smtp://host:25x", "smtp://:25", "smtp://user:s3cr3t@host:25", "smtp://s3cr3t@host:25", "smtp://host:25/s3cr3t",
     "smtps://host:465",
     "smtp://ho st:25", "smtp://host:25\n", "ses", "ses:eu-west-1", "SES:", "mailto:a@example.com",
     "outbox:/dev/null/outbox"],
)  # fmt: skip
def test_any_other_setting_is_one_clear_line(setting: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        email_sender(setting, SENDER)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith("EXECUTION_AGENT_EMAIL")
    assert "s3cr3t" not in message


def test_an_outbox_that_cannot_be_made_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for directory in ("file", "file/below/and/below"):
        with pytest.raises(ConfigurationError) as caught:
            email_sender(f"outbox:{tmp_path / directory}", SENDER)
        assert f"{tmp_path / 'file'} is not a directory" in str(caught.value)


@pytest.mark.parametrize("setting", ["outbox:out", "smtp://host:25", "ses:"])
@pytest.mark.parametrize("sender", ["", "nobody", "a@localhost", "A <a@example.com>\nBcc: b@example.com"])
def test_a_wrong_sender_is_a_wrong_setting(setting: str, sender: str) -> None:
    with pytest.raises(ConfigurationError):
        email_sender(setting, sender)


def test_importing_the_senders_loads_no_heavy_library() -> None:
    script = (
        "import sys; from adapters.email import email_sender;"
        "email_sender('smtp://h:25', 'a@example.com'); email_sender('ses:', 'a@example.com');"
        "assert not {'boto3', 'botocore', 'smtplib', 'ssl', 'email', 'tempfile'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])
