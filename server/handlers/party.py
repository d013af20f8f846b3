"""Parties: which rule each request reaches, and what its failure is called."""

from collections.abc import Iterator
from contextlib import contextmanager

from protocol.errors import ErrorCode, RequestError
from protocol.messages import (
    PartyAccept,
    PartyClose,
    PartyCreate,
    PartyDataSend,
    PartyJoin,
    PartyJoinRequest,
    PartyJoinRequestList,
    PartyLeave,
    PartyMatchmakerAdd,
    PartyMatchmakerRemove,
    PartyMatchmakerTicket,
    PartyPromote,
    PartyRemove,
    PartyUpdate,
    UserPresence,
)
from server.core.identifiers import parse_uuid
from server.core.party_label import LabelError
from server.core.party_room import PartyRefused
from server.core.ticket import MatchmakerError, search_of
from server.effects import Deliver, Effects, Reply
from server.routes import Routes
from server.world import World

routes = Routes()

MAX_SIZE = 256


@routes.on(PartyCreate)
def create(world: World, me: UserPresence, message: PartyCreate) -> Effects:
    if not 0 <= message.max_size <= MAX_SIZE:
        raise _bad(f"Invalid party max size, must be 1-{MAX_SIZE}")
    with _doing("creating party"):
        return world.parties.create(me, message, world.new_id(), world.now())


@routes.on(PartyJoin)
def join(world: World, me: UserPresence, message: PartyJoin) -> Effects:
    party_id = _canonical(message.party_id)
    with _doing("joining party"):
        return world.parties.join(me, party_id)


@routes.on(PartyLeave)
def leave(world: World, me: UserPresence, message: PartyLeave) -> Effects:
    return world.parties.leave(me, _canonical(message.party_id))


@routes.on(PartyPromote)
def promote(world: World, me: UserPresence, message: PartyPromote) -> Effects:
    named, party_id = _named(message.presence), _canonical(message.party_id)
    with _doing("promoting new party leader"):
        return world.parties.promote(me, party_id, named)


@routes.on(PartyAccept)
def accept(world: World, me: UserPresence, message: PartyAccept) -> Effects:
    named, party_id = _named(message.presence), _canonical(message.party_id)
    with _doing("accepting party join request"):
        return world.parties.accept(me, party_id, named)


@routes.on(PartyRemove)
def remove(world: World, me: UserPresence, message: PartyRemove) -> Effects:
    named, party_id = _named(message.presence), _canonical(message.party_id)
    with _doing("removing party member or join request"):
        return world.parties.remove(me, party_id, named)


@routes.on(PartyClose)
def close(world: World, me: UserPresence, message: PartyClose) -> Effects:
    party_id = _canonical(message.party_id)
    with _doing("closing party"):
        return world.parties.end(me, party_id)


@routes.on(PartyJoinRequestList)
def list_requests(world: World, me: UserPresence, message: PartyJoinRequestList) -> Effects:
    party_id = _canonical(message.party_id)
    with _doing("listing party join requests"):
        asking = world.parties.requests_of(me, party_id)
    return [Reply(PartyJoinRequest(party_id=message.party_id, presences=asking))]


@routes.on(PartyUpdate)
def update(world: World, me: UserPresence, message: PartyUpdate) -> Effects:
    party_id = _canonical(message.party_id)
    with _doing("updating party"):
        return world.parties.update(me, party_id, message)


@routes.on(PartyDataSend)
def send(world: World, me: UserPresence, message: PartyDataSend) -> Effects:
    party_id = _canonical(message.party_id)
    with _doing("sending party data"):
        return world.parties.send(me, party_id, message)


@routes.on(PartyMatchmakerAdd)
def matchmaker_add(world: World, me: UserPresence, message: PartyMatchmakerAdd) -> Effects:
    search = search_of(message)
    search.check()
    party_id, ticket = _canonical(message.party_id), world.new_id()
    with _doing("adding party to matchmaker"):
        members = world.parties.search(me, party_id, search, ticket, world.now())
    told = PartyMatchmakerTicket(party_id=message.party_id, ticket=ticket)
    return [Reply(told), Deliver(members, told, skip=me.session_id)]


@routes.on(PartyMatchmakerRemove)
def matchmaker_remove(world: World, me: UserPresence, message: PartyMatchmakerRemove) -> Effects:
    if not message.ticket:
        raise _bad("Invalid matchmaker ticket")
    party_id = _canonical(message.party_id)
    with _doing("closing party"):  # so the reference says, and games may look for it
        return world.parties.stop_search(me, party_id, message.ticket)


@contextmanager
def _doing(what: str) -> Iterator[None]:
    """Says of a refusal which request it is about."""
    try:
        yield
    except (PartyRefused, LabelError, MatchmakerError) as error:
        raise _bad(f"Error {what}: {error}") from None


def _canonical(party_id: str) -> str:
    """A party's id as we write it. Raises RequestError for what is none."""
    subject, dot, node = party_id.partition(".")
    found = parse_uuid(subject)
    if not dot or found is None:
        raise _bad("Invalid party ID")
    return f"{found}.{node}"


def _named(presence: UserPresence | None) -> UserPresence:
    """The player whom a request is about. Raises RequestError unless they are named in full."""
    if presence is None or not (presence.user_id and presence.session_id and presence.username):
        raise _bad("Invalid presence")
    return presence


def _bad(text: str) -> RequestError:
    return RequestError(ErrorCode.BAD_INPUT, text)
