"""A player: what a scenario's coroutine does its deeds with.

They come (sign-in, socket) and go when the profile says; in between the scenario speaks. `beats` gives the
moments at which something is due, `ask` a reply, a `Room` of `places.py` the messages that are checked by the
ledger. What is timed counts from when it was due.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from random import Random
from typing import Any, Final, TypeVar

from loadtest.common import Common, Group
from loadtest.ear import Ear
from loadtest.failures import ErrorReply, NoReply, Refused, SwarmError
from loadtest.pacer import NS
from loadtest.rooms import DRAIN_NS, Room
from loadtest.sign_in.bridge import Tokens
from loadtest.socket import REPLY_TIMEOUT_S, Socket, State
from protocol.message import Message
from protocol.messages import Ping

M = TypeVar("M", bound=Message)

CLOSE_S: Final = 5.0
FIRST_PAUSE_S: Final = 0.1
LAST_PAUSE_S: Final = 5.0
UNAUTHORIZED: Final = 401


class Beats:
    """See `Player.beats`."""

    def __init__(self, player: "Player", first_ns: float, gap_ns: float, end_ns: int) -> None:
        self._player = player
        self._end_ns = end_ns
        self._next_ns = first_ns
        self._gap_ns = gap_ns

    def __aiter__(self) -> "Beats":
        return self

    async def __anext__(self) -> int:
        due_ns = round(self._next_ns)
        self._next_ns += self._gap_ns
        player = self._player
        # Who lingers when the load is over is quiet.
        if due_ns >= min(self._end_ns, player.leaves_ns, player.common.until_ns):
            await player.rest(max(self._end_ns - player.now_ns(), 0) / NS)
            raise StopAsyncIteration
        await player.common.pacer.until(due_ns)
        if not player.is_connected() or due_ns >= player.leaves_ns:  # it may have ended meanwhile
            raise StopAsyncIteration
        return due_ns


class Player:
    """Player `number` of the run; `index` in their group."""

    def __init__(self, common: Common, number: int, name: str, group: Group, index: int) -> None:
        self.common = common
        self.settings: Any = common.settings
        self.number = number
        self.name = name
        self.group = group
        self.index = index
        self.random = Random(f"{common.plan.seed}/{number}")
        self.deliver = common.timings["deliver"]
        self.socket: Socket | None = None
        """The newest one."""
        self.tokens: Tokens | None = None
        self.user_id = ""
        self.leaves_ns = 0
        """When this stay ends."""
        self.on_drop: Callable[[str], None] = lambda _reason: None
        """What becomes of a player whose newest socket the server ends."""
        self.form: Final = common.dialer.form
        self.ear = Ear(common, self._lost)
        self.rooms = self.ear.rooms
        """Where the player is, by the topics' numbers."""

    # What they know.

    def is_connected(self) -> bool:
        return self.socket is not None and self.socket.state is State.OPEN

    def now_ns(self) -> int:
        """Monotonic."""
        return time.monotonic_ns()

    # Coming and going.

    async def sign_in(self, due_ns: int) -> Tokens:
        """Show the identity to the server, as often as it asks to come later. Raises SwarmError."""
        credential = await self.common.sign_in.credential(self.name)
        begun_ns = self.now_ns()
        self.tokens = await self.common.patiently(lambda: self.common.bridge.authenticate(credential))
        self.common.timings["bridge"].record(due_ns, begun_ns, self.now_ns())
        self.user_id = self.tokens.user_id
        return self.tokens

    async def refresh(self) -> Tokens:
        """Exchange the refresh token; timed. Raises SwarmError."""
        tokens = self.tokens or await self.sign_in(self.now_ns())
        due_ns = self.now_ns()
        self.tokens = await self.common.bridge.refresh(tokens)
        self.common.timings["refresh"].record(due_ns, due_ns, self.now_ns())
        return self.tokens

    async def log_out(self) -> None:
        """End the login: the server must close the socket (timed as `revoke`), and let nobody in with it."""
        tokens, socket = self.tokens, self.socket
        if tokens is None or socket is None:
            return
        with self.outliving():
            due_ns = self.now_ns()
            await self.common.bridge.logout(tokens)
            await self.end(socket)
            self.common.timings["revoke"].record(due_ns, due_ns, socket.closed_ns or self.now_ns())
            try:
                await self.connect()
            except Refused as refused:
                if refused.status == UNAUTHORIZED:
                    return
            self.common.error("a token let somebody in after its logout")

    async def connect(self, due_ns: int | None = None, *, narrow: bool = False) -> Socket:
        """Open a socket, beside any other there is: the server decides which one stays. Raises SwarmError."""
        due = self.now_ns() if due_ns is None else due_ns
        token = (self.tokens or await self.sign_in(due)).token
        # From now on the older one's end is no surprise any more.
        older, self.socket = self.socket, None
        watched = older is not None and older.state is State.OPEN
        dial = partial(self.common.dialer.dial, self.ear, token, due, narrow=narrow)
        try:
            newer = await self.common.patiently(dial)
            if newer.dropped:  # with the upgrade, or right behind it: nobody has heard of it yet
                raise SwarmError(newer.dropped)
        except BaseException:
            self.socket = older  # which nobody has replaced
            raise
        self.socket = newer
        if older is not None and watched and older.closed_ns == 0:
            self.common.takeovers.watch(older, newer)
        elif older is not None and watched:
            self.common.takeovers.kicked(older, newer)
        return newer

    async def arrive(self, due_ns: int, *, narrow: bool = False) -> None:
        """Sign in and connect; all of the way is timed as `arrive`. Raises SwarmError."""
        begun_ns = self.now_ns()
        self.ear.has_been_in = False
        await self.sign_in(due_ns)
        socket = await self.connect(narrow=narrow)
        self.common.timings["arrive"].record(due_ns, begun_ns, socket.opened_ns)
        self.common.counts["arrived"] += 1

    async def enter(self, room: Room) -> None:
        """Go into a place: from now on what is said there is checked. Raises SwarmError."""
        self.rooms[room.visit.topic.number] = room
        self.ear.has_been_in = True
        await room.enter()

    async def depart(self) -> None:
        """Hear to its end what was said and answered, then close the socket.

        Out of all places at one moment: until the socket is closed the others are right to believe in them.
        """
        rooms = list(self.rooms.values())
        heard = await asyncio.gather(*(room.drain() for room in rooms))
        if self.socket is not None:
            await self.socket.answered(DRAIN_NS / NS)
        for room, marks in zip(rooms, heard, strict=True):
            room.visit.leave(self.now_ns(), marks)
        self.rooms.clear()
        if self.socket is not None and self.socket.state is State.OPEN:
            due_ns = self.now_ns()
            self.socket.leave()
            await self.end(self.socket)
            self.common.timings["leave"].record(due_ns, due_ns, self.now_ns())

    async def end(self, socket: Socket) -> None:
        """Wait until this socket's TCP has ended; after a while it is cut off."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await asyncio.shield(socket.closed)
        except TimeoutError:
            self.common.error("the server did not close the connection")
            socket.abort()

    @contextmanager
    def outliving(self) -> Iterator[None]:
        """Meanwhile the end of the socket is not the end of the stay, and no refusal is a fault.

        What the server said is counted with `told: ` before it.
        """
        before = self.on_drop, self.ear.on_error
        self.on_drop = self.ear.on_error = self._count_told
        try:
            yield
        finally:
            self.on_drop, self.ear.on_error = before

    def _count_told(self, reason: str) -> None:
        self.count(f"told: {reason}")

    async def come_back(self, *, narrow: bool = False) -> bool:
        """Connect again, as an SDK that lost its socket: a little later each time. False: the stay ended."""
        pause_s = FIRST_PAUSE_S
        while self.is_staying():
            try:
                await self.connect(narrow=narrow)
            except SwarmError as error:
                if isinstance(error, Refused) and error.status == UNAUTHORIZED:
                    self.tokens = None
                self.count("attempts_to_come_back_failed")
                await self.rest(pause_s * self.random.uniform(0.5, 1.5))
                pause_s = min(2 * pause_s, LAST_PAUSE_S)
            else:
                return True
        return False

    async def blink(self) -> int:
        """Lose the connection without a word and open another at once: the server may go on with the session.

        What was said before has arrived, since its heartbeat is answered. Returns when the connection broke,
        in monotonic nanoseconds. Raises SwarmError.
        """
        await self.ask(Ping())
        broke_ns = self.now_ns()
        if self.socket is not None:
            self.socket.abort()
        self.socket = None
        await self.connect()
        return broke_ns

    def vanish(self) -> None:
        """Cut the connection off without a word, as a network does."""
        socket, self.socket = self.socket, None
        self.ear.lose_rooms()
        if socket is not None:
            socket.abort()

    def _lost(self, socket: Socket, reason: str) -> None:
        if self.socket is socket:
            self.ear.lose_rooms()
            self.on_drop(reason)

    # Speaking.

    def send(self, message: Message) -> None:
        """Say something that has no reply."""
        if self.socket is not None:
            self.socket.send(message)

    def send_payload(self, payload: bytes) -> None:
        """Say what is encoded already."""
        if self.socket is not None:
            self.socket.send_payload(payload)

    async def ask(
        self,
        message: Message,
        *,
        timed: str = "",
        due_ns: int | None = None,
        then: Callable[[Message | None], None] | None = None,
        within_s: float = REPLY_TIMEOUT_S,
    ) -> Message | None:
        """Send a request and wait for the reply, timed as this operation if it has a name.

        `then` gets the reply before anything that comes behind it. Raises ErrorReply, SwarmError.
        """
        if self.socket is None:
            raise SwarmError("a player must connect first")
        begun_ns = self.now_ns()

        def heard(reply: Message | None, at_ns: int) -> None:
            if timed:
                self.common.timings[timed].record(begun_ns if due_ns is None else due_ns, begun_ns, at_ns)
            if then is not None:
                then(reply)

        return await self.socket.ask(message, heard, within_s)

    async def ask_for(
        self,
        message: Message,
        kind: type[M],
        *,
        timed: str = "",
        due_ns: int | None = None,
        then: Callable[[M], None] | None = None,
        within_s: float = REPLY_TIMEOUT_S,
    ) -> M:
        """Send a request whose outcome comes as a message of its own, beside the reply. Raises as `ask`."""
        begun_ns = self.now_ns()
        come: asyncio.Future[M] = asyncio.get_running_loop().create_future()

        def heard(found: M, at_ns: int) -> None:
            if not come.done():
                if timed:
                    due = begun_ns if due_ns is None else due_ns
                    self.common.timings[timed].record(due, begun_ns, at_ns)
                if then is not None:
                    then(found)
                come.set_result(found)

        with self.hearing(kind, heard):
            try:
                async with asyncio.timeout(within_s):
                    await self.ask(message, within_s=within_s)
                    return await come
            except TimeoutError:
                raise SwarmError(f"no {kind.__name__} in {within_s:g} s") from None

    def ping(self, due_ns: int, operation: str) -> None:
        """The application's heartbeat, timed. Nobody waits for its answer but who departs."""
        socket = self.socket
        if socket is None or socket.state is not State.OPEN:
            return
        begun_ns = self.now_ns()
        track = self.common.timings[operation]

        def heard(_message: Message | None, error: SwarmError | None, at_ns: int) -> None:
            if error is None:
                track.record(due_ns, begun_ns, at_ns)
                return
            self.count("unanswered")
            if isinstance(error, ErrorReply | NoReply):  # else the socket's end is told
                self.ear.on_error(str(error))

        socket.request(Ping(), heard)

    def hearing(self, kind: type[M], heard: Callable[[M, int], None]) -> AbstractContextManager[None]:
        """Call `heard` with each message of this kind that is no reply, and the time it came, meanwhile."""
        return self.ear.hearing(kind, heard)

    # Time.

    def beats(self, per_second: float, until_ns: int | None = None) -> Beats:
        """The moments (monotonic nanoseconds) at which something is due, evenly from a random one on.

        Until then, or until the stay or the socket ends. The schedule waits for nobody: who is late finds all
        that was due meanwhile.
        """
        gap_ns = NS / per_second
        end_ns = self.leaves_ns if until_ns is None else until_ns
        return Beats(self, self.now_ns() + self.random.random() * gap_ns, gap_ns, end_ns)

    async def rest(self, seconds: float | None = None) -> None:
        """Do nothing for so long, or (None) until the stay ends; never longer than that."""
        due_ns = self.leaves_ns if seconds is None else self.now_ns() + round(seconds * NS)
        # That a whole crowd cannot leave in the same instant makes nothing late.
        await self.common.pacer.until(min(due_ns, self.leaves_ns), acts=due_ns < self.leaves_ns)

    def is_staying(self) -> bool:
        """Whether the stay has not ended yet."""
        return self.now_ns() < self.leaves_ns

    def count(self, name: str, times: int = 1) -> None:
        """Count something for the result's `counts`."""
        self.common.count(name, times)
