"""Two sockets of one user must not live side by side: the newer one wins, and the older one is closed."""

from collections import deque
from typing import Final

from loadtest.ledger import Ledger
from loadtest.socket import Socket, State
from loadtest.timings import Timings

GRACE_NS: Final = 2_000_000_000
"""So long the server may take to close the older one."""


class Takeovers:
    """Watches older sockets; their end is timed as `kick`, from the newer one's upgrade."""

    def __init__(self, ledger: Ledger, timings: Timings) -> None:
        self._ledger = ledger
        self._timings = timings
        self._watched: deque[tuple[Socket, Socket]] = deque()

    def watch(self, older: Socket, newer: Socket) -> None:
        """The newer one is open."""
        self._watched.append((older, newer))

    def kicked(self, older: Socket, newer: Socket) -> None:
        """The server has ended the older one for the newer one's sake."""
        self._timings["kick"].record(newer.opened_ns, newer.opened_ns, max(older.closed_ns, newer.opened_ns))

    def sweep(self, now_ns: int, *, last: bool = False) -> None:
        """About once a second: who is still open when the grace is over is a fault, and cut off."""
        while self._watched:
            older, newer = self._watched[0]
            over = now_ns - newer.opened_ns > GRACE_NS
            if older.closed_ns:
                self.kicked(older, newer)
            elif older.state is State.OPEN and over:
                self._ledger.two_sockets += 1
                older.abort()
            elif older.state is State.OPEN and not last:
                return
            self._watched.popleft()
