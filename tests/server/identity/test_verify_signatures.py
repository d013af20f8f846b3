"""Signatures as an attacker would write them, in the spirit of Wycheproof's JSON Web Signature vectors.

No package carries those, so these are made here: for each a valid content and a signature that is wrong in
one way. A few are valid, so that a verifier which refuses everything does not pass.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from server.identity import base64url
from server.identity.keyset import KeySet
from server.identity.verify import RefusalReason, Refused, check, parse
from tests.support.issuer import ALICE, SETTINGS, claims, ec_key, jwk, jwks, rsa_key

NOW = 1_800_000_000
BOTH = SETTINGS.model_copy(update={"algorithms": ("RS256", "ES256")})
KEYS = KeySet.load(jwks(jwk(rsa_key(), "rsa"), jwk(rsa_key(number=1), "rsa-2"), jwk(ec_key(), "ec")))

RSA = rsa_key().private_numbers()
N, D, SIZE = RSA.public_numbers.n, RSA.d, 256
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
FIELD = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
SHA256_NO_NULL = bytes.fromhex("302f300b0609608648016503040201" + "0420")
SHA1 = bytes.fromhex("3021300906052b0e03021a05000414")
SHA512 = bytes.fromhex("3051300d060960864801650304020305000440")

Sign = Callable[[bytes], bytes]


def verify(kid: str, algorithm: str, sign: Sign, *, body: bytes | None = None) -> RefusalReason | None:
    """Why a token with this signature is refused, or None."""
    header = json.dumps({"kid": kid, "alg": algorithm}).encode()
    content = json.dumps(claims(NOW)).encode() if body is None else body
    signing_input = f"{base64url.encode(header)}.{base64url.encode(content)}"
    token = f"{signing_input}.{base64url.encode(sign(signing_input.encode()))}"
    try:
        parsed = parse(token, {BOTH.issuer: BOTH})
        assert check(parsed, KEYS.get(parsed.kid), NOW).subject == ALICE
    except Refused as refused:
        return refused.reason
    return None


def rsa_raw(block: bytes) -> bytes:
    """The private operation on a block that we padded ourselves."""
    return pow(int.from_bytes(block), D, N).to_bytes(SIZE)


def block(data: bytes, *, prefix: bytes = SHA256, digest: str = "sha256", tail: bytes = b"") -> bytes:
    """RFC 8017 section 9.2, with what may be written otherwise."""
    info = prefix + hashlib.new(digest, data).digest() + tail
    return b"\0\x01" + b"\xff" * (SIZE - 3 - len(info)) + b"\0" + info


def spoiled(data: bytes, at: int, value: int) -> bytes:
    made = bytearray(block(data))
    made[at] = value
    return rsa_raw(bytes(made))


def short_padding(data: bytes) -> bytes:
    """Eight bytes of padding and garbage behind the hash: what Bleichenbacher's forgery of 2006 lived on."""
    info = SHA256 + hashlib.sha256(data).digest()
    return rsa_raw((b"\0\x01" + b"\xff" * 8 + b"\0" + info).ljust(SIZE, b"\0"))


def pkcs1(data: bytes) -> bytes:
    return rsa_key().sign(data, padding.PKCS1v15(), hashes.SHA256())


def pss(length: int) -> Sign:
    return lambda data: rsa_key().sign(
        data, padding.PSS(padding.MGF1(hashes.SHA256()), length), hashes.SHA256()
    )


@pytest.mark.parametrize("sign", [pkcs1, lambda data: rsa_raw(block(data))], ids=["library", "by hand"])
def test_a_right_rsa_signature_is_taken(sign: Sign) -> None:
    assert verify("rsa", "RS256", sign) is None


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(lambda _data: b"\0" * SIZE, id="zero"),
        pytest.param(lambda _data: b"\0" * (SIZE - 1) + b"\x01", id="one"),
        pytest.param(lambda _data: (N - 1).to_bytes(SIZE), id="n - 1"),
        pytest.param(lambda _data: N.to_bytes(SIZE), id="n"),
        pytest.param(lambda _data: b"\xff" * SIZE, id="above n"),
        pytest.param(lambda _data: b"\0", id="one byte"),
        pytest.param(lambda data: pkcs1(data)[:-1], id="a byte less"),
        pytest.param(lambda data: pkcs1(data)[1:], id="first byte cut"),
        pytest.param(lambda data: b"\0" + pkcs1(data), id="a zero in front"),
        pytest.param(lambda data: pkcs1(data) + b"\0", id="a zero behind"),
        pytest.param(lambda data: pkcs1(data) * 2, id="twice"),
        pytest.param(lambda data: pkcs1(data)[::-1], id="little endian"),
        pytest.param(lambda data: (N - int.from_bytes(pkcs1(data))).to_bytes(SIZE), id="negated"),
        pytest.param(lambda data: (int.from_bytes(pkcs1(data)) + N).to_bytes(SIZE + 1), id="plus n"),
        pytest.param(lambda data: pkcs1(data + b"."), id="other content"),
        pytest.param(lambda data: pkcs1(data.rpartition(b".")[2]), id="payload only"),
        pytest.param(lambda data: rsa_raw(block(data, prefix=SHA256_NO_NULL)), id="no NULL parameter"),
        pytest.param(lambda data: rsa_raw(block(data, prefix=b"")), id="no hash id"),
        pytest.param(lambda data: rsa_raw(block(data, prefix=SHA1)), id="SHA-256 called SHA-1"),
        pytest.param(lambda data: rsa_raw(block(data, digest="sha512")), id="SHA-512 called SHA-256"),
        pytest.param(lambda data: rsa_raw(block(data, prefix=SHA1, digest="sha1")), id="SHA-1"),
        pytest.param(lambda data: rsa_raw(block(data, prefix=SHA512, digest="sha512")), id="RS512"),
        pytest.param(lambda data: rsa_raw(block(data, tail=b"\0\0")), id="bytes behind the hash"),
        pytest.param(short_padding, id="short padding"),
        pytest.param(lambda data: spoiled(data, 1, 2), id="block type 2"),
        pytest.param(lambda data: spoiled(data, 1, 0), id="block type 0"),
        pytest.param(lambda data: spoiled(data, 2, 0xFE), id="padding with another byte"),
        pytest.param(lambda data: spoiled(data, 2, 0), id="padding that ends early"),
        pytest.param(lambda data: spoiled(data, 204, 0xFF), id="padding that does not end"),
        pytest.param(lambda data: spoiled(data, 219, 0x02), id="modified hash id"),
        pytest.param(pss(32), id="PSS"),
        pytest.param(pss(0), id="PSS without salt"),
        pytest.param(lambda data: ec_key().sign(data, ec.ECDSA(hashes.SHA256())), id="ECDSA"),
        pytest.param(
            lambda data: rsa_key(number=1).sign(data, padding.PKCS1v15(), hashes.SHA256()), id="another key's"
        ),
    ],
)
def test_a_wrong_rsa_signature_is_refused(sign: Sign) -> None:
    assert verify("rsa", "RS256", sign) is RefusalReason.SIGNATURE


def test_the_block_made_by_hand_is_what_the_spoiled_ones_are_made_of() -> None:
    data = b"content"

    assert rsa_raw(block(data)) == pkcs1(data)
    assert block(data)[204:205] == b"\0"
    assert block(data)[205:224] == SHA256


def der(data: bytes, digest: hashes.HashAlgorithm | None = None) -> bytes:
    return ec_key().sign(data, ec.ECDSA(digest or hashes.SHA256()))


def numbers(data: bytes) -> tuple[int, int]:
    return decode_dss_signature(der(data))


def raw(r: int, s: int, size: int = 32) -> bytes:
    return r.to_bytes(size) + s.to_bytes(size)


def of(change: Callable[[int, int], tuple[int, int]]) -> Sign:
    return lambda data: raw(*change(*numbers(data)))


def leading_zero(data: bytes) -> bytes:
    """A signature whose r begins with a zero byte, which must stay."""
    while True:
        r, s = numbers(data)
        if r < 2**248:
            return raw(r, s)


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(of(lambda r, s: (r, s)), id="plain"),
        pytest.param(leading_zero, id="leading zero kept"),
        pytest.param(of(lambda r, s: (r, min(s, ORDER - s))), id="low s"),
        pytest.param(of(lambda r, s: (r, max(s, ORDER - s))), id="high s"),
    ],
)
def test_a_right_ecdsa_signature_is_taken_in_either_of_its_two_forms(sign: Sign) -> None:
    assert verify("ec", "ES256", sign) is None


def without_leading_zero(data: bytes) -> bytes:
    return leading_zero(data)[1:]


@pytest.mark.parametrize(
    "sign",
    [
        *(
            pytest.param(lambda _data, r=r, s=s: raw(r, s), id=f"r {r_name} s {s_name}")
            for r_name, r in (
                ("0", 0),
                ("1", 1),
                ("n", ORDER),
                ("n-1", ORDER - 1),
                ("p", FIELD),
                ("max", 2**256 - 1),
            )
            for s_name, s in (
                ("0", 0),
                ("1", 1),
                ("n", ORDER),
                ("n-1", ORDER - 1),
                ("p", FIELD),
                ("max", 2**256 - 1),
            )
        ),
        pytest.param(of(lambda r, s: (0, s)), id="r zero"),
        pytest.param(of(lambda r, s: (r, 0)), id="s zero"),
        pytest.param(of(lambda r, s: (ORDER, s)), id="r is n"),
        pytest.param(of(lambda r, s: (r, ORDER)), id="s is n"),
        pytest.param(of(lambda r, s: (s, r)), id="s before r"),
        pytest.param(of(lambda r, s: (ORDER - r, s)), id="r mirrored"),
        pytest.param(of(lambda r, s: (r, r)), id="s is r"),
        pytest.param(lambda data: raw(numbers(data)[0] + ORDER, numbers(data)[1], 33), id="r plus n"),
        pytest.param(lambda data: raw(numbers(data)[0], numbers(data)[1] + ORDER, 33), id="s plus n"),
        pytest.param(der, id="DER"),
        pytest.param(lambda data: der(data).ljust(72, b"\0"), id="DER with zeros behind"),
        pytest.param(lambda data: raw(*numbers(data), 33), id="33 bytes each"),
        pytest.param(lambda data: raw(*numbers(data), 48), id="48 bytes each"),
        pytest.param(without_leading_zero, id="leading zero cut"),
        pytest.param(lambda data: raw(*numbers(data)) + b"\0", id="a zero behind"),
        pytest.param(lambda data: b"\0" + raw(*numbers(data)), id="a zero in front"),
        pytest.param(lambda data: raw(*numbers(data))[:-1], id="a byte less"),
        pytest.param(lambda data: raw(*numbers(data))[:32], id="r alone"),
        pytest.param(lambda data: raw(*numbers(data)) * 2, id="twice"),
        pytest.param(lambda data: raw(*numbers(data)).hex().encode(), id="hexadecimal"),
        pytest.param(lambda data: raw(*decode_dss_signature(der(data, hashes.SHA384()))), id="SHA-384"),
        pytest.param(lambda data: raw(*decode_dss_signature(der(data, hashes.SHA1()))), id="SHA-1"),
        pytest.param(lambda data: raw(*numbers(data + b".")), id="other content"),
        pytest.param(lambda _data: b"\0", id="one byte"),
        pytest.param(lambda _data: encode_dss_signature(0, 0), id="zeros in DER"),
        pytest.param(pkcs1, id="RSA"),
        pytest.param(
            lambda data: raw(*decode_dss_signature(ec_key(1).sign(data, ec.ECDSA(hashes.SHA256())))),
            id="another key's",
        ),
    ],
)
def test_a_wrong_ecdsa_signature_is_refused(sign: Sign) -> None:
    assert verify("ec", "ES256", sign) is RefusalReason.SIGNATURE


@pytest.mark.parametrize(("kid", "algorithm"), [("rsa", "ES256"), ("ec", "RS256")])
@pytest.mark.parametrize("sign", [pkcs1, of(lambda r, s: (r, s))], ids=["rsa", "ec"])
def test_a_right_signature_under_the_other_algorithm_is_refused(kid: str, algorithm: str, sign: Sign) -> None:
    assert verify(kid, algorithm, sign) is RefusalReason.KEY_ALGORITHM


@pytest.mark.parametrize(
    "algorithm", ["PS256", "RS384", "RS512", "ES384", "ES512", "ES256K", "EdDSA", "HS256"]
)
def test_a_signature_under_an_algorithm_that_is_not_allowed_is_refused(algorithm: str) -> None:
    assert verify("rsa", algorithm, pss(32)) is RefusalReason.ALGORITHM
    assert verify("ec", algorithm, of(lambda r, s: (r, s))) is RefusalReason.ALGORITHM


def test_the_key_is_the_one_that_is_named() -> None:
    assert verify("rsa-2", "RS256", pkcs1) is RefusalReason.SIGNATURE
    assert verify("rsa-3", "RS256", pkcs1) is RefusalReason.UNKNOWN_KEY


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'""', b"[]", b"0", b"\0", b"text"])
@pytest.mark.parametrize(
    ("kid", "algorithm", "sign"), [("rsa", "RS256", pkcs1), ("ec", "ES256", of(lambda r, s: (r, s)))]
)
def test_a_rightly_signed_content_without_claims_is_no_identity(
    kid: str, algorithm: str, sign: Any, body: bytes
) -> None:
    assert verify(kid, algorithm, sign, body=body) in (
        RefusalReason.SHAPE,
        RefusalReason.PAYLOAD,
        RefusalReason.ISSUER,
    )
