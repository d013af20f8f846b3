"""Keys that outlive a restart, and tokens of exactly Cognito's shape."""

import base64
import os
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from server.identity.devissuer_tokens import KeyRing, Login, SigningKey, TokenMint
from server.identity.signingkeys import KeyFileError
from server.ids import RandomIds
from tests.support.clock import ManualClock

ALICE = Login("alice", "7d0f1a0e-3c1b-5d0a-9a36-3b1b5c1f0a11", "origin", "event", 1_799_999_000)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.pem"


def mint(ring: KeyRing) -> TokenMint:
    return TokenMint(ring, "http://127.0.0.1:7352/local_dev", "client", ManualClock(), RandomIds("test"))


def test_a_key_file_is_for_its_owner_alone(key_file: Path) -> None:
    old_mask = os.umask(0)
    try:
        KeyRing.open(key_file)
    finally:
        os.umask(old_mask)

    assert key_file.stat().st_mode & 0o777 == 0o600


def test_a_readable_key_file_is_closed_to_others_when_opened(key_file: Path) -> None:
    KeyRing.open(key_file)
    key_file.chmod(0o644)

    KeyRing.open(key_file)

    assert key_file.stat().st_mode & 0o777 == 0o600


def test_keys_and_their_order_outlive_a_restart(key_file: Path) -> None:
    ring = KeyRing.open(key_file)
    ring.rotate()

    reopened = KeyRing.open(key_file)

    assert len(ring.keys) == 2
    assert reopened.key_set() == ring.key_set()
    assert reopened.signing.kid == ring.signing.kid


def test_a_rotation_signs_with_a_new_key_and_keeps_the_last_three(key_file: Path) -> None:
    ring = KeyRing.open(key_file)
    kids = [ring.signing.kid]

    for _ in range(3):
        ring.rotate()
        kids.insert(0, ring.signing.kid)

    assert len(set(kids)) == 4
    assert [key["kid"] for key in ring.key_set()["keys"]] == kids[:3]


def test_a_published_key_tells_no_private_part(key_file: Path) -> None:
    (key,) = KeyRing.open(key_file).key_set()["keys"]

    assert set(key) == {"alg", "e", "kid", "kty", "n", "use"}
    assert (key["alg"], key["kty"], key["use"], key["e"]) == ("RS256", "RSA", "sig", "AQAB")
    assert len(base64.b64decode(key["kid"], validate=True)) == 32


@pytest.mark.parametrize(
    "content", [b"", b"no key", b"\xff\xfe", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END "]
)
def test_a_damaged_key_file_is_named_and_kept(key_file: Path, content: bytes) -> None:
    key_file.parent.mkdir()
    key_file.write_bytes(content)

    with pytest.raises(KeyFileError, match=r"keys\.pem"):
        KeyRing.open(key_file)

    assert key_file.read_bytes() == content


def test_a_key_of_another_kind_is_no_signing_key(key_file: Path) -> None:
    key_file.parent.mkdir()
    key_file.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )

    with pytest.raises(KeyFileError):
        KeyRing.open(key_file)


def test_a_failed_rotation_leaves_the_ring_as_it_was(key_file: Path) -> None:
    ring = KeyRing.open(key_file)
    before = ring.key_set()
    (key_file.parent / "keys.pem.new").mkdir()

    with pytest.raises(OSError, match=r"keys\.pem\.new"):
        ring.rotate()

    assert ring.key_set() == before
    assert KeyRing.open(key_file).key_set() == before


def test_an_access_token_has_the_header_and_claims_of_cognito(key_file: Path) -> None:
    ring = KeyRing.open(key_file)

    token = mint(ring).access_token(ALICE)

    public = ring.signing.private.public_key()
    claims = jwt.decode(
        token, public, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
    )
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "kid": ring.signing.kid}
    assert len(claims.pop("jti")) == 36
    assert claims == {
        "sub": ALICE.subject,
        "iss": "http://127.0.0.1:7352/local_dev",
        "client_id": "client",
        "origin_jti": "origin",
        "event_id": "event",
        "token_use": "access",
        "scope": "aws.cognito.signin.user.admin",
        "auth_time": 1_799_999_000,
        "exp": 1_800_003_600,
        "iat": 1_800_000_000,
        "username": "alice",
    }


def test_an_id_token_names_its_audience_and_user_as_cognito_does(key_file: Path) -> None:
    token = mint(KeyRing.open(key_file)).id_token(ALICE)

    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["aud"], claims["cognito:username"], claims["token_use"]) == ("client", "alice", "id")
    assert not {"client_id", "username", "scope"} & claims.keys()


def test_each_token_has_an_id_of_its_own(key_file: Path) -> None:
    tokens = mint(KeyRing.open(key_file))

    assert tokens.access_token(ALICE) != tokens.access_token(ALICE)


def test_the_key_id_follows_from_the_key() -> None:
    key = SigningKey.generate()

    assert SigningKey(key.private).kid == key.kid
    assert SigningKey.generate().kid != key.kid
