"""Who is on which stream. Membership only: what a join or a leave sets off is the topics' business."""

from collections.abc import Iterator, Mapping

from protocol.messages import UserPresence
from server.effects import Stream

Members = Mapping[str, UserPresence]
"""Session id to presence, in the order of joining."""

NOBODY: Members = {}


class Presences:
    """Every stream with its members, and every session with its streams."""

    def __init__(self) -> None:
        self._streams: dict[Stream, dict[str, UserPresence]] = {}
        self._sessions: dict[str, set[Stream]] = {}
        self._receivers: dict[Stream, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._streams.values()))

    @property
    def streams(self) -> int:
        """How many streams have a member."""
        return len(self._streams)

    def members(self, stream: Stream) -> Members:
        return self._streams.get(stream, NOBODY)

    def receivers(self, stream: Stream) -> tuple[str, ...]:
        """The session ids on a stream. The same object as long as nobody joins or leaves."""
        known = self._receivers.get(stream)
        if known is None:
            known = tuple(self.members(stream))
            if known:
                self._receivers[stream] = known
        return known

    def streams_of(self, session_id: str, mode: int) -> Iterator[Stream]:
        """The streams of one mode that a session is on."""
        return (stream for stream in self._sessions.get(session_id, ()) if stream.mode == mode)

    def track(self, stream: Stream, presence: UserPresence) -> UserPresence | None:
        """Put a presence on a stream, or replace it there. Returns the one it had there before."""
        members = self._streams.setdefault(stream, {})
        before = members.get(presence.session_id)
        members[presence.session_id] = presence
        if before is None:
            self._sessions.setdefault(presence.session_id, set()).add(stream)
            self._receivers.pop(stream, None)
        return before

    def untrack(self, stream: Stream, session_id: str) -> UserPresence | None:
        """Take a session off a stream. Returns its presence, or None if it was not there."""
        members = self._streams.get(stream)
        gone = None if members is None else members.pop(session_id, None)
        if members is None or gone is None:
            return None
        if not members:
            del self._streams[stream]
        self._receivers.pop(stream, None)
        streams = self._sessions[session_id]
        streams.discard(stream)
        if not streams:
            del self._sessions[session_id]
        return gone
