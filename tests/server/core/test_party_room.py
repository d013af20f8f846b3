"""One party's own state: what it shows, and who asks."""

import pytest

from protocol.messages import UserPresence
from server.core.party_label import LabelError
from server.core.party_room import PartyRefused, Refusal, Room, find, is_same
from server.core.query import parse
from server.effects import Stream
from tests.support.players import ALICE, BOB, CAROL, NEW_ID


def room(max_size: int = 2) -> Room:
    return Room(f"{NEW_ID}.node1", 0, 1_800_000_000, max_size, Stream(7, NEW_ID, label="node1"), ALICE)


@pytest.mark.parametrize(
    "query",
    [
        "+open:T",
        "+max_size:2",
        "+node:node1",
        '+create_time:>"2027-01-01"',
        "+label.mode:ranked",
        "+label.skill:>=50 +label.skill:<60",
        "+label.skill:55",
        "+label.practice:T -label.full:T",
        "+label.tags:b",
        "+label.map.name:desert",
        '+label.day:>"2024-01-01"',
        "-open:F -label.mode:casual +node:*",
    ],
)
def test_queries_see_the_label_and_what_the_party_is(query: str) -> None:
    shown = room()

    shown.show(
        '{"mode":"ranked","skill":55,"practice":true,"full":false,"tags":["a","b"],"map":{"name":"desert"},'
        '"day":"2024-05-01","nothing":null}',
        is_open=True,
        hidden=False,
    )

    assert parse(query).matches(shown.fields)


def test_no_label_is_an_empty_object() -> None:
    shown = room()

    shown.show("", is_open=False, hidden=True)

    assert (shown.label, shown.open, shown.hidden) == ("{}", False, True)


def test_a_bad_label_changes_nothing() -> None:
    shown = room()
    shown.show('{"a":1}', is_open=True, hidden=False)

    with pytest.raises(LabelError):
        shown.show("[]", is_open=False, hidden=True)

    assert (shown.label, shown.open, shown.hidden) == ('{"a":1}', True, False)
    assert parse("+label.a:1").matches(shown.fields)


def test_requests_are_one_for_each_player_and_as_many_as_places() -> None:
    asked = room(max_size=2)
    asked.ask(BOB)
    second_socket = UserPresence(user_id=BOB.user_id, session_id="other", username=BOB.username)

    with pytest.raises(PartyRefused) as twice:
        asked.ask(second_socket)
    asked.ask(CAROL)
    with pytest.raises(PartyRefused) as full:
        asked.ask(UserPresence(user_id="u", session_id="s", username="n"))

    assert (twice.value.refusal, full.value.refusal) == (Refusal.DUPLICATE_REQUEST, Refusal.REQUESTS_FULL)
    assert asked.requested(BOB) == BOB
    assert asked.requested(second_socket) is None
    assert asked.requested(ALICE) is None


def test_players_are_the_same_in_all_three_names() -> None:
    renamed = UserPresence(user_id=BOB.user_id, session_id=BOB.session_id, username="robert")

    assert is_same(BOB, UserPresence(user_id=BOB.user_id, session_id=BOB.session_id, username="bob"))
    assert find((ALICE, BOB), BOB) == BOB
    assert find((ALICE, BOB), renamed) is None
