"""Clocks that a test moves: one that stands still, and two that run and jump."""

from server.clock import SystemClock


class ManualClock:
    """Both times start at a round number and move together."""

    def __init__(self, wall: float = 1_800_000_000.0) -> None:
        self._wall = wall
        self._monotonic = 1_000.0

    def wall(self) -> float:
        return self._wall

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._wall += seconds
        self._monotonic += seconds

    def set_back(self, seconds: float) -> None:
        """What an operator does to the wall time; the other one never goes back."""
        self._wall -= seconds


class JumpingClock:
    """The machine's clock, whose wall time a test moves on. Only the age of tokens depends on that."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._ahead = 0.0

    def wall(self) -> float:
        return self._clock.wall() + self._ahead

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def jump(self, seconds: float) -> None:
        self._ahead += seconds


class ForwardClock(JumpingClock):
    """The machine's clock, both of whose times a test moves on."""

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead
