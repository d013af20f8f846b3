"""The only source of ids and randomness, so that a test or a replay can give its own."""

import hashlib
import secrets
import string
import uuid
from typing import Protocol


class Ids(Protocol):
    """Draws every id and random value the server needs."""

    def uuid4(self) -> str:
        """A random UUID as canonical text."""
        ...

    def session_id(self) -> str:
        """A version 1 UUID whose node part names this server (`protocol/realtime`, section 1)."""
        ...

    def username(self) -> str:
        """Ten random letters, for a player whose token carries no name."""
        ...

    def suffix(self) -> str:
        """Six random characters that tell a taken username apart."""
        ...

    def key(self) -> bytes:
        """32 random bytes for a signing key."""
        ...

    def ticket(self) -> bytes:
        """32 random bytes for a one-time ticket."""
        ...

    def jitter(self) -> float:
        """A number in [0, 1) that spreads timers."""
        ...


class RandomIds:
    """Ids from the operating system's randomness."""

    def __init__(self, node: str) -> None:
        # The node part: first six bytes of the SHA-1 of the node name, as the reference does.
        self._node = int.from_bytes(hashlib.sha1(node.encode(), usedforsecurity=False).digest()[:6])

    def uuid4(self) -> str:
        return str(uuid.uuid4())

    def session_id(self) -> str:
        return str(uuid.uuid1(node=self._node))

    def username(self) -> str:
        return "".join(secrets.choice(string.ascii_letters) for _ in range(10))

    def suffix(self) -> str:
        return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(6))

    def key(self) -> bytes:
        return secrets.token_bytes(32)

    def ticket(self) -> bytes:
        return secrets.token_bytes(32)

    def jitter(self) -> float:
        return secrets.randbelow(1 << 30) / (1 << 30)
