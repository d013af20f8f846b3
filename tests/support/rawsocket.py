"""A WebSocket client made of bytes: it can say exactly what was said, right or wrong.

What the server sends is cut here by the letter of RFC 6455, section 5.2, and by none of the code under test.
"""

import asyncio
import json
import os
import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80
NONCE = "dGhlIHNhbXBsZSBub25jZQ=="
LIMIT_S = 10


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True)
class Frame:
    """A frame of the server's; `opcode` 0x1 and so on."""

    opcode: int
    payload: bytes

    @property
    def message(self) -> Any:
        return json.loads(self.payload)

    @property
    def code(self) -> int:
        """A close frame's code; 1005 stands for none (RFC 6455, section 7.1.5)."""
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else 1005

    @property
    def reason(self) -> str:
        return self.payload[2:].decode()


class RawSocket:
    """One TCP connection. Pings and closes are answered by `receive`, unless told otherwise."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.answers_pings = True
        self.closing = False

    @classmethod
    async def dial(cls, host: str, port: int, tls: ssl.SSLContext | None = None) -> "RawSocket":
        return cls(*await asyncio.open_connection(host, port, ssl=tls))

    # ---- HTTP

    async def upgrade(self, target: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for a socket and read the answer."""
        self.write(upgrade_request(target, headers))
        return await self.answer()

    async def answer(self) -> Answer:
        """Read one HTTP answer."""
        async with asyncio.timeout(LIMIT_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await self._reader.readexactly(int(headers.get("content-length", 0)))
            return Answer(int(first.split()[1]), headers, body.decode())

    # ---- frames

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def frame(self, first: int, payload: bytes, *, masked: bool = True) -> None:
        """Send one frame; `first` is its first byte."""
        self.write(client_frame(first, payload, masked=masked))

    def say(self, **envelope: Any) -> None:
        self.text(json.dumps(envelope))

    def text(self, text: str) -> None:
        self.frame(FIN | TEXT, text.encode())

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Send a close frame."""
        self.closing = True
        self.frame(FIN | CLOSE, b"" if code is None else struct.pack("!H", code) + reason.encode())

    def drop(self) -> None:
        """End TCP with a reset, unannounced."""
        self._writer.transport.abort()

    async def hang_up(self) -> None:
        """End TCP and let its transport go."""
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    async def receive(self) -> Frame | None:
        """The next frame, or None at the end of TCP. Fails when nothing comes for too long."""
        async with asyncio.timeout(LIMIT_S):
            frame = await self.read()
        if frame is not None and frame.opcode == PING and self.answers_pings:
            self.frame(FIN | PONG, frame.payload)
        if frame is not None and frame.opcode == CLOSE and not self.closing:
            self.closing = True
            self.frame(FIN | CLOSE, frame.payload)
        return frame

    async def read(self) -> Frame | None:
        try:
            first, second = await self._reader.readexactly(2)
            length = second & 0x7F
            if length == 126:
                length = int.from_bytes(await self._reader.readexactly(2))
            elif length == 127:
                length = int.from_bytes(await self._reader.readexactly(8))
            payload = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        assert first & 0x70 == 0, "reserved bits without an extension"
        assert second & 0x80 == 0, "a server must not mask"
        return Frame(first & 0x0F, payload)

    async def hear(self) -> Any:
        """The next message; pings in between are answered."""
        while True:
            frame = await self.receive()
            assert frame is not None, "the connection ended"
            if frame.opcode == TEXT:
                return frame.message
            assert frame.opcode == PING, frame

    async def heard_until_pong(self, cid: str) -> list[Any]:
        """All that comes before the pong to a ping sent now: after it, nothing earlier can still arrive."""
        self.say(cid=cid, ping={})
        heard: list[Any] = []
        while (message := await self.hear()) != {"cid": cid, "pong": {}}:
            heard.append(message)
        return heard

    async def rest(self) -> list[Frame]:
        """Every frame up to the end of TCP."""
        frames = []
        while (frame := await self.receive()) is not None:
            frames.append(frame)
        return frames

    async def ending(self) -> tuple[int, str]:
        """Code and reason of the close frame that ends the connection; other frames are passed over."""
        frames = await self.rest()
        await self.hang_up()
        assert frames, "TCP ended without a frame"
        assert frames[-1].opcode == CLOSE, frames
        return frames[-1].code, frames[-1].reason


def upgrade_request(target: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The head of a request for a socket."""
    lines = {
        "Host": "localhost",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": NONCE,
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"GET {target} HTTP/1.1\r\n{head}\r\n".encode()


def client_frame(first: int, payload: bytes, *, masked: bool = True) -> bytes:
    """One frame as a client sends it."""
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head = bytes((first, bit | len(payload)))
    elif len(payload) < 1 << 16:
        head = bytes((first, bit | 126)) + len(payload).to_bytes(2)
    else:
        head = bytes((first, bit | 127)) + len(payload).to_bytes(8)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
