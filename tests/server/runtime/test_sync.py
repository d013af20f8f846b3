"""A state as its players are shown it: every replica equals what its player may see, at every tick."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.runtime import Dispatcher, Form, Player, Replica, Synced
from server.runtime.dispatcher import Broadcast
from tests.server.runtime.test_mirror import canonical, data

OP = 7
ALICE, BOB, EVE = (Player(name, f"session-{name}", name) for name in ("alice", "bob", "eve"))


class Audience:
    """Players who listen: what each was sent, and the state that they make of it."""

    def __init__(self, form: Form = Form.JSON, views: dict[str, Any] | None = None) -> None:
        self.dispatcher = Dispatcher()
        self.world = Synced(self.dispatcher, OP, form=form, views=views)
        self.form = form
        self.replicas: dict[str, Replica] = {}
        self.sent: list[Broadcast] = []

    def publish(self, *players: Player) -> list[Broadcast]:
        """What was sent in one tick, already heard by all."""
        self.world.publish(players)
        self.sent = [each for each in self.dispatcher.take() if isinstance(each, Broadcast)]
        for message in self.sent:
            assert message.op_code == OP
            assert message.reliable
            for session_id in message.to or ():
                self.replica(session_id).apply(message.data)
        return self.sent

    def replica(self, session_id: str) -> Replica:
        return self.replicas.setdefault(session_id, Replica(self.form))

    def read(self, player: Player) -> Any:
        """The message of the last tick to this player."""
        decode = msgspec.json.decode if self.form is Form.JSON else msgspec.msgpack.decode
        found = [each.data for each in self.sent if player.session_id in (each.to or ())]
        assert len(found) <= 1
        return decode(found[0]) if found else None


def only(*keys: str) -> Callable[[Player], Iterable[str]]:
    return lambda player: keys


@pytest.mark.parametrize("form", Form)
def test_joiners_get_a_snapshot_and_members_what_changed_encoded_once(form: Form) -> None:
    audience = Audience(form)
    audience.world.state = {"round": 1, "ships": {"bob": {"x": 1, "y": 1}}}
    audience.publish(ALICE, BOB)
    assert audience.read(ALICE) == {"seq": 1, "state": {"round": 1, "ships": {"bob": {"x": 1, "y": 1}}}}

    audience.world.state["ships"]["bob"]["x"] = 2
    sent = audience.publish(ALICE, BOB, EVE)

    assert [each.to for each in sent] == [(ALICE.session_id, BOB.session_id), (EVE.session_id,)]
    assert audience.read(BOB) == {"seq": 2, "after": 1, "patch": {"ships": {"bob": {"x": 2}}}}
    assert audience.read(EVE) == {"seq": 2, "state": {"round": 1, "ships": {"bob": {"x": 2, "y": 1}}}}


def test_a_tick_in_which_nothing_changes_says_nothing_and_is_no_gap() -> None:
    audience = Audience()
    audience.world.state["a"] = 1
    audience.publish(ALICE)

    assert [audience.publish(ALICE) for _ in range(3)] == [[], [], []]
    audience.world.state["a"] = 2
    audience.publish(ALICE)

    assert audience.read(ALICE) == {"seq": 5, "after": 1, "patch": {"a": 2}}


def test_a_player_is_sent_only_what_they_may_see() -> None:
    views = {"ships": lambda player: ["alice", "near"] if player is ALICE else ["bob"]}
    audience = Audience(views=views)
    ships: dict[str, Any] = {"alice": {"x": 1}, "bob": {"x": 2}, "near": {"x": 3}, "hidden": {"x": 4}}
    audience.world.state = {"round": 1, "ships": ships}

    audience.publish(ALICE, BOB)
    assert audience.read(ALICE)["state"] == {"round": 1, "ships": {"alice": {"x": 1}, "near": {"x": 3}}}
    assert audience.read(BOB)["state"] == {"round": 1, "ships": {"bob": {"x": 2}}}

    ships["hidden"]["x"] = 5
    assert audience.publish(ALICE, BOB) == []

    ships["bob"]["x"] = ships["near"]["x"] = 6
    audience.publish(ALICE, BOB)
    assert audience.read(ALICE)["patch"] == {"ships": {"near": {"x": 6}}}
    assert audience.read(BOB)["patch"] == {"ships": {"bob": {"x": 6}}}


def test_what_comes_into_view_is_sent_whole_and_what_leaves_it_is_removed() -> None:
    seen = ["a"]
    audience = Audience(views={"ships": lambda player: seen})
    audience.world.state["ships"] = {"a": {"x": 1, "y": 1}, "b": {"x": 2, "y": 2}}
    audience.publish(ALICE)

    seen[:] = ["b"]
    audience.world.state["ships"]["b"]["x"] = 3
    audience.publish(ALICE)

    assert audience.read(ALICE)["patch"] == {"ships": {"a": None, "b": {"x": 3, "y": 2}}}


def test_a_view_may_name_what_is_not_there() -> None:
    audience = Audience(views={"ships": only("a", "ghost")})
    audience.world.state["ships"] = {"a": 1}
    audience.publish(ALICE)
    assert audience.read(ALICE)["state"] == {"ships": {"a": 1}}

    del audience.world.state["ships"]
    audience.publish(ALICE)
    assert audience.read(ALICE)["patch"] == {"ships": {"a": None}}


def test_players_who_see_the_same_share_one_message() -> None:
    audience = Audience(views={"ships": lambda player: ["b", "a"] if player is ALICE else ["a", "b", "a"]})
    audience.world.state["ships"] = {"a": {"x": 1}, "b": {"x": 1}}
    audience.publish(ALICE, BOB)

    audience.world.state["ships"]["a"]["x"] = 2

    assert [each.to for each in audience.publish(ALICE, BOB)] == [(ALICE.session_id, BOB.session_id)]


def test_who_left_is_forgotten_and_begins_again_with_a_snapshot() -> None:
    audience = Audience()
    audience.world.state["a"] = 1
    audience.publish(ALICE, BOB)
    audience.publish(ALICE)

    audience.publish(ALICE, BOB)

    assert audience.read(ALICE) is None
    assert audience.read(BOB) == {"seq": 3, "state": {"a": 1}}


def test_nothing_is_kept_of_players_who_left() -> None:
    audience = Audience(views={"ships": only("a")})
    for number in range(500):
        audience.publish(ALICE, Player("u", f"session-{number}", "u"))

    assert len(audience.world._known) == 2


def test_who_left_and_came_back_between_two_ticks_begins_with_a_snapshot() -> None:
    audience = Audience()
    audience.world.state["a"] = 1
    audience.publish(ALICE)

    audience.publish(Player(ALICE.user_id, ALICE.session_id, ALICE.username))

    assert audience.read(ALICE) == {"seq": 2, "state": {"a": 1}}


def test_who_missed_something_is_sent_a_snapshot_on_request() -> None:
    audience = Audience()
    audience.world.state["a"] = 1
    audience.publish(ALICE, BOB)

    audience.world.resync([BOB, EVE])
    audience.publish(ALICE, BOB)

    assert audience.read(ALICE) is None
    assert audience.read(BOB) == {"seq": 2, "state": {"a": 1}}


def test_after_a_fault_everybody_begins_with_a_snapshot() -> None:
    audience = Audience(views={"ships": only("a")})
    audience.world.state = {"first": 1, "ships": {"a": {"x": 1}}}
    audience.publish(ALICE)

    audience.world.state.update(first=2, ships={"a": {"x": float("nan")}})
    with pytest.raises(ValueError, match=r"^ships\.a\.x: "):
        audience.publish(ALICE)
    audience.world.state["ships"]["a"]["x"] = 2
    audience.publish(ALICE)

    assert audience.read(ALICE) == {"seq": 3, "state": {"first": 2, "ships": {"a": {"x": 2}}}}


def test_a_view_that_raises_loses_nothing() -> None:
    seen: dict[str, list[str]] = {}
    audience = Audience(views={"ships": lambda player: seen[player.user_id]})
    audience.world.state["ships"] = {"a": 1}
    with pytest.raises(KeyError):
        audience.publish(ALICE)

    seen["alice"] = ["a"]
    audience.publish(ALICE)

    assert audience.replicas[ALICE.session_id].state == {"ships": {"a": 1}}


def test_a_collection_with_a_view_must_be_a_dict() -> None:
    audience = Audience(views={"ships": only("a")})
    audience.world.state["ships"] = ["a"]

    with pytest.raises(ValueError, match=r"^ships: what has a view must be a dict"):
        audience.publish(ALICE)


@pytest.mark.parametrize("views", [None, {"a": only("self")}], ids=["all", "view"])
def test_a_state_that_holds_itself_is_refused(views: dict[str, Any] | None) -> None:
    audience = Audience(views=views)
    cycle: dict[str, Any] = {}
    audience.world.state["a"] = cycle
    cycle["self"] = cycle

    with pytest.raises(ValueError, match="holds itself"):
        audience.publish(ALICE)


def test_a_snapshot_too_large_for_a_message_is_refused() -> None:
    audience = Audience()
    audience.world.state["a"] = "x" * 1024 * 1024

    with pytest.raises(ValueError, match="more than"):
        audience.publish(ALICE)


players = st.sets(st.sampled_from([ALICE, BOB, EVE]))
ticks = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("abc"), data, max_size=3),  # seen by all
        st.dictionaries(st.sampled_from("xyz"), data, max_size=3),  # ships
        st.dictionaries(st.sampled_from("xyz"), data, max_size=3),  # hands
        st.tuples(*[st.sets(st.sampled_from("xyz")) for _ in range(6)]),  # who sees which of them
        players,
        players,  # who asks for a snapshot
    ),
    max_size=8,
)


@pytest.mark.parametrize("form", Form)
@given(ticks=ticks)
def test_every_replica_is_what_its_player_may_see_at_every_tick(form: Form, ticks: list[Any]) -> None:
    everybody = [ALICE, BOB, EVE]
    sights: dict[tuple[str, Player], set[str]] = {}
    audience = Audience(
        form, {name: lambda player, name=name: sights[name, player] for name in ("ships", "hands")}
    )
    for seen_by_all, ships, hands, allowed, present, asking in ticks:
        become(audience.world.state, {**seen_by_all, "ships": ships, "hands": hands})
        places = [(name, player) for name in ("ships", "hands") for player in everybody]
        sights.update(zip(places, allowed, strict=True))
        audience.world.resync(asking)

        audience.publish(*(player for player in everybody if player in present))

        for player in present:
            expected = seen_by_all | {
                name: {key: entry for key, entry in entries.items() if key in sights[name, player]}
                for name, entries in (("ships", ships), ("hands", hands))
            }
            assert canonical(audience.replica(player.session_id).state) == canonical(expected)


def become(target: dict[str, Any], source: dict[str, Any]) -> None:
    """Change a dict in place, at every depth, as games do."""
    for key in [key for key in target if key not in source]:
        del target[key]
    for key, value in source.items():
        old = target.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            become(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            old[:] = value
        else:
            target[key] = copied(value)


def copied(value: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))
