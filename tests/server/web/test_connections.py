"""How long a connection may take for what."""

import pytest

from server.web.connections import LINGER_S
from tests.support.door import Door


def test_a_connection_on_which_nothing_is_said_ends_in_silence() -> None:
    door = Door()
    _, peer = door.come()

    door.pass_time(9)
    assert peer.done == []
    door.pass_time(1)

    assert peer.done == ["closed"]
    assert door.counted == {"silent": 1}


def test_a_head_that_trickles_in_does_not_gain_time() -> None:
    door = Door()
    place, peer = door.come()
    for _ in range(9):
        door.connections.heard(place, door.now)
        door.pass_time(1)
    assert peer.done == []

    door.pass_time(1)

    assert peer.done == ["408"]
    assert door.counted == {"head_timeout": 1}


def test_a_later_request_has_its_time_from_its_first_byte() -> None:
    door = Door()
    place, peer = door.come()
    door.ask(place)
    door.answer(place)
    door.pass_time(60)
    assert peer.done == []

    door.connections.heard(place, door.now)
    door.pass_time(9)
    assert peer.done == []
    door.connections.heard(place, door.now)
    door.pass_time(1)

    assert peer.done == ["408"]


def test_a_body_that_trickles_in_does_not_gain_time() -> None:
    door = Door()
    place, peer = door.come()
    door.pass_time(5)
    peer.body = False
    door.ask(place)
    for _ in range(14):
        door.connections.heard(place, door.now)
        door.pass_time(1)
    assert peer.done == []

    door.pass_time(1)

    assert peer.done == ["408"]
    assert door.counted == {"body_timeout": 1}


def test_a_request_that_is_there_may_take_as_long_as_its_handler_does() -> None:
    door = Door()
    place, peer = door.come()
    door.ask(place)

    door.pass_time(600)

    assert peer.done == []
    assert door.counted == {}


def test_a_body_that_is_read_after_its_answer_is_not_taken_for_the_next_request() -> None:
    door = Door()
    place, peer = door.come()
    peer.body = False
    door.ask(place)
    door.answer(place)

    door.connections.heard(place, door.now)
    peer.body = True
    door.pass_time(60)

    assert peer.done == []


def test_a_request_that_was_begun_during_another_has_its_time_from_then() -> None:
    door = Door()
    place, peer = door.come()
    door.ask(place)
    door.pass_time(5)
    door.connections.heard(place, door.now)
    door.pass_time(5)
    door.answer(place)
    door.pass_time(4)
    assert peer.done == []

    door.pass_time(1)

    assert peer.done == ["408"]


def test_a_second_whole_request_behind_the_first_is_served_and_then_idle() -> None:
    door = Door()
    place, peer = door.come()
    door.ask(place)
    door.connections.heard(place, door.now)
    door.pass_time(60)

    door.answer(place)
    door.connections.begun(place, door.now)
    door.answer(place)
    door.pass_time(60)

    assert peer.done == []


def test_an_answer_that_is_not_taken_ends_the_connection() -> None:
    door = Door()
    place, peer = door.come()
    door.ask(place)
    door.connections.answering(place)
    peer.left = 70_000

    door.pass_time(20)
    assert peer.done == []
    door.pass_time(1)

    assert peer.done == ["aborted"]
    assert door.counted == {"not_read": 1}


def test_an_answer_that_is_taken_slowly_is_waited_for() -> None:
    door = Door()
    place, peer = door.come()
    door.ask(place)
    for left in range(70_000, 0, -7000):
        peer.left = left
        door.pass_time(15)
    peer.left = 0
    door.answer(place)

    door.pass_time(60)

    assert peer.done == []


@pytest.mark.parametrize("by", ["us", "aiohttp"])
def test_a_connection_that_was_closed_and_is_not_gone_is_dropped(by: str) -> None:
    door = Door()
    _, peer = door.come()
    if by == "us":
        door.pass_time(10)
    else:
        peer.closing = True
        door.pass_time(1)
    assert "aborted" not in peer.done

    door.pass_time(LINGER_S)

    assert peer.done[-1] == "aborted"


def test_what_a_handler_still_does_on_a_closed_connection_does_not_bring_it_back() -> None:
    door = Door()
    place, peer = door.come()
    peer.body = False
    door.ask(place)
    door.pass_time(20)
    assert peer.done == ["408"]

    door.answer(place)
    door.pass_time(LINGER_S)

    assert peer.done == ["408", "aborted"]


def test_a_proxy_that_is_believed_may_connect_ahead() -> None:
    door = Door()
    place, peer = door.come(site="")
    door.pass_time(60)
    assert peer.done == []

    door.connections.heard(place, door.now)
    door.pass_time(9)
    assert peer.done == []
    door.pass_time(1)

    assert peer.done == ["408"]
