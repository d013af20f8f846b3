"""Live sessions by id, by player and by login; what their beginning and end set off.

Everything here happens in one turn of the event loop, so two sockets of one player are always strictly one
after the other, however they arrive.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Protocol

import structlog

from protocol.close import CloseReason
from protocol.envelope import Format
from protocol.messages import UserPresence
from server.clock import Clock
from server.core.seat import Seats
from server.core.status import Statuses
from server.effects import Effects
from server.sessions.away import Away
from server.sessions.expiry import Expiry
from server.sessions.notices import RESUMED, SINGLE_SOCKET, notice
from server.sessions.session import Session, SessionState, Socket

BATCH = 200
"""Sockets that are closed in one turn of the loop when the server stops: some milliseconds' work."""

log = structlog.get_logger("lockgate.sessions")


class Performs(Protocol):
    """Carries out effects (`perform.py`)."""

    def play(self, session: Session, payload: bytes) -> None: ...
    def refuse(self, session: Session, payload: bytes) -> None: ...
    def perform(self, effects: Effects, session: Session | None = None, cid: str = "") -> None: ...


class Topic(Protocol):
    """A core that keeps something of a session, and lets go of it when the session ends."""

    def close(self, me: UserPresence) -> Effects: ...


class Registry:
    """Every open session. Call `serve` with the performer before the first `open`.

    `topics` are left in this order when a session ends.
    """

    def __init__(
        self,
        statuses: Statuses,
        topics: Sequence[Topic],
        clock: Clock,
        new_id: Callable[[], str],
        expiry: Expiry,
        *,
        single_socket: bool,
        resume_s: float = 0,
    ) -> None:
        self._statuses = statuses
        self._topics = topics
        self._clock = clock
        self._new_id = new_id
        self._expiry = expiry
        self._seats = Seats() if single_socket else None
        self.away = Away(clock, resume_s)
        """Sessions that are held although their socket has dropped."""
        self._performer: Performs
        self.play: Callable[[Session, bytes], None]
        self.refuse: Callable[[Session, bytes], None]
        self._sessions: dict[str, Session] = {}
        self._families: dict[str, tuple[Session, ...]] = {}
        self._leaving: set[Session] = set()
        self.on_idle: Callable[[], None] | None = None
        """Called when the last TCP connection of an ended session has gone."""
        self.on_opened: Callable[[Session], None] | None = None
        self.on_ended: Callable[[Session], None] | None = None
        """Told of every session, when all others know of it."""
        self.opened = 0
        self.replaced = 0
        self.resumed = 0
        self.closed: Counter[int] = Counter()
        """Ended sockets by close code."""

    def __len__(self) -> int:
        return len(self._sessions)

    def serve(self, performer: Performs) -> None:
        self._performer = performer
        # What comes in goes straight on: a call less for every message.
        self.play = performer.play
        self.refuse = performer.refuse

    @property
    def by_id(self) -> Mapping[str, Session]:
        """The open sessions; a live view."""
        return self._sessions

    def open(self, session: Session, *, appear: bool) -> None:
        """Let a session with an attached socket in. An older one of the same player is told, and ended."""
        me = session.presence
        if self._seats is not None:
            seat, replaced = self._seats.claim(me.user_id, me.session_id)
            session.generation = seat.generation
            if replaced is not None:
                self._take_over(self._sessions[replaced.session_id], me)
        self._sessions[me.session_id] = session
        self._families[session.family_id] = (*self._families.get(session.family_id, ()), session)
        self._expiry.watch(session)
        self.opened += 1
        log.info(
            "socket_opened",
            user_id=me.user_id,
            session_id=me.session_id,
            family_id=session.family_id,
            generation=session.generation,
            address=session.address,
        )
        self._performer.perform(self._statuses.open(me, appear=appear), session)
        if self.on_opened is not None:
            self.on_opened(session)

    def resumable(self, family_id: str) -> Session | None:
        """The session that the next socket of this login goes on with, if there is one."""
        if not self.away.hold_s:
            return None
        for session in self._families.get(family_id, ()):
            # A socket of the same login is the same client, whose old one only seems to be alive; unless it
            # may have several.
            if session.state is SessionState.AWAY or self._seats is not None:
                return session
        return None

    def resume(self, session: Session, socket: Socket, form: Format, token_exp: int) -> None:
        """Go on with a session on another socket, with a connection: others are told nothing."""
        self.away.let_go(session)
        session.resume(socket, form)
        self._expiry.shown(session, token_exp)
        self.resumed += 1
        log.info(
            "socket_resumed",
            user_id=session.user_id,
            session_id=session.session_id,
            family_id=session.family_id,
            missed=session.missed,
            address=session.address,
        )
        if session.missed:
            session.missed = False
            self._notify(session, "resumed", RESUMED)

    def sweep(self) -> None:
        """End the sessions whose players did not come back in time. Call it about once a second."""
        for session in self.away.due():
            session.give_up()

    def end_families(
        self, family_ids: Collection[str], reason: CloseReason, notice: tuple[str, int] | None = None
    ) -> int:
        """Close every socket that one of these logins opened, and tell how many.

        `notice`: subject and code of a notification that goes before the close.
        """
        ended = 0
        for family_id in family_ids:
            for session in self._families.get(family_id, ()):
                if notice is not None:
                    self._notify(session, *notice)
                session.end(reason)
                ended += 1
        return ended

    def end_some(self, reason: CloseReason) -> bool:
        """End a batch of all sessions. Whether there are more: let others have a turn before the next."""
        for session in list(islice(self._sessions.values(), BATCH)):
            session.end(reason)
        return bool(self._sessions)

    def abort_all(self) -> None:
        """Drop TCP of every session that is still on its way out."""
        for session in list(self._leaving):
            session.socket.abort()

    @property
    def leaving(self) -> int:
        """Ended sessions whose TCP connection is still there."""
        return len(self._leaving)

    # ---- told by the session

    def dropped(self, session: Session) -> bool:
        if session.session_id not in self._sessions or not self.away.hold(session):
            return False
        self._record("socket_dropped", session)
        return True

    def ended(self, session: Session) -> None:
        me = session.presence
        if self._sessions.pop(me.session_id, None) is None:
            return  # ended before it was let in
        self._leaving.add(session)
        self.away.let_go(session)
        self._expiry.forget(session)
        rest = tuple(each for each in self._families[session.family_id] if each is not session)
        if rest:
            self._families[session.family_id] = rest
        else:
            del self._families[session.family_id]
        if self._seats is not None:
            self._seats.release(me.user_id, session.generation)
        self.closed[session.close_code] += 1
        left = [effect for topic in self._topics for effect in topic.close(me)]
        # The status goes last: who follows a player hears that they are offline when they have left all else.
        self._performer.perform([*left, *self._statuses.close(me)], session)
        if self.on_ended is not None:
            self.on_ended(session)

    def lost(self, session: Session) -> None:
        self._leaving.discard(session)
        self._record("socket_closed", session)
        if not self._leaving and self.on_idle is not None:
            self.on_idle()

    def _record(self, event: str, session: Session) -> None:
        socket = session.socket
        log.info(
            event,
            user_id=session.user_id,
            session_id=session.session_id,
            family_id=session.family_id,
            code=session.close_code,
            reason=session.close_text,
            duration_s=round(self._clock.monotonic() - session.opened_at, 3),
            bytes_in=socket.bytes_in,
            bytes_out=socket.bytes_out,
            messages_in=socket.messages_in,
            messages_out=socket.messages_out,
        )

    def _take_over(self, older: Session, newer: UserPresence) -> None:
        self.replaced += 1
        log.info(
            "socket_replaced",
            user_id=newer.user_id,
            session_id=older.session_id,
            replaced_by=newer.session_id,
        )
        self._notify(older, "single_socket", SINGLE_SOCKET)
        older.end(CloseReason.DISCONNECTED)

    def _notify(self, session: Session, subject: str, code: int) -> None:
        session.tell(notice(self._new_id(), subject, code, self._clock.wall(), {}))
