"""The last good key set of one issuer on disk, so that a restart during its outage still signs players in.

What is read is believed no more than what is fetched: the caller loads the document by the same rules. But
whoever writes this file says who is a player, so it must be ours and writable by nobody else.
"""

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from server.identity import strict_json

MAX_FILE = 512 * 1024
"""A document of 64 KiB as a JSON string: six bytes for a character at the worst."""
CLOCK_SLACK_S = 60.0


class FileUnusable(Exception):
    """The file cannot be believed; the text says why."""


@dataclass(frozen=True, slots=True)
class SavedSet:
    """A document and when it was fetched, in Unix seconds."""

    document: bytes
    fetched_at: int


class JwksFile:
    """One file per issuer and place of its keys: another `jwks_url` does not inherit the old one's keys."""

    def __init__(self, folder: Path, issuer: str, jwks_url: str) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        name = hashlib.sha256(f"{issuer}\n{jwks_url}".encode()).hexdigest()[:32]
        self._path = folder / f"jwks-{name}.json"

    def read(self, now: float, max_age_s: float) -> SavedSet | None:
        """What was saved, None if nothing was. Blocks on the disk. Raises `FileUnusable`."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FileUnusable(type(error).__name__) from error
        try:
            with os.fdopen(descriptor, "rb") as file:
                _check_owner(os.fstat(file.fileno()))
                data = file.read(MAX_FILE + 1)
            saved = self._parse(data)
        except (OSError, ValueError) as error:
            raise FileUnusable(str(error) if type(error) is ValueError else type(error).__name__) from error
        if not -CLOCK_SLACK_S <= now - saved.fetched_at <= max_age_s:
            raise FileUnusable("too old, or of a later time than now")
        return saved

    def write(self, saved: SavedSet, draft_id: str) -> None:
        """Replace the file at once, mode 0600. Blocks on the disk. Raises OSError."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {
            "issuer": self._issuer,
            "jwks_url": self._jwks_url,
            "fetched_at": saved.fetched_at,
            "document": saved.document.decode(),
        }
        draft = self._path.with_name(f".{self._path.name}.{draft_id}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(json.dumps(content).encode())
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        finally:
            draft.unlink(missing_ok=True)

    def _parse(self, data: bytes) -> SavedSet:
        if len(data) > MAX_FILE:
            raise ValueError("too large")
        content = strict_json.load_object(data)
        document, fetched_at = content.get("document"), content.get("fetched_at")
        if (content.get("issuer"), content.get("jwks_url")) != (self._issuer, self._jwks_url):
            raise ValueError("of another issuer")
        if not isinstance(document, str) or type(fetched_at) is not int:
            raise ValueError("not in our form")
        return SavedSet(document.encode(), fetched_at)


def _check_owner(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("not a regular file")
    if found.st_uid not in (os.geteuid(), 0) or stat.S_IMODE(found.st_mode) & 0o022:
        raise ValueError("others can write it")
