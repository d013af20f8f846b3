"""Relayed matches: members, and data passed between them. The server does not look inside.

A match exists as long as somebody is in it. Its id is `<uuid>.`; ids with a node behind the dot belong to
authoritative matches, which are kept elsewhere.
"""

import uuid
from collections.abc import Iterator

from protocol.errors import ErrorCode, RequestError
from protocol.messages import Match, MatchData, MatchDataSend, MatchPresenceEvent, UserPresence
from server.core.identifiers import parse_uuid
from server.core.presence import Presences
from server.effects import Deliver, Effects, Record, Reply, Stream

MODE = 5


class Matches:
    """The relayed matches, as streams of presences."""

    def __init__(self, presences: Presences, matches_per_session: int) -> None:
        self._presences = presences
        self._matches_per_session = matches_per_session
        self._streams: dict[str, Stream] = {}
        """The running matches by canonical id, so that data for them needs no parsing."""

    def __len__(self) -> int:
        return len(self._streams)

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Every running match by its id, with how many are in it."""
        return (
            (match_id, len(self._presences.members(stream))) for match_id, stream in self._streams.items()
        )

    def create(self, me: UserPresence, name: str, new_id: str) -> Effects:
        """Open a match under `new_id`, or the one that its name stands for, and join it."""
        stream = Stream(MODE, str(uuid.uuid5(uuid.NAMESPACE_DNS, name)) if name else new_id)
        before = tuple(self._presences.members(stream).values())
        match_id = _id_of(stream)
        events = self._enter(me, stream)
        answer = Match(
            match_id=match_id, size=len(self._presences.members(stream)), presences=before, self=me
        )
        return [Reply(answer), *events]

    def join(self, me: UserPresence, match_id: str) -> Effects:
        """Join a running match by its id. Raises `RequestError` when there is none."""
        stream = self._stream(match_id)
        if not self._presences.members(stream):
            raise RequestError(ErrorCode.MATCH_NOT_FOUND, "Match not found")
        return self._join(me, match_id, stream)

    def join_invited(self, me: UserPresence, match_id: str) -> Effects:
        """Join by a token that named the match: it may be empty still."""
        try:
            stream = self._stream(match_id)
        except RequestError:
            raise RequestError(ErrorCode.BAD_INPUT, "Invalid match token") from None
        return self._join(me, match_id, stream)

    def stream_of(self, match_id: str) -> Stream:
        """Where the members of a match are. Raises `RequestError` for an id that is none."""
        return self._stream(match_id)

    def leave(self, me: UserPresence, match_id: str) -> Effects:
        """Leave a match. Leaving one that the session is not in is no error."""
        return [Reply(), *self._exit(me, self._stream(match_id, missing_is_error=False))]

    def close(self, me: UserPresence) -> Effects:
        """A session ends: it leaves all its matches."""
        return self.leave_all(me)

    def leave_all(self, me: UserPresence, *, but: Stream | None = None) -> Effects:
        """Leave all matches but the one on this stream. The others there are told, the session is not."""
        streams = [each for each in self._presences.streams_of(me.session_id, MODE) if each != but]
        return [effect for stream in streams for effect in self._exit(me, stream)]

    def send(self, me: UserPresence, message: MatchDataSend) -> Effects:
        """Pass data on to the other members, or to the named ones. Never answered; outsiders are ignored.

        Raises `RequestError` for an id that is none, to be answered without the request's cid.
        """
        stream = self._streams.get(message.match_id)
        if stream is None:
            stream = self._stream(message.match_id, missing_is_error=False, keep_cid=False)
        members = self._presences.members(stream)
        if me.session_id not in members:
            return []
        data = MatchData(
            match_id=message.match_id,
            presence=members[me.session_id],
            op_code=message.op_code,
            data=message.data,
            reliable=message.reliable,
        )
        if not message.presences:
            return [Deliver(stream, data, skip=me.session_id)]
        if not all(parse_uuid(each.user_id) and parse_uuid(each.session_id) for each in message.presences):
            return []
        named = dict.fromkeys(each.session_id for each in message.presences)
        return [Deliver(tuple(each for each in named if each in members), data)]

    def _join(self, me: UserPresence, match_id: str, stream: Stream) -> Effects:
        before = tuple(self._presences.members(stream).values())
        events = self._enter(me, stream)
        return [Reply(Match(match_id=match_id, size=len(before), presences=before, self=me)), *events]

    def _enter(self, me: UserPresence, stream: Stream) -> Effects:
        if me.session_id in self._presences.members(stream):
            return []
        if sum(1 for _ in self._presences.streams_of(me.session_id, MODE)) >= self._matches_per_session:
            raise RequestError(
                ErrorCode.MATCH_JOIN_REJECTED, f"Cannot be in more than {self._matches_per_session} matches"
            )
        match_id = _id_of(stream)
        begins = match_id not in self._streams
        self._streams[match_id] = stream
        self._presences.track(stream, me)
        event: Effects = [Deliver(stream, MatchPresenceEvent(match_id=match_id, joins=(me,)))]
        return (
            [*event, Record("match_created", {"match_id": match_id, "kind": "relayed"})] if begins else event
        )

    def _exit(self, me: UserPresence, stream: Stream) -> Effects:
        gone = self._presences.untrack(stream, me.session_id)
        if gone is None:
            return []
        match_id = _id_of(stream)
        if self._presences.members(stream):
            return [Deliver(stream, MatchPresenceEvent(match_id=match_id, leaves=(gone,)))]
        del self._streams[match_id]
        return [Record("match_ended", {"match_id": match_id, "kind": "relayed"})]

    def _stream(self, match_id: str, *, missing_is_error: bool = True, keep_cid: bool = True) -> Stream:
        subject, dot, node = match_id.partition(".")
        found = parse_uuid(subject)
        if not dot or found is None:
            raise RequestError(ErrorCode.BAD_INPUT, "Invalid match ID", keep_cid=keep_cid)
        if node and missing_is_error:
            raise RequestError(ErrorCode.MATCH_NOT_FOUND, "Match not found")
        return Stream(MODE, found, label=node)


def _id_of(stream: Stream) -> str:
    return f"{stream.subject}."
