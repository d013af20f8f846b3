"""Sessions in a registry, on wires that are fed by hand: everything of the server but TCP and HTTP."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from protocol.envelope import FIRST_BYTE, Format
from protocol.messages import UserPresence
from server import handlers
from server.perform import Performer
from server.router import Router
from server.sections import SocketSettings
from server.sessions.allowance import Allowance, Rates
from server.sessions.expiry import Expiry, SocketExpiry
from server.sessions.outbox import Outbox
from server.sessions.registry import Registry
from server.sessions.session import Session
from server.sessions.slow_receivers import SlowReceivers
from server.tasks import TaskOwner
from server.transport.cork import Cork
from server.transport.keepalive import Keepalive
from server.transport.round_trips import RoundTrips
from server.transport.websocket import WebSocket
from server.world import World
from tests.support.clock import ManualClock
from tests.support.players import NEW_ID
from tests.support.protobuf import from_json, to_json
from tests.support.transport import RecordingTransport, masked
from tests.support.world import empty_world

TOKEN_TTL_S = 7200


class FamilyEnds:
    """Logins that can be refreshed until then; keeps what it was asked, and fails while it has `failure`."""

    def __init__(self) -> None:
        self.until: dict[str, int] = {}
        self.asked: list[list[str]] = []
        self.failure: Exception | None = None

    async def ends(self, family_ids: Sequence[str]) -> Mapping[str, int]:
        self.asked.append(list(family_ids))
        if self.failure is not None:
            raise self.failure
        return {family_id: self.until[family_id] for family_id in family_ids if family_id in self.until}


class Seated:
    """A player with a socket."""

    def __init__(
        self,
        table: "Table",
        me: UserPresence,
        family_id: str,
        *,
        appear: bool,
        token_exp: int,
        form: Format,
    ) -> None:
        self._table = table
        self._form = form
        self.transport = RecordingTransport()
        self.session = Session(
            me,
            family_id,
            table.registry,
            Outbox(me.session_id, form, table.limit_bytes, table.slow),
            Allowance(table.rates),
            opened_at=table.clock.monotonic(),
            token_exp=token_exp,
            form=form,
        )
        self.socket = self._new_socket()
        self.session.attach(self.socket)
        self._connect()
        table.registry.open(self.session, appear=appear)

    def come_back(self, form: Format | None = None) -> bool:
        """Connect again with the same login. Whether that goes on with the session."""
        table = self._table
        resumed = table.registry.resumable(self.session.family_id)
        if resumed is None:
            return False
        self._form = self._form if form is None else form
        self.transport = RecordingTransport()
        self.session = resumed
        self.socket = self._new_socket()
        self._connect()
        table.registry.resume(resumed, self.socket, self._form, resumed.token_exp + 1)
        return True

    def _new_socket(self) -> WebSocket:
        return WebSocket(
            self.session,
            self.session.outbox,
            self._table.cork,
            self._table.keepalive,
            max_message_bytes=4096,
            max_fragments=64,
        )

    def _connect(self) -> None:
        self.socket.connection_made(self.transport)
        self._table.keepalive.add(self.socket, jitter=0.0)

    def say(self, message: dict[str, Any]) -> None:
        said = json.dumps(message).encode() if self._form is Format.JSON else from_json(message)
        self.socket.data_received(masked(FIRST_BYTE[self._form], said))
        self._table.turn()

    def heard(self) -> list[dict[str, Any]]:
        """The messages written since last asked, as JSON whatever the format."""
        self._table.turn()
        written = self.transport.written
        self.transport.writes.clear()
        messages = [payload for first, payload in _frames(written) if first == FIRST_BYTE[self._form]]
        return [json.loads(each) if self._form is Format.JSON else to_json(each) for each in messages]

    def lose(self) -> None:
        """TCP goes away."""
        self.socket.connection_lost(None)
        self._table.turn()


class Table:
    """A registry with everything behind it."""

    def __init__(
        self,
        world: World | None = None,
        *,
        single_socket: bool = True,
        limit_bytes: int = 1 << 20,
        socket_expiry: SocketExpiry = SocketExpiry.IGNORE,
        clock: ManualClock | None = None,
        rates: Rates | None = None,
        resume_s: float = 0,
    ) -> None:
        self.world = world or empty_world()
        self.clock = clock or ManualClock()
        self.limit_bytes = limit_bytes
        self.rates = rates or Rates(self.clock.monotonic)
        self.slow = SlowReceivers(max_age_s=10, max_bytes=1 << 28)
        self.soon: list[Callable[[], None]] = []
        self.cork = Cork(self.soon.append)
        self.keepalive = Keepalive.configured(
            SocketSettings(), RoundTrips(self.clock.monotonic, lambda: True)
        )
        self.tasks = TaskOwner("test")
        self.families = FamilyEnds()
        self.expiry = Expiry(socket_expiry, self.families, self.clock, lambda: NEW_ID, self.tasks)
        self.registry = Registry(
            self.world.statuses,
            (self.world.parties, self.world.matches, self.world.channels, self.world.matchmaker),
            self.clock,
            lambda: NEW_ID,
            self.expiry,
            single_socket=single_socket,
            resume_s=resume_s,
        )
        self.router = Router(self.world, handlers.ROUTES)
        self.performer = Performer(self.registry.by_id, self.world.presences, self.router, self.tasks)
        self.registry.serve(self.performer)

    def seat(
        self,
        me: UserPresence,
        *,
        family_id: str = "",
        appear: bool = False,
        token_ttl_s: int = TOKEN_TTL_S,
        form: Format = Format.JSON,
    ) -> Seated:
        token_exp = int(self.clock.wall()) + token_ttl_s
        family_id = family_id or f"family of {me.session_id}"
        return Seated(self, me, family_id, appear=appear, token_exp=token_exp, form=form)

    def turn(self) -> None:
        """Let the loop's turn end: what was gathered is written."""
        soon, self.soon[:] = list(self.soon), []
        for call in soon:
            call()


def _frames(stream: bytes) -> list[tuple[int, bytes]]:
    found = []
    while stream:
        length, head = stream[1], 2
        if length == 126:
            length, head = int.from_bytes(stream[2:4]), 4
        found.append((stream[0], stream[head : head + length]))
        stream = stream[head + length :]
    return found
