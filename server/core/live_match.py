"""Matches that the server runs: their ids, who is in them, and how they are listed.

What a match does with its players is its own business, behind the port `LiveMatches` of `world.py`; here is
what other members are told. The id is `<uuid>.<node>`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from protocol.errors import ErrorCode, RequestError
from protocol.messages import Match, MatchPresenceEvent, UserPresence
from server.core.identifiers import parse_uuid
from server.core.presence import Presences
from server.effects import Deliver, Effects, Reply, Stream

MODE = 6
MAX_KEPT_ID = 64
"""A UUID, a dot, and a node's name have at most 53 characters."""


class Left(Enum):
    """Why somebody is no longer in a match."""

    LEFT = "left"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class LiveMatch:
    """A match as a listing shows it."""

    match_id: str
    label: str
    size: int
    tick_rate: int
    handler_name: str


@dataclass(frozen=True, slots=True)
class MatchFilter:
    """Which matches to list: by search query, else by exact label, else all; sizes are inclusive."""

    limit: int
    query: str | None = None
    label: str | None = None
    min_size: int | None = None
    max_size: int | None = None

    def takes(self, size: int) -> bool:
        return (self.min_size is None or size >= self.min_size) and (
            self.max_size is None or size <= self.max_size
        )


class NoSuchMatch(Exception):
    """No match runs under this id."""


class JoinRefused(Exception):
    """A match takes this player not in, for a reason that they are told; or takes nobody in right now."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason or "Match join rejected"


def live_stream(match_id: str) -> Stream | None:
    """The stream of a match that the server runs; None if the id is of no such match."""
    # Each message to a match names it, so what was read is kept; but clients may send ids of any length.
    return (_parsed if len(match_id) <= MAX_KEPT_ID else _parsed.__wrapped__)(match_id)


@lru_cache(maxsize=8192)
def _parsed(match_id: str) -> Stream | None:
    subject, _, node = match_id.partition(".")
    found = parse_uuid(subject) if node else None
    return None if found is None else Stream(MODE, found, label=node)


def live_id(stream: Stream) -> str:
    """The canonical id of the match on a stream of `live_stream`."""
    return f"{stream.subject}.{stream.label}"


class LiveMembers:
    """Who is in which match. `on_left` is told of everyone who leaves, with the match's id."""

    def __init__(
        self,
        presences: Presences,
        matches_per_session: int,
        on_left: Callable[[UserPresence, str, Left], None],
    ) -> None:
        self._presences = presences
        self._matches_per_session = matches_per_session
        self._on_left = on_left

    def contains(self, stream: Stream, session_id: str) -> bool:
        return session_id in self._presences.members(stream)

    def check_room(self, me: UserPresence) -> None:
        """Raises `RequestError` when the session is in too many matches."""
        if sum(1 for _ in self._presences.streams_of(me.session_id, MODE)) >= self._matches_per_session:
            raise RequestError(
                ErrorCode.MATCH_JOIN_REJECTED, f"Cannot be in more than {self._matches_per_session} matches"
            )

    def enter(self, me: UserPresence, stream: Stream, match_id: str, label: str) -> Effects:
        """Somebody whom the match took in, or who is in it already. `match_id` is repeated in the answer."""
        before = tuple(self._presences.members(stream).values())
        answer = Match(
            match_id=match_id, authoritative=True, label=label, size=len(before), presences=before, self=me
        )
        if self._presences.track(stream, me) is not None:
            return [Reply(answer)]
        return [Reply(answer), Deliver(stream, MatchPresenceEvent(match_id=live_id(stream), joins=(me,)))]

    def leave(self, me: UserPresence, stream: Stream) -> Effects:
        """Leave a match. Leaving one that the session is not in is no error."""
        return [Reply(), *self._exit(me.session_id, stream, Left.LEFT)]

    def close(self, me: UserPresence) -> Effects:
        """A session ends: it leaves all its matches."""
        return self._exit_all(me.session_id, Left.DISCONNECTED)

    def leave_all(self, me: UserPresence, *, but: Stream | None = None) -> Effects:
        """Leave all matches but the one on this stream. The others there are told, the session is not."""
        return self._exit_all(me.session_id, Left.LEFT, but)

    def remove(self, stream: Stream, session_ids: Sequence[str]) -> Effects:
        """The match throws members out: the others are told, they themselves are not."""
        return [effect for session_id in session_ids for effect in self._exit(session_id, stream, Left.LEFT)]

    def end(self, stream: Stream) -> None:
        """The match is over: everyone is out of it, and nobody is told."""
        for session_id in tuple(self._presences.members(stream)):
            self._presences.untrack(stream, session_id)

    def _exit_all(self, session_id: str, why: Left, but: Stream | None = None) -> Effects:
        streams = [each for each in self._presences.streams_of(session_id, MODE) if each != but]
        return [effect for stream in streams for effect in self._exit(session_id, stream, why)]

    def _exit(self, session_id: str, stream: Stream, why: Left) -> Effects:
        gone = self._presences.untrack(stream, session_id)
        if gone is None:
            return []
        self._on_left(gone, live_id(stream), why)
        if not self._presences.members(stream):
            return []
        return [Deliver(stream, MatchPresenceEvent(match_id=live_id(stream), leaves=(gone,)))]
