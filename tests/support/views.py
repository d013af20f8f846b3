"""What a client believes about who is where, from nothing but the messages it was sent.

A join of somebody who is known to be there, or a leave of somebody who is not, fails at once: clients of
every SDK keep such lists, and a wrong one stays wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.seats import Seated

Members = dict[str, str | None]
"""Session id to status; only status presences have one."""

GROUPS = {"match": "match_id", "channel": "channel_id"}
"""Topics with members: in the answer to a join, and in `<topic>_presence_event`, which names the group so."""


@dataclass(eq=False)
class View:
    """One client's lists: of each group it is in, and of each player it follows."""

    seated: Seated
    groups: dict[str, Members] = field(default_factory=dict)
    players: dict[str, Members] = field(default_factory=dict)
    expected: set[str] = field(default_factory=set)
    """Groups whose announcement of this client's own join has not come yet."""
    leaders: dict[str, str] = field(default_factory=dict)
    """Who leads the parties that this client is in, by session id."""

    @property
    def session_id(self) -> str:
        return self.seated.session.session_id

    @property
    def user_id(self) -> str:
        return self.seated.session.user_id

    def hear(self) -> list[dict[str, Any]]:
        """Take in what was sent since last time, in its order, and return it."""
        messages = self.seated.heard()
        for message in messages:
            for member, body in message.items():
                self._take(member, body)
        return messages

    def _take(self, member: str, body: Any) -> None:
        if member in GROUPS:
            self._entered(body["id" if member == "channel" else GROUPS[member]], body)
        elif member.removesuffix("_presence_event") in GROUPS:
            self._changed(body[GROUPS[member.removesuffix("_presence_event")]], body)
        elif member == "party":
            self._shown(body["party_id"], body)
        elif member == "party_presence_event":
            self._changed(body["party_id"], body)
        elif member == "party_leader":
            self.leaders[body["party_id"]] = body["presence"]["session_id"]
        elif member == "status":
            for user_id, session_id, status in _presences(body, "presences"):
                self.players.setdefault(user_id, {})[session_id] = status
        elif member == "status_presence_event":
            self._status_changed(body)

    def _entered(self, group: str, body: dict[str, Any]) -> None:
        told: Members = {session_id: None for _, session_id, _ in _presences(body, "presences")}
        assert body["self"]["session_id"] == self.session_id
        if group in self.groups:
            assert told | {self.session_id: None} == self.groups[group]
            return
        assert self.session_id not in told, "a newcomer was among those who were there"
        self.groups[group] = told
        self.expected.add(group)

    def _shown(self, party: str, body: dict[str, Any]) -> None:
        """Parties are shown with the newcomer in them, and to who opens them twice."""
        told: Members = {session_id: None for _, session_id, _ in _presences(body, "presences")}
        assert body["self"]["session_id"] == self.session_id
        assert self.session_id in told
        self.leaders[party] = body["leader"]["session_id"]
        if party in self.groups:
            assert told == self.groups[party] | {self.session_id: None}
            return
        del told[self.session_id]
        self.groups[party] = told
        self.expected.add(party)

    def _changed(self, group: str, body: dict[str, Any]) -> None:
        assert group in self.groups, "an event of a group that the client is not in"
        members = self.groups[group]
        for _, session_id, _ in _presences(body, "leaves"):
            assert session_id != self.session_id, "a leaver was told of its own leave"
            assert session_id in members, "somebody left who had not been there"
            del members[session_id]
        for _, session_id, _ in _presences(body, "joins"):
            assert session_id not in members, "somebody joined who was there"
            members[session_id] = None
            if session_id == self.session_id:
                self.expected.remove(group)

    def _status_changed(self, body: dict[str, Any]) -> None:
        for user_id, session_id, status in _presences(body, "leaves"):
            # Of its own player's other sockets it hears without having followed: it may have missed the join.
            missed = {session_id: status} if user_id == self.user_id else {}
            assert (missed | self.players.get(user_id, {})).get(session_id) == status
            self.players.get(user_id, {}).pop(session_id, None)
        for user_id, session_id, status in _presences(body, "joins"):
            assert session_id not in self.players.setdefault(user_id, {})
            self.players[user_id][session_id] = status


def _presences(body: dict[str, Any], name: str) -> Iterator[tuple[str, str, str | None]]:
    for presence in body.get(name, ()):
        yield presence["user_id"], presence["session_id"], presence.get("status")
