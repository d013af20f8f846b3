"""One socket per player: who holds a player's seat, under any interleaving of connects and closes.

Each claim of a seat raises the player's generation. Only the holder of the current generation can give the
seat up, so the late close of a socket that was replaced never ends its successor.
"""

from typing import NamedTuple


class Seat(NamedTuple):
    """The session that holds a player's seat, and the claim's number."""

    session_id: str
    generation: int


class Seats:
    """The taken seats by user id."""

    def __init__(self) -> None:
        self._taken: dict[str, Seat] = {}
        self._generation = 0  # one counter for all: a player who left and came back never gets an old number

    def __len__(self) -> int:
        return len(self._taken)

    def holder(self, user_id: str) -> Seat | None:
        return self._taken.get(user_id)

    def claim(self, user_id: str, session_id: str) -> tuple[Seat, Seat | None]:
        """Take the seat for a new session. Returns its seat, and the one that it replaced."""
        self._generation += 1
        seat = Seat(session_id, self._generation)
        replaced = self._taken.get(user_id)
        self._taken[user_id] = seat
        return seat, replaced

    def release(self, user_id: str, generation: int) -> bool:
        """Give the seat up. False, and nothing changes, unless `generation` is the current claim's."""
        seat = self._taken.get(user_id)
        if seat is None or seat.generation != generation:
            return False
        del self._taken[user_id]
        return True
