"""What a coordinator makes of an agent that does not keep to what was agreed.

How both get along is in `test_agent.py`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from loadtest import lines
from loadtest.failures import SwarmError
from loadtest.hand import Patience
from loadtest.lender import Lender
from loadtest.lending import VERSION, Answer, Challenge, Ended, Heard, Refused, Welcome, proof
from loadtest.notes import Done, Failed, Note, Ready

SECRET = "secret"
DONE = Done(0, 1, False)
GARBAGE = b"nonsense\n"


def heard(worker: int, note: Any) -> bytes:
    return lines.write(Heard(worker, msgspec.Raw(msgspec.json.encode(note))))


@asynccontextmanager
async def agent(*said: bytes, first: bytes = b"", workers: int = 1) -> AsyncIterator[str]:
    """One that proves itself, says these lines and hangs up; or says `first` and hangs up. Its place."""
    over = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first or lines.write(Challenge(VERSION, "n")))
        if not first:
            answer = lines.read(await reader.readline(), Answer, "answer")
            writer.write(lines.write(Welcome(proof(SECRET, "agent", "n", answer.nonce), workers)))
            writer.write(b"".join(said))
        writer.close()
        await writer.wait_closed()
        over.set()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await over.wait()


async def listen(place: str) -> list[tuple[int, Note]]:
    found = []

    async def hear(worker: int, note: Note) -> None:
        found.append((worker, note))

    lender = await Lender.connect(place, SECRET)
    try:
        await lender.listen(hear)
    finally:
        await lender.end(Patience(leave_s=1), politely=False)
    return found


async def test_it_is_heard_until_all_its_workers_are_done() -> None:
    said = heard(1, Ready()), heard(0, DONE), heard(1, Failed("alas"))
    async with agent(*said, workers=2) as place:
        assert await listen(place) == [(1, Ready()), (0, DONE), (1, Failed("alas"))]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (GARBAGE, "said what is no note"),
        (heard(0, {"type": "unknown"}), "said what is no note"),
        (heard(5, DONE), "a worker that is not there"),
        (lines.write(Ended(0, "was ended by SIGKILL")), "worker 1 of .* was ended by SIGKILL"),
        (lines.write(Ended(-1, "was ended")), "a worker that is not there"),
        (b"x" * (5 * 2**20), "said more than"),
        (b"", "hung up"),
    ],
    ids=["garbage", "no note", "who", "ended", "negative", "long", "nothing"],
)
async def test_what_it_should_not_say_is_told(said: bytes, told: str) -> None:
    async with agent(said) as place:
        with pytest.raises(SwarmError, match=told):
            await listen(place)


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (GARBAGE, "said what is no challenge"),
        (b"x" * 5000, "said more than 1024 bytes"),
        (lines.write(Challenge(VERSION + 1, "n")), f"speaks version {VERSION + 1}, this program {VERSION}"),
        (lines.write(Refused("closed")), "said what is no challenge"),
    ],
    ids=["garbage", "long", "version", "refused"],
)
async def test_what_is_no_agent_is_told(first: bytes, told: str) -> None:
    async with agent(first=first) as place:
        with pytest.raises(SwarmError, match=told):
            await Lender.connect(place, SECRET)


async def test_an_agent_must_lend_something() -> None:
    async with agent(workers=0) as place:
        with pytest.raises(SwarmError, match="lends no worker"):
            await Lender.connect(place, SECRET)
