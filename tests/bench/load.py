"""The load: raw WebSocket clients that count bytes instead of parsing, so that they are never the bottleneck.

All traffic of a measurement has frames of one known size, so bytes tell messages.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import orjson

from protocol.frames import FIN_TEXT, MASKED, extent

QUIET_S = 0.25
"""Silence after which a server has said all it had to."""
ZERO_KEY = b"\x00\x00\x00\x00"
"""A mask that changes nothing: the server unmasks all the same, and the load spends nothing on it."""


def client_frame(payload: bytes) -> bytes:
    """One masked text frame."""
    length = len(payload)
    head = bytes((FIN_TEXT, MASKED | length)) if length < 126 else bytes((FIN_TEXT, MASKED | 126))
    return head + (b"" if length < 126 else length.to_bytes(2)) + ZERO_KEY + payload


class Client(asyncio.Protocol):
    """One connection. Until `count` is set, what arrives is kept to be read."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.kept = b""
        self.received = 0
        self.on_bytes: Callable[[int], None] | None = None
        self.on_data: Callable[[bytes], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's has the same methods
        self.transport.write(
            f"GET /ws?token={self._token}&format=json HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if self.on_data is not None:
            self.on_data(data)
        if self.on_bytes is not None:
            self.on_bytes(len(data))
            return
        self.kept += data
        if not self._opened.done():
            head, end, rest = self.kept.partition(b"\r\n\r\n")
            if end:
                if not head.startswith(b"HTTP/1.1 101"):
                    self._opened.set_exception(RuntimeError(head.split(b"\r\n")[0].decode()))
                else:
                    self.kept = rest
                    self._opened.set_result(None)
        self.received += len(data)

    async def opened(self) -> None:
        await self._opened

    def send(self, message: object) -> None:
        self.transport.write(client_frame(orjson.dumps(message)))

    def messages(self) -> list[dict[str, object]]:
        """What was kept, parsed, and forgotten."""
        found, at = [], 0
        while (place := extent(self.kept, at)) != (0, 0) and place[1] <= len(self.kept):
            if self.kept[at] == FIN_TEXT:
                found.append(orjson.loads(self.kept[place[0] : place[1]]))
            at = place[1]
        self.kept = self.kept[at:]
        return found


async def connect(port: int, tokens: Sequence[str], at_once: int = 50) -> list[Client]:
    """Open a connection per token, `at_once` at a time."""
    loop = asyncio.get_running_loop()
    clients: list[Client] = []
    for start in range(0, len(tokens), at_once):
        pairs = await asyncio.gather(
            *(
                loop.create_connection(lambda token=token: Client(token), "127.0.0.1", port)  # type: ignore[misc]
                for token in tokens[start : start + at_once]
            )
        )
        batch = [client for _, client in pairs]
        await asyncio.gather(*(client.opened() for client in batch))
        clients += batch
    return clients


async def quiet(clients: Sequence[Client]) -> None:
    """Wait until nothing has arrived for a while."""
    before, now = -1, 0
    while before != now:
        await asyncio.sleep(QUIET_S)
        before, now = now, sum(client.received for client in clients)


def reset(clients: Sequence[Client]) -> None:
    """End the connections at once; no close handshakes pile up between measurements."""
    for client in clients:
        client.transport.abort()


@dataclass(frozen=True, slots=True)
class Window:
    """What one measurement saw: messages or deliveries, and the server's CPU seconds."""

    count: float
    cpu_s: float
    elapsed_s: float

    @property
    def cpu_us(self) -> float:
        """CPU microseconds each."""
        return self.cpu_s / self.count * 1e6


async def measure(
    read: Callable[[], float], cpu_s: Callable[[], float], warm_s: float, for_s: float
) -> Window:
    """Let the load run, and look at two moments of it. `read` is the count so far."""
    await asyncio.sleep(warm_s)
    began, count, cpu = time.monotonic(), read(), cpu_s()
    await asyncio.sleep(for_s)
    return Window(read() - count, cpu_s() - cpu, time.monotonic() - began)


class Echo:
    """Closed loop: each client sends its next message when the answer to the last is there."""

    def __init__(
        self, clients: Sequence[Client], message: Callable[[Client], object], answer_bytes: int
    ) -> None:
        self.answers = 0
        for client in clients:
            self._start(client, client_frame(orjson.dumps(message(client))), answer_bytes)

    def _start(self, client: Client, frame: bytes, answer_bytes: int) -> None:
        missing = answer_bytes
        write = client.transport.write

        def on_bytes(size: int) -> None:
            nonlocal missing
            missing -= size
            while missing <= 0:
                missing += answer_bytes
                self.answers += 1
                write(frame)

        client.on_bytes = on_bytes
        write(frame)


class FanOut:
    """Rooms in rounds: the senders of a room send again when all their last messages have arrived at all."""

    def __init__(
        self,
        rooms: Sequence[Sequence[Client]],
        senders: int,
        message: Callable[[int], object],
        frame_bytes: int,
    ) -> None:
        self.received = 0
        self.frame_bytes = frame_bytes
        for number, room in enumerate(rooms):
            self._start(room, senders, client_frame(orjson.dumps(message(number))))

    @property
    def deliveries(self) -> float:
        return self.received / self.frame_bytes

    def _start(self, room: Sequence[Client], senders: int, frame: bytes) -> None:
        round_bytes = senders * (len(room) - 1) * self.frame_bytes
        missing = round_bytes
        writes = [client.transport.write for client in room[:senders]]

        def on_bytes(size: int) -> None:
            nonlocal missing
            self.received += size
            missing -= size
            if missing <= 0:
                missing += round_bytes
                for write in writes:
                    write(frame)

        for client in room:
            client.on_bytes = on_bytes
        for write in writes:
            write(frame)
