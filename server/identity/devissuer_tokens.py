"""The development issuer's keys and the tokens it signs with them, in the shape of Cognito's.

Keys live in one PEM file, newest first, readable by its owner alone, so that tokens and accounts outlive a
restart. Knows nothing of HTTP, passwords or who may have a token.
"""

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from server.clock import Clock
from server.identity.signingkeys import KeyFileError
from server.ids import Ids

PUBLISHED_KEYS = 3
TOKEN_TTL_S = 3600
_PEM_END = "-----END PRIVATE KEY-----\n"


@dataclass(frozen=True, slots=True)
class Login:
    """One password sign-in: what its tokens, and those of its refreshes, have in common."""

    username: str
    subject: str
    origin_jti: str
    event_id: str
    auth_time: int


class SigningKey:
    """An RSA key with the id it has in a key set: as Cognito's, 32 bytes in padded, plain base64."""

    def __init__(self, private: rsa.RSAPrivateKey) -> None:
        self.private = private
        public = private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        # Taken from the key, so that the id is the same after a restart without being stored.
        self.kid = base64.b64encode(hashlib.sha256(public).digest()).decode()

    @classmethod
    def generate(cls) -> "SigningKey":
        """Make a new key: up to a second of work, so not for the event loop."""
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def jwk(self) -> dict[str, str]:
        numbers = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        e, n = str(numbers["e"]), str(numbers["n"])
        return {"alg": "RS256", "e": e, "kid": self.kid, "kty": "RSA", "n": n, "use": "sig"}

    def pem(self) -> str:
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()


class KeyRing:
    """The published keys, newest first; the first one signs. Its methods that write block on the disk."""

    def __init__(self, path: Path, keys: tuple[SigningKey, ...]) -> None:
        self._path = path
        self.keys = keys

    @classmethod
    def open(cls, path: Path) -> "KeyRing":
        """Read the key file, or make it with a new key. Raises `KeyFileError` if it is not one of ours."""
        if path.exists():
            return cls(path, _read(path))
        ring = cls(path, ())
        ring.rotate()
        return ring

    @property
    def signing(self) -> SigningKey:
        return self.keys[0]

    def rotate(self) -> None:
        """Sign with a new key from now on; the last keys stay published for the tokens they signed."""
        keys = (SigningKey.generate(), *self.keys)[:PUBLISHED_KEYS]
        _write(self._path, "".join(key.pem() for key in keys))
        self.keys = keys

    def key_set(self) -> dict[str, list[dict[str, str]]]:
        """The JWKS document (RFC 7517 section 5)."""
        return {"keys": [key.jwk() for key in self.keys]}


def _read(path: Path) -> tuple[SigningKey, ...]:
    try:
        blocks = path.read_text(encoding="ascii").split(_PEM_END)[:-1]
        loaded = [serialization.load_pem_private_key((block + _PEM_END).encode(), None) for block in blocks]
    except (OSError, ValueError, TypeError):
        loaded = []
    # The cause could quote key material, so it is not chained.
    keys = tuple(SigningKey(key) for key in loaded if isinstance(key, rsa.RSAPrivateKey))
    if not keys:
        raise KeyFileError(
            f"{path} has no signing key of the development issuer; remove it to make a new one"
        )
    path.chmod(0o600)
    return keys[:PUBLISHED_KEYS]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


class TokenMint:
    """Signs access and id tokens of one pool and client."""

    def __init__(self, ring: KeyRing, issuer: str, client_id: str, clock: Clock, ids: Ids) -> None:
        self._ring = ring
        self._issuer = issuer
        self._client_id = client_id
        self._clock = clock
        self._ids = ids

    def access_token(self, login: Login) -> str:
        claims = {
            "sub": login.subject,
            "iss": self._issuer,
            "client_id": self._client_id,
            **self._shared("access", login),
            "scope": "aws.cognito.signin.user.admin",
            "username": login.username,
        }
        return self._sign(claims)

    def id_token(self, login: Login) -> str:
        claims = {
            "sub": login.subject,
            "iss": self._issuer,
            "cognito:username": login.username,
            **self._shared("id", login),
            "aud": self._client_id,
        }
        return self._sign(claims)

    def _shared(self, use: str, login: Login) -> dict[str, Any]:
        now = int(self._clock.wall())
        return {
            "origin_jti": login.origin_jti,
            "event_id": login.event_id,
            "token_use": use,
            "auth_time": login.auth_time,
            "exp": now + TOKEN_TTL_S,
            "iat": now,
            "jti": self._ids.uuid4(),
        }

    def _sign(self, claims: dict[str, Any]) -> str:
        key = self._ring.signing
        # Cognito's header has no `typ`; PyJWT leaves it out when it is empty.
        return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.kid, "typ": None})
