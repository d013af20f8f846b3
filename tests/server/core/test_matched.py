"""What the matched are told."""

from protocol.messages import MatchmakerMatched
from server.core.grouping import Group
from server.core.matched import announce, users_of
from server.effects import Deliver, Effects, Stream
from tests.support.searches import search, ticket

PAIR = Group((ticket(2, search(2, 4), size=2, party_id="p.1"), ticket(1, search(2, 4, texts={"a": "b"}))))


def told(effects: Effects) -> dict[str, MatchmakerMatched]:
    found = {}
    for effect in effects:
        assert isinstance(effect, Deliver)
        assert isinstance(effect.message, MatchmakerMatched)
        assert isinstance(effect.to, tuple)
        assert not isinstance(effect.to, Stream)
        found[effect.to[0]] = effect.message
    return found


def test_users_are_those_found_and_then_those_who_searched() -> None:
    users = users_of(PAIR)

    names = [user.presence.username for user in users if user.presence]
    assert names == ["name200", "name201", "name100"]
    assert [user.party_id for user in users] == ["p.1", "p.1", ""]
    assert [user.string_properties for user in users] == [{}, {}, {"a": "b"}]


def test_each_is_told_their_own_ticket_and_themselves() -> None:
    users = users_of(PAIR)

    heard = told(announce(PAIR, users, token="secret"))

    assert list(heard) == ["session 200", "session 201", "session 100"]
    assert [each.ticket for each in heard.values()] == ["ticket 2", "ticket 2", "ticket 1"]
    assert tuple(each.self for each in heard.values()) == users
    assert all(each.users == users for each in heard.values())


def test_they_are_told_a_token_or_a_match_and_never_both() -> None:
    users = users_of(PAIR)

    relayed = told(announce(PAIR, users, token="secret")).values()
    of_game = told(announce(PAIR, users, match_id="m.node1")).values()

    assert {(each.token, each.match_id) for each in relayed} == {("secret", None)}
    assert {(each.token, each.match_id) for each in of_game} == {(None, "m.node1")}
