"""Lends the workers of this machine to a coordinator on another one: `lockgate swarm agent`.

It lets nobody near them who has not proved to know the secret (`lending.py`), serves one coordinator at a
time, and plays only what its owner allows (`permits.py`). When the coordinator goes, however it goes, so do
its workers.
"""

import asyncio
import contextlib
import ipaddress
import secrets
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from loadtest import lines
from loadtest.crew import TRACEBACK
from loadtest.failures import SwarmError
from loadtest.hand import COMMAND, Hand, Patience
from loadtest.lending import (
    HEAD_BYTES,
    HEAD_S,
    ORDER_BYTES,
    VERSION,
    Answer,
    Challenge,
    Ended,
    Heard,
    Ordered,
    Refused,
    Welcome,
    proof,
    proves,
)
from loadtest.notes import Failed, Note, Prepare
from loadtest.permits import Permits

STRANGERS: Final = 16
"""Connections at once that have not proved anything yet; more are hung up on."""
FIRST_ORDER_S: Final = 60.0
"""In which a coordinator must say what it wants the workers for."""
DEAD_S: Final = 20
"""After so long without a sign from the coordinator's machine it counts as gone."""
NOTHING_ALLOWED: Final = Permits()
PATIENCE: Final = Patience(leave_s=20.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What is lent, and on which conditions."""

    secret: str
    cpus: Sequence[int]
    """A worker for each, kept to it."""
    permits: Permits = NOTHING_ALLOWED
    command: Sequence[str] = COMMAND
    patience: Patience = PATIENCE
    head_s: float = HEAD_S
    first_order_s: float = FIRST_ORDER_S


async def serve(
    host: str,
    port: int,
    secret: str,
    cpus: Sequence[int],
    *,
    scenarios: Path | None = None,
    commands: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Until cancelled: one worker for each processor of `cpus`. `say` gets a line for each event.

    Raises SwarmError when it cannot be reached, or would be reached from elsewhere without a secret.
    """
    await lend(host, port, Shop(secret=secret, cpus=cpus, permits=Permits(scenarios, commands)), say)


async def lend(host: str, port: int, shop: Shop, say: Callable[[str], None]) -> None:
    """As `serve`."""
    if not shop.cpus:
        raise SwarmError("an agent lends at least one worker")
    if not shop.secret and not _is_here(host):
        raise SwarmError("an agent that others can reach needs a secret")
    agent = Agent(shop, say)
    visits = asyncio.TaskGroup()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = visits.create_task(agent.receive(reader, writer))
        # Also when it was cancelled before it began.
        visit.add_done_callback(lambda _: writer.transport.abort())

    try:
        server = await asyncio.start_server(connected, host, port, start_serving=False)
    except (OSError, OverflowError) as error:
        raise SwarmError(f"cannot listen on {host}:{port}: {type(error).__name__}") from None
    async with visits, server:
        await server.start_serving()
        for each in server.sockets:
            say(f"lends {len(shop.cpus)} workers on {_place(each.getsockname())}")
        await server.serve_forever()


class Agent:
    """Receives connections, of which one at a time has the workers."""

    def __init__(self, shop: Shop, say: Callable[[str], None]) -> None:
        self._shop = shop
        self._say = say
        self._strangers = 0
        self._is_lent = False

    async def receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from its beginning to its end. A bug ends this one, not the agent."""
        place = _place(writer.get_extra_info("peername"))
        try:
            if self._strangers < STRANGERS:
                await self._welcome(place, lines.Lines(reader), writer)
        except (SwarmError, OSError) as error:
            self._say(f"{place} {error if isinstance(error, SwarmError) else 'hung up'}")
        except Exception as error:
            traceback.print_exception(error, file=sys.stderr)

    async def _welcome(self, place: str, told: lines.Lines, writer: asyncio.StreamWriter) -> None:
        _notice_death(writer)
        self._strangers += 1
        try:
            async with asyncio.timeout(self._shop.head_s):
                proven = await self._challenge(told, writer)
        except TimeoutError:
            raise SwarmError("took too long to prove that it knows the secret") from None
        finally:
            self._strangers -= 1
        if proven is None:
            await self._refuse(writer, "wrong secret")
            raise SwarmError("does not know the secret")
        if self._is_lent:
            await self._refuse(writer, "busy")
            raise SwarmError("was told that the workers are lent already")
        self._is_lent = True
        try:
            writer.write(lines.write(Welcome(proven, len(self._shop.cpus))))
            self._say(f"{place} has the workers")
            await Loan(self._shop, told, writer, self._say).run()
        finally:
            self._is_lent = False
        self._say(f"{place} has gone")

    async def _challenge(self, told: lines.Lines, writer: asyncio.StreamWriter) -> str | None:
        """Our own proof, when the other side gave its. Raises SwarmError for what is no answer."""
        nonce = secrets.token_hex()
        writer.write(lines.write(Challenge(VERSION, nonce)))
        line = await told.next(HEAD_BYTES)
        if line is None:
            raise SwarmError("hung up")
        answer: Answer = lines.read(line, Answer, "answer")
        if not proves(answer.proof, self._shop.secret, "coordinator", nonce, answer.nonce):
            return None
        return proof(self._shop.secret, "agent", nonce, answer.nonce)

    async def _refuse(self, writer: asyncio.StreamWriter, reason: str) -> None:
        writer.write(lines.write(Refused(reason)))
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._shop.head_s):
                await writer.wait_closed()


class Loan:
    """The workers, for as long as one coordinator has them."""

    def __init__(
        self, shop: Shop, told: lines.Lines, writer: asyncio.StreamWriter, say: Callable[[str], None]
    ) -> None:
        self._shop = shop
        self._say = say
        self._told = told
        self._writer = writer
        self._hands: list[Hand] = []

    async def run(self) -> None:
        """Until the coordinator goes. Raises SwarmError when it says what makes no sense."""
        politely = True
        try:
            for number, cpu in enumerate(self._shop.cpus):
                name = f"worker {number + 1}"
                self._hands.append(await Hand.start(name, self._shop.command, cpu))
            async with asyncio.TaskGroup() as tasks:
                relays = [tasks.create_task(self._relay(number)) for number in range(len(self._hands))]
                failure = await self._obey()
                for relay in relays:
                    relay.cancel()
            if failure is not None:
                raise failure
        except asyncio.CancelledError:
            politely = False
            raise
        finally:
            async with asyncio.TaskGroup() as ending:
                for hand in self._hands:
                    ending.create_task(hand.end(self._shop.patience, politely=politely))

    async def _obey(self) -> SwarmError | None:
        """Pass on orders until the coordinator goes, or why it is to go."""
        try:
            async with asyncio.timeout(self._shop.first_order_s):
                line = await self._told.next(ORDER_BYTES)
            while line is not None:
                self._pass_on(lines.read(line, Ordered, "order"))
                line = await self._told.next(ORDER_BYTES)
        except TimeoutError:
            return SwarmError("did not say what it wants the workers for")
        except OSError:
            return None
        except SwarmError as error:
            return error
        return None

    def _pass_on(self, ordered: Ordered) -> None:
        if not 0 <= ordered.worker < len(self._hands):
            raise SwarmError("orders a worker that is not there")
        order = ordered.order
        if isinstance(order, Prepare):
            try:
                order = Prepare(self._shop.permits.allow(order.plan), order.share)
            except SwarmError as error:
                self._tell(ordered.worker, Failed(str(error)))
                return
        self._hands[ordered.worker].tell(0, order)

    def _tell(self, worker: int, note: Note) -> None:
        self._writer.write(lines.write(Heard(worker, msgspec.Raw(msgspec.json.encode(note)))))

    async def _relay(self, worker: int) -> None:
        """A worker's notes, as fast as the coordinator takes them, and then its end."""
        hand = self._hands[worker]
        with contextlib.suppress(OSError):
            try:
                while (line := await hand.next_line()) is not None:
                    self._writer.write(lines.write(Heard(worker, msgspec.Raw(line))))
                    await self._writer.drain()
                how = await hand.epitaph()
                if TRACEBACK in (words := hand.last_words(0).strip()):
                    self._say(f"{hand.name} {how}, and wrote:\n{words}")
            except SwarmError as error:
                how = f"broke off: {error}"
            self._writer.write(lines.write(Ended(worker, how)))
            await self._writer.drain()


def _notice_death(writer: asyncio.StreamWriter) -> None:
    """A machine that loses its power says no good-bye; where the system can tell, it shall."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", DEAD_S // 2),
        ("TCP_KEEPINTVL", DEAD_S // 4),
        ("TCP_KEEPCNT", 2),
        ("TCP_USER_TIMEOUT", DEAD_S * 1000),
    ):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _is_here(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _place(address: object) -> str:
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "somebody"
