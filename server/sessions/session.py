"""One connected player: who it is, its socket, and the state of its life.

Between the socket and the rules: messages go to `play`, frames come back through `send`. It ends once; what
its end means for others is the registry's business.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Protocol

import structlog

from protocol.close import CloseReason
from protocol.envelope import Envelope, Format, frame
from protocol.message import Message
from protocol.messages import UserPresence
from server.sessions.allowance import Allowance
from server.sessions.outbox import Outbox
from server.sessions.slow_receivers import Overflow

log = structlog.get_logger("lockgate.sessions")


class SessionState(Enum):
    """OPEN plays; AWAY does too for others, but has no socket; ENDED is seen by nobody, but its last frames
    may be on their way; LOST has no TCP."""

    OPEN = "open"
    AWAY = "away"
    ENDED = "ended"
    LOST = "lost"


TRANSITIONS = {
    SessionState.OPEN: {SessionState.AWAY, SessionState.ENDED},
    SessionState.AWAY: {SessionState.OPEN, SessionState.ENDED},
    SessionState.ENDED: {SessionState.LOST},
    SessionState.LOST: set[SessionState](),
}


_OPEN = SessionState.OPEN  # naming a member of an enum costs a lookup that is felt here


class Socket(Protocol):
    """What a session needs of its connection."""

    bytes_in: int
    bytes_out: int
    messages_in: int
    messages_out: int

    @property
    def buffered(self) -> int: ...
    @property
    def unconfirmed(self) -> bool: ...
    def flush(self) -> None: ...
    def answer(self, whole: bytes) -> None: ...
    def wake(self) -> None: ...
    def close(self, reason: CloseReason) -> None: ...
    def abort(self) -> None: ...
    def hold(self) -> None: ...
    def release(self) -> None: ...
    def resume_writing(self) -> None: ...
    def abandon(self) -> None: ...


class Owner(Protocol):
    """Who acts on what a session reports."""

    def play(self, session: "Session", payload: bytes) -> None:
        """A message of an open session."""

    def refuse(self, session: "Session", payload: bytes) -> None:
        """A message of an open session that has sent more than it may."""

    def dropped(self, session: "Session") -> bool:
        """The socket is gone, but nobody meant to go. Whether the session is held until it has another."""

    def ended(self, session: "Session") -> None:
        """The session plays no more. Called once."""

    def lost(self, session: "Session") -> None:
        """TCP is gone. Called once, after `ended`."""


class Session:
    """A player's connection. `attach` a socket before anything is sent."""

    __slots__ = (
        "_binary",
        "_owner",
        "address",
        "allowance",
        "close_code",
        "close_text",
        "family_id",
        "form",
        "generation",
        "lang",
        "missed",
        "opened_at",
        "outbox",
        "parked",
        "presence",
        "session_vars",
        "socket",
        "state",
        "token_exp",
    )

    socket: Socket

    def __init__(
        self,
        presence: UserPresence,
        family_id: str,
        owner: Owner,
        outbox: Outbox,
        allowance: Allowance,
        *,
        opened_at: float,
        token_exp: int,
        form: Format = Format.JSON,
        session_vars: Mapping[str, str] | None = None,
        address: str = "",
        lang: str = "",
    ) -> None:
        self.presence = presence
        self.family_id = family_id
        self._owner = owner
        self.outbox = outbox
        self.allowance = allowance
        self.opened_at = opened_at
        self.token_exp = token_exp
        """Unix second at which the newest session token that was shown on this socket ends."""
        self.form = form
        """How this socket's messages are written, both ways."""
        # What functions of the game are told of their caller.
        self.session_vars = session_vars or {}
        self.address = address
        self.lang = lang
        self._binary = form is Format.PROTOBUF
        self.state = SessionState.OPEN
        self.generation = 0
        self.close_code = 0
        self.close_text = ""
        self.parked: Callable[[], object] | None = None
        """Cancels the request that this session waits for, if it waits for one."""
        self.missed = False
        """Something that was sent, or waited to be, may never have arrived."""

    @property
    def session_id(self) -> str:
        return self.presence.session_id

    @property
    def user_id(self) -> str:
        return self.presence.user_id

    @property
    def plays(self) -> bool:
        """Whether it is there for others."""
        return self.state is _OPEN or self.state is SessionState.AWAY

    def attach(self, socket: Socket) -> None:
        self.socket = socket
        self.outbox.attach(socket, self._outgoing_full)

    def tell(self, message: Message | None, cid: str = "") -> None:
        """Queue one message; None only repeats the `cid`. Dropped once the session has ended."""
        if self.plays:
            envelope = Envelope(message, cid)
            self.outbox.put(frame(envelope, self.form), envelope)

    def end(self, reason: CloseReason) -> None:
        """Close from our side: what is queued goes out first. No-op when the session has ended."""
        if self.state is SessionState.OPEN:
            self._ended(reason.code, reason.text)
            self.socket.close(reason)
        elif self.state is SessionState.AWAY:
            self._ended(reason.code, reason.text)
            self.lost()

    def give_up(self) -> None:
        """End a session that was held for too long."""
        if self.state is SessionState.AWAY:
            self._ended(self.close_code, self.close_text)
            self.lost()

    def resume(self, socket: Socket, form: Format) -> None:
        """Go on with another socket, which is given what waited. The present one, if any, is closed."""
        if self.state is SessionState.OPEN:
            self._put_down()
        self._move(SessionState.OPEN)
        self.form = form
        self._binary = form is Format.PROTOBUF
        self.socket = socket
        self.outbox.resume(socket, form)
        socket.resume_writing()
        if self.parked is not None:
            socket.hold()

    # ---- told by the socket

    def received(self, payload: bytes, *, binary: bool) -> None:
        if self.state is not _OPEN:
            return
        if binary is not self._binary:
            self.end(CloseReason.UNEXPECTED_TYPE)
            return
        # Here and not in a method: it is part of every message.
        allowance = self.allowance
        allowance.messages -= 1
        allowance.bytes -= len(payload)
        if (allowance.messages < 0 or allowance.bytes < 0) and not allowance.refill(len(payload)):
            self._owner.refuse(self, payload)
        else:
            self._owner.play(self, payload)

    def closed(self, code: int, reason: str, *, dropped: bool) -> None:
        if self.state is not SessionState.OPEN:
            return
        self.close_code, self.close_text = code, reason
        if dropped and self._owner.dropped(self):
            self._put_down()
        else:
            self._ended(code, reason)

    def lost(self) -> None:
        self._move(SessionState.LOST)
        self.outbox.catch_up()
        self._owner.lost(self)

    def _put_down(self) -> None:
        self._move(SessionState.AWAY)
        if self.outbox.park() or self.socket.unconfirmed:
            self.missed = True
        self.socket.abandon()

    def _outgoing_full(self, cause: Overflow) -> bool:
        if self.state is SessionState.AWAY:
            # Who is away comes back to their place, though not to all that was said meanwhile.
            self.outbox.discard()
            self.missed = True
            return False
        if self.state is not SessionState.OPEN:
            return True
        waiting = self.outbox.by_name()
        top, top_bytes = waiting.most_common(1)[0] if waiting else (None, 0)
        log.warning(
            "receiver_too_slow",
            user_id=self.user_id,
            session_id=self.session_id,
            cause=cause.value,
            unsent_bytes=self.outbox.unsent,
            top_message=top,
            top_bytes=top_bytes,
        )
        self.outbox.discard()
        self.end(CloseReason.QUEUE_FULL)
        return True

    def _ended(self, code: int, text: str) -> None:
        self._move(SessionState.ENDED)
        self.close_code, self.close_text = code, text
        if self.parked is not None:
            self.parked()
            self.parked = None
        self._owner.ended(self)

    def _move(self, to: SessionState) -> None:
        if to not in TRANSITIONS[self.state]:
            raise AssertionError(f"a session cannot go from {self.state} to {to}")
        self.state = to
