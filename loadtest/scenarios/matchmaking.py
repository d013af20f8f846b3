"""Matchmaking: everybody looks for others again and again, on a schedule that waits for no answer.

At the end of the run nobody leaves before their searches are over, or had time enough: otherwise the longest
ones would be missing among the latencies.
"""

import asyncio
from typing import Annotated

from msgspec import Meta

from loadtest.pacer import NS
from loadtest.player import Player
from loadtest.scenario import Settings, scenario
from loadtest.searches import Searches, Waiting
from protocol.message import Message
from protocol.messages import MatchmakerAdd, MatchmakerMatched, MatchmakerTicket


class MatchmakingSettings(Settings, frozen=True):
    measures = "matchmaking"

    count: Annotated[int, Meta(ge=2, le=100, description="players who are to find each other")] = 2
    rate: Annotated[float, Meta(gt=0, le=10, description="searches a second and player")] = 0.1
    regions: Annotated[int, Meta(ge=1, le=1000, description="players search in one of so many")] = 4
    patience_s: Annotated[
        float,
        Meta(
            gt=0, le=25, description="seconds that a search has at the end; more than a round of the server"
        ),
    ] = 20.0


class Search:
    """One player's."""

    def __init__(self, player: Player, settings: MatchmakingSettings) -> None:
        self._player = player
        self._settings = settings
        self._region = f"r{player.random.randrange(settings.regions)}"
        self._waiting = Waiting(player.user_id, self._region)
        self._all = player.common.shared(Searches)
        self._patience_ns = round(settings.patience_s * NS)
        self._resting: asyncio.Task[None] | None = None

    async def play(self) -> None:
        """Raises SwarmError."""
        player, settings = self._player, self._settings
        self._all.join(self._waiting)
        try:
            with player.hearing(MatchmakerMatched, self._matched):
                async for due_ns in player.beats(settings.rate):
                    await self._begin(due_ns)
                await self._rest()
        finally:
            player.count("unmatched", len(self._waiting.open))
            for fault in self._all.leave(self._waiting, settings.count, player.now_ns(), self._patience_ns):
                player.common.error(fault)

    async def _begin(self, due_ns: int) -> None:
        begun_ns = self._player.now_ns()

        def given(reply: Message | None) -> None:
            if isinstance(reply, MatchmakerTicket):
                self._waiting.open[reply.ticket] = due_ns, begun_ns

        add = MatchmakerAdd(
            min_count=self._settings.count,
            max_count=self._settings.count,
            query=f"+properties.region:{self._region}",
            string_properties={"region": self._region},
        )
        await self._player.ask(add, timed="ticket", due_ns=due_ns, then=given)

    async def _rest(self) -> None:
        """Wait until all is found or had its time, if it is the run that ends. A stop waits for nothing."""
        common, waiting = self._player.common, self._waiting
        if not waiting.open or self._player.leaves_ns < common.until_ns:
            return
        newest_ns = max(begun_ns for _, begun_ns in waiting.open.values())
        async with asyncio.TaskGroup() as tasks:
            until = common.pacer.until(newest_ns + self._patience_ns, acts=False)
            self._resting = tasks.create_task(until)

    def _matched(self, found: MatchmakerMatched, at_ns: int) -> None:
        """Others were found: as many as were asked for, and with what was asked for."""
        player = self._player
        begun = self._waiting.open.pop(found.ticket, None)
        regions = {each.string_properties.get("region") for each in found.users}
        users = {each.presence.user_id for each in found.users if each.presence is not None}
        wanted = len(found.users) == len(users) == self._settings.count and player.user_id in users
        if begun is None or not wanted or regions != {self._region}:
            player.common.error("the matchmaker brought together who did not ask for each other")
            return
        player.common.timings["matchmaking"].record(*begun, at_ns)
        player.count("matched")
        self._all.tell(player.user_id, users, at_ns)
        if self._resting is not None and not self._waiting.open:
            self._resting.cancel()


@scenario
async def matchmaking(player: Player, settings: MatchmakingSettings) -> None:
    """matchmaking: everybody looks for others again and again"""
    await Search(player, settings).play()
