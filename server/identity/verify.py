"""Verifies identity tokens (RFC 7519, RFC 8725) by an ordered list of checks, each with a reason code.

Pure: `parse` reads the token and selects its issuer, the caller fetches the key, `check` does the rest.
The unverified issuer only selects one configured entry; no other claim is used before the signature is.
PyJWT verifies signatures and nothing else, since it is lenient where a token must have one reading.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeGuard

import jwt

from server.identity import base64url, strict_json
from server.identity.identity import Identity
from server.identity.keyset import MAX_KID, VerifyKey
from server.sections import IssuerSettings

MIN_TOKEN = 20
MAX_TOKEN = 16_384
MAX_HEADER = 2_048
MAX_SUBJECT = 255
LEEWAY_S = 5
MAX_LIFE_S = 24 * 3600

_ALGORITHMS = frozenset({"RS256", "ES256"})
_REFUSED_HEADERS = ("crit", "b64", "zip", "cty", "enc")
_TYPES = (None, "JWT", "at+jwt")
_CLIENT_CLAIMS = ("client_id", "azp", "cid")  # RFC 9068, OpenID Connect Core section 2, Okta
_algorithms = {name: jwt.get_algorithm_by_name(name) for name in _ALGORITHMS}


class RefusalReason(StrEnum):
    """Why an identity token was refused: for logs and metrics, never for the caller."""

    SHAPE = "shape"
    HEADER = "header"
    ALGORITHM = "algorithm"
    PAYLOAD = "payload"
    ISSUER = "issuer"
    UNKNOWN_KEY = "unknown_key"
    KEY_ALGORITHM = "key_algorithm"
    SIGNATURE = "signature"
    TIMES = "times"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    TOKEN_USE = "token_use"
    CLIENT = "client"
    AUDIENCE = "audience"
    SUBJECT = "subject"
    TOKEN_ID = "token_id"
    REPLAYED = "replayed"


class Refused(Exception):
    """The token is refused. `issuer` is set only when it is a configured one; `kid` is the peer's text."""

    def __init__(self, reason: RefusalReason, kid: str | None = None, issuer: str | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.kid = kid
        self.issuer = issuer


@dataclass(frozen=True, slots=True)
class Unverified:
    """A well-formed token of a configured issuer. Nothing in it is true until `check` says so."""

    settings: IssuerSettings
    algorithm: str
    kid: str
    token: str = field(repr=False)
    signature: bytes = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)

    def refused(self, reason: RefusalReason) -> Refused:
        return Refused(reason, self.kid, self.settings.issuer)


def parse(token: str, issuers: Mapping[str, IssuerSettings]) -> Unverified:
    """Check shape and header, and select the issuer and the key id. Raises `Refused`."""
    header_text, payload, signature = _segments(token)
    algorithm, kid = _header(header_text)
    try:
        claims = strict_json.load_object(payload)
    except strict_json.NotStrict:
        raise Refused(RefusalReason.PAYLOAD, kid) from None
    issuer = claims.get("iss")
    settings = issuers.get(issuer) if isinstance(issuer, str) else None
    if settings is None:
        raise Refused(RefusalReason.ISSUER, kid)
    parsed = Unverified(settings, algorithm, kid, token, signature, claims)
    if algorithm not in settings.algorithms:
        raise parsed.refused(RefusalReason.ALGORITHM)
    return parsed


def check(parsed: Unverified, key: VerifyKey | None, now: float) -> Identity:
    """Verify signature and claims with the issuer's key for `parsed.kid`. Raises `Refused`."""
    _check_signature(parsed, key)
    _check_times(parsed, now)
    _check_audience(parsed)
    subject = _subject(parsed)
    settings = parsed.settings
    wanted = {settings.username_claim, settings.display_name_claim, *settings.claims_to_vars.values()}
    kept = {name: parsed.claims[name] for name in wanted if name in parsed.claims}
    # Checked above: `exp` is a finite number, and the token is taken until so long after it.
    exp = math.ceil(parsed.claims["exp"]) + LEEWAY_S
    return Identity(settings.issuer, subject, kept, _token_id(parsed), exp)


def _segments(token: str) -> tuple[bytes, bytes, bytes]:
    if not MIN_TOKEN <= len(token) <= MAX_TOKEN or not token.isascii():
        raise Refused(RefusalReason.SHAPE)
    segments = token.split(".")
    if len(segments) != 3 or len(segments[0]) > MAX_HEADER or not all(segments):
        raise Refused(RefusalReason.SHAPE)
    try:
        header, payload, signature = (base64url.decode(segment) for segment in segments)
    except ValueError:
        raise Refused(RefusalReason.SHAPE) from None
    return header, payload, signature


def _header(data: bytes) -> tuple[str, str]:
    try:
        header = strict_json.load_object(data)
    except strict_json.NotStrict:
        raise Refused(RefusalReason.HEADER) from None
    kid = header.get("kid")
    if not isinstance(kid, str) or not 1 <= len(kid) <= MAX_KID:
        raise Refused(RefusalReason.HEADER)
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise Refused(RefusalReason.ALGORITHM, kid)
    if any(name in header for name in _REFUSED_HEADERS):
        raise Refused(RefusalReason.HEADER, kid)
    if ("typ" in header and header["typ"] is None) or header.get("typ") not in _TYPES:
        raise Refused(RefusalReason.HEADER, kid)
    return algorithm, kid


def _check_signature(parsed: Unverified, key: VerifyKey | None) -> None:
    if key is None:
        raise parsed.refused(RefusalReason.UNKNOWN_KEY)
    if key.algorithm != parsed.algorithm:
        raise parsed.refused(RefusalReason.KEY_ALGORITHM)
    if len(parsed.signature) != key.signature_bytes:
        raise parsed.refused(RefusalReason.SIGNATURE)
    # Not the library's whole decoder: it would read the segments again, and more leniently than we did.
    signing_input = parsed.token.rpartition(".")[0].encode()
    try:
        verified = _algorithms[key.algorithm].verify(signing_input, key.key, parsed.signature)
    except Exception:  # whatever the library objects to, the token is not verified
        verified = False
    if verified is not True:
        raise parsed.refused(RefusalReason.SIGNATURE)


def _check_times(parsed: Unverified, now: float) -> None:
    claims = parsed.claims
    exp, iat, nbf = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
    if not (_is_time(exp) and _is_time(iat) and _is_time(nbf)):
        raise parsed.refused(RefusalReason.TIMES)
    if exp <= now - LEEWAY_S:
        raise parsed.refused(RefusalReason.EXPIRED)
    if max(iat, nbf) > now + LEEWAY_S:
        raise parsed.refused(RefusalReason.NOT_YET_VALID)
    if not 0 < exp - iat <= MAX_LIFE_S:
        raise parsed.refused(RefusalReason.TIMES)


def _is_time(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # Beyond 2**53 an integer and a float no longer compare as the issuer meant them.
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 2**53


def _check_audience(parsed: Unverified) -> None:
    settings, claims = parsed.settings, parsed.claims
    if settings.token_use and claims.get("token_use") != settings.token_use:
        raise parsed.refused(RefusalReason.TOKEN_USE)
    client = claims.get("client_id")
    if settings.client_ids and not (isinstance(client, str) and client in frozenset(settings.client_ids)):
        raise parsed.refused(RefusalReason.CLIENT)
    if settings.audiences and not frozenset(settings.audiences) & _audiences(claims.get("aud")):
        raise parsed.refused(RefusalReason.AUDIENCE)


def _audiences(value: Any) -> frozenset[str]:
    """RFC 7519 section 4.1.3: one text or a list of texts."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        return frozenset()
    return frozenset(values)


def _token_id(parsed: Unverified) -> str | None:
    """RFC 7519 section 4.1.7; optional there, and only single use asks for it."""
    token_id = parsed.claims.get("jti")
    return token_id if isinstance(token_id, str) and token_id else None


def _subject(parsed: Unverified) -> str:
    subject = parsed.claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT:
        raise parsed.refused(RefusalReason.SUBJECT)
    # isprintable: no controls, NUL, surrogates or separators other than the ASCII space.
    if not subject.isprintable() or " " in subject:
        raise parsed.refused(RefusalReason.SUBJECT)
    # A machine's token (client credentials) is no player: its subject is the client that asked for it.
    clients = [parsed.claims.get(name) for name in _CLIENT_CLAIMS]
    if subject in clients or subject in parsed.settings.client_ids:
        raise parsed.refused(RefusalReason.SUBJECT)
    return subject
