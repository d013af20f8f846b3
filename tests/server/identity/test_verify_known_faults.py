"""One regression test per class of fault that was found in PyJWT, the library that checks our signatures.

The classes are those of its advisories. Most cannot happen here by how the verifier is built; these tests
say so also after somebody has rebuilt it.
"""

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from server.identity import base64url
from server.identity.failures import KeysUnavailable
from server.identity.jwks import check_url
from server.identity.jwks_cache import SOFT_LIFE_S, Document, FetchFailed, JwksCache, Rules
from server.identity.keyset import KeySet
from server.identity.verify import RefusalReason, Refused, check, parse
from server.ids import RandomIds
from server.sections import IssuerSettings
from server.tasks import TaskOwner
from tests.support.clock import ManualClock
from tests.support.issuer import (
    ALICE,
    CLIENT,
    ISSUER,
    KID,
    SETTINGS,
    claims,
    ec_key,
    jwk,
    jwks,
    rsa_key,
    signed,
)

NOW = 1_800_000_000
BOTH = SETTINGS.model_copy(update={"algorithms": ("RS256", "ES256")})
KEYS = KeySet.load(jwks(jwk(rsa_key()), jwk(ec_key(), "ec")))
HEADER: dict[str, Any] = {"kid": KID, "alg": "RS256"}


def verify(token: str, settings: IssuerSettings = BOTH, keys: KeySet = KEYS) -> str:
    parsed = parse(token, {settings.issuer: settings})
    return check(parsed, keys.get(parsed.kid), NOW).subject


def reason(token: str, settings: IssuerSettings = BOTH, keys: KeySet = KEYS) -> RefusalReason:
    with pytest.raises(Refused) as refused:
        verify(token, settings, keys)
    return refused.value.reason


def public_forms() -> dict[str, bytes]:
    """Every form in which a public key could be taken for an HMAC secret."""
    enc, form = serialization.Encoding, serialization.PublicFormat
    rsa, ec = rsa_key().public_key(), ec_key().public_key()
    return {
        "PEM": rsa.public_bytes(enc.PEM, form.SubjectPublicKeyInfo),
        "PEM without its last newline": rsa.public_bytes(enc.PEM, form.SubjectPublicKeyInfo).strip(),
        "PKCS 1 PEM": rsa.public_bytes(enc.PEM, form.PKCS1),
        "DER": rsa.public_bytes(enc.DER, form.SubjectPublicKeyInfo),
        "SSH": rsa.public_bytes(enc.OpenSSH, form.OpenSSH),
        "EC SSH": ec.public_bytes(enc.OpenSSH, form.OpenSSH),
        "EC point": ec.public_bytes(enc.X962, form.UncompressedPoint),
        "JWK": json.dumps(jwk(rsa_key())).encode(),
        "modulus": jwk(rsa_key())["n"].encode(),
    }


@pytest.mark.parametrize("form", public_forms())
@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES256"])
def test_a_public_key_is_never_an_hmac_secret_cve_2022_29217_and_2026_48526(
    form: str, algorithm: str
) -> None:
    header, payload, _ = signed(HEADER | {"alg": algorithm}, claims(NOW)).split(".")
    mac = hmac.new(public_forms()[form], f"{header}.{payload}".encode(), hashlib.sha256).digest()

    assert reason(f"{header}.{payload}.{base64url.encode(mac)}") in (
        RefusalReason.ALGORITHM,
        RefusalReason.SIGNATURE,
        RefusalReason.KEY_ALGORITHM,
    )


def test_a_secret_in_the_key_set_is_no_key_cve_2026_48526() -> None:
    secret = {"kty": "oct", "kid": "oct", "k": base64url.encode(b"s" * 32), "alg": "HS256"}
    keys = KeySet.load(jwks(secret, jwk(rsa_key())))

    assert list(keys.keys) == [KID]


@pytest.mark.parametrize(
    "issuer", [ISSUER[:-1], ISSUER[8:], "h", "", ISSUER + "x", [ISSUER], [ISSUER, "x"], {ISSUER: 1}]
)
def test_an_issuer_is_compared_whole_cve_2024_53861(issuer: object) -> None:
    assert reason(signed(HEADER, claims(NOW) | {"iss": issuer})) is RefusalReason.ISSUER


@pytest.mark.parametrize("client", [CLIENT[:-1], CLIENT[1:], "1", "", [CLIENT]])
def test_a_client_is_compared_whole_cve_2024_53861(client: object) -> None:
    assert reason(signed(HEADER, claims(NOW) | {"client_id": client})) is RefusalReason.CLIENT


@pytest.mark.parametrize("audience", ["game-ap", "g", "", ["game-ap"], ["game-api", 1], "game-api game"])
def test_an_audience_is_compared_whole_cve_2024_53861(audience: object) -> None:
    settings = BOTH.model_copy(update={"audiences": ("game-api",)})

    assert reason(signed(HEADER, claims(NOW) | {"aud": audience}), settings) is RefusalReason.AUDIENCE


@pytest.mark.parametrize("critical", [["exp"], ["unknown"], ["b64"], [], None, "exp", {}, [None]])
def test_no_critical_extension_is_understood_cve_2026_32597(critical: object) -> None:
    assert reason(signed(HEADER | {"crit": critical}, claims(NOW))) is RefusalReason.HEADER
    assert reason(signed(HEADER | {"crit": critical, "unknown": 1}, claims(NOW))) is RefusalReason.HEADER


@pytest.mark.parametrize("algorithm", ["PS256", "RS384", "RS512", "HS256", "ES256", "none", ""])
def test_a_keys_own_algorithm_binds_it_cve_2026_48523(algorithm: str) -> None:
    keys = KeySet.load(jwks(jwk(rsa_key()) | {"alg": algorithm}, jwk(ec_key(), "ec")))

    assert reason(signed(HEADER, claims(NOW)), keys=keys) is RefusalReason.UNKNOWN_KEY
    assert reason(signed(HEADER | {"alg": algorithm}, claims(NOW))) in (
        RefusalReason.ALGORITHM,
        RefusalReason.KEY_ALGORITHM,
    )


def test_an_algorithm_that_the_issuer_does_not_use_is_refused_though_the_key_exists_cve_2026_48523() -> None:
    token = signed({"kid": "ec", "alg": "ES256"}, claims(NOW), ec_key())

    assert verify(token) == ALICE
    assert reason(token, SETTINGS) is RefusalReason.ALGORITHM


@pytest.mark.parametrize("production", [True, False])
@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "file://127.0.0.1/etc/passwd",
        "FILE:///etc/passwd",
        "ftp://127.0.0.1/jwks.json",
        "data:application/json,{}",
        "unix:///run/keys.sock",
        "//127.0.0.1/jwks.json",
        "/etc/passwd",
        "https:///jwks.json",
        "https:jwks.json",
        "",
    ],
)
def test_keys_are_read_from_web_addresses_only_cve_2026_48522(url: str, production: bool) -> None:
    with pytest.raises(ValueError):
        check_url(url, production=production)


async def test_a_fetch_that_fails_leaves_the_keys_as_they_are_cve_2026_48524() -> None:
    clock, tasks = ManualClock(), TaskOwner("test")
    answers: list[bytes] = [jwks(jwk(rsa_key()))]

    async def fetch() -> Document:
        if not answers:
            raise FetchFailed("gone")
        return Document(answers.pop())

    cache = JwksCache(ISSUER, fetch, rules=Rules(), clock=clock, ids=RandomIds("test"), tasks=tasks)
    first = await cache.key(KID)
    for broken in (None, b"", b"{}", b'{"keys":[]}', b"<html>"):
        answers[:] = [] if broken is None else [broken]
        clock.advance(SOFT_LIFE_S * 2)
        assert await cache.key(KID) is first
        await tasks.idle()

    assert first is not None
    assert await cache.key(KID) is first
    assert cache.counts.failures == 5
    with pytest.raises(KeysUnavailable):
        await cache.key("unknown")
