"""Keys of checkpoints: in files, in KMS, and those of others."""

from __future__ import annotations

import base64
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from adapters.aws import AwsService
from adapters.checkpoint_keys import FileSigner, KmsSigner, PublicKeys, as_pem, make_key, public_key_in, signer_of
from domain.checkpoint import key_id_of
from domain.errors import ConfigurationError, LedgerUnavailable
from tests.evidence_house import FakeSigner
from tests.scripted_aws import ScriptedAws, hangs_up, refuses, says, scripted_aws

SPKI = bytes.fromhex("302a300506032b6570032100")


def test_a_key_that_was_made_signs_what_its_public_key_verifies(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "audit.pem"
    public = make_key(file)
    signer = signer_of(f"file:{file}")

    signature = signer.sign(b"text")

    assert signer.key == public == public_key_in(file.with_name("audit.pem.pub"))
    assert PublicKeys(public).have_signed(key_id_of(public), signature, b"text")
    assert not PublicKeys(public).have_signed(key_id_of(public), signature, b"another text")
    assert not PublicKeys(public).have_signed(key_id_of(public), signature[1:], b"text")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    before = (tmp_path / "key").read_bytes()
    with pytest.raises(ConfigurationError, match="already"):
        make_key(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == before


def test_a_place_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        make_key(tmp_path / "file" / "key")


def test_32_bytes_are_a_private_key_too(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(bytes(range(32)))
    signer = FileSigner(tmp_path / "raw")
    assert PublicKeys(signer.key).have_signed(key_id_of(signer.key), signer.sign(b"text"), b"text")


def test_a_public_key_is_what_other_programs_read() -> None:
    key = FakeSigner().key
    pem = load_pem_public_key(as_pem(key))
    assert pem.public_bytes_raw() == key  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def wrong_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that hold no private key of Ed25519, each in its own way."""
    folder = tmp_path_factory.mktemp("wrong")
    elliptic = generate_private_key(SECP256R1())
    (folder / "elliptic").write_bytes(elliptic.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    locked = BestAvailableEncryption(b"password")
    (folder / "locked").write_bytes(elliptic.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    (folder / "public").write_bytes(as_pem(FakeSigner().key))
    (folder / "empty").touch()
    (folder / "noise").write_bytes(bytes(range(200)))
    return folder


@pytest.mark.parametrize("name", ["elliptic", "locked", "public", "empty", "noise", "missing"])
def test_what_is_no_private_key_is_refused(wrong_files: Path, name: str) -> None:
    with pytest.raises(ConfigurationError):
        FileSigner(wrong_files / name).sign(b"text")


@pytest.mark.parametrize("name", ["elliptic", "locked", "empty", "noise", "missing"])
def test_what_is_no_public_key_is_refused(wrong_files: Path, name: str) -> None:
    with pytest.raises(ConfigurationError):
        public_key_in(wrong_files / name)


def test_a_private_key_in_the_place_of_a_public_one_is_told_as_such(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    with pytest.raises(ConfigurationError, match="private key; its public one"):
        public_key_in(tmp_path / "key")


@pytest.mark.parametrize("reference", ["", "file:", "kms:", "kms:a b", "env:KEY", "MC4CAQAwBQYDK2VwBCIEIA"])
def test_a_reference_that_is_none_is_refused_and_not_repeated(reference: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        signer_of(reference)
    assert str(refused.value) == "EXECUTION_AGENT_CHECKPOINT_KEY must be file:PATH or kms:KEY-ID"


@pytest.fixture
def kms(aws: None) -> Iterator[ScriptedAws]:
    with scripted_aws(says(200, {})) as endpoint:
        yield endpoint


def kms_signer(kms: ScriptedAws) -> KmsSigner:
    return KmsSigner("alias/audit", AwsService("kms", title="KMS", endpoint_url=kms.url))


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_kms_signs_the_text_itself_and_its_key_is_asked_for_once(kms: ScriptedAws) -> None:
    real, signer = FakeSigner(), kms_signer(kms)
    kms.begin(
        says(200, {"PublicKey": base64_of(SPKI + real.key)}), says(200, {"Signature": base64_of(real.sign(b"text"))})
    )

    assert (signer.key, signer.key) == (real.key, real.key)
    assert signer.sign(b"text") == real.sign(b"text")

    assert [asked.operation for asked in kms.asked] == ["GetPublicKey", "Sign"]
    assert kms.asked[1].body == {
        "KeyId": "alias/audit",
        "Message": base64_of(b"text"),
        "MessageType": "RAW",
        "SigningAlgorithm": "ED25519_SHA_512",
    }


def test_a_key_in_kms_of_another_kind_is_refused(kms: ScriptedAws) -> None:
    kms.begin(says(200, {"PublicKey": base64_of(b"0" * 44)}))
    with pytest.raises(ConfigurationError, match="ECC_NIST_EDWARDS25519"):
        _ = kms_signer(kms).key


@pytest.mark.parametrize(
    "answer", [refuses(400, "AccessDeniedException"), refuses(500, "KMSInternalException"), hangs_up, says(200, {})]
)
def test_when_kms_does_not_sign_that_is_one_line(kms: ScriptedAws, answer: object) -> None:
    kms.begin(answer)  # type: ignore[arg-type]
    with pytest.raises(LedgerUnavailable, match="KMS"):
        kms_signer(kms).sign(b"text")
