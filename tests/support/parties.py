"""Parties of a test's own, with what they stand on."""

from protocol.messages import PartyCreate, UserPresence
from server.core.matchmaker import Limits, Matchmaker
from server.core.party import Parties, PartyLimits
from server.core.presence import Presences
from server.core.ticket import Search
from server.effects import Stream
from tests.support.players import NEW_ID

NODE = "node1"
ID = f"{NEW_ID}.{NODE}"
ROOM = Stream(7, NEW_ID, label=NODE)
OTHER_ID = "88888888-8888-4888-8888-888888888888"
OTHER = f"{OTHER_ID}.{NODE}"
NOW = 1_800_000_000.0
OPEN = PartyCreate(open=True, max_size=4)
CLOSED = PartyCreate(max_size=4)
TWO = Search(2, 4)


class Bench:
    """Parties, and what they stand on."""

    def __init__(self, per_session: int = 16, *, single: bool = False) -> None:
        self.presences = Presences()
        self.matchmaker = Matchmaker(Limits())
        self.parties = Parties(self.presences, self.matchmaker, NODE, PartyLimits(per_session, single))

    def members(self, stream: Stream = ROOM) -> list[UserPresence]:
        return list(self.presences.members(stream).values())


def opened(
    *players: UserPresence, create: PartyCreate = OPEN, per_session: int = 16, single: bool = False
) -> Bench:
    """An open party of these, led by the first."""
    bench = Bench(per_session, single=single)
    bench.parties.create(players[0], create, NEW_ID, NOW)
    for player in players[1:]:
        bench.parties.join(player, ID)
    return bench


def closed(*players: UserPresence, create: PartyCreate = CLOSED, per_session: int = 16) -> Bench:
    """A closed party of these, led by the first."""
    bench = Bench(per_session)
    bench.parties.create(players[0], create, NEW_ID, NOW)
    for player in players[1:]:
        bench.parties.join(player, ID)
        bench.parties.accept(players[0], ID, player)
    return bench
