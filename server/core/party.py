"""Parties: groups that stay together between matches. Members, leader, requests to join, searches together.

A party exists as long as somebody is in it, and one of its members leads it. Whatever changes who is in it
withdraws its tickets. Methods raise PartyRefused or LabelError with the reason alone; which request failed is
for `handlers/party.py` to say. Listings are in `party_list.py`.
"""

from collections import Counter
from dataclasses import dataclass

from protocol.messages import (
    Party,
    PartyClose,
    PartyCreate,
    PartyData,
    PartyDataSend,
    PartyJoinRequest,
    PartyLeader,
    PartyPresenceEvent,
    PartyUpdate,
    UserPresence,
)
from server.core.matchmaker import Matchmaker
from server.core.party_list import Ask, Listing
from server.core.party_room import MODE, PartyRefused, Refusal, Room, find
from server.core.presence import Members, Presences
from server.core.ticket import Search
from server.effects import Deliver, Effects, Record, Reply, Stream


@dataclass(frozen=True, slots=True)
class PartyLimits:
    """`per_session`: parties a session may be in or ask to join. `single`: entering one leaves the others."""

    per_session: int = 16
    single: bool = False


class Parties:
    """The parties of this process, `node` being its name."""

    def __init__(
        self, presences: Presences, matchmaker: Matchmaker, node: str, limits: PartyLimits | None = None
    ) -> None:
        self._presences = presences
        self._matchmaker = matchmaker
        self._node = node
        self._limits = limits or PartyLimits()
        self._rooms: dict[str, Room] = {}
        self._asked: dict[str, dict[str, None]] = {}
        """The parties that a session asks to join."""
        self.created = 0
        self.refused: Counter[Refusal] = Counter()
        self.cut_listings = 0
        """Listings that ended before they had looked at all parties."""

    def __len__(self) -> int:
        return len(self._rooms)

    @property
    def requests(self) -> int:
        """Requests to join that wait for an answer."""
        return sum(map(len, self._asked.values()))

    # ---- coming

    def create(self, me: UserPresence, message: PartyCreate, new_id: str, now: float) -> Effects:
        """Open a party and lead it. `now`: Unix seconds. Raises LabelError, PartyRefused."""
        stream = Stream(MODE, new_id, label=self._node)
        room = Room(f"{new_id}.{self._node}", self.created, now, message.max_size, stream, leader=me)
        room.show(message.label, is_open=message.open, hidden=message.hidden)
        self._check_places(me)
        self.created += 1
        self._rooms[room.id] = room
        entered = self._enter(room, me)
        answer = Party(
            party_id=room.id,
            open=room.open,
            hidden=room.hidden,
            max_size=room.max_size,
            self=me,
            leader=me,
            presences=(me,),
            label=message.label,
        )
        return [Reply(answer), *entered, Record("party_created", {"party_id": room.id})]

    def join(self, me: UserPresence, party_id: str) -> Effects:
        """Enter an open party, or ask the leader of a closed one. Raises PartyRefused."""
        room = self._room(party_id)
        members = self._members(room)
        if room.open and me.session_id in members:
            return [Reply()]
        if len(members) >= room.max_size:
            raise self._refusal(Refusal.FULL)
        asks = room.id in self._asked.get(me.session_id, ())
        if room.open:
            if not asks:
                self._check_places(me)
            return [Reply(), *self._enter(room, me)]
        if any(member.user_id == me.user_id for member in members.values()):
            raise self._refusal(Refusal.ALREADY_MEMBER)
        if not asks:
            self._check_places(me, entering=False)
        try:
            room.ask(me)
        except PartyRefused as error:
            raise self._refusal(error.refusal) from None
        self._asked.setdefault(me.session_id, {})[room.id] = None
        told = PartyJoinRequest(party_id=room.id, presences=(me,))
        return [Reply(), Deliver((room.leader.session_id,), told)]

    def accept(self, me: UserPresence, party_id: str, named: UserPresence) -> Effects:
        """Let one in who asked to join. Raises PartyRefused."""
        room = self._led(me, party_id)
        if len(self._members(room)) >= room.max_size:
            raise self._refusal(Refusal.FULL)
        asking = room.requested(named)
        if asking is None:
            raise self._refusal(Refusal.NOT_REQUESTED)
        return [Reply(), *self._enter(room, asking)]

    def requests_of(self, me: UserPresence, party_id: str) -> tuple[UserPresence, ...]:
        """Who asks to join, the earliest first. Raises PartyRefused."""
        return tuple(self._led(me, party_id).requests.values())

    # ---- being there

    def promote(self, me: UserPresence, party_id: str, named: UserPresence) -> Effects:
        """Make a member the leader. Raises PartyRefused."""
        room = self._led(me, party_id)
        member = find(self._members(room).values(), named)
        if member is None:
            raise self._refusal(Refusal.NOT_MEMBER)
        return [Reply(), self._lead(room, member)]

    def update(self, me: UserPresence, party_id: str, message: PartyUpdate) -> Effects:
        """Change what the party shows of itself. Raises LabelError, PartyRefused."""
        room = self._led(me, party_id)
        room.show(message.label, is_open=message.open, hidden=message.hidden)
        news = PartyUpdate(party_id=room.id, label=message.label, open=room.open, hidden=room.hidden)
        return [Reply(), Deliver(room.stream, news)]

    def send(self, me: UserPresence, party_id: str, message: PartyDataSend) -> Effects:
        """Pass data on to the other members. Raises PartyRefused."""
        room = self._room(party_id)
        sender = self._members(room).get(me.session_id)
        if sender is None:
            raise self._refusal(Refusal.NOT_MEMBER)
        data = PartyData(party_id=room.id, presence=sender, op_code=message.op_code, data=message.data)
        return [Reply(), Deliver(room.stream, data, skip=me.session_id)]

    def search(self, me: UserPresence, party_id: str, search: Search, ticket_id: str, now: float) -> Stream:
        """Look for others to play with, all members together. Returns where the members are.

        Raises PartyRefused, and what `Matchmaker.add` raises.
        """
        room = self._led(me, party_id)
        self._matchmaker.add(ticket_id, tuple(self._members(room).values()), search, now, room.id)
        return room.stream

    def stop_search(self, me: UserPresence, party_id: str, ticket_id: str) -> Effects:
        """Withdraw a ticket of the party. Raises PartyRefused, MatchmakerError."""
        self._matchmaker.remove_of_party(self._led(me, party_id).id, ticket_id)
        return [Reply()]

    def listing(
        self, limit: int, *, is_open: bool | None = None, query: str = "", cursor: str = ""
    ) -> Listing:
        """Begin to list the parties that are not hidden. Raises ValueError for a bad query or cursor."""
        return Listing(tuple(self._rooms.values()), Ask(limit, is_open, query, cursor), self._note_cut)

    # ---- going

    def leave(self, me: UserPresence, party_id: str) -> Effects:
        """Leave a party. Leaving one that is not there, or that the session is not in, is no error."""
        room = self._rooms.get(party_id)
        return [Reply()] if room is None else [Reply(), *self._exit(room, me)]

    def remove(self, me: UserPresence, party_id: str, named: UserPresence) -> Effects:
        """Send a member away, or turn down one who asked to join. Raises PartyRefused."""
        room = self._led(me, party_id)
        if find((room.leader,), named) is not None:
            raise self._refusal(Refusal.REMOVE_SELF)
        member = find(self._members(room).values(), named)
        if member is not None:
            told = Deliver((member.session_id,), PartyClose(party_id=room.id))
            return [Reply(), told, *self._exit(room, member)]
        asking = room.requested(named)
        if asking is None:
            raise self._refusal(Refusal.NOT_MEMBER)
        self._forget(room, asking)
        return [Reply()]

    def end(self, me: UserPresence, party_id: str) -> Effects:
        """End a party for all. They are told before the leader is answered. Raises PartyRefused."""
        room = self._led(me, party_id)
        sessions = tuple(self._members(room))
        for session_id in sessions:
            self._presences.untrack(room.stream, session_id)
        return [Deliver(sessions, PartyClose(party_id=room.id)), Reply(), self._drop(room)]

    def close(self, me: UserPresence) -> Effects:
        """A session ends: it leaves all its parties, and asks to join none."""
        for party_id in tuple(self._asked.get(me.session_id, ())):
            self._forget(self._rooms[party_id], me)
        return self._exit_all(me)

    # ---- the rules all these share

    def _room(self, party_id: str) -> Room:
        room = self._rooms.get(party_id)
        if room is None:
            raise self._refusal(Refusal.NOT_FOUND)
        return room

    def _led(self, me: UserPresence, party_id: str) -> Room:
        room = self._room(party_id)
        if room.leader.session_id != me.session_id:
            raise self._refusal(Refusal.NOT_LEADER)
        return room

    def _members(self, room: Room) -> Members:
        return self._presences.members(room.stream)

    def _note_cut(self) -> None:
        self.cut_listings += 1

    def _refusal(self, refusal: Refusal) -> PartyRefused:
        self.refused[refusal] += 1
        return PartyRefused(refusal)

    def _check_places(self, me: UserPresence, *, entering: bool = True) -> None:
        """Raises PartyRefused when a session has to do with as many parties as it may."""
        leaves_others = entering and self._limits.single
        taken = 0 if leaves_others else sum(1 for _ in self._presences.streams_of(me.session_id, MODE))
        if taken + len(self._asked.get(me.session_id, ())) >= self._limits.per_session:
            raise self._refusal(Refusal.TOO_MANY)

    def _enter(self, room: Room, player: UserPresence) -> Effects:
        left = self._exit_all(player) if self._limits.single else []
        if player.user_id in room.requests:
            self._forget(room, player)
        self._presences.track(room.stream, player)
        self._matchmaker.close_party(room.id)
        members = tuple(self._members(room).values())
        seen = Party(
            party_id=room.id,
            open=room.open,
            max_size=room.max_size,
            self=player,
            leader=room.leader,
            presences=members,
        )
        event = PartyPresenceEvent(party_id=room.id, joins=(player,))
        return [*left, Deliver((player.session_id,), seen), Deliver(room.stream, event)]

    def _exit(self, room: Room, player: UserPresence) -> Effects:
        gone = self._presences.untrack(room.stream, player.session_id)
        if gone is None:
            return []
        members = self._members(room)
        if not members:
            return [self._drop(room)]
        self._matchmaker.close_party(room.id)
        event = Deliver(room.stream, PartyPresenceEvent(party_id=room.id, leaves=(gone,)))
        if gone.session_id != room.leader.session_id:
            return [event]
        return [self._lead(room, next(iter(members.values()))), event]

    def _exit_all(self, player: UserPresence) -> Effects:
        streams = tuple(self._presences.streams_of(player.session_id, MODE))
        # Game code may put a player on a stream of this mode that is no party's.
        rooms = (self._rooms.get(f"{stream.subject}.{stream.label}") for stream in streams)
        return [effect for room in rooms if room is not None for effect in self._exit(room, player)]

    def _lead(self, room: Room, member: UserPresence) -> Deliver:
        room.leader = member
        return Deliver(room.stream, PartyLeader(party_id=room.id, presence=member))

    def _forget(self, room: Room, asking: UserPresence) -> None:
        """Drop a request to join."""
        session_id = room.requests.pop(asking.user_id).session_id
        asked = self._asked[session_id]
        del asked[room.id]
        if not asked:
            del self._asked[session_id]

    def _drop(self, room: Room) -> Record:
        for asking in tuple(room.requests.values()):
            self._forget(room, asking)
        del self._rooms[room.id]
        self._matchmaker.close_party(room.id)
        return Record("party_ended", {"party_id": room.id})
