"""Where and when a match runs.

All chance and time that game code may use is here, so that a replay has the same.
"""

from dataclasses import dataclass, field
from random import Random


@dataclass(slots=True)
class Context:
    """What a match knows of itself."""

    match_id: str
    node: str
    tick_rate: int
    """Ticks in a second."""
    seed: int
    """What `random` began with."""
    tick: int = 0
    """The number of the present tick, or of the next one between ticks; the first is 0."""
    now: float = 0.0
    """Unix seconds at which the present callback was due. Use it instead of the module `time`."""
    started_at: float = 0.0
    random: Random = field(init=False)
    """Seeded for this match. Use it instead of the module `random`, and a recorded match can be replayed."""

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def resume(self, tick: int, started_at: float) -> None:
        """Go on from an earlier run of the same match."""
        self.tick, self.started_at = tick, started_at
        self.random = Random(f"{self.seed}/{tick}")

    @property
    def dt(self) -> float:
        """Seconds of one step. The step is fixed: a late tick simulates no more time than any other."""
        return 1 / self.tick_rate

    @property
    def elapsed(self) -> float:
        """Seconds since the match began."""
        return self.now - self.started_at
