"""Ping and pong."""

from protocol.messages import Ping, Pong
from server.effects import Reply
from server.handlers import control
from tests.support.players import ALICE
from tests.support.world import empty_world


def test_a_ping_is_answered_with_a_pong() -> None:
    assert control.ping(empty_world(), ALICE, Ping()) == [Reply(Pong())]


def test_a_pong_of_a_client_is_ignored() -> None:
    assert control.pong(empty_world(), ALICE, Pong()) == []
