"""The one interpreter of effects: encode once, send to many, close, log.

Also where a message meets the router, so that one player's messages stay in order: a request that awaits
holds the socket until it is done, and nothing of that player is read meanwhile.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

import structlog

from protocol.close import CloseReason
from protocol.conversation import heartbeat
from protocol.envelope import FIRST_BYTE, Envelope, Format, frame
from protocol.frames import build
from protocol.messages import UserPresence
from server.effects import Deliver, Disconnect, Effects, Record, Reply, Stream
from server.sessions.session import Session
from server.tasks import TaskOwner

log = structlog.get_logger("lockgate.game")


class Pending(Protocol):
    """A request that waits for something. Await `finish` or `close` it."""

    async def finish(self) -> Effects: ...
    def close(self) -> None: ...


class Answers(Protocol):
    """Turns a payload into effects, now or later (`router.py`)."""

    def answer(self, me: UserPresence, payload: bytes, form: Format) -> tuple[str, Effects | Pending]: ...
    def refuse(self, me: UserPresence, payload: bytes, form: Format, reason: str) -> tuple[str, Effects]: ...


class Receivers(Protocol):
    """The session ids on a stream (`core/presence.py`)."""

    def receivers(self, stream: Stream) -> Iterable[str]: ...


class Performer:
    """Carries out what the rules ask for, on the sessions that are open."""

    def __init__(
        self, sessions: Mapping[str, Session], receivers: Receivers, router: Answers, tasks: TaskOwner
    ) -> None:
        self._sessions = sessions
        self._receivers = receivers
        self._router = router
        self._tasks = tasks
        self.heartbeats = 0
        self.limited: Counter[str] = Counter()
        """Messages refused because their socket sent too much, by the setting that says so."""
        self.delivered = 0
        """Messages queued for a receiver, each receiver counted."""

    def play(self, session: Session, payload: bytes) -> None:
        """Handle one message of an open session."""
        form = session.form
        pong = heartbeat(payload, form)
        if pong is not None:
            self.heartbeats += 1
            session.socket.answer(build(FIRST_BYTE[form], pong))
            return
        cid, handled = self._router.answer(session.presence, payload, form)
        if isinstance(handled, list):
            self.perform(handled, session, cid)
        else:
            self._park(session, cid, handled)

    def refuse(self, session: Session, payload: bytes) -> None:
        """Answer one message that is over its sender's rate with an error, or close who has had many."""
        allowance = session.allowance
        setting = f"socket.{allowance.excess.value}"
        self.limited[allowance.excess.value] += 1
        if allowance.bear():
            cid, effects = self._router.refuse(
                session.presence, payload, session.form, f"Too many messages: over {setting}"
            )
            self.perform(effects, session, cid)
            return
        log.warning(
            "sender_too_fast", user_id=session.user_id, session_id=session.session_id, setting=setting
        )
        session.end(CloseReason.TOO_FAST)

    def perform(self, effects: Effects, session: Session | None = None, cid: str = "") -> None:
        """Carry out `effects` in order. `session` and `cid` are the request's, for its reply."""
        for effect in effects:
            if isinstance(effect, Deliver):
                self._deliver(effect)
            elif isinstance(effect, Reply):
                if session is not None:
                    session.tell(effect.message, cid)
            elif isinstance(effect, Disconnect):
                if (ending := self._sessions.get(effect.session_id)) is not None:
                    ending.end(effect.reason)
            else:
                self._record(effect, session)

    def _deliver(self, effect: Deliver) -> None:
        to = effect.to
        ids = self._receivers.receivers(to) if isinstance(to, Stream) else to
        # The message is encoded and framed at most once per format, when the first receiver needs it; all
        # queue the same immutable bytes, and each socket writes what its turn of the loop has gathered in one
        # call (transport/cork.py).
        frames: dict[Format, bytes] = {}
        form: Format | None = None
        whole = b""
        message, skip, sessions, delivered = effect.message, effect.skip, self._sessions, 0
        for session_id in ids:
            if session_id != skip and (session := sessions.get(session_id)) is not None:
                if session.form is not form:
                    form = session.form
                    if form not in frames:
                        frames[form] = frame(Envelope(message), form)
                    whole = frames[form]
                # Sessions that are registered are open.
                session.outbox.put(whole, message, effect.latest_key)
                delivered += 1
        self.delivered += delivered

    def _record(self, effect: Record, session: Session | None) -> None:
        who = {} if session is None else {"user_id": session.user_id, "session_id": session.session_id}
        log.info(effect.event, **effect.fields, **who)

    def _park(self, session: Session, cid: str, pending: Pending) -> None:
        task = self._tasks.spawn("request", self._finish(session, cid, pending))
        session.parked = task.cancel
        session.socket.hold()

        def unpark(_: object) -> None:
            pending.close()  # it has not begun when the task was cancelled in the turn of its birth
            session.parked = None
            session.socket.release()

        task.add_done_callback(unpark)

    async def _finish(self, session: Session, cid: str, pending: Pending) -> None:
        effects = await pending.finish()
        if session.plays:
            self.perform(effects, session, cid)
