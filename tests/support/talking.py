"""Players of the real server who speak and tell what they heard, in a match with a fault or without one."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.faults import Fault
from tests.support.faulty_server import planted
from tests.support.inprocess import Live, running
from tests.support.rawsocket import RawSocket
from tests.support.visitor import Visitor


@asynccontextmanager
async def faulty(folder: Path, text: str) -> AsyncIterator[tuple[Fault, Live]]:
    """A server in this process."""
    with planted(text) as fault:
        async with running(folder) as live:
            yield fault, live


async def room(visitor: Visitor, *names: str) -> tuple[str, list[RawSocket]]:
    """Players in a match of their own: its id and their sockets, with all news of the joining heard."""
    sockets = [await visitor.connect(name) for name in names]
    sockets[0].say(match_create={})
    match_id = str((await sockets[0].hear())["match"]["match_id"])
    for socket in sockets[1:]:
        socket.say(match_join={"match_id": match_id})
        assert "match" in await socket.hear()
    for socket in sockets:
        await socket.heard_until_pong("joined")
    return match_id, sockets


def speak(socket: RawSocket, match_id: str, numbers: range) -> None:
    for number in numbers:
        data = base64.b64encode(f"{number:02}".encode()).decode()
        socket.say(match_data_send={"match_id": match_id, "op_code": "1", "data": data})


def said(message: dict[str, Any]) -> str:
    """What was said in one message, or its name if that is something else."""
    if "match_data" in message:
        return base64.b64decode(message["match_data"]["data"]).decode()
    if "party_data" in message:
        return base64.b64decode(message["party_data"]["data"]).decode()
    if "channel_message" in message:
        return str(message["channel_message"]["content"]).removeprefix('{"n":').removesuffix("}")
    return "left" if "leaves" in next(iter(message.values())) else str(next(iter(message)))


async def heard(sender: RawSocket, receiver: RawSocket) -> list[str]:
    """All that the receiver got of what the sender has said so far."""
    assert await sender.heard_until_pong("said") == []
    # As SDKs spell it: such a pong is written past what waits, if that is nothing.
    receiver.text('{"cid":"heard","ping":{}}')
    messages = list[str]()
    while (message := await receiver.hear()) != {"cid": "heard", "pong": {}}:
        messages.append(said(message))
    return messages


async def hang_up(*sockets: RawSocket) -> None:
    for socket in sockets:
        await socket.hang_up()
