"""An identity provider for tests: keys, key sets, and tokens with any fault one wants."""

import functools
import json
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from server.identity import base64url
from server.identity.keyset import KeySet, VerifyKey
from server.sections import IssuerSettings

ISSUER = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_TEST"
CLIENT = "1example23456789"
ALICE = "5f0c3b0e-7d5a-4b52-9a3e-1f2c3d4e5f60"
BOB = "0a1b2c3d-4e5f-4a6b-8c7d-8e9f0a1b2c3d"
KID = "abc+/de=="  # Cognito's key ids are base64

SETTINGS = IssuerSettings(
    issuer=ISSUER,
    jwks_url="https://keys.example/jwks.json",
    client_ids=(CLIENT,),
    claims_to_vars={"role": "custom_role"},
)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@functools.cache
def rsa_key(bits: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    """A key per (bits, number), made once a run."""
    return rsa.generate_private_key(65537, bits)


@functools.cache
def ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def jwk(private: PrivateKey, kid: str = KID, **extra: Any) -> dict[str, Any]:
    """The public half as an entry of a key set."""
    if isinstance(private, rsa.RSAPrivateKey):
        entry = jwt.get_algorithm_by_name("RS256").to_jwk(private.public_key(), as_dict=True)
        entry = {name: entry[name] for name in ("kty", "n", "e")} | {"alg": "RS256", "use": "sig"}
    else:
        entry = jwt.get_algorithm_by_name("ES256").to_jwk(private.public_key(), as_dict=True)
        entry = {name: entry[name] for name in ("kty", "crv", "x", "y")} | {"alg": "ES256", "use": "sig"}
    return entry | {"kid": kid} | extra


def jwks(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(entries)}).encode()


def claims(now: float, **changed: Any) -> dict[str, Any]:
    """What Cognito puts into an access token. `None` leaves a claim out."""
    made = {
        "sub": ALICE,
        "iss": ISSUER,
        "client_id": CLIENT,
        "token_use": "access",
        "scope": "aws.cognito.signin.user.admin",
        "auth_time": int(now),
        "iat": int(now),
        "exp": int(now) + 3600,
        "jti": "7c7b7a79-0000-4000-8000-000000000001",
        "username": "alice",
    } | changed
    return {name: value for name, value in made.items() if value is not None}


def signed(
    header: bytes | dict[str, Any], payload: bytes | dict[str, Any], key: PrivateKey | None = None
) -> str:
    """A token of exactly these bytes, signed as the kind of key says."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signing_input = ".".join(base64url.encode(part) for part in parts)
    key = key or rsa_key()
    algorithm = jwt.get_algorithm_by_name("RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256")
    return f"{signing_input}.{base64url.encode(algorithm.sign(signing_input.encode(), key))}"


def token(now: float, *, kid: str = KID, key: PrivateKey | None = None, **changed: Any) -> str:
    """A good access token, but for the claims that are changed."""
    algorithm = "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256"
    return signed({"kid": kid, "alg": algorithm}, claims(now, **changed), key)


@dataclass
class FixedKeys:
    """A key source that holds one key set for every issuer."""

    keys: KeySet
    failure: Exception | None = None

    async def key(self, issuer: str, kid: str) -> VerifyKey | None:
        if self.failure is not None:
            raise self.failure
        return self.keys.get(kid)


def fixed_keys() -> FixedKeys:
    return FixedKeys(KeySet.load(jwks(jwk(rsa_key()))))
