"""A key server on loopback that says exactly the bytes a test wants, well-formed or not."""

import asyncio
from collections.abc import Awaitable, Callable

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


def page(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """A whole HTTP answer. An underscore in a header's name stands for a hyphen."""
    told = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


class KeyServer:
    """`requests` counts the questions; `says` or `does` decide about the next answers."""

    def __init__(self) -> None:
        self.requests = 0
        self.url = ""
        self.gate = asyncio.Event()
        self.gate.set()
        self._script: Script = self._silent
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/jwks"

    async def stop(self) -> None:
        self._server.close()
        self.gate.set()
        for writer in self._writers:
            writer.transport.abort()
        while self._writers:  # noqa: ASYNC110  # each script sees its connection closing and ends
            await asyncio.sleep(0.001)

    def says(self, answer: bytes) -> None:
        """Answer with these bytes."""

        async def script(writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            await writer.drain()

        self._script = script

    def does(self, script: Script) -> None:
        """Let the test write the answer; it must end soon after the connection is closing."""
        self._script = script

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            script = self._script
            await self.gate.wait()
            await script(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the peer hung up, as it should on most of what is sent here
        finally:
            writer.close()
            self._writers.discard(writer)

    async def _silent(self, _writer: asyncio.StreamWriter) -> None:
        return
