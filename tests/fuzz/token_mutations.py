"""Ways to spoil a good identity token: its JSON, its encoding, key and algorithm, signature, text.

Everything is drawn by hypothesis, so that a token which breaks something is made as simple as it can be;
signatures are made without chance for the same reason.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import strategies as st

from server.identity import base64url
from tests.fuzz.token_oracle import ALPHABET, P256_ORDER
from tests.support.issuer import ALICE, BOB, CLIENT, ISSUER, claims, ec_key, jwk, rsa_key

NOW = 1_800_000_000
OTHER_ISSUER = "https://other.example"
RSA_KID, EC_KID, OTHER_KID = "rsa", "ec", "other"
ALGORITHMS = (
    "RS256",
    "ES256",
    "none",
    "None",
    "HS256",
    "PS256",
    "RS384",
    "RS512",
    "ES384",
    "ES256K",
    "EdDSA",
)

Pairs = list[tuple[str, str]]
"""A JSON object as raw texts, so that it can be spoiled in ways that no encoder would write."""

OFFSETS = (-86_401, -86_400, -3600, -6, -5, -4, 0, 4, 5, 6, 3600, 86_400, 86_401)
NUMBERS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "-0",
    "0x10",
    "01",
    "1.",
    ".5",
    "+1",
    "1_0",
    "9" * 4400,
)
TIMES = st.one_of(
    st.sampled_from(OFFSETS).map(lambda offset: str(NOW + offset)),
    st.sampled_from(OFFSETS).map(lambda offset: f"{NOW + offset}.5"),
    st.sampled_from(OFFSETS).map(lambda offset: f"{(NOW + offset) / 1e9!r}e9"),
    st.sampled_from((*NUMBERS, str(2**53), str(-(2**53)), str(2**63), '"1800003600"', "true", "null")),
    st.integers().map(str),
    st.floats().map(json.dumps),
)
VALUES = st.one_of(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    ).map(json.dumps),
    st.sampled_from(
        [
            json.dumps(text)
            for text in (ALICE, BOB, CLIENT, ISSUER, OTHER_ISSUER, ISSUER + "/", "access", "id", "")
        ]
    ),
    st.sampled_from((RSA_KID, EC_KID, OTHER_KID, *ALGORITHMS, "JWT", "at+jwt", "jwt")).map(json.dumps),
    st.sampled_from(
        ('"\\ud800"', '"a\\u0000b"', '"\\u202e"', '"a b"', "'a'", "[" * 17 + "]" * 17, "[" * 9000, "")
    ),
    st.text().map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from((255, 256, 257)).map(lambda length: json.dumps("s" * length)),
    TIMES,
)
_NAMES = """alg kid typ crit b64 zip cty enc jku jwk x5u x5c
iss sub aud exp iat nbf client_id azp cid token_use jti"""
NAMES = st.sampled_from(_NAMES.split() + ["exp", "iat", "nbf", "sub"] * 3)  # where most rules are


def raw_name(name: str, *, escaped: bool) -> str:
    """A member's name, perhaps spelled with escapes: two spellings are one name."""
    return '"' + (f"\\u{ord(name[0]):04x}{name[1:]}" if escaped else name) + '"'


@st.composite
def edited(draw: st.DrawFn, pairs: Pairs) -> bytes:
    """The object after a few edits, in some encoding."""
    pairs = list(pairs)
    for _ in range(draw(st.integers(0, 3))):
        name = raw_name(draw(NAMES), escaped=draw(st.integers(0, 4)) == 0)
        match draw(st.sampled_from(("set", "set", "set", "set", "set", "add", "remove", "twice", "turn"))):
            case "set":
                value = draw(TIMES if name.strip('"') in ("exp", "iat", "nbf") else VALUES)
                pairs = [pair for pair in pairs if pair[0] != name] + [(name, value)]
            case "add":
                pairs.insert(draw(st.integers(0, len(pairs))), (name, draw(VALUES)))
            case "remove" if pairs:
                pairs.pop(draw(st.integers(0, len(pairs) - 1)))
            case "twice" if pairs:
                pairs.append(draw(st.sampled_from(pairs)))
            case _:
                pairs.reverse()
    space = draw(
        st.sampled_from(("", " ", "\n\t", "\u00a0", "/**/")) if draw(st.integers(0, 5)) == 0 else st.just("")
    )
    text = "{" + ",".join(f"{name}:{space}{value}" for name, value in pairs) + "}"
    encoding = draw(st.sampled_from(("utf-8",) * 40 + ("utf-16", "utf-32", "utf-8-sig", "latin-1")))
    data: bytes = text.encode(encoding, errors="replace" if encoding == "latin-1" else "surrogatepass")
    tail = draw(st.sampled_from((b"",) * 40 + (b"\0", b" ", b"{}", b"\xff", b",")))
    return bytes(data + tail)


def _hmac(secret: bytes, data: bytes) -> bytes:
    return hmac.new(secret, data, hashlib.sha256).digest()


def _public_forms() -> list[bytes]:
    """What a confused verifier could take for an HMAC secret."""
    keys = (rsa_key().public_key(), ec_key().public_key())
    forms = [
        key.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
        for key in keys
        for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER)
    ]
    return [*forms, json.dumps(jwk(rsa_key(), RSA_KID)).encode(), b""]


def _raw(der: bytes) -> bytes:
    r, s = decode_dss_signature(der)
    return r.to_bytes(32) + s.to_bytes(32)


def _ecdsa(data: bytes, number: int = 0) -> bytes:
    return ec_key(number).sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


SIGNERS: dict[str, Callable[[bytes], bytes]] = {
    "rsa": lambda data: rsa_key().sign(data, padding.PKCS1v15(), hashes.SHA256()),
    "ec": lambda data: _raw(_ecdsa(data)),
    "foreign rsa": lambda data: rsa_key(number=1).sign(data, padding.PKCS1v15(), hashes.SHA256()),
    "foreign ec": lambda data: _raw(_ecdsa(data, 1)),
    "rsa sha-384": lambda data: rsa_key().sign(data, padding.PKCS1v15(), hashes.SHA384()),
    "rsa pss": lambda data: rsa_key().sign(
        data, padding.PSS(padding.MGF1(hashes.SHA256()), 0), hashes.SHA256()
    ),
    "ec der": _ecdsa,
    "none": lambda _data: b"",
    "zeros": lambda _data: b"\0" * 64,
    **{f"hmac {number}": partial(_hmac, form) for number, form in enumerate(_public_forms())},
}


def _bent(signature: bytes, way: str) -> bytes:
    """Another spelling of the same signature, or what a careless check takes for one."""
    half = len(signature) // 2
    r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
    bend: dict[str, Callable[[], bytes]] = {
        "kept": lambda: signature,
        "longer": lambda: b"\0" + signature,
        "wider": lambda: signature + b"\0",
        "shorter": lambda: signature[:-1],
        "empty": lambda: b"",
        "swapped": lambda: signature[half:] + signature[:half],
        "flipped": lambda: signature[:-1] + bytes([signature[-1] ^ 1]) if signature else b"",
        "padded halves": lambda: b"\0" + signature[:half] + b"\0" + signature[half:],
        "plus modulus": lambda: (
            int.from_bytes(signature) + rsa_key().public_key().public_numbers().n
        ).to_bytes(len(signature) + 300),
    }
    if len(signature) == 64:
        bend |= {
            "mirrored": lambda: signature[:half] + ((P256_ORDER - s) % P256_ORDER).to_bytes(32),
            "r zero": lambda: bytes(32) + signature[32:],
            "s order": lambda: signature[:32] + P256_ORDER.to_bytes(32),
            "r plus order": lambda: ((r + P256_ORDER) % 2**256).to_bytes(32) + signature[32:],
        }
    return bend.get(way, bend["kept"])()


BENDS = (
    *("mirrored",) * 3,
    "longer",
    "wider",
    "shorter",
    "empty",
    "swapped",
    "flipped",
    "padded halves",
    "plus modulus",
    "r zero",
    "s order",
    "r plus order",
)


@st.composite
def respelled(draw: st.DrawFn, segment: str) -> str:
    """A segment as a lenient decoder might take it too."""
    match draw(st.sampled_from((*("kept",) * 4, "padded", "standard", "spare bits", "space", "percent"))):
        case "padded":
            return segment + "=" * (-len(segment) % 4 or 4)
        case "standard":
            return base64.b64encode(base64url.decode(segment)).decode()
        case "spare bits" if segment:
            return segment[:-1] + ALPHABET[ALPHABET.index(segment[-1]) ^ draw(st.integers(1, 15))]
        case "space":
            at = draw(st.integers(0, len(segment)))
            return segment[:at] + draw(st.sampled_from((" ", "\n", "\r\n", "\0", "\u200b"))) + segment[at:]
        case "percent":
            return segment.replace("-", "%2D").replace("_", "%5F")
        case _:
            return segment


@st.composite
def altered(draw: st.DrawFn, token: str) -> str:
    """The text of the token with characters and segments moved about."""
    for _ in range(draw(st.integers(1, 2))):
        at, end = sorted((draw(st.integers(0, len(token))), draw(st.integers(0, len(token)))))
        match draw(st.sampled_from(("replace", "insert", "cut", "double", "swap", "segments"))):
            case "replace":
                token = token[:at] + draw(st.characters()) + token[at + 1 :]
            case "insert":
                token = token[:at] + draw(st.text(max_size=3)) + token[at:]
            case "cut":
                token = token[:at] + token[end:]
            case "double":
                token = token[:end] + token[at:end] + token[end:]
            case "swap":
                token = token[:at] + token[at:end].swapcase() + token[end:]
            case _:
                token = ".".join(draw(st.permutations(token.split("."))))
    return token


def pairs_of(value: dict[str, Any]) -> Pairs:
    return [(json.dumps(name), json.dumps(item)) for name, item in value.items()]


def good_parts(kind: str) -> tuple[Pairs, Pairs, str]:
    """Header, payload and signer of a token that is accepted."""
    kid, algorithm = (RSA_KID, "RS256") if kind == "rsa" else (EC_KID, "ES256")
    return pairs_of({"kid": kid, "alg": algorithm}), pairs_of(claims(NOW)), kind


STAGES = ("header", "payload", "payload", "stale", "signer", "spelling", "signature", "text")


@st.composite
def spoiled_tokens(draw: st.DrawFn) -> str:
    """A token that began as a good one and was spoiled in one or two ways. Some are still good."""
    stages = set(draw(st.lists(st.sampled_from(STAGES), min_size=1, max_size=2)))
    header, payload, signer = good_parts(draw(st.sampled_from(("rsa", "ec"))))
    shown = [
        base64url.encode(draw(edited(header)) if "header" in stages else _plain(header)),
        base64url.encode(draw(edited(payload)) if "payload" in stages else _plain(payload)),
    ]
    # "stale": the signature is the good token's. "spelling": a careless issuer signed what is spelled so.
    signed = [base64url.encode(_plain(part)) for part in (header, payload)] if "stale" in stages else shown
    if "signer" in stages:
        signer = draw(st.sampled_from(sorted(SIGNERS)))
    if "spelling" in stages:
        shown = signed = [draw(respelled(segment)) for segment in shown]
    signature = SIGNERS[signer](".".join(signed).encode(errors="replace"))
    if "signature" in stages:
        signature = _bent(signature, draw(st.sampled_from(BENDS)))
    last = base64url.encode(signature)
    token = ".".join([*shown, draw(respelled(last)) if "spelling" in stages else last])
    return draw(altered(token)) if "text" in stages else token


def _plain(pairs: Pairs) -> bytes:
    return ("{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}").encode()
