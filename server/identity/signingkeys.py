"""The secret keys that sign our own tokens: a ring per use, in a file that only its owner can read.

The first key of a ring signs, the others still verify. Match tokens have keys derived from the session
ring, so that neither kind of token can pass as the other.
"""

import hmac
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.identity import base64url, strict_json
from server.ids import Ids

KEY_BYTES = 32
MATCH_LABEL = b"lockgate match token"


class KeyFileError(Exception):
    """The key file cannot be used; the text names the file and the problem, never a key."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key with the id that goes into the token's header."""

    kid: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The rings, newest key first."""

    session: tuple[SigningKey, ...]
    refresh: tuple[SigningKey, ...]
    match: tuple[SigningKey, ...]

    @classmethod
    def load_or_create(cls, path: Path, ids: Ids) -> "SigningKeys":
        """Read the key file, making one with mode 0600 if there is none. Raises `KeyFileError`."""
        try:
            if not path.exists():
                _create(path, ids)
            return _parse(_read(path))
        except (OSError, ValueError) as error:
            raise KeyFileError(f"{path}: {error}") from None

    @classmethod
    def generate(cls, ids: Ids) -> "SigningKeys":
        """Fresh keys that are kept nowhere."""
        return _parse(_document(ids))


def _document(ids: Ids) -> dict[str, Any]:
    def ring() -> list[dict[str, str]]:
        return [{"kid": ids.uuid4()[:8], "key": base64url.encode(ids.key())}]

    return {"session": ring(), "refresh": ring()}


def _create(path: Path, ids: Ids) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{ids.uuid4()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(_document(ids), indent=2).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # unlike a rename, never replaces the file of a process that was faster
        except FileExistsError:
            return
        _sync_folder(path.parent)
    finally:
        draft.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise ValueError("others can read it; give it mode 0600")
        try:
            return strict_json.load_object(file.read(64 * 1024))
        except strict_json.NotStrict:
            raise ValueError("not a JSON object") from None


def _parse(document: Mapping[str, Any]) -> SigningKeys:
    session, refresh = _ring(document, "session"), _ring(document, "refresh")
    secrets = [key.secret for key in (*session, *refresh)]
    if len(set(secrets)) != len(secrets):
        raise ValueError("the same key is used twice")
    match = tuple(SigningKey(key.kid, hmac.digest(key.secret, MATCH_LABEL, "sha256")) for key in session)
    return SigningKeys(session, refresh, match)


def _ring(document: Mapping[str, Any], use: str) -> tuple[SigningKey, ...]:
    entries = document.get(use)
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{use}: no keys")
    ring = []
    for entry in entries:
        kid, text = (entry.get("kid"), entry.get("key")) if isinstance(entry, dict) else (None, None)
        if not isinstance(kid, str) or not kid or not isinstance(text, str):
            raise ValueError(f"{use}: a key needs kid and key")
        try:
            secret = base64url.decode(text)
        except ValueError:
            raise ValueError(f"{use}: key {kid} is not base64url") from None
        if len(secret) != KEY_BYTES:
            raise ValueError(f"{use}: key {kid} has not {KEY_BYTES} bytes")
        ring.append(SigningKey(kid, secret))
    if len({key.kid for key in ring}) != len(ring):
        raise ValueError(f"{use}: a kid occurs twice")
    return tuple(ring)
