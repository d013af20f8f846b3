"""Status lines and who follows them.

Every session hears of its own player's status without following. A player is online while one of its sessions
has a status.
"""

from collections.abc import Iterable, Sequence

from protocol.errors import ErrorCode, RequestError
from protocol.messages import Status, StatusPresenceEvent, UserPresence
from server.core.presence import Presences
from server.effects import Deliver, Effects, Reply, Stream

MODE = 1
MAX_STATUS_BYTES = 2048


def stream_of(user_id: str) -> Stream:
    """Where the status presences of one player are."""
    return Stream(MODE, user_id)


class Statuses:
    """The status of every online player, and the followers by player."""

    def __init__(self, presences: Presences, follows_per_session: int) -> None:
        self._presences = presences
        self._follows_per_session = follows_per_session
        self._own: dict[str, tuple[str, ...]] = {}
        self._followers: dict[str, dict[str, None]] = {}
        self._follows: dict[str, dict[str, None]] = {}

    def is_online(self, user_id: str) -> bool:
        return bool(self._presences.members(stream_of(user_id)))

    def sessions_of(self, user_id: str) -> tuple[str, ...]:
        """The open sessions of a player, with or without a status."""
        return self._own.get(user_id, ())

    @property
    def follows(self) -> int:
        """How many follows there are in all."""
        return sum(map(len, self._follows.values()))

    def open(self, me: UserPresence, *, appear: bool) -> Effects:
        """A session begins: it hears of its own player, and with `appear` is online with an empty status."""
        self._own[me.user_id] = (*self._own.get(me.user_id, ()), me.session_id)
        return self._set(me, "") if appear else []

    def close(self, me: UserPresence) -> Effects:
        """A session ends: its status goes, and so do its follows."""
        for user_id in self._follows.pop(me.session_id, ()):
            self._drop_follower(user_id, me.session_id)
        rest = tuple(each for each in self._own.get(me.user_id, ()) if each != me.session_id)
        if rest:
            self._own[me.user_id] = rest
        else:
            self._own.pop(me.user_id, None)
        return self._clear(me)

    def update(self, me: UserPresence, status: str | None) -> Effects:
        """Show a new status line; None goes offline. Raises `RequestError` when the text is too long."""
        if status is None:
            return [Reply(), *self._clear(me)]
        if len(status.encode()) > MAX_STATUS_BYTES:
            raise RequestError(ErrorCode.BAD_INPUT, "Status must be 2048 characters or less")
        return [Reply(), *self._set(me, status)]

    def follow(self, me: UserPresence, user_ids: Iterable[str]) -> Effects:
        """Hear of these players' status from now on. Answered with what they show at the moment.

        Raises `RequestError` when the session would follow too many; then nothing changes.
        """
        wanted = dict.fromkeys(user_id for user_id in user_ids if user_id != me.user_id)
        followed = self._follows.get(me.session_id, {})
        if len(followed.keys() | wanted.keys()) > self._follows_per_session:
            raise RequestError(
                ErrorCode.BAD_INPUT, f"Cannot follow more than {self._follows_per_session} users"
            )
        if wanted:
            self._follows.setdefault(me.session_id, {}).update(wanted)
        for user_id in wanted:
            self._followers.setdefault(user_id, {})[me.session_id] = None
        shown = [
            presence
            for user_id in wanted
            for presence in self._presences.members(stream_of(user_id)).values()
        ]
        return [Reply(Status(presences=tuple(shown)))]

    def unfollow(self, me: UserPresence, user_ids: Sequence[str]) -> Effects:
        followed = self._follows.get(me.session_id)
        if followed is not None:
            for user_id in user_ids:
                if followed.pop(user_id, self) is None:
                    self._drop_follower(user_id, me.session_id)
            if not followed:
                del self._follows[me.session_id]
        return [Reply()]

    def _drop_follower(self, user_id: str, session_id: str) -> None:
        followers = self._followers[user_id]
        del followers[session_id]
        if not followers:
            del self._followers[user_id]

    def _set(self, me: UserPresence, status: str) -> Effects:
        shown = UserPresence(
            user_id=me.user_id, session_id=me.session_id, username=me.username, status=status
        )
        before = self._presences.track(stream_of(me.user_id), shown)
        return self._tell(me.user_id, joins=(shown,), leaves=() if before is None else (before,))

    def _clear(self, me: UserPresence) -> Effects:
        gone = self._presences.untrack(stream_of(me.user_id), me.session_id)
        return [] if gone is None else self._tell(me.user_id, joins=(), leaves=(gone,))

    def _tell(
        self, user_id: str, *, joins: tuple[UserPresence, ...], leaves: tuple[UserPresence, ...]
    ) -> Effects:
        to = (*self._own.get(user_id, ()), *self._followers.get(user_id, ()))
        return [Deliver(to, StatusPresenceEvent(joins=joins, leaves=leaves))] if to else []
