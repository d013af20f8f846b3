"""Identity tokens that a command of the user's own prints, for providers that the swarm does not know.

No shell is between: the command is split into words before the player's name is put in, so a name stays part
of one word. What the command prints on its output is a secret, and never told; of its errors the last line
is, without what looks like a token or repeats an argument. What it starts is ended with it, unless that made
a session of its own.
"""

import asyncio
import os
import shlex
import signal
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from typing import Final

from loadtest.failures import SwarmError
from loadtest.sign_in.conceal import concealed
from loadtest.sign_in.stock import Stock

AT_ONCE: Final = 8
TIMEOUT_S: Final = 30.0
MAX_TEXT: Final = 200
MAX_ERRORS: Final = 4 * 1024
"""Bytes of the end of its stderr that are kept."""
MAX_TOKEN: Final = 16 * 1024
"""Bytes of its output: a command that prints more is ended."""


class Command(Stock):
    """Raises SwarmError when the command cannot be split into words."""

    def __init__(self, command: str, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(AT_ONCE)
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise SwarmError(f"the sign-in command makes no sense: {error}") from None
        if not self._words:
            raise SwarmError("there is no sign-in command")
        self._timeout_s = timeout_s

    async def fetch(self, name: str) -> str:
        words = [word.replace("{name}", name) for word in self._words]
        output, status = await self._run(words)
        if len(output.out) > MAX_TOKEN:
            raise SwarmError(f"the sign-in command printed no token: more than {MAX_TOKEN} bytes")
        if status != 0:
            lines = output.err.decode("utf-8", "replace").strip().splitlines() or ["nothing on stderr"]
            told = concealed(lines[-1], words[1:], MAX_TEXT, keep=name)
            raise SwarmError(f"the sign-in command ended with {status}: {told}")
        token = output.out.decode("ascii", "replace").strip()
        if len(token.split()) != 1:
            raise SwarmError("the sign-in command printed no token")
        return token

    async def _run(self, words: list[str]) -> tuple["_Output", int | None]:
        """What it printed, and its status if it ended by itself. Raises SwarmError."""
        transport, output = await _start(words)
        group = transport.get_pid()  # which start_new_session made it the leader of
        try:
            async with asyncio.timeout(self._timeout_s):
                await output.enough.wait()
                _kill(group)  # whoever is left of it holds the pipes, which would not end
                await output.closed.wait()
            return output, transport.get_returncode()
        except TimeoutError:
            raise SwarmError(f"the sign-in command took longer than {self._timeout_s:g} s") from None
        finally:
            await _end(transport, output, group)


async def _start(words: list[str]) -> tuple[asyncio.SubprocessTransport, "_Output"]:
    """Raises SwarmError. Nothing is left when it is cancelled."""
    starting = asyncio.ensure_future(  # noqa: TID251  # does not outlive this function
        asyncio.get_running_loop().subprocess_exec(
            _Output, *words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
    )
    try:
        # The loop, when it is cancelled half-way, would wait for children that hold the pipes.
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        transport, output = await starting
        await _end(transport, output, transport.get_pid())
        raise
    except (OSError, ValueError) as error:
        raise SwarmError(f"the sign-in command cannot be run: {type(error).__name__}") from None


class _Output(asyncio.SubprocessProtocol):
    """Keeps what a command prints, up to the limits."""

    def __init__(self) -> None:
        self.out = b""
        self.err = b""
        self.enough = asyncio.Event()
        """It exited, or printed more than a token can be."""
        self.exited = asyncio.Event()
        self.closed = asyncio.Event()
        """All was read. Not `connection_lost`: each loop has its own time for that."""
        self._open = {1, 2}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self.err = (self.err + data)[-MAX_ERRORS:]
            return
        self.out = (self.out + data)[: MAX_TOKEN + 1]
        if len(self.out) > MAX_TOKEN:
            self.enough.set()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open.discard(fd)
        if not self._open:
            self.closed.set()

    def process_exited(self) -> None:
        self.exited.set()
        self.enough.set()


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


async def _end(transport: asyncio.SubprocessTransport, output: _Output, group: int) -> None:
    """End what is left of the command's group, also when nobody waits for it any more."""
    _kill(group)
    try:
        await output.exited.wait()
    finally:
        transport.close()
