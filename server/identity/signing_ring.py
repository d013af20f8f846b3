"""Signs claims with a key of one ring, as HS256 JWTs, and verifies what one of its keys has signed.

Knows nothing of what the claims mean, nor of time.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import jwt

from server.identity import base64url
from server.identity.signingkeys import SigningKey

ALGORITHM = "HS256"
MAX_TOKEN = 8_192

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_hs256 = jwt.get_algorithm_by_name(ALGORITHM)
_jws = jwt.PyJWS(algorithms=[ALGORITHM])


class SigningRing:
    """The keys of one use, the newest first."""

    def __init__(self, keys: tuple[SigningKey, ...]) -> None:
        # A header has one spelling per key, so the header's text finds the key and nothing else passes.
        self._secrets = {_header(key.kid): key.secret for key in keys}
        self._headers = {key.kid: _header(key.kid) for key in keys}
        self.newest = keys[0].kid

    def present(self, kid: str) -> str:
        """This key id, or the newest where that key has left the ring."""
        return kid if kid in self._headers else self.newest

    def sign(self, claims: Mapping[str, Any], kid: str) -> str:
        """The same claims and key give the same text, to the byte."""
        header = self._headers[kid]
        text = json.dumps(claims, ensure_ascii=False, separators=(",", ":"))
        signing_input = f"{header}.{base64url.encode(text.encode())}"
        return (
            f"{signing_input}.{base64url.encode(_hs256.sign(signing_input.encode(), self._secrets[header]))}"
        )

    def verify(self, token: str) -> dict[str, Any] | None:
        """The claims, or None. `exp` is left to the caller."""
        # The library would take padding, so that one token had several texts.
        if not _has_form(token):
            return None
        secret = self._secrets.get(token.partition(".")[0])
        if secret is None:
            return None
        try:
            claims = json.loads(_jws.decode(token, key=secret, algorithms=[ALGORITHM]))
        except (jwt.PyJWTError, ValueError):
            return None
        return claims if isinstance(claims, dict) else None

    def lacks_key_of(self, token: str) -> bool:
        """Whether this could be a token of ours but for a key that is not in the ring."""
        return _has_form(token) and token.partition(".")[0] not in self._secrets

    def headers_shared_with(self, other: "SigningRing") -> frozenset[str]:
        """The first parts of the tokens on which both rings agree."""
        return frozenset(
            header for header, secret in self._secrets.items() if other._secrets.get(header) == secret
        )


def _has_form(token: str) -> bool:
    return len(token) <= MAX_TOKEN and _FORM.fullmatch(token) is not None


def _header(kid: str) -> str:
    header = {"alg": ALGORITHM, "typ": "JWT", "kid": kid}
    return base64url.encode(json.dumps(header, separators=(",", ":")).encode())
