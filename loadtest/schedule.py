"""When each player acts, decided beforehand: an open schedule, which waits for nobody.

Pure: the time is given. What comes late is still done, with the time it was meant for, so that a stalled
server (or swarm) shows in the latencies instead of thinning out the load.
"""

from collections.abc import Iterator
from random import Random

NS = 1_000_000_000


class Schedule:
    """Each of `players` acts `per_second` times a second; all acts together are spread evenly over time.

    Times are nanoseconds of any one clock. The order of the players within a round is drawn from `seed`.
    """

    def __init__(self, players: int, per_second: float, start_ns: int, seed: int) -> None:
        self._order = list(range(players))
        Random(seed).shuffle(self._order)
        self._gap_ns = NS / (players * per_second)
        self._start_ns = start_ns
        self._taken = 0

    def next_ns(self) -> int:
        """When the next act is due."""
        return self._start_ns + round(self._taken * self._gap_ns)

    def due(self, now_ns: int) -> Iterator[tuple[int, int]]:
        """Take the acts due by now: (player, time it was meant for)."""
        while (intended := self.next_ns()) <= now_ns:
            player = self._order[self._taken % len(self._order)]
            self._taken += 1
            yield player, intended
