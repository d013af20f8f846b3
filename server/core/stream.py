"""Streams for game code: sessions on a place of the game's own, data sent there, and who comes and goes.

A stream's mode is a number of the game's choice outside those of the server's own topics. Hidden presences
hear what is sent, are in no list, and nobody is told of them. Which presence is on which stream is kept with
all others; only who is hidden is kept here.
"""

from collections.abc import Callable, Iterable

from protocol.messages import Stream as StreamName
from protocol.messages import StreamData, StreamPresenceEvent, UserPresence
from server.core.identifiers import parse_uuid
from server.core.presence import Presences
from server.effects import Deliver, Effects, Stream

RESERVED_MODES = range(8)
"""Notifications, status, the kinds of channels, the kinds of matches, parties."""
MAX_MODE = 2**31 - 1
MAX_LABEL_BYTES = 2048


class StreamError(ValueError):
    """Game code asked for what streams do not offer."""


def custom_stream(mode: int, subject: str = "", subcontext: str = "", label: str = "") -> Stream:
    """The stream of this name; subject and subcontext are UUIDs or empty. Raises StreamError."""
    if mode in RESERVED_MODES:
        raise StreamError(f"stream mode {mode} is the server's own")
    if not 0 <= mode <= MAX_MODE:
        raise StreamError("stream mode is out of range")
    parts = [parse_uuid(part) if part else "" for part in (subject, subcontext)]
    if parts[0] is None or parts[1] is None:
        raise StreamError("stream subject and subcontext must be valid identifiers")
    if len(_utf8(label)) > MAX_LABEL_BYTES:
        raise StreamError(f"stream label is longer than {MAX_LABEL_BYTES} bytes")
    return Stream(mode, parts[0], parts[1], label)


class Streams:
    """What game code may do with streams. `presence_of` tells the presence of an open session."""

    def __init__(
        self,
        presences: Presences,
        presence_of: Callable[[str], UserPresence | None],
        streams_per_session: int,
    ) -> None:
        self._presences = presences
        self._presence_of = presence_of
        self._streams_per_session = streams_per_session
        self._joined: dict[str, dict[Stream, bool]] = {}
        """The streams that each session is on, and whether it is hidden there."""

    def __len__(self) -> int:
        """How many presences there are on streams of the game."""
        return sum(map(len, self._joined.values()))

    def join(
        self, stream: Stream, session_id: str, *, hidden: bool = False, persistence: bool = True
    ) -> Effects:
        """Put a session on a stream; one that is there stays as it is.

        Raises StreamError for a session that is not open, and for one that is on too many streams.
        """
        _check(stream)
        me = self._presence_of(session_id)
        if me is None:
            raise StreamError("session is not open")
        mine = self._joined.get(session_id, {})
        if stream in mine:
            return []
        if len(mine) >= self._streams_per_session:
            raise StreamError(f"a session cannot be on more than {self._streams_per_session} streams")
        shown = _shown(me, persistence=persistence)
        self._presences.track(stream, shown)
        self._joined.setdefault(session_id, {})[stream] = hidden
        return [] if hidden else [_event(stream, joins=(shown,))]

    def update(self, stream: Stream, session_id: str, *, hidden: bool, persistence: bool) -> Effects:
        """Change how a session is on a stream: told as one event. Raises StreamError if it is not there."""
        _check(stream)
        was_hidden = self._joined.get(session_id, {}).get(stream)
        if was_hidden is None:
            raise StreamError("session is not on the stream")
        before = self._presences.members(stream)[session_id]
        shown = _shown(before, persistence=persistence)
        self._presences.track(stream, shown)
        self._joined[session_id][stream] = hidden
        leaves, joins = () if was_hidden else (before,), () if hidden else (shown,)
        return [] if leaves == joins else [_event(stream, joins=joins, leaves=leaves)]

    def leave(self, stream: Stream, session_id: str) -> Effects:
        """Take a session off a stream. Leaving one that it is not on is no error."""
        _check(stream)
        return self._exit(stream, session_id) if stream in self._joined.get(session_id, ()) else []

    def members(self, stream: Stream, *, hidden: bool = False) -> list[UserPresence]:
        """Who is on a stream, in the order of joining; with `hidden`, those too."""
        _check(stream)
        return [
            presence
            for session_id, presence in self._presences.members(stream).items()
            if hidden or not self._joined[session_id][stream]
        ]

    def count(self, stream: Stream) -> int:
        """How many sessions are on a stream, hidden ones included."""
        _check(stream)
        return len(self._presences.members(stream))

    def send(
        self, stream: Stream, data: str, *, to: Iterable[str] | None = None, reliable: bool = True
    ) -> Effects:
        """Send a text to all on a stream, or to those of these sessions that are on it.

        Raises StreamError for a text that has no UTF-8.
        """
        _check(stream)
        _utf8(data)
        message = StreamData(stream=_name(stream), data=data, reliable=reliable)
        if to is None:
            return [Deliver(stream, message)]
        members = self._presences.members(stream)
        return [Deliver(tuple(each for each in dict.fromkeys(to) if each in members), message)]

    def end(self, stream: Stream) -> None:
        """Take everyone off a stream. Nobody is told."""
        _check(stream)
        for session_id in tuple(self._presences.members(stream)):
            self._forget(stream, session_id)

    def close(self, me: UserPresence) -> Effects:
        """A session ends: it leaves all its streams."""
        return [
            effect
            for stream in tuple(self._joined.get(me.session_id, ()))
            for effect in self._exit(stream, me.session_id)
        ]

    def _exit(self, stream: Stream, session_id: str) -> Effects:
        gone = self._presences.members(stream)[session_id]
        was_hidden = self._forget(stream, session_id)
        return [] if was_hidden else [_event(stream, leaves=(gone,))]

    def _forget(self, stream: Stream, session_id: str) -> bool:
        self._presences.untrack(stream, session_id)
        mine = self._joined[session_id]
        was_hidden = mine.pop(stream)
        if not mine:
            del self._joined[session_id]
        return was_hidden


def _check(stream: Stream) -> None:
    # Whoever made the value by hand must not reach the server's own streams with it.
    if stream.mode in RESERVED_MODES:
        raise StreamError(f"stream mode {stream.mode} is the server's own")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise StreamError("text has lone surrogates") from None


def _shown(me: UserPresence, *, persistence: bool) -> UserPresence:
    return UserPresence(
        user_id=me.user_id, session_id=me.session_id, username=me.username, persistence=persistence
    )


def _event(
    stream: Stream, joins: tuple[UserPresence, ...] = (), leaves: tuple[UserPresence, ...] = ()
) -> Deliver:
    return Deliver(stream, StreamPresenceEvent(stream=_name(stream), joins=joins, leaves=leaves))


def _name(stream: Stream) -> StreamName:
    return StreamName(
        mode=stream.mode, subject=stream.subject, subcontext=stream.subcontext, label=stream.label
    )
