"""Parties under any order of requests, against a small model: lists of names, and what each socket has heard.

The model knows members, leader and requests as plain lists. Beside that, what every socket heard is added up:
somebody who is in a party knows exactly who else is, and nobody else hears anything of it.
"""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocol.messages import (
    Party,
    PartyClose,
    PartyCreate,
    PartyDataSend,
    PartyJoinRequest,
    PartyLeader,
    PartyPresenceEvent,
    PartyUpdate,
    UserPresence,
)
from server.core.matchmaker import Limits, Matchmaker
from server.core.party import Parties, PartyLimits
from server.core.party_room import MODE, PartyRefused
from server.core.presence import Presences
from server.core.ticket import MatchmakerError, Search
from server.effects import Deliver, Effects, Reply, Stream

NODE = "n"
PER_SESSION = 3
PLAYERS = [
    UserPresence(user_id=f"u{number}", session_id=f"s{number}", username=f"n{number}") for number in range(5)
]
BY_SESSION = {player.session_id: player for player in PLAYERS}
who = st.sampled_from(PLAYERS)
which = st.integers(0, 3)


class Known:
    """A party as the model has it."""

    def __init__(self, leader: str, is_open: bool, max_size: int) -> None:
        self.members = [leader]
        self.max_size = max_size
        self.leader = leader
        self.requests: list[str] = []
        self.open = is_open


class PartyMachine(RuleBasedStateMachine):
    @initialize(single=st.booleans())
    def begin(self, single: bool) -> None:
        self.single = single
        self.presences = Presences()
        self.matchmaker = Matchmaker(Limits())
        self.parties = Parties(self.presences, self.matchmaker, NODE, PartyLimits(PER_SESSION, single))
        self.known: dict[str, Known] = {}
        self.seen: dict[tuple[str, str], set[str]] = {}
        """What a session believes of who is in a party."""
        self.led: dict[tuple[str, str], str] = {}
        self.made = 0
        self.tickets = 0

    # ---- what is asked

    @rule(me=who, is_open=st.booleans(), max_size=st.integers(1, 4))
    def create(self, me: UserPresence, is_open: bool, max_size: int) -> None:
        party_id = f"p{self.made}.{NODE}"
        if self._places(me.session_id, entering=True) >= PER_SESSION:
            self._refused("in too many parties", self._create, me, is_open, max_size)
            return
        effects = self._create(me, is_open, max_size)
        self.made += 1
        self._leave_others(me.session_id)
        self.known[party_id] = Known(me.session_id, is_open, max_size)
        assert isinstance(effects[0], Reply)
        assert isinstance(effects[0].message, Party)
        assert effects[0].message.party_id == party_id
        self._hear(effects)

    def _create(self, me: UserPresence, is_open: bool, max_size: int) -> Effects:
        return self.parties.create(me, PartyCreate(open=is_open, max_size=max_size), f"p{self.made}", 0)

    @rule(me=who, at=which)
    def join(self, me: UserPresence, at: int) -> None:
        party_id, party = self._pick(at)
        session = me.session_id
        if party is None:
            self._refused("party not found", self.parties.join, me, party_id)
        elif party.open and session in party.members:
            assert self.parties.join(me, party_id) == [Reply()]
        elif len(party.members) >= party.max_size:
            self._refused("party full", self.parties.join, me, party_id)
        elif party.open:
            if session not in party.requests and self._places(session, entering=True) >= PER_SESSION:
                self._refused("in too many parties", self.parties.join, me, party_id)
                return
            effects = self.parties.join(me, party_id)
            self._leave_others(session)
            if session in party.requests:
                party.requests.remove(session)
            party.members.append(session)
            self._hear(effects)
        elif session in party.members:
            self._refused("party join request already member", self.parties.join, me, party_id)
        elif session not in party.requests and self._places(session, entering=False) >= PER_SESSION:
            self._refused("in too many parties", self.parties.join, me, party_id)
        elif len(party.requests) >= party.max_size:
            self._refused("party join requests full", self.parties.join, me, party_id)
        elif session in party.requests:
            self._refused("party join request duplicate", self.parties.join, me, party_id)
        else:
            party.requests.append(session)
            told = PartyJoinRequest(party_id=party_id, presences=(me,))
            assert self.parties.join(me, party_id) == [Reply(), Deliver((party.leader,), told)]

    @rule(me=who, other=who, at=which)
    def accept(self, me: UserPresence, other: UserPresence, at: int) -> None:
        party_id, party = self._pick(at)
        if party is None or party.leader != me.session_id:
            self._refused_to(party, self.parties.accept, me, party_id, other)
        elif len(party.members) >= party.max_size:
            self._refused("party full", self.parties.accept, me, party_id, other)
        elif other.session_id not in party.requests:
            self._refused("party join request not found", self.parties.accept, me, party_id, other)
        else:
            effects = self.parties.accept(me, party_id, other)
            party.requests.remove(other.session_id)
            self._leave_others(other.session_id)
            party.members.append(other.session_id)
            self._hear(effects)

    @rule(me=who, other=who, at=which)
    def remove(self, me: UserPresence, other: UserPresence, at: int) -> None:
        party_id, party = self._pick(at)
        if party is None or party.leader != me.session_id:
            self._refused_to(party, self.parties.remove, me, party_id, other)
        elif other == me:
            self._refused("party cannot remove self", self.parties.remove, me, party_id, other)
        elif other.session_id in party.members:
            effects = self.parties.remove(me, party_id, other)
            self._gone(other.session_id, party_id)
            self._hear(effects)
        elif other.session_id in party.requests:
            party.requests.remove(other.session_id)
            assert self.parties.remove(me, party_id, other) == [Reply()]
        else:
            self._refused("party member not found", self.parties.remove, me, party_id, other)

    @rule(me=who, other=who, at=which)
    def promote(self, me: UserPresence, other: UserPresence, at: int) -> None:
        party_id, party = self._pick(at)
        if party is None or party.leader != me.session_id:
            self._refused_to(party, self.parties.promote, me, party_id, other)
        elif other.session_id not in party.members:
            self._refused("party member not found", self.parties.promote, me, party_id, other)
        else:
            party.leader = other.session_id
            self._hear(self.parties.promote(me, party_id, other))

    @rule(me=who, at=which)
    def leave(self, me: UserPresence, at: int) -> None:
        party_id, party = self._pick(at)
        effects = self.parties.leave(me, party_id)
        if party is not None and me.session_id in party.members:
            self._gone(me.session_id, party_id)
        else:
            assert effects == [Reply()]
        self._hear(effects)

    @rule(me=who, at=which)
    def end(self, me: UserPresence, at: int) -> None:
        party_id, party = self._pick(at)
        if party is None or party.leader != me.session_id:
            self._refused_to(party, self.parties.end, me, party_id)
            return
        effects = self.parties.end(me, party_id)
        del self.known[party_id]
        assert isinstance(effects[0], Deliver)  # the news of the end comes before the answer
        self._hear(effects)

    @rule(me=who, at=which, is_open=st.booleans())
    def update(self, me: UserPresence, at: int, is_open: bool) -> None:
        party_id, party = self._pick(at)
        if party is None or party.leader != me.session_id:
            self._refused_to(party, self.parties.update, me, party_id, PartyUpdate(open=is_open))
            return
        party.open = is_open
        self.parties.update(me, party_id, PartyUpdate(open=is_open))

    @rule(me=who, at=which)
    def send(self, me: UserPresence, at: int) -> None:
        party_id, party = self._pick(at)
        if party is None:
            self._refused("party not found", self.parties.send, me, party_id, PartyDataSend())
        elif me.session_id not in party.members:
            self._refused("party member not found", self.parties.send, me, party_id, PartyDataSend())
        else:
            assert len(self.parties.send(me, party_id, PartyDataSend())) == 2

    @rule(me=who, at=which)
    def search(self, me: UserPresence, at: int) -> None:
        party_id, party = self._pick(at)
        self.tickets += 1
        asked = (me, party_id, Search(2, 8), f"t{self.tickets}", 0.0)
        if party is None or party.leader != me.session_id:
            self._refused_to(party, self.parties.search, *asked)
            return
        with suppress(MatchmakerError):  # too many tickets: the matchmaker's own tests are about it
            self.parties.search(*asked)

    @rule(me=who)
    def session_ends(self, me: UserPresence) -> None:
        effects = self.parties.close(me)
        self.matchmaker.close(me)
        for party_id, party in list(self.known.items()):
            if me.session_id in party.requests:
                party.requests.remove(me.session_id)
            if me.session_id in party.members:
                self._gone(me.session_id, party_id)
        self._hear(effects)

    # ---- what must hold

    @precondition(lambda self: hasattr(self, "known"))
    @invariant()
    def the_server_has_what_the_model_has(self) -> None:
        assert len(self.parties) == len(self.known)
        assert self.parties.requests == sum(len(party.requests) for party in self.known.values())
        for party_id, party in self.known.items():
            members = self.presences.members(stream_of(party_id))
            assert list(members) == party.members
            assert party.leader in members
            leader = BY_SESSION[party.leader]
            asking = self.parties.requests_of(leader, party_id)
            assert [each.session_id for each in asking] == party.requests
            assert not set(party.requests) & set(party.members)
        assert len(self.presences) == sum(len(party.members) for party in self.known.values())

    @precondition(lambda self: hasattr(self, "known"))
    @invariant()
    def every_member_has_heard_who_is_there_and_who_leads(self) -> None:
        wanted = {
            (session, party_id): set(party.members)
            for party_id, party in self.known.items()
            for session in party.members
        }
        assert self.seen == wanted
        assert self.led == {place: self.known[place[1]].leader for place in wanted}

    # ---- the model's own rules

    def _pick(self, at: int) -> tuple[str, Known | None]:
        ids = list(self.known)
        return (ids[at], self.known[ids[at]]) if at < len(ids) else (f"p99.{NODE}", None)

    def _places(self, session: str, *, entering: bool) -> int:
        inside = sum(session in party.members for party in self.known.values())
        asking = sum(session in party.requests for party in self.known.values())
        return asking + (0 if entering and self.single else inside)

    def _leave_others(self, session: str) -> None:
        if self.single:
            for party_id, party in list(self.known.items()):
                if session in party.members:
                    self._gone(session, party_id)

    def _gone(self, session: str, party_id: str) -> None:
        party = self.known[party_id]
        party.members.remove(session)
        self.seen.pop((session, party_id))
        self.led.pop((session, party_id))
        if not party.members:
            del self.known[party_id]
        elif party.leader == session:
            party.leader = party.members[0]

    def _hear(self, effects: Effects) -> None:
        """Every receiver believes what it is told, in order; who is told of others' affairs is found out."""
        for effect in effects:
            if not isinstance(effect, Deliver):
                continue
            to = effect.to
            sessions = tuple(self.presences.members(to)) if isinstance(to, Stream) else to
            for session in sessions:
                self._believe(session, effect.message)

    def _believe(self, session: str, message: Any) -> None:
        place = (session, message.party_id)
        match message:
            case Party(leader=UserPresence() as leader):
                assert place not in self.seen
                self.seen[place] = {each.session_id for each in message.presences}
                self.led[place] = leader.session_id
            case PartyPresenceEvent():
                believed = self.seen[place]
                for each in message.leaves:
                    believed.remove(each.session_id)  # it was there: nobody leaves twice
                for each in message.joins:
                    believed.add(each.session_id)
            case PartyLeader(presence=UserPresence() as leader):
                self.led[place] = leader.session_id
            case PartyClose():
                self.seen.pop(place, None)
                self.led.pop(place, None)
            case other:
                assert isinstance(other, PartyJoinRequest)

    def _refused(self, why: str, action: Any, *asked: Any) -> None:
        with pytest.raises(PartyRefused, match=f"^{why}$"):
            action(*asked)

    def _refused_to(self, party: Known | None, action: Any, *asked: Any) -> None:
        self._refused("party not found" if party is None else "party leader only", action, *asked)


def stream_of(party_id: str) -> Stream:
    return Stream(MODE, party_id.removesuffix(f".{NODE}"), label=NODE)


PartyMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestParties = PartyMachine.TestCase
