"""Matches of a game, for tests: they take everyone in but those they know not to, and keep what they hear."""

import asyncio
from collections.abc import Mapping, Sequence

from protocol.messages import MatchDataSend, UserPresence
from server.core.live_match import JoinRefused, Left, LiveMatch, MatchFilter, NoSuchMatch
from server.core.match_index import MatchIndex

GAME_ID = "77777777-7777-4777-8777-777777777777.node1"
STEP = 100


class NoLiveMatches:
    """The port `LiveMatches` where no match runs."""

    async def find(self, _wanted: MatchFilter) -> Sequence[LiveMatch]:
        return ()

    async def join(self, _me: UserPresence, _match_id: str, _metadata: Mapping[str, str]) -> str:
        raise NoSuchMatch

    def label(self, _match_id: str) -> str:
        raise NoSuchMatch

    def receive(self, me: UserPresence, message: MatchDataSend) -> None:
        """Nobody is in a match, so nobody sends to one."""

    def left(self, me: UserPresence, match_id: str, why: Left) -> None:
        """Nobody is in a match, so nobody leaves one."""


class GameMatches:
    """The port `LiveMatches`, without a game loop: a match refuses with the `no` of the metadata."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.index = MatchIndex(lambda match_id: self.sizes.get(match_id, 0))
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.received: list[tuple[str, MatchDataSend]] = []
        self.gone: list[tuple[str, str, Left]] = []
        self.cancelled: list[str] = []

    def start(self, match_id: str = GAME_ID, label: str = "", *, tick_rate: int = 10) -> str:
        match = LiveMatch(match_id, label, 0, tick_rate, "arena")
        self.index.add(match, create_time=1_800_000_000_000 + len(self.index))
        return match_id

    async def find(self, wanted: MatchFilter) -> Sequence[LiveMatch]:
        search = self.index.search(wanted)
        while search.look(STEP):
            pass
        return search.found()

    async def join(self, me: UserPresence, match_id: str, metadata: Mapping[str, str]) -> str:
        label = self.label(match_id)
        self.asked.append((me.username, match_id, dict(metadata)))
        if "no" in metadata:
            raise JoinRefused(metadata["no"])
        if "never" in metadata:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.cancelled.append(me.username)
        self.sizes[match_id] = self.sizes.get(match_id, 0) + 1
        return label

    def label(self, match_id: str) -> str:
        match = self.index.get(match_id)
        if match is None:
            raise NoSuchMatch
        return match.label

    def receive(self, me: UserPresence, message: MatchDataSend) -> None:
        self.received.append((me.username, message))

    def left(self, me: UserPresence, match_id: str, why: Left) -> None:
        self.sizes[match_id] -= 1
        self.gone.append((me.username, match_id, why))
