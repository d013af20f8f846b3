"""The matchmaking scenario finds a matchmaker that matches nobody, or does not tell all of it."""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

from aiohttp import web

from loadtest.searches import APART, UNTOLD
from tests.support.swarm import serving
from tests.support.swarm_worker import Played, Site, plan, play

LOAD_S = 1.0
PATIENCE_S = 1.2
Entry = tuple[web.WebSocketResponse, str, dict[str, Any]]
"""Who asked, under which ticket, and as whom others are told of them."""


class Matchmaker(Site):
    """Brings together any two in the order in which they ask, once `opens` is set.

    It tells `told` of the two, and names so many of them.
    """

    def __init__(self, told: int = 2, names: int = 2, *, opened: bool = True) -> None:
        super().__init__()
        self.told, self.names = told, names
        self.matches = self.tickets = 0
        self.sought, self.opens = asyncio.Event(), asyncio.Event()
        if opened:
            self.opens.set()
        self._waiting: list[Entry] = []

    async def _answer(
        self, socket: web.WebSocketResponse, me: dict[str, str], envelope: dict[str, Any]
    ) -> None:
        self.tickets += 1
        ticket = f"ticket-{self.tickets}"
        await socket.send_json({"cid": envelope["cid"], "matchmaker_ticket": {"ticket": ticket}})
        self.sought.set()
        await self.opens.wait()
        payload = me["user_id"].split(".")[1]
        presence = {**me, "user_id": json.loads(urlsafe_b64decode(f"{payload}=="))["uid"]}
        properties = envelope["matchmaker_add"]["string_properties"]
        entry = socket, ticket, {"presence": presence, "string_properties": properties}
        if not self._waiting or self._waiting[0][0] is socket:
            self._waiting.append(entry)
            return
        pair = self._waiting.pop(0), entry
        self.matches += 1
        users = [user for _, _, user in pair][: self.names]
        for other, its_ticket, _ in pair[: self.told]:
            await other.send_json(
                {"matchmaker_matched": {"ticket": its_ticket, "token": "t", "users": users}}
            )


async def searched(site: Matchmaker, look: Callable[[Played], None] = lambda _: None) -> Played:
    settings = {"rate": 5, "regions": 1, "patience_s": PATIENCE_S}
    async with serving(site) as url:
        planned = plan(url, "matchmaking", players=2, settings=settings, duration_s=LOAD_S)
        return await play(planned, look=look)


async def test_who_is_brought_together_is_timed() -> None:
    site = Matchmaker()

    played = await searched(site)

    assert played.errors == {}
    assert played.count("matched") == 2 * site.matches > 0
    assert sum(count for _, count in played.values("matchmaking")) == 2 * site.matches


async def test_a_search_that_outlives_the_load_is_timed_too() -> None:
    site = Matchmaker(opened=False)

    def look(played: Played) -> None:
        if played.samples and played.samples[-1].at_s >= LOAD_S:
            site.opens.set()

    played = await searched(site, look)

    assert played.errors == {}
    assert sum(count for _, count in played.values("matchmaking")) == 2 * site.matches > 0
    assert played.count("unmatched") == site.tickets - 2 * site.matches


async def test_a_matchmaker_that_brings_nobody_together_is_found() -> None:
    site = Matchmaker(told=0)

    played = await searched(site)

    assert played.errors == {APART: 1}
    assert played.count("unmatched") == site.tickets
    assert played.values("matchmaking") == []


async def test_a_match_that_only_one_is_told_of_is_found() -> None:
    played = await searched(Matchmaker(told=1))

    assert UNTOLD in played.errors


async def test_a_match_that_does_not_name_all_is_found() -> None:
    site = Matchmaker(names=1)

    played = await searched(site)

    told = "the matchmaker brought together who did not ask for each other"
    assert played.errors == {told: 2 * site.matches}


async def test_who_is_stopped_waits_for_no_search() -> None:
    site = Matchmaker(told=0)
    settings = {"rate": 10, "regions": 1, "patience_s": 25}
    async with serving(site) as url:
        planned = plan(url, "matchmaking", players=2, settings=settings, duration_s=60)
        played = await play(planned, stop=site.sought)

    assert played.errors == {}
    assert played.count("unmatched") == site.tickets > 0
