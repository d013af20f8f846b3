"""Matchmaking: everybody looks for others again and again, on a schedule that waits for no answer."""

from typing import Annotated

from msgspec import Meta

from loadtest.player import Player
from loadtest.scenario import Settings, scenario
from protocol.message import Message
from protocol.messages import MatchmakerAdd, MatchmakerMatched, MatchmakerTicket


class MatchmakingSettings(Settings, frozen=True):
    count: Annotated[int, Meta(ge=2, le=100, description="players who are to find each other")] = 2
    rate: Annotated[float, Meta(gt=0, le=10, description="searches a second and player")] = 0.1
    regions: Annotated[int, Meta(ge=1, le=1000, description="players search in one of so many")] = 4


class Search:
    """The tickets of one player that have not found anybody yet."""

    def __init__(self, player: Player, settings: MatchmakingSettings) -> None:
        self._player = player
        self._settings = settings
        self._region = f"r{player.random.randrange(settings.regions)}"
        self._open: dict[str, tuple[int, int]] = {}

    @property
    def waiting(self) -> int:
        """How many tickets have found nobody."""
        return len(self._open)

    async def begin(self, due_ns: int) -> None:
        """Ask for a ticket. Raises SwarmError."""
        begun_ns = self._player.now_ns()

        def given(reply: Message | None) -> None:
            if isinstance(reply, MatchmakerTicket):
                self._open[reply.ticket] = due_ns, begun_ns

        add = MatchmakerAdd(
            min_count=self._settings.count,
            max_count=self._settings.count,
            query=f"+properties.region:{self._region}",
            string_properties={"region": self._region},
        )
        await self._player.ask(add, timed="ticket", due_ns=due_ns, then=given)

    def matched(self, found: MatchmakerMatched, at_ns: int) -> None:
        """Others were found: as many as were asked for, and with what was asked for."""
        begun = self._open.pop(found.ticket, None)
        regions = {each.string_properties.get("region") for each in found.users}
        if begun is None or len(found.users) != self._settings.count or regions != {self._region}:
            self._player.common.error("the matchmaker brought together who did not ask for each other")
            return
        self._player.common.timings["matchmaking"].record(*begun, at_ns)
        self._player.count("matched")


@scenario
async def matchmaking(player: Player, settings: MatchmakingSettings) -> None:
    """matchmaking: everybody looks for others again and again"""
    search = Search(player, settings)
    try:
        with player.hearing(MatchmakerMatched, search.matched):
            async for due_ns in player.beats(settings.rate):
                await search.begin(due_ns)
    finally:
        player.count("unmatched", search.waiting)
