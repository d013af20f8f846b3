"""What the end of a login means for the sockets it opened: which close, with which code, and who is told."""

from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from protocol.close import CloseReason
from server.sessions.registry import Registry
from server.storage.revocations import Ended, Revoked
from server.tasks import TaskOwner

NAMED = 20
"""Families named in one log line."""
BANNED = ("banned", -8)
"""Subject and code of the notification that goes before the close, as in the reference."""

LOGOUTS = frozenset({Ended.LOGOUT, Ended.LOGOUT_ALL})
_CLOSE = {
    Ended.LOGOUT: CloseReason.LOGGED_OUT,
    Ended.LOGOUT_ALL: CloseReason.LOGGED_OUT,
    Ended.BANNED: CloseReason.DISCONNECTED,
    Ended.DELETED: CloseReason.DISCONNECTED,
}

log = structlog.get_logger("lockgate.identity")


class Eviction:
    """Closes the sockets of ended logins, at once. Give it to `Revocations.on_ended`."""

    def __init__(
        self,
        registry: Registry,
        end_login: Callable[[str, Ended], Coroutine[Any, Any, None]],
        tasks: TaskOwner,
        *,
        logout_closes_sockets: bool,
    ) -> None:
        """`end_login` ends a family for good."""
        self._registry = registry
        self._end_login = end_login
        self._tasks = tasks
        self._spared = frozenset() if logout_closes_sockets else LOGOUTS
        self.closed = 0

    def __call__(self, ended: Sequence[Revoked]) -> None:
        by_reason: defaultdict[Ended, list[str]] = defaultdict(list)
        for item in ended:
            by_reason[item.reason].append(item.family_id)
        for reason, family_ids in by_reason.items():
            self._evict(family_ids, reason)

    def end_login_of(self, session_id: str) -> None:
        """End the login that opened this socket, if it is here and open."""
        session = self._registry.by_id.get(session_id)
        if session is not None:
            self._task = self._tasks.spawn("end_login", self._end_login(session.family_id, Ended.OPERATOR))

    def _evict(self, family_ids: Sequence[str], reason: Ended) -> None:
        closed = 0
        if reason not in self._spared:
            closed = self._registry.end_families(
                family_ids,
                _CLOSE.get(reason, CloseReason.REVOKED),
                notice=BANNED if reason is Ended.BANNED else None,
            )
        self.closed += closed
        log.info(
            "logins_ended",
            reason=reason.value,
            logins=len(family_ids),
            sockets=closed,
            family_ids=family_ids[:NAMED],
        )
