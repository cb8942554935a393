"""Checkpoints that are signed by a key in KMS, which never leaves it."""

from __future__ import annotations

import pytest
from botocore.session import Session

from adapters.aws import AwsService
from adapters.checkpoint_keys import KmsSigner, PublicKeys
from agents.execution_agent.verify_proof import is_signed
from domain.checkpoint import key_id_of
from domain.errors import ConfigurationError
from tests.engines import Engine


def signer(engine: Engine, kind: str) -> KmsSigner:
    kms = Session().create_client("kms", endpoint_url=engine.url)
    key = kms.create_key(KeySpec=kind, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    return KmsSigner(key, AwsService("kms", title="KMS", endpoint_url=engine.url))


def test_what_kms_signs_is_verified_with_its_public_key_alone(ministack: Engine) -> None:
    ours = signer(ministack, "ECC_NIST_EDWARDS25519")
    signature = ours.sign(b"a header")
    assert is_signed(ours.key, b"a header", signature)
    assert PublicKeys(ours.key).have_signed(key_id_of(ours.key), signature, b"a header")
    assert not is_signed(ours.key, b"another header", signature)


def test_a_key_of_another_kind_is_refused_before_anything_is_signed(ministack: Engine) -> None:
    with pytest.raises(ConfigurationError, match="ECC_NIST_EDWARDS25519"):
        _ = signer(ministack, "ECC_NIST_P256").key
