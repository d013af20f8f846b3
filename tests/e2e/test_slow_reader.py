"""A player stops reading amid a match: little is kept for them, not for long, and others lose nothing."""

import asyncio
import base64
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.support.inprocess import Live, running
from tests.support.rawsocket import RawSocket

LIMIT_BYTES = 65_536
AGE_S = 1.0
SEGMENT = 1400
"""Bytes, as on a path through the internet; over loopback the kernel would take megabytes for a peer."""
DATA_BYTES = 2000


async def narrow_socket(live: Live, user: str) -> tuple[RawSocket, asyncio.StreamWriter]:
    """A socket for which the kernels and its reader keep little."""
    end = socket.socket()
    end.setblocking(False)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
    token = (await live.sign_in(user))["token"]
    await asyncio.get_running_loop().sock_connect(end, (live.host, live.port))
    reader, writer = await asyncio.open_connection(sock=end, limit=1024)
    narrow = RawSocket(reader, writer)
    assert (await narrow.upgrade(f"/ws?token={token}")).status == 101
    return narrow, writer


class Match:
    """Ada sends, bob hears, eve reads nothing."""

    def __init__(self, live: Live, ada: RawSocket, bob: RawSocket, match_id: str) -> None:
        self._sockets = live.server._sockets
        self._ada, self._bob = ada, bob
        self._match_id = match_id
        self.sent: list[str] = []
        self.heard: list[str] = []
        self.left: list[str] = []
        self.most_unsent = 0
        """Bytes that waited for eve, at most."""
        self.since = 0.0
        """When the oldest byte was put of those that waited for her last, in the sweep's time."""

    @property
    def unsent(self) -> int:
        """Bytes that wait for eve."""
        return self._sockets.slow.bytes

    @property
    def now(self) -> float:
        """Seconds of the time that the sweep counts, which is the clock's without our own stalls."""
        return self._sockets.keepalive.now

    async def turn(self, *, sends: bool) -> None:
        """Ada says something, if she is to, and both hear all that is theirs by then."""
        if sends:
            self.sent.append(base64.b64encode(f"{len(self.sent):0{DATA_BYTES}}".encode()).decode())
            data = {"match_id": self._match_id, "op_code": "1", "data": self.sent[-1], "reliable": True}
            self._ada.say(match_data_send=data)
        self._note(await self._ada.heard_until_pong("ada"))
        self._note(await self._bob.heard_until_pong("bob"))
        for behind in self._sockets.slow._behind:
            self.since = behind.since
        self.most_unsent = max(self.most_unsent, self.unsent)

    def _note(self, messages: list[Any]) -> None:
        for message in messages:
            if (data := message.get("match_data")) is not None:
                self.heard.append(data["data"])
            for one in message.get("match_presence_event", {}).get("leaves", ()):
                self.left.append(one["username"])


@pytest.mark.parametrize("cause", ["age", "bytes"])
async def test_a_reader_that_stops_is_closed_within_its_budget_and_others_miss_nothing(
    tmp_path: Path, cause: str
) -> None:
    # Where bytes end it, age has no part; where age does, ada says no more than half the budget holds.
    age_s = AGE_S if cause == "age" else 60
    settings = {"outgoing_limit_bytes": LIMIT_BYTES, "outgoing_age_s": age_s}
    async with running(tmp_path, socket=settings) as live:
        ada, bob = await live.connect("ada"), await live.connect("bob")
        eve, writer = await narrow_socket(live, "eve")
        ada.say(cid="1", match_create={"name": "room"})
        match_id = (await ada.hear())["match"]["match_id"]
        for each in (bob, eve):
            each.say(cid="1", match_join={"match_id": match_id})
        match = Match(live, ada, bob, match_id)

        async with asyncio.timeout(30):
            while not match.left:
                await match.turn(sends=cause == "bytes" or match.unsent < LIMIT_BYTES // 2)

        assert live.server._sockets.slow.closed == {cause: 1}
        assert 0 < match.most_unsent <= LIMIT_BYTES
        if cause == "age":
            assert AGE_S <= match.now - match.since <= AGE_S + 2 * live.server._sockets.interval_s
        await match.turn(sends=True)
        assert match.heard == match.sent
        assert len(set(match.left)) == 1
        for socket_ in (ada, bob):
            socket_.close(1000)
            await socket_.ending()
        writer.transport.abort()
        await eve.hang_up()
