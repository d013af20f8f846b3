"""The players of a worker: each comes and goes as the profile says, and plays the scenario in between."""

import asyncio
from collections.abc import Iterator
from typing import Final

from loadtest.common import Common, Group
from loadtest.failures import SwarmError, first_of, reraise_first
from loadtest.notes import Share
from loadtest.pacer import NS
from loadtest.player import Player
from loadtest.profile import stays
from loadtest.scenario import Scenario

LINGER_NS: Final = NS // 10
"""So much longer than the load players stay, in silence: that all leave at once is no part of the load."""


def numbers(players: int, group_size: int, share: Share) -> list[range]:
    """The players of a share, group by group; the last group of the run may be smaller."""
    groups = range(share.worker * group_size, players, share.workers * group_size)
    return [range(first, min(first + group_size, players)) for first in groups]


def name_of(seed: int, player: int) -> str:
    """Who the player is at the identity provider: the same in each run with this seed."""
    return f"swarm-{seed}-{player}"


class Crowd:
    """The players of a share, who wait for the run to begin until they `play`."""

    def __init__(self, common: Common, scenario: Scenario, share: Share) -> None:
        self._common = common
        self._scenario = scenario
        self._players = list(self._make(share))
        self._over = asyncio.Event()

    async def play(self) -> None:
        """All stays of all players. Raises SwarmError, and what a scenario raises that is wrong in itself."""
        try:
            async with asyncio.TaskGroup() as tasks:
                beating = tasks.create_task(self._beat_hearts())
                living = [tasks.create_task(self._live(player)) for player in self._players]
                if living:
                    await asyncio.wait(living)
                beating.cancel()
        except BaseExceptionGroup as group:
            reraise_first(group)

    def stop(self) -> None:
        """Every stay ends now."""
        self._over.set()
        now_ns = self._common.pacer.clock_ns()
        self._common.until_ns = min(self._common.until_ns, now_ns)
        for player in self._players:
            player.leaves_ns = min(player.leaves_ns, now_ns)
        self._common.pacer.hurry()

    def abort(self) -> None:
        """Cut every connection."""
        for player in self._players:
            player.vanish()

    def _make(self, share: Share) -> Iterator[Player]:
        common, plan = self._common, self._common.plan
        for members in numbers(plan.players, common.settings.group_size, share):
            number = members.start // common.settings.group_size
            group = Group(number, f"swarm-{plan.seed}-{common.name}-{number}", common.ledger)
            for index, player in enumerate(members):
                yield Player(common, player, name_of(plan.seed, player), group, index)

    async def _live(self, player: Player) -> None:
        common = self._common
        for arrives_s, leaves_s in stays(common.plan, player.number):
            due_ns = common.begun_ns + round(arrives_s * NS)
            await common.pacer.until(due_ns)
            if self._over.is_set():
                return
            player.leaves_ns = common.begun_ns + round(leaves_s * NS)
            if player.leaves_ns >= common.until_ns:
                player.leaves_ns += LINGER_NS
            await self._stay(player, due_ns)

    async def _stay(self, player: Player, due_ns: int) -> None:
        common, playing = self._common, asyncio.current_task()
        dropped = False

        def on_drop(reason: str) -> None:
            nonlocal dropped
            dropped = True
            common.error(reason)
            common.counts["dropped"] += 1
            if playing is not None:
                playing.cancel()

        player.on_drop = on_drop
        try:
            await player.arrive(due_ns)
            await self._scenario.play(player, common.settings)
            await player.depart()
        except asyncio.CancelledError:
            if not dropped or playing is None or playing.uncancel() > 0:
                raise
        except SwarmError as error:
            common.error(str(error))
        except ExceptionGroup as group:  # of a scenario that does several things at once
            failed, wrong = group.split(SwarmError)
            if wrong is not None:
                raise
            common.error(str(first_of(failed or group)))
        finally:
            player.vanish()

    async def _beat_hearts(self) -> None:
        """The application's heartbeat of each player, as SDKs send it; evenly spread."""
        common, players = self._common, self._players
        if not common.plan.heartbeat_s or not players:
            return
        gap_ns = common.plan.heartbeat_s * NS / len(players)
        beat = 0
        while True:
            due_ns = common.begun_ns + round(beat * gap_ns)
            if due_ns >= common.until_ns:
                return
            await common.pacer.until(due_ns)
            if self._over.is_set():
                return
            players[beat % len(players)].ping(due_ns, "heartbeat")
            beat += 1
