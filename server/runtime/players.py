"""Who plays, and what they send: the two values that game code is handed most."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Player:
    """A player's place in a match. Two are equal when they are the same place: same socket session.

    `session_id` is the socket's, `vars` are the session variables that the login carries (claims of the
    identity token among them).
    """

    user_id: str = field(compare=False)
    session_id: str
    username: str = field(compare=False)
    vars: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Input:
    """One message that a player sent to the match. `received_at` is in Unix seconds, by the match's clock."""

    player: Player
    op_code: int
    data: bytes
    reliable: bool = False
    received_at: float = 0.0

    def json(self) -> Any:
        """The data read as JSON. Raises ValueError: whoever sent it may send anything."""
        try:
            return msgspec.json.decode(self.data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(f"not JSON: {type(error).__name__}") from None
