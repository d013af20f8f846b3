"""Runs the matchmaker's rounds: begins one at each interval, works it off in slices, and tells the matched.

A slice takes some milliseconds, and as long as it took the loop is left to others: a full pool costs at most
half of the core, and nobody's ping waits for a round. Who plays with whom is `core/matchmaker.py`'s business.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from protocol.messages import MatchmakerUser
from server.clock import Clock
from server.core.grouping import Group
from server.core.matched import announce, users_of
from server.core.matchmaker import Matchmaker
from server.effects import Effects

log = structlog.get_logger("lockgate.matchmaker")

SLICE = 5_000
"""Tickets looked at in a slice."""
TOLD_AT_ONCE = 2_000
"""Players named to players before others have their turn: each of n players is told of all n."""


class OnMatched(Protocol):
    """Port: game code that may have a match of its own for players who were matched."""

    async def __call__(self, users: Sequence[MatchmakerUser]) -> str | None:
        """The id of the match they are to play in; None for a new relayed one."""
        ...


async def relayed(users: Sequence[MatchmakerUser]) -> str | None:
    """Without game code, every match is a relayed one."""
    return None


class Matchmaking:
    """The rounds of one matchmaker. `run` never ends; cancel it."""

    def __init__(
        self,
        matchmaker: Matchmaker,
        clock: Clock,
        perform: Callable[[Effects], None],
        mint_match_token: Callable[[str], str],
        new_id: Callable[[], str],
        *,
        interval_s: float,
        on_matched: OnMatched = relayed,
    ) -> None:
        self._matchmaker = matchmaker
        self._clock = clock
        self._perform = perform
        self._mint_match_token = mint_match_token
        self._new_id = new_id
        self._interval_s = interval_s
        self._on_matched = on_matched
        self.failed = 0
        """Slices that ended in an exception, and questions to game code that did."""
        self.busy_s = 0.0
        """How long rounds have held the loop, in sum."""

    async def run(self) -> None:
        """A round at each interval, counted from the beginning of the last one."""
        while True:
            begun = self._clock.monotonic()
            await self.round()
            await asyncio.sleep(max(0.0, begun + self._interval_s - self._clock.monotonic()))

    async def round(self) -> None:
        """One round from beginning to end, or the rest of one that was given up."""
        if not self._matchmaker.working:
            self._matchmaker.begin_round()
        while self._matchmaker.working:
            begun = self._clock.monotonic()
            groups = self._slice()
            took = self._clock.monotonic() - begun
            self.busy_s += took
            await asyncio.sleep(took)
            for group in groups:
                await self._tell(group)

    def _slice(self) -> list[Group]:
        try:
            return self._matchmaker.work(SLICE, self._clock.wall())
        except Exception:
            # The ticket whose turn it was is not asked again in this round, so the others have theirs.
            self.failed += 1
            log.exception("matchmaker_slice_failed")
            return []

    async def _tell(self, group: Group) -> None:
        users = users_of(group)
        match_id = await self._ask(users)
        token = None if match_id else self._mint_match_token(f"{self._new_id()}.")
        effects = announce(group, users, match_id=match_id or None, token=token)
        at_once = max(1, TOLD_AT_ONCE // len(users))
        for first in range(0, len(effects), at_once):
            self._perform(effects[first : first + at_once])
            await asyncio.sleep(0)

    async def _ask(self, users: Sequence[MatchmakerUser]) -> str | None:
        try:
            return await self._on_matched(users)
        except Exception:
            self.failed += 1
            log.exception("matchmaker_matched_failed")
            return None
