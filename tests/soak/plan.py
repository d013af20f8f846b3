"""What one soak is to be: how many players of which kind, how long, how fast, against which limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from tests.bench.process import ADMIT_ALL


class Kind(Enum):
    """How a player behaves."""

    HONEST = "honest"
    SLOW = "slow"
    FLOODER = "flooder"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Plan:
    """Times in seconds. The times of the server must be those that `settings` make."""

    players: int = 2000
    seconds: float = 1800.0
    seed: int = 1
    rate: float = 0.5
    """Messages of an honest player per second. Each is a write of its own to nine sockets, and 2,000 players
    on a machine of two cores are to leave the server, and those who measure it, room for the storms."""
    share: float = 0.05
    """Of all players, for each kind that is not honest."""
    match_size: int = 10
    storm_every_s: float = 60.0
    storm_share: float = 0.2
    back_within_s: float = 2.0
    rest_s: tuple[float, float] = (10.0, 30.0)
    """How long those who are not honest stay away, and behave."""
    flood_rest_s: tuple[float, float] = (20.0, 60.0)
    """How long a flooder stays away: each flood is a few thousand messages to handle."""
    bulk_every_s: float = 0.5
    """Between the messages of 2 KiB that slow readers are sent by each of their own match."""
    age_s: float = 10.0
    pong_timeout_s: float = 25.0
    sweep_s: float = 1.0
    limit_bytes: int = 1_048_576
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of the server, by the names of environment variables."""

    def kinds(self) -> list[Kind]:
        """One for each player, by number."""
        odd = max(round(self.players * self.share), 1)
        honest = self.players - 3 * odd
        return [Kind.HONEST] * honest + [Kind.SLOW] * odd + [Kind.FLOODER] * odd + [Kind.HALF_OPEN] * odd

    def environment(self) -> dict[str, str]:
        """Production's limits, except that all players come from one address."""
        return {**ADMIT_ALL, **self.settings}


def hasty(players: int, seconds: float, seed: int = 1) -> Plan:
    """A plan whose server is impatient, so that every kind is found within seconds."""
    return Plan(
        players=players,
        seconds=seconds,
        seed=seed,
        rate=5,
        storm_every_s=2,
        back_within_s=0.5,
        rest_s=(0.2, 0.6),
        flood_rest_s=(0.2, 0.6),
        bulk_every_s=0.006,
        age_s=1,
        pong_timeout_s=3,
        sweep_s=0.25,
        limit_bytes=65_536,
        settings={
            "LOCKGATE_SOCKET__OUTGOING_AGE_S": "1",
            "LOCKGATE_SOCKET__OUTGOING_LIMIT_BYTES": "65536",
            "LOCKGATE_SOCKET__PING_INTERVAL_S": "1",
            "LOCKGATE_SOCKET__PONG_TIMEOUT_S": "3",
            "LOCKGATE_SOCKET__CLOSE_TIMEOUT_S": "1",
            "LOCKGATE_SOCKET__MESSAGES_BURST": "200",
        },
    )
