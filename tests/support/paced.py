"""Pings at times that were set beforehand, whatever the answers do: the plainest open load there is."""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

from tests.support.rawsocket import RawSocket


class Paced(NamedTuple):
    """When a ping was due, was sent and was answered, by the monotonic clock."""

    due_s: float
    sent_s: float
    answered_s: float

    @property
    def response_s(self) -> float:
        """The latency that counts: from when it was due."""
        return self.answered_s - self.due_s


async def paced_pings(socket: RawSocket, due: Sequence[float]) -> list[Paced]:
    """Send one at each of these times and hear all answers; nothing else may be said to the socket."""
    loop = asyncio.get_running_loop()
    sent: dict[str, float] = {}

    def send(cid: str) -> None:
        sent[cid] = time.monotonic()
        socket.say(cid=cid, ping={})

    for number, due_s in enumerate(due):
        loop.call_at(due_s, send, str(number))
    answered: dict[str, float] = {}
    while len(answered) < len(due):
        answer = await socket.hear()
        assert answer.keys() == {"cid", "pong"}, answer
        answered[answer["cid"]] = time.monotonic()
    return [Paced(due_s, sent[str(at)], answered[str(at)]) for at, due_s in enumerate(due)]
