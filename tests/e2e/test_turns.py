"""When very many come at once, their first requests take turns, and all are answered."""

import asyncio
from pathlib import Path

import pytest

from server.web import handover
from server.web.turns import Turns
from tests.support.inprocess import Live, running, until

REQUEST = b"GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Counted(Turns):
    """One at a time; `waited` counts who did not go on at once."""

    waited = 0

    def __init__(self) -> None:
        super().__init__(1)

    def take(self) -> bool:
        free = super().take()
        self.waited += not free
        return free


def take_turns(live: Live) -> Counted:
    turns = live.server._listeners.entrance.turns = Counted()
    return turns


async def ask(live: Live, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(live.host, live.port)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_everybody_is_answered_in_their_turn(tmp_path: Path) -> None:
    async with running(tmp_path) as live:
        turns = take_turns(live)

        answers = await asyncio.gather(*(ask(live, REQUEST) for _ in range(20)))

        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        assert turns.waited > 5
        assert len(turns) == 0


async def test_a_request_in_pieces_is_whole_when_its_turn_comes(tmp_path: Path) -> None:
    async with running(tmp_path) as live:
        take_turns(live)

        answers = await asyncio.gather(
            *(ask(live, REQUEST[:9], REQUEST[9:20], REQUEST[20:]) for _ in range(20))
        )

        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)


async def test_who_sends_very_much_at_once_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "MAX_HELD", 10)
    async with running(tmp_path) as live:
        turns = take_turns(live)

        answers = await asyncio.gather(*(ask(live, REQUEST) for _ in range(20)))

        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        assert turns.waited == 0


async def test_who_goes_away_before_their_turn_leaves_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as live:
        turns = take_turns(live)
        connections = live.server._listeners.entrance.connections
        writers = [(await asyncio.open_connection(live.host, live.port))[1] for _ in range(10)]
        await until(lambda: len(connections) >= 10)

        for writer in writers:
            writer.write(REQUEST)
        for writer in writers:
            writer.transport.abort()

        await until(lambda: len(connections) == 0 and len(turns) == 0)
