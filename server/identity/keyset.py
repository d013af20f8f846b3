"""A JSON Web Key Set (RFC 7517) as a value: the keys of it that may verify a signature, by key id.

Loading is strict per key: one we do not understand is left out, it does not spoil the others. Knows
nothing of where the set comes from.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from server.identity import base64url, strict_json

MAX_KEYS = 32
MAX_KID = 256
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518 sections 6.2.2, 6.3.2 and 6.4
MAX_EXPONENT_BITS = 64  # what OpenSSL accepts for large keys; a huge one would make each check slow

PUBLIC_TEST_KEYS = frozenset(
    {
        "DThM452l6A6MKX8FOZQarky5V3qqRNx2uSWRZEF_j4A",  # moto
        "jS8J3RuOy291lpsiFe2NfKV6VkdfMF4Q_840qOLXAjs",  # cognito-local
    }
)
"""RFC 7638 thumbprints of keys whose private half anyone can download."""

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class KeySetUnusable(Exception):
    """The document is no key set, or none of its keys may be used."""


class _KeyUnusable(Exception):
    """One entry cannot be used."""


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A public key bound to the one algorithm it verifies."""

    kid: str
    algorithm: str
    key: PublicKey

    @property
    def signature_bytes(self) -> int:
        """The exact length of a signature: the modulus' for RSA, two coordinates for P-256."""
        return (self.key.key_size + 7) // 8 if isinstance(self.key, rsa.RSAPublicKey) else 64


@dataclass(frozen=True, slots=True)
class KeySet:
    """Usable keys by key id."""

    keys: dict[str, VerifyKey] = field(default_factory=dict)

    def get(self, kid: str) -> VerifyKey | None:
        return self.keys.get(kid)

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def load(cls, document: bytes, *, denied: Collection[str] = ()) -> "KeySet":
        """Read a JWKS document. Keys whose thumbprint is in `denied` are left out.

        A key id that occurs twice is dropped, whatever its keys: which one is meant cannot be known.
        Raises `KeySetUnusable`.
        """
        try:
            entries = strict_json.load_object(document).get("keys")
        except strict_json.NotStrict as error:
            raise KeySetUnusable("no JSON object") from error
        if not isinstance(entries, list) or len(entries) > MAX_KEYS:
            raise KeySetUnusable("no list of at most 32 keys")
        named = [entry for entry in entries if isinstance(entry, dict) and _is_kid(entry.get("kid"))]
        counts = Counter(entry["kid"] for entry in named)
        keys = {}
        for entry in named:
            try:
                key = _read(entry)
            except _KeyUnusable:
                continue
            if counts[key.kid] == 1 and thumbprint(key.key) not in denied:
                keys[key.kid] = key
        if not keys:
            raise KeySetUnusable("no usable key")
        return cls(keys)


def thumbprint(key: PublicKey) -> str:
    """RFC 7638, from the numbers: no spelling of the document can change it."""
    if isinstance(key, rsa.RSAPublicKey):
        rsa_numbers = key.public_numbers()
        members = {"e": _minimal(rsa_numbers.e), "kty": "RSA", "n": _minimal(rsa_numbers.n)}
    else:
        point = key.public_numbers()
        members = {
            "crv": "P-256",
            "kty": "EC",
            "x": base64url.encode(point.x.to_bytes(32)),
            "y": base64url.encode(point.y.to_bytes(32)),
        }
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True).encode()
    return base64url.encode(hashlib.sha256(canonical).digest())


def _is_kid(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_KID


def _minimal(number: int) -> str:
    return base64url.encode(number.to_bytes((number.bit_length() + 7) // 8))


def _read(entry: dict[str, Any]) -> VerifyKey:
    kinds: dict[str, tuple[str, Callable[[dict[str, Any]], PublicKey]]] = {
        "RSA": ("RS256", _rsa),
        "EC": ("ES256", _p256),
    }
    kty = entry.get("kty")
    if not isinstance(kty, str) or kty not in kinds:
        raise _KeyUnusable
    algorithm, read = kinds[kty]
    key_ops = entry.get("key_ops", ["verify"])
    if (
        entry.get("use", "sig") != "sig"
        or entry.get("alg", algorithm) != algorithm
        or not isinstance(key_ops, list)
        or "verify" not in key_ops
    ):
        raise _KeyUnusable
    if _PRIVATE & entry.keys():
        raise _KeyUnusable  # the private half is published with it: anyone can sign
    try:
        return VerifyKey(entry["kid"], algorithm, read(entry))
    except (ValueError, UnsupportedAlgorithm) as error:  # cryptography's refusal of the numbers
        raise _KeyUnusable from error


def _number(entry: dict[str, Any], name: str, size: int | None = None) -> int:
    text = entry.get(name)
    if not isinstance(text, str) or not text:
        raise _KeyUnusable
    data = base64url.decode(text)
    if size is not None and len(data) != size:
        raise _KeyUnusable
    return int.from_bytes(data)


def _rsa(entry: dict[str, Any]) -> rsa.RSAPublicKey:
    n, e = _number(entry, "n"), _number(entry, "e")
    if not MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS or n % 2 == 0:
        raise _KeyUnusable
    if e < 65537 or e % 2 == 0 or e.bit_length() > MAX_EXPONENT_BITS:
        raise _KeyUnusable
    return rsa.RSAPublicNumbers(e, n).public_key()


def _p256(entry: dict[str, Any]) -> ec.EllipticCurvePublicKey:
    if entry.get("crv") != "P-256":
        raise _KeyUnusable
    # The library refuses a point that is not on the curve.
    x, y = _number(entry, "x", 32), _number(entry, "y", 32)
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
