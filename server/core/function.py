"""Remote calls as values: who calls a function of the game, and how it refuses.

The functions themselves are reached through the port `Functions` of `world.py`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

INTERNAL = 13


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. Without a user id it is another server, that showed the HTTP key."""

    user_id: str = ""
    username: str = ""
    session_id: str = ""
    """The socket's; empty over HTTP."""
    session_vars: Mapping[str, str] = field(default_factory=dict)
    expires_at: int = 0
    """Unix second at which the session token ends."""
    address: str = ""
    lang: str = ""
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The parameters of the URL, over HTTP."""


Function = Callable[[Caller, str], Awaitable[str]]
"""Takes the caller and a payload, and gives the answer's payload. May raise FunctionError."""


class FunctionError(Exception):
    """A function refuses. The caller is told `message`; `code` is a gRPC status code (1..16)."""

    def __init__(self, message: str, code: int = INTERNAL) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class NoSuchFunction(Exception):
    """Nothing is registered under this name."""
