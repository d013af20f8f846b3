"""Sessions whose socket has dropped, held for a while in case their player comes back (`socket.resume_s`)."""

from server.clock import Clock
from server.sessions.session import Session

MAX_AWAY = 20_000
"""Sessions held at once. Of more, the next that drops just ends."""


class Away:
    """`hold_s` of 0 holds nothing."""

    def __init__(self, clock: Clock, hold_s: float) -> None:
        self._clock = clock
        self.hold_s = hold_s
        # All are held for the same time, so the first to come is the first to go.
        self._until: dict[Session, float] = {}
        self.refused = 0
        """Sessions that ended at once because too many were held."""

    def __len__(self) -> int:
        return len(self._until)

    def hold(self, session: Session) -> bool:
        """Hold a session from now on. False if it has to end."""
        if not self.hold_s:
            return False
        if len(self._until) >= MAX_AWAY:
            self.refused += 1
            return False
        self._until[session] = self._clock.monotonic() + self.hold_s
        return True

    def let_go(self, session: Session) -> None:
        """The session goes on, or has ended."""
        self._until.pop(session, None)

    def due(self) -> list[Session]:
        """Those whose time is over."""
        now = self._clock.monotonic()
        found: list[Session] = []
        for session, until in self._until.items():
            if until > now:
                break
            found.append(session)
        return found
