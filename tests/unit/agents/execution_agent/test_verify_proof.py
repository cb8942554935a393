"""The verifier that stands alone: it takes what was signed, and nothing that was not."""

from __future__ import annotations

import ast
import base64
import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as some

from adapters.checkpoint_keys import as_pem
from agents.execution_agent import verify_proof
from agents.execution_agent.verify_proof import NotProved, is_signed, main, proved, public_key_in, story_of
from domain.commit import NOTHING, Commit, packed
from domain.instant import to_text
from tests.evidence_house import NOON, FakeJournal, FakeSigner, House, life_of

ORDER = 2**252 + 27742317777372353535851937790883648493
P = 2**255 - 19

RFC_8032 = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
)
"""Section 7.1: secret key, public key, message, signature."""

SMALL_ORDER = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
)
NOT_CANONICAL = (
    "0100000000000000000000000000000000000000000000000000000000000080",  # x is 0, and says that it is odd
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # y is p, which is 0
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0200000000000000000000000000000000000000000000000000000000000000",  # no point has this y
)


# -- signatures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_the_signatures_of_the_rfc_are_signatures(secret: str, public: str, message: str, signature: str) -> None:
    key, text, signed = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)).sign(text) == signed
    assert is_signed(key, text, signed)
    assert not is_signed(key, text + b"\x00", signed)


@settings(max_examples=25)
@given(some.binary(min_size=32, max_size=32), some.binary(max_size=80), some.integers(0, 511))
def test_what_a_library_signs_is_signed_and_no_bit_of_it_may_change(secret: bytes, text: bytes, bit: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(secret)
    public, signature = private.public_key().public_bytes_raw(), private.sign(text)
    assert is_signed(public, text, signature)
    assert not is_signed(public, text, flipped(signature, bit))
    assert not is_signed(flipped(public, bit % 256), text, signature)


@pytest.mark.parametrize("times", [1, 2, 15])
def test_a_text_has_one_signature(times: int) -> None:
    """With the order of the group added to its scalar, it would be another one."""
    signature = FakeSigner().sign(b"text")
    scalar = int.from_bytes(signature[32:], "little") + times * ORDER
    if scalar < 2**256:
        assert not is_signed(FakeSigner().key, b"text", signature[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("key", SMALL_ORDER + NOT_CANONICAL)
def test_a_key_of_small_order_or_of_another_spelling_signs_nothing(key: str) -> None:
    point = bytes.fromhex(key)
    for nonce in (*SMALL_ORDER, *NOT_CANONICAL):
        for scalar in (0, 1, ORDER - 1):
            assert not is_signed(point, b"any text", bytes.fromhex(nonce) + scalar.to_bytes(32, "little"))
    with pytest.raises(NotProved):
        public_key_in(point)


@pytest.mark.parametrize("nonce", SMALL_ORDER + NOT_CANONICAL)
def test_a_signature_that_is_hardly_one_is_refused(nonce: str) -> None:
    for scalar in (0, 1, ORDER - 1, ORDER, 2**256 - 1):
        assert not is_signed(FakeSigner().key, b"text", bytes.fromhex(nonce) + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_a_signature_has_64_bytes_and_a_key_32(size: int) -> None:
    assert not is_signed(FakeSigner().key, b"text", bytes(size))
    assert not is_signed(bytes(size), b"text", FakeSigner().sign(b"text"))


def test_a_public_key_is_read_from_pem_and_from_its_bytes() -> None:
    key = FakeSigner().key
    assert public_key_in(as_pem(key)) == public_key_in(key) == key


@pytest.mark.parametrize(
    "data",
    [b"", b"x", as_pem(bytes(31)), as_pem(bytes(32)), b"-----BEGIN PUBLIC KEY-----\nA\n-----END PUBLIC KEY-----"],
)
def test_what_is_no_key_is_refused(data: bytes) -> None:
    with pytest.raises(NotProved, match="public key"):
        public_key_in(data)


def flipped(data: bytes, bit: int) -> bytes:
    return bytes(byte ^ (1 << bit % 8 if place == bit // 8 else 0) for place, byte in enumerate(data))


# -- proofs -----------------------------------------------------------------------------------------------------------


def said(topic: str, at: str, **members: Any) -> tuple[str, bytes]:
    return f"action.{topic}", json.dumps({"at": at, **members}).encode()


def an_action() -> list[Commit]:
    """As the agent writes one: the first body is packed."""
    at, later = to_text(NOON), to_text(NOON + timedelta(seconds=1))
    request = {
        "action_type": "send_email",
        "parameters": {"recipient": "ada@example.com", "rate": 1.5, "text": "x" * 300},
        "decision": {"id": "dec-1", "agent": "renewals", "reason": "the contract ends"},
    }
    asked = (said("requested", at, request=request), said("validated", at), said("attempted", at, attempt=1))
    first = Commit("act_7", 1, at, NOTHING, asked, packed(asked))
    assert first.body[1:2] == b"z"
    return [
        first,
        Commit("act_7", 4, later, first.hash, (said("succeeded", later, reference="<1@example.com>", by="Zoë"),)),
    ]


@pytest.fixture(scope="module")
def house() -> House:
    """The first commit is under checkpoint 1, the second under checkpoint 2."""
    life = an_action()
    house = House(FakeJournal(life[:1], *[life_of(f"act_{number}", 2) for number in range(5)]))
    house.seal()
    house.journal.put(life)
    house.seal()
    return house


@pytest.fixture
def proof(house: House) -> dict[str, Any]:
    made = house.prove("act_7")
    assert made is not None
    assert (made.findings, made.uncovered) == ([], [])
    copy: dict[str, Any] = json.loads(json.dumps(made.document))
    return copy


def check(proof: Any) -> verify_proof.Proved:
    return proved(json.dumps(proof).encode(), FakeSigner().key)


def test_what_is_proved_is_told_in_words(proof: dict[str, Any]) -> None:
    told = "\n".join(story_of(check(proof)))
    assert "PROVED: act_7, 4 events in 2 commits" in told
    assert "asked by renewals  decision dec-1  because the contract ends" in told
    assert "2026-03-01T12:00:01.000000Z  succeeded: by=Zoë  reference=<1@example.com>" in told
    assert "Checkpoint 2" in told
    assert "What came after version 4, if anything, is not in this proof." in told


def asked(**request: Any) -> str:
    """What is told of a request."""
    events = (said("requested", to_text(NOON), request={"action_type": "send_email", **request}),)
    commit = Commit("act_7", 1, to_text(NOON), NOTHING, events)
    return "\n".join(story_of(proved(a_proof_of(commit.record), FakeSigner().key)))


def test_nothing_that_is_long_hides_whom_it_was_about() -> None:
    because = "because " * 60
    told = asked(
        parameters={"body": "b" * 9_000, "recipient": "ada@example.com"},
        decision={"id": "d-1", "agent": "renewals", "reason": because},
    )
    assert '"recipient": "ada@example.com"' in told
    assert "b" * 400 + '..."' in told
    assert f"asked by renewals  decision d-1  because {because[:400]}..." in told


def test_where_there_is_too_much_the_end_is_marked() -> None:
    told = asked(parameters={f"name_{number:04}": "x" * 300 for number in range(100)})
    (line,) = [line for line in told.splitlines() if "requested" in line]
    assert line.endswith("...")
    assert len(line) < 4_100


def test_what_is_nested_deeply_is_told_without_a_crash() -> None:
    for depth in (10, 500, 20_000):
        state = b'{"at":"now","note":%b}' % (b"[" * depth + b"]" * depth)
        commit = Commit("act_7", 1, "now", NOTHING, (("action.noted", state),))
        assert story_of(proved(a_proof_of(commit.record), FakeSigner().key))[0].startswith("PROVED")


def test_the_time_of_the_commit_is_told_where_an_event_says_another_one() -> None:
    commit = Commit("act_7", 1, to_text(NOON), NOTHING, (said("noted", "2020-03-01T09:00:00.000000Z"),))
    told = "\n".join(story_of(proved(a_proof_of(commit.record), FakeSigner().key)))
    assert f"{to_text(NOON)} (says 2020-03-01T09:00:00.000000Z)  noted" in told


def test_any_action_of_the_ledger_can_be_proved(house: House) -> None:
    for action_id in house.journal.rows:
        made = house.prove(action_id)
        assert made is not None
        assert check(made.document).action_id == action_id


Change = Callable[[dict[str, Any]], object]


def record_of(proof: dict[str, Any], commit: int) -> bytes:
    return base64.b64decode(proof["commits"][commit]["record"])


def replaced(was: bytes, now: bytes, commit: int = 0) -> Change:
    def change(proof: dict[str, Any]) -> None:
        record = record_of(proof, commit)
        assert was in record
        proof["commits"][commit]["record"] = base64.b64encode(record.replace(was, now)).decode()

    return change


def header_with(was: str, now: str) -> Change:
    def change(proof: dict[str, Any]) -> None:
        text = proof["checkpoints"][0]["header"]
        assert was in text
        proof["checkpoints"][0]["header"] = text.replace(was, now)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda proof: proof.update(format="execution-agent/proof/2"), "format"),
        (lambda proof: proof.update(more=1), "no object with"),
        (lambda proof: proof.pop("checkpoints"), "no object with"),
        (lambda proof: proof.update(commits=[]), "no commit"),
        (lambda proof: proof.update(commits={}), "no list"),
        (lambda proof: proof.update(action_id="act_8"), "another action"),
        (lambda proof: proof.update(action_id="\ud800"), "no text"),
        (lambda proof: proof["commits"].reverse(), "should come next"),
        (lambda proof: proof["commits"].pop(0), "should come next"),
        (lambda proof: proof["commits"].append(proof["commits"][1]), "should come next"),
        (lambda proof: proof["commits"][0].update(leaf=0), "not leaf 0"),
        (lambda proof: proof["commits"][0].update(leaf=True), "no whole number"),
        (lambda proof: proof["commits"][0].update(leaf=-1), "no whole number"),
        (lambda proof: proof["commits"][0].update(leaf=10**30), "more digits"),
        (lambda proof: proof["commits"][0]["path"].pop(), "not leaf"),
        (lambda proof: proof["commits"][0]["path"].append("00" * 32), "not leaf"),
        (lambda proof: proof["commits"][0]["path"].insert(0, "0g" * 32), "hexadecimal"),
        (lambda proof: proof["commits"][0]["path"].insert(0, "00" * 31), "hexadecimal"),
        (lambda proof: proof["commits"][0].update(checkpoint=2), "not leaf"),
        (lambda proof: proof["commits"][0].update(checkpoint=3), "not in the proof"),
        (lambda proof: proof["commits"][1].update(checkpoint=None), "1 of 2 commits are under no checkpoint"),
        (lambda proof: proof["commits"][0].update(record="!"), "base64"),
        (lambda proof: proof["commits"][0].update(record=""), "base64"),
        (lambda proof: proof["commits"][0].update(record=proof["commits"][0]["record"] + "\n"), "base64"),
        (replaced(b"reference", b"Reference", 1), "not leaf"),
        (lambda proof: proof["checkpoints"].append(proof["checkpoints"][0]), "there twice"),
        (lambda proof: proof["checkpoints"].pop(), "not in the proof"),
        (lambda proof: proof["checkpoints"][0].update(signature="00" * 64), "signature of checkpoint 1"),
        (header_with('"number":1', '"number":9'), "signature of checkpoint 9"),
        (header_with('"number":1', '"number":1.0'), "no whole number"),
        (header_with('"number":1', '"number":1,"number":1'), "twice"),
        (header_with('"late":0', '"late":NaN'), "no whole number"),
        (header_with("checkpoint/1", "checkpoint/2"), "format of a header"),
        (header_with('"key":"ed25519:', '"key":"ed25519:00'), "the key at hand"),
        (header_with("{", "["), "not JSON"),
    ],
)
def test_whatever_is_changed_nothing_is_proved(proof: dict[str, Any], change: Change, reason: str) -> None:
    change(proof)
    with pytest.raises(NotProved, match=reason):
        check(proof)


def test_a_record_with_a_changed_byte_proves_nothing(proof: dict[str, Any]) -> None:
    record = record_of(proof, 1)
    for place in range(0, len(record), 5):
        proof["commits"][1]["record"] = base64.b64encode(flipped(record, 8 * place)).decode()
        with pytest.raises(NotProved):
            check(proof)


@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b"\xff", b"{" * 100_000, b'{"format": 1, "format": 1}', b"1" * 10_000]
)
def test_what_is_no_proof_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(NotProved):
        proved(data, FakeSigner().key)


def a_proof_of(*records: bytes) -> bytes:
    """Signed by the right key: what its holder could do, and an honest agent never does."""
    signer = FakeSigner()
    commits, headers = [], []
    for number, record in enumerate(records, 1):
        leaf = sha256(b"\x00" + record).hexdigest()
        said = {"format": verify_proof.CHECKPOINT, "number": number, "at": "now", "size": 1, "root": leaf}
        text = json.dumps(said | {"key": f"ed25519:{sha256(signer.key).hexdigest()[:32]}"})
        headers.append({"header": text, "signature": signer.sign(text.encode()).hex()})
        commits.append({"record": base64.b64encode(record).decode(), "checkpoint": number, "leaf": 0, "path": []})
    proof = {"format": verify_proof.PROOF, "action_id": "act_7", "commits": commits, "checkpoints": headers}
    return json.dumps(proof).encode()


def test_commits_that_do_not_follow_each_other_prove_nothing() -> None:
    first, second = an_action()
    assert proved(a_proof_of(first.record, second.record), FakeSigner().key)
    with pytest.raises(NotProved, match="follows another one"):
        proved(a_proof_of(first.record, replace(second, previous=bytes(32)).record), FakeSigner().key)
    with pytest.raises(NotProved, match="follows another one"):
        proved(a_proof_of(replace(first, previous=bytes(32)).record), FakeSigner().key)


def test_commits_of_a_time_before_chaining_are_told_as_such() -> None:
    first, second = an_action()
    found = proved(a_proof_of(first.record, replace(second, previous=None).record), FakeSigner().key)
    assert any("did not name the one before" in line for line in story_of(found))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"1n",
        b"0n",
        b"2n4:a.b ,2:{},",
        b"1n3:a.b,2:{}",
        b"1n3:a.b,02:{},",
        b"1q3:a.b,2:{},",
        b"1z" + b"nonsense",
        b"1z" + zlib.compress(b"3:a.b,2:{},") + b"more",
        b"1z" + zlib.compress(b"3:a.b,2:{},")[:-1],
        b"1z" + zlib.compress(bytes(20_000_000)),
        b"1n1:\xff,2:{},",
    ],
)
def test_a_body_that_cannot_be_read_proves_nothing(body: bytes) -> None:
    said = (b"commit/1", b"act_7", b"1", b"2026-03-01T12:00:00.000000Z", b"", body)
    record = b"".join(b"%d:%b," % (len(text), text) for text in said)
    with pytest.raises(NotProved):
        proved(a_proof_of(record), FakeSigner().key)


def test_an_event_that_is_no_json_is_proved_as_it_stands_and_shown_harmlessly() -> None:
    odd = (b"\x1b[2J\r not JSON", b"\xff", b'{"a":"\\u001b"}', b'{"a":%s}' % (b"9" * 10_000), b'{"a":1e999,"a":[1]}')
    hostile = Commit("act_7", 1, "2026", NOTHING, tuple(("action.noted", state) for state in odd))
    told = "\n".join(story_of(proved(a_proof_of(hostile.record), FakeSigner().key)))
    assert "unreadable" in told
    assert "\x1b" not in told
    assert "\r" not in told


# -- alone ------------------------------------------------------------------------------------------------------------


def run_alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "verify_proof.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, env={})


def test_it_runs_with_nothing_installed_and_no_ledger(tmp_path: Path, proof: dict[str, Any]) -> None:
    (tmp_path / "verify_proof.py").write_bytes(Path(verify_proof.__file__).read_bytes())
    (tmp_path / "proof.json").write_text(json.dumps(proof), "utf-8")
    (tmp_path / "key.pub").write_bytes(as_pem(FakeSigner().key))

    done = run_alone(tmp_path, "proof.json", "key.pub")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("PROVED: act_7")
    assert "by=Zo" in done.stdout


def test_what_a_terminal_cannot_show_is_escaped(tmp_path: Path, proof: dict[str, Any]) -> None:
    (tmp_path / "proof.json").write_text(json.dumps(proof), "utf-8")
    (tmp_path / "key.pub").write_bytes(as_pem(FakeSigner().key))
    command = [sys.executable, "-S", verify_proof.__file__, "proof.json", "key.pub"]
    env = {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, env=env)

    assert (done.returncode, done.stderr) == (0, "")
    assert r"by=Zo\xeb" in done.stdout


def test_it_says_in_one_line_why_not(tmp_path: Path, proof: dict[str, Any]) -> None:
    file, key = tmp_path / "proof.json", tmp_path / "key.pub"
    file.write_text(json.dumps(proof), "utf-8")
    key.write_bytes(as_pem(FakeSigner("another").key))
    lines: list[str] = []

    assert main([str(file), str(key)], lines.append) == 1
    assert main([str(tmp_path / "none"), str(key)], lines.append) == 1
    assert main([str(file)], lines.append) == 2
    assert [line.partition(":")[0] for line in lines] == ["NOT PROVED", "NOT PROVED", "usage"]
    assert all(line.count("\n") == 1 for line in lines)


def test_it_is_written_in_python_3_8_and_imports_the_standard_library_alone() -> None:
    tree = ast.parse(Path(verify_proof.__file__).read_text("utf-8"), feature_version=(3, 8))
    imports = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imports |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    known = {"base64", "binascii", "hashlib", "json", "re", "sys", "zlib", "dataclasses", "typing", "__future__"}
    assert imports - known == {"collections.abc"}  # for types only
    later = {"removeprefix", "removesuffix", "bit_count", "batched", "pairwise"}
    assert later.isdisjoint(node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute))
