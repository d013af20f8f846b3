"""An agent on another host, as the coordinator sees it: its workers, over one connection."""

import asyncio
import secrets
from collections.abc import Sequence

from loadtest import lines
from loadtest.failures import SwarmError
from loadtest.hand import Hear, Patience
from loadtest.lending import (
    HEAD_BYTES,
    HEAD_S,
    VERSION,
    Answer,
    Challenge,
    Ended,
    FromAgent,
    Ordered,
    Refused,
    Welcome,
    proof,
    proves,
)
from loadtest.notes import Done, Failed, Note, Order


class Lender:
    """A connection to one. `connect` makes it; `end` must be called: the agent then stops its workers."""

    def __init__(self, place: str, told: lines.Lines, writer: asyncio.StreamWriter, workers: int) -> None:
        self.names: Sequence[str] = [f"worker {number + 1} of {place}" for number in range(workers)]
        self._place = place
        self._told = told
        self._writer = writer

    @classmethod
    async def connect(cls, place: str, secret: str) -> "Lender":
        """`place` is host:port. Raises SwarmError, also when the agent does not know the secret."""
        host, _, port = place.rpartition(":")
        if not host or not port.isdecimal():
            raise SwarmError(f"an agent is named by host:port, not by {place}")
        try:
            async with asyncio.timeout(HEAD_S):
                reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except (OSError, OverflowError) as error:  # of which TimeoutError is one
            raise SwarmError(f"there is no agent at {place}: {type(error).__name__}") from None
        try:
            async with asyncio.timeout(HEAD_S):
                told = lines.Lines(reader)
                return cls(place, told, writer, await _agree(told, writer, secret))
        except BaseException as error:
            writer.transport.abort()
            if isinstance(error, TimeoutError):
                raise SwarmError(f"the agent at {place} does not answer") from None
            if isinstance(error, SwarmError | OSError):
                why = error if isinstance(error, SwarmError) else "hung up"
                raise SwarmError(f"the agent at {place} {why}") from None
            raise

    def tell(self, worker: int, order: Order) -> None:
        self._writer.write(lines.write(Ordered(worker, order)))

    def last_words(self, _worker: int) -> str:
        """None: they stay with the agent, whose owner sees them."""
        return ""

    async def listen(self, hear: Hear) -> None:
        """Until all its workers have told their last note. Raises SwarmError when one ends without."""
        going = set(range(len(self.names)))
        while going:
            told = await self._next()
            if told.worker not in going:
                raise SwarmError(f"the agent at {self._place} speaks for a worker that is not there")
            if isinstance(told, Ended):
                raise SwarmError(f"{self.names[told.worker]} {told.how}")
            note: Note = lines.read(bytes(told.note), Note, "note")
            await hear(told.worker, note)
            if isinstance(note, Done | Failed):
                going.discard(told.worker)

    async def end(self, patience: Patience, *, politely: bool = True) -> None:
        """The agent sees to its workers by itself, and hangs up when it could lend them again."""
        try:
            if politely:
                self._writer.write_eof()
                async with asyncio.timeout(patience.leave_s + patience.terminate_s + HEAD_S):
                    while await self._told.next() is not None:
                        pass
        except (OSError, SwarmError):  # of which TimeoutError is one
            return
        finally:
            self._writer.transport.abort()

    async def _next(self) -> FromAgent:
        try:
            line = await self._told.next()
        except OSError:
            line = None
        except SwarmError as error:
            raise SwarmError(f"the agent at {self._place} {error}") from None
        if line is None:
            raise SwarmError(f"the agent at {self._place} hung up")
        try:
            told: FromAgent = lines.read(line, FromAgent, "note")
        except SwarmError as error:
            raise SwarmError(f"the agent at {self._place} {error}") from None
        return told


async def _agree(told: lines.Lines, writer: asyncio.StreamWriter, secret: str) -> int:
    """Prove and let prove. Returns how many workers are lent. Raises SwarmError, to be read behind a name."""
    challenge = lines.read(await _head(told), Challenge, "challenge")
    if challenge.version != VERSION:
        raise SwarmError(f"speaks version {challenge.version}, this program {VERSION}")
    nonce = secrets.token_hex()
    writer.write(lines.write(Answer(nonce, proof(secret, "coordinator", challenge.nonce, nonce))))
    answer = lines.read(await _head(told), Welcome | Refused, "answer")
    if isinstance(answer, Refused):
        raise SwarmError(f"refuses: {answer.reason}")
    if not proves(answer.proof, secret, "agent", challenge.nonce, nonce):
        raise SwarmError("does not know the secret")
    if answer.workers < 1:
        raise SwarmError("lends no worker")
    workers: int = answer.workers
    return workers


async def _head(told: lines.Lines) -> bytes:
    line = await told.next(HEAD_BYTES)
    if line is None:
        raise SwarmError("hung up")
    return line
