"""How many connections there may be, and who makes room for whom."""

import pytest

from server.web.connections import LINGER_S, PATIENCE_S, TOLD, Connection
from tests.support.door import Door, FakePeer


def test_what_comes_late_of_one_that_made_room_brings_nothing_back() -> None:
    door = Door(connections_total=1)
    place, _ = door.come()
    door.ask(place)
    door.answer(place)
    door.connections.leave(door.come()[0])

    door.connections.heard(place, door.now)
    door.connections.begun(place, door.now)
    door.answer(place)

    assert len(door.connections) == 0
    assert not door.connections._waiting
    assert not door.connections._idle


def test_as_many_connections_as_there_are_places_and_not_one_more() -> None:
    door = Door(connections_total=3)
    places = [door.come(site)[0] for site in "abc"]

    assert door.is_refused("d")
    assert door.counted == {"connections_total": 1}

    door.connections.leave(places[1])
    door.come("d")
    assert door.is_refused("e")


def test_an_address_has_its_places_and_a_proxy_has_them_all() -> None:
    door = Door(connections_per_address=2)
    for site in ("a", "a", "b", "b", "", "", "", ""):
        door.come(site)

    assert door.is_refused("a")
    assert door.is_refused("b")
    assert not door.is_refused("")
    assert door.counted == {"connections_per_address": 2}


def test_without_limits_there_is_always_room() -> None:
    door = Door(connections_total=0, connections_per_address=0)

    for _ in range(3000):
        door.come()

    assert (len(door.connections), door.connections.sites) == (3000, 0)


def test_leaving_twice_frees_one_place() -> None:
    door = Door(connections_total=2, connections_per_address=2)
    first, _ = door.come()
    door.come()

    door.connections.leave(first)
    door.connections.leave(first)

    assert len(door.connections) == 1
    door.come()
    assert door.is_refused()


def test_nothing_is_left_of_those_who_left() -> None:
    door = Door()
    for number in range(100):
        place, _ = door.come(f"site-{number}")
        if number % 3:
            door.ask(place)
        if number % 3 == 2:
            door.answer(place)
        door.connections.leave(place)

    connections = door.connections
    assert (len(connections), connections.sites) == (0, 0)
    assert not connections._waiting
    assert not connections._idle


@pytest.mark.parametrize("limit", ["connections_total", "connections_per_address"])
def test_the_longest_idle_makes_room(limit: str) -> None:
    door = Door(**{limit: 3})
    came = [door.come() for _ in range(3)]
    for place, _ in came:
        door.ask(place)
    door.answer(came[1][0])
    door.pass_time(1)
    door.answer(came[0][0])

    door.come()

    assert [peer.done for _, peer in came] == [[], ["aborted"], []]
    assert len(door.connections) == 3
    assert door.counted == {"room": 1}


@pytest.mark.parametrize("limit", ["connections_total", "connections_per_address"])
def test_who_has_kept_us_waiting_makes_room_and_who_has_just_come_does_not(limit: str) -> None:
    door = Door(**{limit: 3})
    came = [door.come() for _ in range(3)]
    door.ask(came[0][0])
    assert door.is_refused()

    door.clock.advance(PATIENCE_S)
    door.come()
    door.come()

    assert [peer.done for _, peer in came] == [[], ["aborted"], ["aborted"]]
    assert door.is_refused()


def test_a_request_that_is_served_never_makes_room() -> None:
    door = Door(connections_total=2)
    for _ in range(2):
        door.ask(door.come()[0])

    door.clock.advance(1000)

    assert door.is_refused()


def test_silent_ones_never_shut_a_newcomer_out_for_longer_than_our_patience() -> None:
    door = Door(connections_total=100, connections_per_address=0)
    served = 0
    for _ in range(60):
        for _ in range(40):  # of the flood
            door.connections.arrive(FakePeer(), "evil", door.now)
        place = door.connections.arrive(FakePeer(), "honest", door.now)
        if isinstance(place, Connection):
            served += 1
            door.ask(place)
            door.connections.leave(place)
        door.pass_time(1)

    assert served >= 58
    assert len(door.connections) <= 100


def test_the_refused_may_read_why_but_not_for_long_and_not_all_of_them() -> None:
    door = Door()
    peers = [FakePeer() for _ in range(TOLD + 5)]
    for peer in peers:
        door.connections.linger(peer, door.now)

    assert [peer.done for peer in peers] == [[]] * TOLD + [["aborted"]] * 5
    assert door.connections.told == TOLD
    door.pass_time(LINGER_S)
    assert [peer.done for peer in peers] == [["aborted"]] * (TOLD + 5)
    for peer in peers:
        door.connections.gone(peer)
    assert door.connections.told == 0


def test_all_are_dropped_at_the_end() -> None:
    door = Door()
    _, peer = door.come()
    refused = FakePeer()
    door.connections.linger(refused, door.now)

    door.connections.abort_all()

    assert (peer.done, refused.done) == (["aborted"], ["aborted"])
