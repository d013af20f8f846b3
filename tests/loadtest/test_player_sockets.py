"""What becomes of a player's sockets: refused, replaced, dropped; and when their beats are due."""

import time
from itertools import pairwise
from typing import Any

import pytest

from loadtest.failures import Refused, SwarmError
from loadtest.pacer import NS
from loadtest.player import Player
from loadtest.sign_in.bridge import Tokens
from loadtest.socket import Socket, State
from tests.support.swarm_players import match_room, open_socket, players, seat
from tests.support.swarm_stage import common_of


class Scene:
    """A player on an open socket, whose next ones are as planned."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.common = common_of()
        self.common.until_ns = time.monotonic_ns() + 60 * NS
        (self.player,) = players(self.common, 1)
        self.player.tokens = Tokens("token", "refresh", "user", 0)
        self.player.leaves_ns = self.common.until_ns
        self.first = self.socket
        self.outcomes: list[Any] = []
        self.dropped: list[str] = []
        self.player.on_drop = self.dropped.append
        monkeypatch.setattr(self.common.dialer, "dial", self._dial)

    @property
    def socket(self) -> Socket:
        assert self.player.socket is not None
        return self.player.socket

    async def _dial(self, *_: Any, **__: Any) -> Socket:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        made = open_socket(self.player)
        made.opened_ns = time.monotonic_ns()
        if outcome:
            made._drop(outcome)
        return made

    async def kicks(self) -> int:
        return len((await self.common.timings.take()).get("kick", []))


async def test_a_refused_socket_leaves_the_older_one_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    scene.outcomes = [Refused(401, "no")]

    with pytest.raises(Refused):
        await scene.player.connect()

    assert scene.socket is scene.first
    scene.first._drop("gone")
    assert scene.dropped == ["gone"]


async def test_who_is_closed_with_the_upgrade_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    scene.outcomes = ["the server closed with 4503"]

    with pytest.raises(SwarmError, match="4503"):
        await scene.player.connect()

    scene.common.takeovers.sweep(time.monotonic_ns() + 60 * NS)
    assert scene.common.ledger.two_sockets == 0
    assert scene.socket is scene.first


async def test_a_newer_socket_takes_over_and_the_older_one_is_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(monkeypatch)
    scene.outcomes = [""]

    newer = await scene.player.connect()

    assert scene.socket is newer
    scene.common.takeovers.sweep(time.monotonic_ns() + 60 * NS)
    assert scene.common.ledger.two_sockets == 1
    assert scene.dropped == []


async def test_coming_back_after_a_drop_is_no_takeover(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    scene.first.closed_ns = 1
    scene.first._drop("the server closed with 4001")
    scene.outcomes = [SwarmError("not yet"), ""]

    assert await scene.player.come_back()

    assert await scene.kicks() == 0
    assert scene.player.is_connected()
    assert scene.common.counts["attempts_to_come_back_failed"] == 1


async def test_nobody_comes_back_behind_the_end_of_the_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    scene.player.leaves_ns = 0

    assert not await scene.player.come_back()


async def test_a_drop_while_it_is_outlived_is_counted_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(monkeypatch)
    room = seat(scene.player, match_room, "place")

    with scene.player.outliving():
        scene.first._drop("gone")

    assert scene.dropped == []
    assert scene.common.counts["told: gone"] == 1
    assert not room.visit.is_in
    assert scene.first.state is not State.OPEN


async def test_who_is_late_finds_all_beats_that_were_due(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    player, begun_ns = scene.player, 10**12
    now = [begun_ns]
    monkeypatch.setattr(Player, "now_ns", lambda _self: now[0])
    monkeypatch.setattr(scene.common.pacer, "clock_ns", lambda: now[0])
    player.leaves_ns = begun_ns + 2 * NS
    beats = player.beats(10)
    now[0] += 2 * NS

    found = [due_ns async for due_ns in beats]

    assert len(found) in (19, 20)
    assert {later - due for due, later in pairwise(found)} <= {NS // 10, NS // 10 + 1}
    assert all(begun_ns <= due_ns < player.leaves_ns for due_ns in found)


async def test_beats_end_with_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    found = 0

    async for _ in scene.player.beats(1000):
        found += 1
        scene.first._drop("gone")

    assert found == 1
