"""The kinds of places that players meet in: relayed matches, chat rooms, parties, and each other's status."""

from binascii import Error as NoBase64
from binascii import a2b_base64, b2a_base64
from typing import Final

from loadtest.failures import ErrorReply, SwarmError
from loadtest.rooms import Room, Said
from protocol.errors import ErrorCode
from protocol.message import Message
from protocol.messages import (
    Channel,
    ChannelJoin,
    ChannelMessage,
    ChannelMessageSend,
    ChannelPresenceEvent,
    Match,
    MatchCreate,
    MatchData,
    MatchDataSend,
    MatchJoin,
    MatchPresenceEvent,
    Party,
    PartyCreate,
    PartyData,
    PartyDataSend,
    PartyJoin,
    PartyPresenceEvent,
    StatusFollow,
    StatusPresenceEvent,
    StatusUpdate,
)
from protocol.messages.presence import UserPresence

OP_CODE: Final = 7
OP_CODE_ALONE: Final = 8
"""Of what an authoritative match tells its sender only."""
ROOM: Final = 1
"""The type of a channel that has a name."""
MAX_PARTY: Final = 256

_TEXT: Final = '{"m":"'
_TEXT_END: Final = '"}'


class MatchRoom(Room):
    """A relayed match of the player's group. The first who comes makes it, the others join it."""

    op_code = OP_CODE

    async def enter(self) -> None:
        """Raises SwarmError. Timed as `join`."""
        group = self.player.group
        known = group.match_id
        try:
            await self._ask(MatchJoin(match_id=known) if known else MatchCreate(name=group.name))
        except ErrorReply as error:
            # Everybody had left, and the match with them: it is made anew.
            if not known or error.code != ErrorCode.MATCH_NOT_FOUND:
                raise
            await self._ask(MatchCreate(name=group.name))

    async def _ask(self, message: Message) -> None:
        await self.player.ask(message, timed="join", then=self._answered)

    def _answered(self, reply: Message | None) -> None:
        if not isinstance(reply, Match) or reply.self is None:
            raise SwarmError("the server answered a request for a match with something else")
        self.player.group.match_id = reply.match_id
        present = [each.session_id for each in reply.presences]
        self.entered(reply.match_id, reply.self.session_id, reply.self.user_id, present)

    @staticmethod
    def said(message: Message) -> Said | None:
        if not isinstance(message, MatchData):
            return None
        return _said(message.match_id, message.op_code, message.presence, message.data)

    def note(self, message: Message) -> None:
        if isinstance(message, MatchPresenceEvent) and message.match_id == self.place:
            self._note_presences(message.joins, message.leaves)

    def _message(self, data: bytes) -> Message:
        return MatchDataSend(match_id=self.place, op_code=self.op_code, data=data)


class ArenaRoom(MatchRoom):
    """A match that game code runs: everything said comes back from the match, to all or to its sender."""

    names_sender = False

    async def enter(self) -> None:
        """Join the match whose id the group knows. Raises SwarmError."""
        match_id = await self.player.group.learn("match_id")
        await self._ask(MatchJoin(match_id=match_id))

    def share(self, other: Room) -> None:
        """Be in the place in which the other room is already."""
        self.player.rooms[self.visit.topic.number] = self
        self.entered(other.place, other.visit.session_id, other.visit.user_id, None)


class ChatRoom(Room):
    """A chat room of the player's group, where everybody hears themselves too. `keeps`: it has a history."""

    in_text = True
    is_constant = False
    keeps = False

    async def enter(self) -> None:
        """Raises SwarmError. Timed as `join`."""
        join = ChannelJoin(target=self.player.group.name, type=ROOM, persistence=self.keeps)
        await self.player.ask(join, timed="join", then=self._answered)

    def _answered(self, reply: Message | None) -> None:
        if not isinstance(reply, Channel) or reply.self is None:
            raise SwarmError("the server answered a request for a channel with something else")
        present = [each.session_id for each in reply.presences]
        self.entered(reply.id, reply.self.session_id, self.player.user_id, present)

    @staticmethod
    def said(message: Message) -> Said | None:
        if not isinstance(message, ChannelMessage) or message.code:
            return None
        return Said(message.channel_id, "", message.sender_id, _of_text(message.content))

    def note(self, message: Message) -> None:
        if isinstance(message, ChannelPresenceEvent) and message.channel_id == self.place:
            self._note_presences(message.joins, message.leaves)

    def _message(self, data: bytes) -> Message:
        return ChannelMessageSend(channel_id=self.place, content=_as_text(data))


class PartyRoom(Room):
    """An open party of the player's group: the first who comes opens it, the others join."""

    op_code = OP_CODE

    async def enter(self) -> None:
        """Raises SwarmError. Timed as `join`."""
        group = self.player.group
        opened = await group.once("party_id", self._open)
        if self.visit.is_in:
            return
        try:
            await self._join(opened)
        except ErrorReply:
            # Everybody had left, and the party with them: another one is opened.
            group.forget("party_id", opened)
            another = await group.once("party_id", self._open)
            if not self.visit.is_in:
                await self._join(another)

    async def _join(self, party_id: str) -> None:
        join = PartyJoin(party_id=party_id)
        await self.player.ask_for(join, Party, timed="join", then=self._answered)

    async def _open(self) -> str:
        create = PartyCreate(open=True, max_size=MAX_PARTY)
        await self.player.ask(create, timed="join", then=self._answered)
        return self.place

    def _answered(self, reply: Message | None) -> None:
        if not isinstance(reply, Party) or reply.self is None:
            raise SwarmError("the server answered a request for a party with something else")
        present = [each.session_id for each in reply.presences]
        self.entered(reply.party_id, reply.self.session_id, reply.self.user_id, present)

    @staticmethod
    def said(message: Message) -> Said | None:
        if not isinstance(message, PartyData):
            return None
        return _said(message.party_id, message.op_code, message.presence, message.data)

    def note(self, message: Message) -> None:
        if isinstance(message, PartyPresenceEvent) and message.party_id == self.place:
            self._note_presences(message.joins, message.leaves)

    def _message(self, data: bytes) -> Message:
        return PartyDataSend(party_id=self.place, op_code=self.op_code, data=data)


class StatusRoom(Room):
    """One player's status, and those who follow it: the place is the user's id."""

    in_text = True

    async def enter(self) -> None:
        """Speak as oneself, or follow who does: the place is the group's first member."""
        player = self.player
        if player.index == 0:
            self.entered(player.user_id, "", player.user_id, None)
            player.group.tell("speaker", player.user_id)
            return
        speaker = await player.group.learn("speaker")

        def followed(_reply: Message | None) -> None:
            self.entered(speaker, "", player.user_id, None)

        await player.ask(StatusFollow(user_ids=(speaker,)), timed="join", then=followed)

    @staticmethod
    def said(message: Message) -> Said | None:
        if not isinstance(message, StatusPresenceEvent) or len(message.joins) != 1:
            return None
        (by,) = message.joins
        if by.status is None or not by.status.startswith(_TEXT):
            return None
        return Said(by.user_id, by.session_id, by.user_id, _of_text(by.status))

    def note(self, message: Message) -> None:
        """Who is online is told with each status, and is no membership."""

    def _message(self, data: bytes) -> Message:
        return StatusUpdate(status=_as_text(data))


KINDS: Final[tuple[type[Room], ...]] = (MatchRoom, ChatRoom, PartyRoom, StatusRoom)


def said(message: Message) -> Said | None:
    """What a message says in any kind of place, or None when it is of no place."""
    return next((found for kind in KINDS if (found := kind.said(message)) is not None), None)


def _said(place: str, op_code: int, by: UserPresence | None, data: bytes) -> Said:
    return Said(place, by.session_id if by else "", by.user_id if by else "", data, op_code)


def _as_text(data: bytes) -> str:
    return f"{_TEXT}{b2a_base64(data, newline=False).decode()}{_TEXT_END}"


def _of_text(text: str) -> bytes:
    """The data, or nothing when the text is not, in every character, what `_as_text` makes of some."""
    try:
        data = a2b_base64(text[len(_TEXT) : -len(_TEXT_END)], strict_mode=True)
    except (NoBase64, ValueError):
        return b""
    return data if _as_text(data) == text else b""
