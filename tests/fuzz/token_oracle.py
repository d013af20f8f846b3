"""A second reading of the rules for identity tokens, to hold the verifier against.

Written from the rules and not from the verifier: signatures by `cryptography` itself, characters by their
Unicode category, times as exact fractions. It says yes or no and never why.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from server.sections import IssuerSettings

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
DAY_S = 86_400

Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class No(Exception):
    """The token is not to be accepted."""


def subject_of(
    token: str, keys: Mapping[str, Public], issuers: Mapping[str, IssuerSettings], now: int
) -> tuple[str, str] | None:
    """Issuer and subject of a token that is to be accepted, otherwise None."""
    try:
        return _accepted(token, keys, issuers, now)
    except No:
        return None


def _accepted(
    token: str, keys: Mapping[str, Public], issuers: Mapping[str, IssuerSettings], now: int
) -> tuple[str, str]:
    _must(20 <= len(token) <= 16_384)
    parts = token.split(".")
    _must(len(parts) == 3 and len(parts[0]) <= 2_048)
    header, claims = _object(_decoded(parts[0])), _object(_decoded(parts[1]))
    signature = _decoded(parts[2])
    settings = issuers.get(claims["iss"]) if isinstance(claims.get("iss"), str) else None
    if settings is None:
        raise No
    key = _key(header, keys, settings)
    _must(_signed(key, f"{parts[0]}.{parts[1]}".encode(), signature))
    _check_times(claims, now)
    _must(claims.get("token_use") == settings.token_use)
    client, subject = claims.get("client_id"), claims.get("sub")
    _must(isinstance(client, str) and client in settings.client_ids)
    if not isinstance(subject, str):
        raise No
    _must(1 <= len(subject) <= 255)
    _must(not any(unicodedata.category(letter)[0] in "CZ" for letter in subject))
    _must(subject not in settings.client_ids and subject not in (claims.get("azp"), claims.get("cid")))
    return settings.issuer, subject


def _must(met: bool) -> None:
    if not met:
        raise No


def _decoded(segment: str) -> bytes:
    """Base64url by hand: six bits a character, and what is left over must be zero."""
    _must(bool(segment) and all(letter in ALPHABET for letter in segment) and len(segment) % 4 != 1)
    bits = 0
    for letter in segment:
        bits = bits << 6 | ALPHABET.index(letter)
    spare = len(segment) * 6 % 8
    _must(bits & ((1 << spare) - 1) == 0)
    return (bits >> spare).to_bytes(len(segment) * 6 // 8)


def _object(data: bytes) -> dict[str, Any]:
    try:
        text = data.decode("utf-8")
        _must(_depth(text) <= 16)
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_none, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # lone surrogates cannot be encoded
    except (ValueError, RecursionError) as error:
        raise No from error
    if not isinstance(value, dict):
        raise No
    return value


def _depth(text: str) -> int:
    """How many brackets are open at most, strings left out."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", re.sub(r'"(?:[^"\\]|\\.)*"', "", text, flags=re.DOTALL)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _must(len({name for name, _ in pairs}) == len(pairs))
    return dict(pairs)


def _none(_constant: str) -> None:
    raise No


def _finite(text: str) -> float:
    _must(float(text) not in (float("inf"), float("-inf")))
    return float(text)


def _key(header: dict[str, Any], keys: Mapping[str, Public], settings: IssuerSettings) -> Public:
    kid, algorithm = header.get("kid"), header.get("alg")
    _must(not {"crit", "b64", "zip", "cty", "enc"} & header.keys())
    _must("typ" not in header or header["typ"] in ("JWT", "at+jwt"))
    _must(isinstance(algorithm, str) and algorithm in settings.algorithms)
    if not isinstance(kid, str) or not 1 <= len(kid) <= 256 or kid not in keys:
        raise No
    _must(algorithm == ("RS256" if isinstance(keys[kid], rsa.RSAPublicKey) else "ES256"))
    return keys[kid]


def _signed(key: Public, signing_input: bytes, signature: bytes) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            _must(len(signature) == key.key_size // 8)
            key.verify(signature, signing_input, padding.PKCS1v15(), hashes.SHA256())
            return True
        _must(len(signature) == 64)
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        _must(0 < r < P256_ORDER and 0 < s < P256_ORDER)
        key.verify(encode_dss_signature(r, s), signing_input, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _check_times(claims: dict[str, Any], now: int) -> None:
    times = [claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)]
    _must(all(type(time) in (int, float) for time in times))
    _must(all(type(time) is float or abs(time) < 2**53 for time in times))
    exp, iat, nbf = (Fraction(time) for time in times)
    _must(exp > now - 5 and iat <= now + 5 and nbf <= now + 5)
    _must(0 < exp - iat <= DAY_S)
