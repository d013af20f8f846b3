"""The secret keys that sign our own tokens, as values: a ring per use, and the JSON they are kept as.

The first key of a ring is the newest and signs, the others still verify. Match tokens have keys derived from
the session ring, so that neither kind of token can pass as the other. Knows nothing of files.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from server.identity import base64url, strict_json
from server.ids import Ids

KEY_BYTES = 32
MAX_RING = 8
"""Keys of one use: each is a text that a stranger's token may be tried with."""
MAX_KID = 40
"""Shorter than the text of a key, so that one written in the wrong place is never told as a kid."""
MATCH_LABEL = b"lockgate match token"

Use = Literal["session", "refresh"]
USES: tuple[Use, ...] = ("session", "refresh")


class KeyFileError(Exception):
    """The keys cannot be used; the text names where they are from and the problem, never a key."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key with the id that goes into the token's header, made at a Unix time; 0: not known, long ago."""

    kid: str
    secret: bytes = field(repr=False)
    created_at: int = 0


Ring = tuple[SigningKey, ...]


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The rings, newest key first."""

    session: Ring
    refresh: Ring
    match: Ring

    @classmethod
    def of(cls, session: Ring, refresh: Ring) -> "SigningKeys":
        """Rings that go together, with the match keys that follow. Raises ValueError."""
        for use, ring in (("session", session), ("refresh", refresh)):
            if not ring:
                raise ValueError(f"{use}: no keys")
            if len(ring) > MAX_RING:
                raise ValueError(f"{use}: over {MAX_RING} keys")
            if len({key.kid for key in ring}) != len(ring):
                raise ValueError(f"{use}: a kid occurs twice")
        secrets = [key.secret for key in (*session, *refresh)]
        if len(set(secrets)) != len(secrets):
            raise ValueError("the same key is used twice")
        return cls(session, refresh, tuple(_match_key(key) for key in session))

    @classmethod
    def generate(cls, ids: Ids, now: int = 0) -> "SigningKeys":
        """Fresh keys, one of each use."""
        return cls.of((fresh_key((), ids, now),), (fresh_key((), ids, now),))

    @classmethod
    def parse(cls, text: bytes, *, production: bool = False) -> "SigningKeys":
        """Read a document; production refuses keys that are obviously no random ones. Raises ValueError."""
        try:
            document = strict_json.load_object(text)
        except strict_json.NotStrict:
            raise ValueError("not a JSON object") from None
        keys = cls.of(_ring(document, "session"), _ring(document, "refresh"))
        if production:
            keys._refuse_weak()
        return keys

    def document(self) -> bytes:
        """What `parse` reads."""
        rings = {"session": self.session, "refresh": self.refresh}
        written = {use: [_entry(key) for key in ring] for use, ring in rings.items()}
        return json.dumps(written, indent=2).encode() + b"\n"

    def kids(self) -> dict[str, list[str]]:
        """The ids of all keys, which are no secret."""
        return {
            "session_kids": [key.kid for key in self.session],
            "refresh_kids": [key.kid for key in self.refresh],
        }

    def _refuse_weak(self) -> None:
        for use, ring in (("session", self.session), ("refresh", self.refresh)):
            for key in ring:
                if len(set(key.secret)) == 1:
                    raise ValueError(f"{use}: key {key.kid} is one byte over and over; production refuses it")


def fresh_key(ring: Sequence[SigningKey], ids: Ids, now: int) -> SigningKey:
    """A new key whose id no key of the ring has."""
    taken = {key.kid for key in ring}
    while (kid := ids.uuid4()[:8]) in taken:
        pass
    return SigningKey(kid, ids.key(), now)


def _match_key(key: SigningKey) -> SigningKey:
    return SigningKey(key.kid, hmac.digest(key.secret, MATCH_LABEL, "sha256"), key.created_at)


def _entry(key: SigningKey) -> dict[str, str | int]:
    return {"kid": key.kid, "key": base64url.encode(key.secret), "created_at": key.created_at}


def _ring(document: Mapping[str, Any], use: Use) -> Ring:
    entries = document.get(use)
    if not isinstance(entries, list):
        raise ValueError(f"{use}: no keys")
    return tuple(_key(entry, use) for entry in entries[: MAX_RING + 1])


def _key(entry: Any, use: Use) -> SigningKey:
    found = entry if isinstance(entry, dict) else {}
    kid, text, created_at = found.get("kid"), found.get("key"), found.get("created_at", 0)
    if not isinstance(kid, str) or not isinstance(text, str):
        raise ValueError(f"{use}: a key needs kid and key")
    # Kids are logged and printed, and go into each token's header.
    if not 1 <= len(kid) <= MAX_KID or not kid.isascii() or not kid.isprintable():
        raise ValueError(f"{use}: a kid is 1 to {MAX_KID} printable ASCII characters")
    if type(created_at) is not int or created_at < 0:
        raise ValueError(f"{use}: created_at of key {kid} is no Unix time in whole seconds")
    try:
        secret = base64url.decode(text)
    except ValueError:
        raise ValueError(f"{use}: key {kid} is not base64url") from None
    if len(secret) != KEY_BYTES:
        raise ValueError(f"{use}: key {kid} has not {KEY_BYTES} bytes")
    return SigningKey(kid, secret, created_at)
