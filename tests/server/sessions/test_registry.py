"""Sessions that begin and end: one per player, and what the others see of it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.close import CloseReason
from protocol.envelope import Format
from protocol.messages import UserPresence
from server.sessions import registry
from server.sessions.session import SessionState
from tests.support.players import ALICE, BOB, CAROL, NEW_ID
from tests.support.seats import Seated, Table
from tests.support.world import KnownUsers, empty_world

KICKED = {
    "notifications": {
        "notifications": [
            {
                "id": NEW_ID,
                "subject": "single_socket",
                "content": "{}",
                "code": -7,
                "create_time": "2027-01-15T08:00:00Z",
            }
        ]
    }
}

STEPS = st.tuples(st.sampled_from(["connect", "lose", "close", "turn"]), st.integers(0, 5))


def again(player: UserPresence, number: int) -> UserPresence:
    """Another socket of the same player."""
    return UserPresence(user_id=player.user_id, session_id=f"again-{number}", username=player.username)


def people(event: dict[str, Any], kind: str) -> dict[str, list[str]]:
    """Session ids by joins and leaves."""
    return {
        name: [presence["session_id"] for presence in presences]
        for name, presences in event[kind].items()
        if name in ("joins", "leaves")
    }


@pytest.mark.parametrize("form", Format)
def test_the_older_socket_is_told_in_its_format_and_then_closed(form: Format) -> None:
    table = Table()
    older = table.seat(ALICE, form=form)

    newer = table.seat(again(ALICE, 1))

    assert older.heard() == [KICKED]
    assert older.session.state is SessionState.ENDED
    assert older.session.close_text == "server-side session disconnect"
    assert newer.heard() == []
    assert list(table.registry.by_id) == ["again-1"]


def test_a_follower_sees_the_older_socket_leave_before_the_newer_joins() -> None:
    table = Table()
    follower = table.seat(BOB)
    table.world.statuses.follow(BOB, [ALICE.user_id])
    table.seat(ALICE, appear=True)
    follower.heard()

    table.seat(again(ALICE, 1), appear=True)

    assert [people(event, "status_presence_event") for event in follower.heard()] == [
        {"leaves": [ALICE.session_id]},
        {"joins": ["again-1"]},
    ]


def test_a_takeover_leaves_the_matches_of_the_older_socket() -> None:
    table = Table()
    member = table.seat(BOB)
    member.say({"match_create": {"name": "room"}})
    table.seat(ALICE).say({"match_create": {"name": "room"}})
    member.heard()

    table.seat(again(ALICE, 1))

    assert [people(event, "match_presence_event") for event in member.heard()] == [
        {"leaves": [ALICE.session_id]}
    ]


def test_the_late_end_of_a_replaced_socket_does_not_touch_its_successor() -> None:
    table = Table()
    older = table.seat(ALICE)
    newer = table.seat(again(ALICE, 1))

    older.lose()
    newer.say({"cid": "1", "ping": {}})

    assert newer.heard() == [{"cid": "1", "pong": {}}]
    assert table.registry.closed == {1000: 1}


def test_without_the_rule_a_player_may_have_many_sockets() -> None:
    table = Table(single_socket=False)
    first = table.seat(ALICE)

    table.seat(again(ALICE, 1))

    assert first.heard() == []
    assert len(table.registry) == 2


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["connect", "lose", "close", "turn"]), st.integers(0, 5)), max_size=30)
)
def test_under_any_interleaving_the_newest_socket_stays(steps: list[tuple[str, int]]) -> None:
    table = Table()
    made: list[Seated] = []

    for step, which in steps:
        if step == "connect":
            made.append(table.seat(again(ALICE, len(made)), appear=True))
        elif step == "turn":
            table.turn()
        elif made and (chosen := made[which % len(made)]).session.state is not SessionState.LOST:
            if step == "lose":
                chosen.lose()
            else:
                chosen.session.end(CloseReason.LOGGED_OUT)

    open_ones = [each for each in made if each.session.state is SessionState.OPEN]
    assert open_ones in ([], made[-1:])
    assert [each.session.session_id for each in open_ones] == list(table.registry.by_id)
    assert len(table.world.presences) == len(open_ones)


def test_a_logout_ends_the_sockets_of_its_logins_and_no_others() -> None:
    table = Table()
    alice, bob = table.seat(ALICE, family_id="one"), table.seat(BOB, family_id="two")

    table.registry.end_families({"one", "unknown"}, CloseReason.LOGGED_OUT)

    assert alice.session.close_code == 4502
    assert bob.session.state is SessionState.OPEN
    assert table.registry.closed == {4502: 1}


def test_nothing_is_left_of_those_who_left() -> None:
    table = Table(empty_world(KnownUsers({BOB.user_id: "bob"})))
    for player in (ALICE, BOB, CAROL):
        seated = table.seat(player, appear=True)
        seated.say({"match_create": {"name": "room"}})
        table.world.statuses.follow(player, [NEW_ID])
        seated.lose()

    world, registry = table.world, table.registry
    assert len(registry) == registry.leaving == len(world.presences) == len(world.matches) == 0
    assert world.statuses.follows == 0
    assert [name for name, value in vars(registry).items() if isinstance(value, dict | set) and value] == [
        "closed"
    ]
    assert len(table.keepalive) == 0


def test_the_end_of_all_waits_until_the_last_connection_is_gone() -> None:
    table = Table()
    seated = [table.seat(player) for player in (ALICE, BOB)]
    idle: list[bool] = []
    table.registry.on_idle = lambda: idle.append(True)

    assert not table.registry.end_some(CloseReason.RESTARTING)
    assert table.registry.leaving == 2
    seated[0].lose()
    assert idle == []
    table.registry.abort_all()
    assert [each.transport.aborted for each in seated] == [False, True]
    seated[1].lose()

    assert idle == [True]


def test_when_the_server_stops_sockets_are_closed_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BATCH", 2)
    table = Table()
    players = [UserPresence(user_id=f"{n}", session_id=f"{n}", username=f"{n}") for n in range(5)]
    seated = [table.seat(player) for player in players]

    more = [table.registry.end_some(CloseReason.RESTARTING) for _ in range(3)]

    assert more == [True, True, False]
    assert [each.session.close_code for each in seated] == [4001] * 5


@pytest.mark.parametrize("player", [ALICE, BOB])
def test_counts_tell_what_happened(player: UserPresence) -> None:
    table = Table()

    table.seat(player)
    table.seat(again(player, 1))

    assert (table.registry.opened, table.registry.replaced) == (2, 1)
