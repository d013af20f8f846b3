"""Which entries of a key set may verify a signature."""

import gzip
import importlib.resources
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from server.identity import base64url
from server.identity.keyset import MAX_KEYS, PUBLIC_TEST_KEYS, KeySet, KeySetUnusable, thumbprint
from tests.support.issuer import ec_key, jwk, jwks, rsa_key

GOOD = jwk(rsa_key(), "good")


def without(entry: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != name}


def number(value: int) -> str:
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8))


def test_each_key_has_one_algorithm() -> None:
    keys = KeySet.load(jwks(GOOD, jwk(ec_key(), "ec"), without(jwk(rsa_key(number=1), "plain"), "alg")))

    assert {kid: key.algorithm for kid, key in keys.keys.items()} == {
        "good": "RS256",
        "ec": "ES256",
        "plain": "RS256",
    }
    assert [key.signature_bytes for key in keys.keys.values()] == [256, 64, 256]


@pytest.mark.parametrize(
    "entry",
    [
        "text",
        None,
        {},
        without(GOOD, "kid"),
        GOOD | {"kid": ""},
        GOOD | {"kid": 7},
        GOOD | {"kid": "k" * 257},
        GOOD | {"kty": "oct", "k": "c2VjcmV0"},
        GOOD | {"kty": ["RSA"]},
        GOOD | {"use": "enc"},
        GOOD | {"use": None},
        GOOD | {"alg": "RS384"},
        GOOD | {"alg": "PS256"},
        GOOD | {"alg": "HS256"},
        GOOD | {"alg": "ES256"},
        GOOD | {"key_ops": ["sign"]},
        GOOD | {"key_ops": []},
        GOOD | {"key_ops": "verify"},
        without(GOOD, "n"),
        GOOD | {"n": ""},
        GOOD | {"n": GOOD["n"] + "="},
        GOOD | {"n": 65537},
        GOOD | {"n": number(rsa_key().public_key().public_numbers().n - 1)},
        GOOD | {"n": number(2**8193 + 1)},
        GOOD | {"e": number(1)},
        GOOD | {"e": number(3)},
        GOOD | {"e": number(65536)},
        GOOD | {"e": number(2**64 + 1)},
        jwk(ec_key()) | {"crv": "P-384"},
        jwk(ec_key()) | {"y": jwk(ec_key())["x"]},
        jwk(ec_key()) | {"x": base64url.encode(b"\0" + base64url.decode(jwk(ec_key())["x"]))},
        jwk(ec_key()) | {"kty": "RSA"},
    ],
)
def test_an_entry_that_may_not_verify_is_left_out(entry: Any) -> None:
    keys = KeySet.load(json.dumps({"keys": [entry, jwk(rsa_key(number=1), "beside")]}).encode())

    assert list(keys.keys) == ["beside"]


def test_a_small_rsa_key_is_left_out() -> None:
    small = jwk(rsa.generate_private_key(65537, 1024), "small")

    with pytest.raises(KeySetUnusable):
        KeySet.load(jwks(small))


@pytest.mark.parametrize(
    "twin", [jwk(rsa_key(number=1), "good"), GOOD, GOOD | {"kty": "oct"}, GOOD | {"use": "enc"}]
)
def test_a_key_id_that_occurs_twice_is_dropped(twin: dict[str, Any]) -> None:
    keys = KeySet.load(jwks(GOOD, twin, jwk(rsa_key(number=2), "beside")))

    assert list(keys.keys) == ["beside"]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys":null}',
        b'{"keys":{}}',
        b'{"keys":[]}',
        b'{"keys":[],"keys":[]}',
        b"<html>",
        b"\xff",
        b'{"keys":' + b"[" * 3000 + b"]" * 3000 + b"}",
    ],
)
def test_a_document_that_is_no_key_set_is_unusable(document: bytes) -> None:
    with pytest.raises(KeySetUnusable):
        KeySet.load(document)


def test_a_set_has_at_most_thirty_two_keys() -> None:
    entries = [GOOD | {"kid": str(index)} for index in range(MAX_KEYS + 1)]

    assert len(KeySet.load(jwks(*entries[:-1]))) == MAX_KEYS
    with pytest.raises(KeySetUnusable):
        KeySet.load(jwks(*entries))


def test_a_denied_key_is_known_by_its_numbers_however_it_is_spelled() -> None:
    denied = {thumbprint(rsa_key().public_key())}
    padded = GOOD | {"n": base64url.encode(b"\0\0" + base64url.decode(GOOD["n"])), "kid": "renamed"}

    keys = KeySet.load(jwks(GOOD, padded, jwk(rsa_key(number=1), "beside")), denied=denied)

    assert list(keys.keys) == ["beside"]


def test_the_key_that_moto_ships_is_known() -> None:
    shipped = importlib.resources.files("moto") / "cognitoidp" / "resources" / "jwks-public.json.gz"
    document = gzip.decompress(shipped.read_bytes())

    assert len(KeySet.load(document)) == 1
    with pytest.raises(KeySetUnusable):
        KeySet.load(document, denied=PUBLIC_TEST_KEYS)


def test_the_thumbprint_is_that_of_rfc_7638_section_3_1() -> None:
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi"
        "FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb"
        "9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls"
        "1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    keys = KeySet.load(jwks({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}))

    assert thumbprint(keys.keys["2011-04-29"].key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
