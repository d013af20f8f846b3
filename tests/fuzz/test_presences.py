"""Who is where, as each client believes it, when players come, go, join, leave, follow and are replaced.

A hypothesis state machine on the whole server but TCP and HTTP, its clients of both formats. After each step
what every client was told must add up to who is really there: no ghost, nobody missing, nobody twice, and a
socket that is replaced leaves before its successor joins (`tests/support/views.py`).

One round in `make test`; `make fuzz` goes on for LOCKGATE_FUZZ_S seconds.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from structlog.testing import capture_logs

from protocol.close import CloseReason
from protocol.envelope import Format
from protocol.messages import UserPresence
from server.clock import SystemClock
from tests.support.players import ALICE, BOB, CAROL
from tests.support.seats import Table
from tests.support.views import Members, View
from tests.support.world import KnownUsers, empty_world

FUZZ_S = float(os.environ.get("LOCKGATE_FUZZ_S", "0"))
ROUNDS = 60
STEPS = 50
CLIENTS = 6
SEEN = {
    "entered a party",
    "opened a party",
    "replaced",
    "went",
    "joined somebody",
    "joined again",
    "left",
    "showed",
    "followed",
    "unfollowed",
}
NAMES = ("north", "south")
PARTIES = 3
"""Parties that one client opens or is in when it opens one."""
PLAYERS = (ALICE, BOB, CAROL)
JOINS: dict[str, Callable[[str], dict[str, Any]]] = {
    "match": lambda name: {"match_create": {"name": name}},
    "channel": lambda name: {"channel_join": {"target": name, "type": 1}},
}
LEAVES: dict[str, Callable[[str], dict[str, Any]]] = {
    "match": lambda group: {"match_leave": {"match_id": group}},
    "party": lambda group: {"party_leave": {"party_id": group}},
    "channel": lambda group: {"channel_leave": {"channel_id": group}},
}

players = st.sampled_from(PLAYERS)
indexes = st.integers(0, 11)
topics = st.sampled_from(sorted(JOINS))
names = st.sampled_from(NAMES)
with_clients = precondition(lambda machine: bool(machine.clients))


class Comings(RuleBasedStateMachine):
    """Clients, and beside them who is truly where."""

    seen: ClassVar[Counter[str]] = Counter()

    @initialize(single_socket=st.booleans())
    def begin(self, single_socket: bool) -> None:
        self.single_socket = single_socket
        self.loop = asyncio.new_event_loop()
        users = KnownUsers({each.user_id: each.username for each in PLAYERS})
        self.named = 0
        world = replace(empty_world(users), new_id=self._new_id)
        self.table = Table(world, single_socket=single_socket)
        self.clients: list[View] = []
        self.born = 0
        self.ids: dict[tuple[str, str], str] = {}
        """The id of each group that was ever joined, by topic and name."""
        self.groups: dict[str, list[str]] = {}
        """Who is in which group, by session id."""
        self.parties: set[str] = set()
        """The groups that are parties."""
        self.statuses: dict[str, Members] = {each.user_id: {} for each in PLAYERS}
        self.follows: dict[str, set[str]] = {}

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()

    @precondition(lambda machine: len(machine.clients) < CLIENTS)
    @rule(player=players, form=st.sampled_from(Format), appear=st.booleans())
    def connect(self, player: UserPresence, form: Format, appear: bool) -> None:
        self.born += 1
        session_id = f"{self.born:08d}-0000-11ef-8000-0123456789ab"
        me = UserPresence(user_id=player.user_id, session_id=session_id, username=player.username)
        replaced = [each for each in self.clients if self.single_socket and each.user_id == me.user_id]
        for client in replaced:
            self._forget(client)
        client = View(self._turn(lambda: self.table.seat(me, appear=appear, form=form)))
        self.clients.append(client)
        self.follows[me.session_id] = set()
        if appear:
            self.statuses[me.user_id][me.session_id] = ""
        self._note("replaced" if replaced else "connected")

    @with_clients
    @rule(index=indexes, politely=st.booleans())
    def go(self, index: int, politely: bool) -> None:
        client = self._client(index)
        self._forget(client)
        session = client.seated.session
        self._turn(client.seated.lose if not politely else lambda: session.end(CloseReason.DISCONNECTED))
        self._note("went")

    @with_clients
    @rule(index=indexes, topic=topics, name=names)
    def join(self, index: int, topic: str, name: str) -> None:
        client = self._client(index)
        answer = self._ask(client, JOINS[topic](name))
        group = answer[topic]["match_id" if topic == "match" else "id"]
        assert self.ids.setdefault((topic, name), group) == group
        members = self.groups.setdefault(group, [])
        if client.session_id in members:
            self._note("joined again")
        else:
            self._note(f"joined {'somebody' if members else 'nobody'}")
            members.append(client.session_id)

    @with_clients
    @rule(index=indexes)
    def open_party(self, index: int) -> None:
        client = self._client(index)
        if sum(group in self.parties for group in client.groups) < PARTIES:
            answer = self._ask(client, {"party_create": {"open": True, "max_size": 256}})
            group = answer["party"]["party_id"]
            self.parties.add(group)
            self.groups[group] = [client.session_id]
            self._note("opened a party")

    @precondition(lambda machine: any(machine.groups[each] for each in machine.parties))
    @rule(index=indexes, which=indexes)
    def enter_party(self, index: int, which: int) -> None:
        client = self._client(index)
        running = sorted(each for each in self.parties if self.groups[each])
        group = running[which % len(running)]
        assert self._ask(client, {"party_join": {"party_id": group}}).keys() == {"cid"}
        if client.session_id not in self.groups[group]:
            self.groups[group].append(client.session_id)
            self._note("entered a party")

    @precondition(lambda machine: any(each.groups for each in machine.clients))
    @rule(index=indexes, which=indexes)
    def leave(self, index: int, which: int) -> None:
        inside = [each for each in self.clients if each.groups]
        client = inside[index % len(inside)]
        group = sorted(client.groups)[which % len(client.groups)]
        named = (topic for (topic, _), known in self.ids.items() if known == group)
        topic = "party" if group in self.parties else next(named)
        assert self._ask(client, LEAVES[topic](group)).keys() == {"cid"}
        del client.groups[group]
        self.groups[group].remove(client.session_id)
        self._note("left")

    @with_clients
    @rule(index=indexes, status=st.sampled_from([None, "", "here", "away"]))
    def show(self, index: int, status: str | None) -> None:
        client = self._client(index)
        body = {} if status is None else {"status": status}
        assert self._ask(client, {"status_update": body}).keys() == {"cid"}
        shown = self.statuses[client.user_id]
        if status is None:
            shown.pop(client.session_id, None)
        else:
            shown[client.session_id] = status
        self._note("showed")

    @with_clients
    @rule(index=indexes, player=players)
    def follow(self, index: int, player: UserPresence) -> None:
        client = self._client(index)
        assert "status" in self._ask(client, {"status_follow": {"user_ids": [player.user_id]}})
        if player.user_id != client.user_id:
            self.follows[client.session_id].add(player.user_id)
            client.players.setdefault(player.user_id, {})
            self._note("followed")

    @with_clients
    @rule(index=indexes, player=players)
    def unfollow(self, index: int, player: UserPresence) -> None:
        client = self._client(index)
        assert self._ask(client, {"status_unfollow": {"user_ids": [player.user_id]}}).keys() == {"cid"}
        self.follows[client.session_id].discard(player.user_id)
        if player.user_id != client.user_id:
            client.players.pop(player.user_id, None)
            self._note("unfollowed")

    @invariant()
    def everybody_knows_who_is_there(self) -> None:
        if not hasattr(self, "clients"):
            return
        for client in self.clients:
            client.hear()
        for client in self.clients:
            me = client.session_id
            assert client.groups == {
                group: dict.fromkeys(members) for group, members in self.groups.items() if me in members
            }
            assert not client.expected, "an own join that was never announced"
            own = client.user_id
            assert {user: shown for user, shown in client.players.items() if user != own} == {
                user: self.statuses[user] for user in self.follows[me]
            }
        online = {user for user, shown in self.statuses.items() if shown}
        assert set(filter(self.table.world.statuses.is_online, self.statuses)) == online

    @invariant()
    def nothing_is_kept_of_those_who_went(self) -> None:
        if hasattr(self, "clients"):
            kept = sum(map(len, self.groups.values())) + sum(map(len, self.statuses.values()))
            assert len(self.table.world.presences) == kept

    @invariant()
    def all_members_know_one_leader_who_is_one_of_them(self) -> None:
        for client in getattr(self, "clients", ()):
            client.hear()
        for group in getattr(self, "parties", ()):
            members = self.groups[group]
            known = {each.leaders[group] for each in self.clients if each.session_id in members}
            assert len(known) == bool(members)
            assert known <= set(members)

    def _new_id(self) -> str:
        self.named += 1
        return f"{self.named:08d}-9999-4999-8999-999999999999"

    def _client(self, index: int) -> View:
        return self.clients[index % len(self.clients)]

    def _ask(self, client: View, message: dict[str, Any]) -> dict[str, Any]:
        """Say it, and return the answer, which must come before any event that the request caused."""
        self.everybody_knows_who_is_there()
        self._turn(lambda: client.seated.say(message | {"cid": "7"}))
        first, *rest = client.hear()
        assert first.get("cid") == "7", "an event came before its reply"
        assert not any("cid" in each for each in rest)
        return first

    def _forget(self, client: View) -> None:
        """The client is about to go: what it was told until now had to be right."""
        self.everybody_knows_who_is_there()
        self.clients.remove(client)
        for members in self.groups.values():
            if client.session_id in members:
                members.remove(client.session_id)
        self.statuses[client.user_id].pop(client.session_id, None)
        del self.follows[client.session_id]

    def _turn(self, act: Callable[[], Any]) -> Any:
        async def acted() -> Any:
            result = act()
            await self.table.tasks.idle()
            return result

        return self.loop.run_until_complete(acted())

    def _note(self, what: str) -> None:
        type(self).seen[what] += 1


def test_what_clients_are_told_adds_up_to_who_is_there() -> None:
    clock = SystemClock()
    until, rounds = clock.monotonic() + FUZZ_S, 0
    one_round = settings(
        max_examples=ROUNDS,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )

    class Counted(Comings):
        seen: ClassVar[Counter[str]] = Counter()

    while rounds == 0 or clock.monotonic() < until:
        with capture_logs():
            run_state_machine_as_test(Counted, settings=one_round)
        rounds += 1

    print(f"{rounds * ROUNDS} lives: {dict(Counted.seen.most_common())}")  # noqa: T201  # shown by make fuzz
    assert set(Counted.seen) >= SEEN
