"""The keys of checkpoints, all Ed25519: who signs, and who has signed.

    file:PATH    a private key in PEM (PKCS 8, without a password) or its 32 bytes; `audit keygen` makes one
    kms:KEY-ID   a key in AWS KMS (ECC_NIST_EDWARDS25519, to sign and verify): its id, ARN or alias

What is asked of KMS: kms:Sign and kms:GetPublicKey.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from domain.checkpoint import SIGNATURE_SIZE, Signer, key_id_of
from domain.errors import ConfigurationError, LedgerUnavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from adapters.aws import AwsService

SETTING = "EXECUTION_AGENT_CHECKPOINT_KEY"
KEY_SIZE = 32
LARGEST_FILE = 10_000
TIMEOUT = 20.0
"""Seconds, for KMS to answer."""

_SPKI = bytes.fromhex("302a300506032b6570032100")
"""How the DER of a public key of Ed25519 begins: 32 bytes follow."""
_KMS_KEY = re.compile(r"[A-Za-z0-9:/_-]{1,2048}")


def signer_of(reference: str) -> Signer:
    """Raises ConfigurationError, in a line that repeats nothing that could be a key."""
    kind, _, name = reference.partition(":")
    if kind == "file" and name:
        return FileSigner(Path(name))
    if kind == "kms" and _KMS_KEY.fullmatch(name):
        return KmsSigner(name)
    raise ConfigurationError(f"{SETTING} must be file:PATH or kms:KEY-ID")


class FileSigner:
    """Signs with a private key in a file, which is read when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def key(self) -> bytes:
        return self._private().public_key().public_bytes_raw()

    def sign(self, text: bytes) -> bytes:
        return self._private().sign(text)

    def _private(self) -> Ed25519PrivateKey:
        _require_cryptography()
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        data = _file(self._path)
        if len(data) == KEY_SIZE:
            return Ed25519PrivateKey.from_private_bytes(data)
        try:
            key = load_pem_private_key(data, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if isinstance(key, Ed25519PrivateKey):
            return key
        raise ConfigurationError(f"{self._path} holds no private key of Ed25519 (PEM without a password, or 32 bytes)")


class KmsSigner:
    """Signs with a key that never leaves AWS KMS."""

    def __init__(self, key_id: str, service: AwsService | None = None) -> None:
        self._key_id = key_id
        # Imported here: most keys are in files.
        from adapters.aws import AwsService

        self._kms = service or AwsService("kms", title="KMS")
        self._key: bytes | None = None

    @property
    def key(self) -> bytes:
        if self._key is None:
            der = self._asked("get_public_key").get("PublicKey", b"")
            if not der.startswith(_SPKI) or len(der) != len(_SPKI) + KEY_SIZE:
                raise ConfigurationError(f"{SETTING}: the KMS key is no ECC_NIST_EDWARDS25519 key")
            self._key = der[len(_SPKI) :]
        return self._key

    def sign(self, text: bytes) -> bytes:
        answer = self._asked("sign", Message=text, MessageType="RAW", SigningAlgorithm="ED25519_SHA_512")
        signature: bytes = answer.get("Signature", b"")
        if len(signature) != SIGNATURE_SIZE:
            raise LedgerUnavailable("KMS answered without a signature")
        return signature

    def _asked(self, operation: str, **parameters: object) -> Mapping[str, bytes]:
        answer = self._kms.call(operation, timeout=TIMEOUT, KeyId=self._key_id, **parameters)
        if isinstance(answer, Mapping):
            return answer
        raise LedgerUnavailable(f"KMS does not sign: {answer.message}")


class PublicKeys:
    """Keys that are trusted. Raises ConfigurationError where a key is needed, and the library for it is missing."""

    def __init__(self, *keys: bytes) -> None:
        self._keys = {key_id_of(key): key for key in keys}

    @property
    def keys(self) -> tuple[bytes, ...]:
        return tuple(self._keys.values())

    def know(self, key_id: str) -> bool:
        return key_id in self._keys

    def have_signed(self, key_id: str, signature: bytes, text: bytes) -> bool:
        _require_cryptography()
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self._keys[key_id]).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


def public_key_in(path: Path) -> bytes:
    """A public key in PEM, or its 32 bytes. Raises ConfigurationError."""
    from base64 import b64decode

    data = _file(path)
    if len(data) == KEY_SIZE:
        return data
    body = re.fullmatch(rb"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*", data)
    der = b64decode(b"".join(body[1].split())) if body else b""
    if der.startswith(_SPKI) and len(der) == len(_SPKI) + KEY_SIZE:
        return der[len(_SPKI) :]
    what = (
        "a private key; its public one is wanted"
        if b"PRIVATE KEY" in data
        else "no public key of Ed25519 (PEM, or 32 bytes)"
    )
    raise ConfigurationError(f"{path} holds {what}")


def as_pem(public_key: bytes) -> bytes:
    """A public key, as other programs read it."""
    from base64 import b64encode

    return b"-----BEGIN PUBLIC KEY-----\n" + b64encode(_SPKI + public_key) + b"\n-----END PUBLIC KEY-----\n"


def make_key(path: Path) -> bytes:
    """Makes a private key in a new file that only its owner reads, the public one in PATH.pub; answers with the latter.

    Raises ConfigurationError where there is a file already.
    """
    _require_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_new(path, pem, 0o600)
    _write_new(path.with_name(f"{path.name}.pub"), as_pem(public), 0o644)
    return public


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if path.exists():
            raise ConfigurationError(f"{path} is there already, and is not written over") from None
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE)
    except OSError as error:
        raise ConfigurationError(f"the key in {path} cannot be read: {error.strerror}") from None


def _require_cryptography() -> None:
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        raise ConfigurationError('checkpoints need the library of their keys: pip install "execution-agent[audit]"')
