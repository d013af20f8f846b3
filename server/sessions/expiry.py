"""How long a socket outlives the session token that opened it (`session.socket_expiry`).

Every socket has one time at which it is looked at: shortly before its end, to warn its player, and at its
end. Only then, and never for a message, is the database asked about a login that may have been refreshed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from protocol.close import CloseReason
from server.clock import Clock
from server.sessions.deadlines import Deadlines
from server.sessions.family_checks import FamilyChecks, FamilyEnds
from server.sessions.notices import SESSION_EXPIRING, notice
from server.sessions.session import Session
from server.tasks import TaskOwner

WARNING_S = 60.0
HELD_S = 15.0
"""How long a socket may outstay its end while a refresh on it is under way; longer than a client waits."""
LOOK_AGAIN_S = 1.0


class SocketExpiry(StrEnum):
    """IGNORE: never. GRACE: with its login. STRICT: with the newest session token shown on it."""

    IGNORE = "ignore"
    GRACE = "grace"
    STRICT = "strict"


@dataclass(slots=True)
class _Watch:
    """A socket that ends. `end` is when, in Unix seconds, as far as is known."""

    session: Session
    end: int
    refreshing: bool = False


def warning_time(end: float, now: float) -> float:
    """When to warn of `end`: a minute before, or half-way there if it is nearer than two."""
    return end - min(WARNING_S, (end - now) / 2)


class Expiry:
    """Every open socket that ends by itself. Call `sweep` about once a second."""

    def __init__(
        self,
        policy: SocketExpiry,
        families: FamilyEnds,
        clock: Clock,
        new_id: Callable[[], str],
        tasks: TaskOwner,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._new_id = new_id
        self._watches: dict[str, _Watch] = {}
        self._deadlines = Deadlines()
        self._checks = FamilyChecks(families, tasks, clock, self._answered)
        self.warned = 0
        self.closed = 0

    def __len__(self) -> int:
        return len(self._watches)

    @property
    def failed_checks(self) -> int:
        """Questions to the database that were not answered."""
        return self._checks.failed

    # ---- the life of a socket

    def watch(self, session: Session) -> None:
        """A session begins."""
        if self._policy is not SocketExpiry.IGNORE:
            watch = self._watches[session.session_id] = _Watch(session, session.token_exp)
            self._look_at(watch, warning_time(watch.end, self._clock.wall()))

    def forget(self, session: Session) -> None:
        """A session has ended."""
        if self._watches.pop(session.session_id, None) is not None:
            self._deadlines.drop(session.session_id)
            self._checks.forget(session.session_id)

    def shown(self, session: Session, token_exp: int) -> int:
        """A session token of this session's own login was shown on it, or made for it.

        Returns when the newest one ends, in Unix seconds.
        """
        session.token_exp = max(session.token_exp, token_exp)
        watch = self._watches.get(session.session_id)
        # In grace the next look finds out by itself.
        if watch is not None and self._policy is SocketExpiry.STRICT and session.token_exp > watch.end:
            self._move_end(watch, session.token_exp, self._clock.wall())
        return session.token_exp

    @contextmanager
    def refreshing(self, session: Session) -> Iterator[None]:
        """A refresh is under way that may move the session's end: its answer goes out before any close."""
        watch = self._watches.get(session.session_id)
        if watch is None:
            yield
            return
        watch.refreshing = True
        try:
            yield
        finally:
            watch.refreshing = False

    def sweep(self) -> None:
        """Look at every socket whose time has come."""
        now = self._clock.wall()
        for session_id in self._deadlines.due(now):
            watch = self._watches.get(session_id)
            if watch is None:
                continue  # the end of one before it was too much for this one
            if self._policy is SocketExpiry.GRACE:
                self._checks.add(session_id, watch.session.family_id)
            elif now >= watch.end:
                self._close(watch, now)
            else:
                self._warn(watch, now)
        self._checks.sweep()

    # ---- what is done about it

    def _answered(self, session_id: str, family_end: int | None) -> None:
        """In grace: the login of this session ends then, or has ended."""
        watch, now = self._watches[session_id], self._clock.wall()
        # Whether the end of a login ends its sockets is decided when that happens; those that were spared
        # last as long as their token.
        end = max(family_end or 0, watch.session.token_exp)
        if end != watch.end and end > now:
            self._move_end(watch, end, now)
        elif end > now:
            self._warn(watch, now)
        else:
            watch.end = end
            self._close(watch, now)

    def _move_end(self, watch: _Watch, end: int, now: float) -> None:
        watch.end = end
        self._look_at(watch, warning_time(end, now))

    def _warn(self, watch: _Watch, now: float) -> None:
        self.warned += 1
        content = {"expires_at": watch.end}
        watch.session.tell(notice(self._new_id(), "session_expiring", SESSION_EXPIRING, now, content))
        self._look_at(watch, watch.end)

    def _close(self, watch: _Watch, now: float) -> None:
        if watch.refreshing and now < watch.end + HELD_S:
            self._look_at(watch, now + LOOK_AGAIN_S)
        else:
            self._end(watch)

    def _end(self, watch: _Watch) -> None:
        self.closed += 1
        watch.session.end(CloseReason.SESSION_EXPIRED)

    def _look_at(self, watch: _Watch, at: float) -> None:
        session_id = watch.session.session_id
        if session_id in self._watches:  # a warning may have been too much for a slow socket, and ended it
            self._deadlines.set(session_id, at)
