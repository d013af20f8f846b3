"""Every bound of a token and of a key, at its edge and one past it."""

import json
import os
from typing import Any

import pytest

from server.identity import base64url
from server.identity.keyset import MAX_KID, MAX_RSA_BITS, MIN_RSA_BITS, KeySet, KeySetUnusable
from server.identity.strict_json import MAX_DEPTH
from server.identity.verify import (
    LEEWAY_S,
    MAX_HEADER,
    MAX_LIFE_S,
    MAX_SUBJECT,
    MAX_TOKEN,
    MIN_TOKEN,
    RefusalReason,
    Refused,
    check,
    parse,
)
from server.sections import IssuerSettings
from tests.support.issuer import CLIENT, KID, SETTINGS, claims, jwk, jwks, rsa_key, signed

NOW = 1_800_000_000
HEADER: dict[str, Any] = {"kid": KID, "alg": "RS256"}
KEYS = KeySet.load(jwks(jwk(rsa_key())))
EDGE = 2**53


def result(token: str, *, keys: KeySet = KEYS, settings: IssuerSettings = SETTINGS) -> RefusalReason | None:
    """Why the token is refused, or None when it is accepted."""
    try:
        parsed = parse(token, {settings.issuer: settings})
        check(parsed, keys.get(parsed.kid), NOW)
    except Refused as refused:
        return refused.reason
    return None


def of(header: dict[str, Any] | None = None, **changed: Any) -> RefusalReason | None:
    return result(signed(HEADER | (header or {}), claims(NOW, **changed)))


def padded_to(length: int) -> str:
    """A good token of exactly this many characters."""
    header = HEADER
    for extra in range(4):  # base64 grows by 4, 3 or 2 characters, so the header takes up what is left
        header = HEADER | {"x": "y" * extra}
        room = length - len(signed(header, claims(NOW, filler="")))
        for filler in range(room * 3 // 4 - 4, room * 3 // 4 + 4):
            token = signed(header, claims(NOW, filler="x" * filler))
            if len(token) == length:
                return token
    raise AssertionError("some header leaves a length that base64 can reach")


def test_a_token_has_so_many_characters_and_not_one_more() -> None:
    assert result(padded_to(MAX_TOKEN)) is None
    assert result(padded_to(MAX_TOKEN + 1)) is RefusalReason.SHAPE


def test_what_is_shorter_than_any_token_is_not_read() -> None:
    long_enough = "e30.e30." + "A" * (MIN_TOKEN - 8)

    assert result(long_enough) is RefusalReason.HEADER
    assert result(long_enough[:-1]) is RefusalReason.SHAPE


def test_a_header_has_so_many_characters_and_not_one_more() -> None:
    bare = len(json.dumps(HEADER | {"x": ""}))
    fits, over = MAX_HEADER * 3 // 4 - bare, MAX_HEADER * 3 // 4 - bare + 1

    assert len(signed(HEADER | {"x": "y" * fits}, {}).partition(".")[0]) == MAX_HEADER
    assert of({"x": "y" * fits}) is None
    assert of({"x": "y" * over}) is RefusalReason.SHAPE


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_a_token_has_two_dots(count: int) -> None:
    token = signed(HEADER, claims(NOW))
    parts = token.split(".")

    assert result((".".join(parts) + "." * (count - 2)) if count > 2 else ".".join(parts[: count + 1])) is (
        RefusalReason.SHAPE
    )


@pytest.mark.parametrize(("depth", "expected"), [(MAX_DEPTH - 1, None), (MAX_DEPTH, RefusalReason.HEADER)])
def test_a_header_is_nested_so_deeply_and_not_deeper(depth: int, expected: RefusalReason | None) -> None:
    assert of({"x": json.loads("[" * depth + "]" * depth)}) is expected


@pytest.mark.parametrize(("depth", "expected"), [(MAX_DEPTH - 1, None), (MAX_DEPTH, RefusalReason.PAYLOAD)])
def test_a_payload_is_nested_so_deeply_and_not_deeper(depth: int, expected: RefusalReason | None) -> None:
    assert of(x=json.loads("[" * depth + "]" * depth)) is expected
    assert of(x=json.loads('{"a":' * depth + "1" + "}" * depth)) is expected


@pytest.mark.parametrize("letter", ["k", "/", "=", "ü", "😀"])
def test_a_key_id_has_up_to_256_characters(letter: str) -> None:
    kid, over = letter * MAX_KID, letter * (MAX_KID + 1)
    keys = KeySet.load(jwks(jwk(rsa_key(), kid), jwk(rsa_key(), over), jwk(rsa_key(), "one")))
    header = {"alg": "RS256", "kid": kid}
    raw = json.dumps(header | {"kid": over}, ensure_ascii=False).encode()

    assert set(keys.keys) == {kid, "one"}
    assert result(signed(json.dumps(header, ensure_ascii=False).encode(), claims(NOW)), keys=keys) is None
    assert result(signed(raw, claims(NOW)), keys=keys) is RefusalReason.HEADER


@pytest.mark.parametrize("letter", ["s", "ü", "😀"])
def test_a_subject_has_up_to_255_characters(letter: str) -> None:
    raw = json.dumps(claims(NOW, sub=letter * MAX_SUBJECT), ensure_ascii=False).encode()

    assert result(signed(HEADER, raw)) is None
    assert of(sub=letter * (MAX_SUBJECT + 1)) is RefusalReason.SUBJECT


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"exp": NOW - LEEWAY_S, "iat": NOW - 60}, RefusalReason.EXPIRED),
        ({"exp": NOW - LEEWAY_S + 1, "iat": NOW - 60}, None),
        ({"exp": NOW - LEEWAY_S + 0.001, "iat": NOW - 60}, None),
        ({"iat": NOW + LEEWAY_S}, None),
        ({"iat": NOW + LEEWAY_S + 0.001}, RefusalReason.NOT_YET_VALID),
        ({"iat": NOW + LEEWAY_S + 1}, RefusalReason.NOT_YET_VALID),
        ({"nbf": NOW + LEEWAY_S}, None),
        ({"nbf": NOW + LEEWAY_S + 1}, RefusalReason.NOT_YET_VALID),
        ({"nbf": 0}, None),
        ({"nbf": -1}, None),
        ({"exp": NOW + MAX_LIFE_S}, None),
        ({"exp": NOW + MAX_LIFE_S + 0.5}, RefusalReason.TIMES),
        ({"exp": NOW + 60, "iat": NOW + 60 - MAX_LIFE_S}, None),
        ({"exp": NOW + 60, "iat": NOW + 59 - MAX_LIFE_S}, RefusalReason.TIMES),
        ({"exp": NOW + 1, "iat": NOW + 1}, RefusalReason.TIMES),
        ({"exp": NOW + 1, "iat": NOW + 2}, RefusalReason.TIMES),
        ({"exp": NOW + 2, "iat": NOW + 1}, None),
        ({"exp": EDGE}, RefusalReason.TIMES),
        ({"exp": EDGE - 1}, RefusalReason.TIMES),
        ({"nbf": 1 - EDGE}, None),
        ({"nbf": -EDGE}, RefusalReason.TIMES),
        ({"nbf": -1e308}, None),
        ({"exp": 1e308}, RefusalReason.TIMES),
        ({"iat": -1e308}, RefusalReason.TIMES),
        ({"iat": -0.0}, RefusalReason.TIMES),
    ],
)
def test_times_hold_to_the_edge(changed: dict[str, Any], expected: RefusalReason | None) -> None:
    assert of(**changed) is expected


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value", ["null", "true", '"1800000000"', "[1800000000]", "{}", "1800000000n", "0x1"]
)
def test_a_time_is_a_number(name: str, value: str) -> None:
    body = json.dumps(claims(NOW, nbf=NOW)).replace(
        f'"{name}": {claims(NOW, nbf=NOW)[name]}', f'"{name}": {value}'
    )

    assert result(signed(HEADER, body.encode())) in (RefusalReason.TIMES, RefusalReason.PAYLOAD)


@pytest.mark.parametrize("number", ["1800003600.0", "1.8000036e9", "18000036E2", "1800003600.25"])
def test_a_time_may_be_written_as_any_json_number(number: str) -> None:
    body = json.dumps(claims(NOW)).replace("1800003600", number)

    assert result(signed(HEADER, body.encode())) is None


def modulus(bits: int) -> int:
    """An odd number of exactly so many bits. Loading a public key does not ask for its factors."""
    top = 1 << (bits - 1)
    return int.from_bytes(os.urandom(bits // 8 + 1)) % top | top | 1


@pytest.mark.parametrize(
    ("bits", "taken"),
    [
        (1024, False),
        (MIN_RSA_BITS - 1, False),
        (MIN_RSA_BITS, True),
        (MIN_RSA_BITS + 1, True),
        (MAX_RSA_BITS - 1, True),
        (MAX_RSA_BITS, True),
        (MAX_RSA_BITS + 1, False),
        (16_384, False),
    ],
)
def test_an_rsa_key_has_2048_to_8192_bits(bits: int, taken: bool) -> None:
    n = modulus(bits)
    entry = jwk(rsa_key(), "edge") | {"n": base64url.encode(n.to_bytes((bits + 7) // 8))}

    assert n.bit_length() == bits
    assert list(KeySet.load(jwks(entry, jwk(rsa_key(), "good"))).keys) == ["edge"] * taken + ["good"]


@pytest.mark.parametrize("bits", [2048, 2056, 3072])
def test_a_signature_is_as_long_as_its_keys_modulus(bits: int) -> None:
    private = rsa_key(bits)
    keys = KeySet.load(jwks(jwk(private)))
    token = signed(HEADER, claims(NOW), private)
    body, _, signature = token.rpartition(".")
    raw = base64url.decode(signature)

    assert result(token, keys=keys) is None
    for wrong in (raw[1:], raw[:-1], b"\0" + raw, raw + b"\0"):
        assert result(f"{body}.{base64url.encode(wrong)}", keys=keys) is RefusalReason.SIGNATURE


@pytest.mark.parametrize(
    ("exponent", "taken"),
    [
        (3, False),
        (65535, False),
        (65536, False),
        (65537, True),
        (65539, True),
        (2**64 - 1, True),
        (2**64 + 1, False),
    ],
)
def test_an_exponent_is_odd_and_neither_small_nor_huge(exponent: int, taken: bool) -> None:
    encoded = base64url.encode(exponent.to_bytes((exponent.bit_length() + 7) // 8))
    entry = jwk(rsa_key(), "edge") | {"e": encoded}

    assert list(KeySet.load(jwks(entry, jwk(rsa_key(), "good"))).keys) == ["edge"] * taken + ["good"]


@pytest.mark.parametrize("name", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_key_whose_private_half_is_published_verifies_nothing(name: str) -> None:
    with pytest.raises(KeySetUnusable):
        KeySet.load(jwks(jwk(rsa_key()) | {name: "AQAB"}))


@pytest.mark.parametrize(
    "changed",
    [
        {"sub": CLIENT},
        {"sub": "web", "azp": "web"},
        {"sub": "web", "cid": "web"},
        {"sub": "web", "client_id": "web"},
        {"sub": CLIENT, "client_id": None, "azp": "other"},
    ],
)
def test_a_subject_that_is_a_clients_id_is_no_player(changed: dict[str, Any]) -> None:
    settings = SETTINGS.model_copy(update={"client_ids": (CLIENT, "web"), "audiences": ()})
    lax = SETTINGS.model_copy(update={"client_ids": (), "audiences": ("game",)})
    token = signed(HEADER, claims(NOW, aud="game", **changed))

    assert result(token, settings=settings) in (RefusalReason.SUBJECT, RefusalReason.CLIENT)
    if changed["sub"] in (changed.get("client_id", CLIENT), changed.get("azp"), changed.get("cid")):
        assert result(token, settings=lax) is RefusalReason.SUBJECT
