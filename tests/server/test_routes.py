"""The table from message to handler."""

import pytest

from protocol.messages import Ping, Pong, UserPresence
from server.effects import Effects
from server.routes import Routes, join
from server.world import World


def nothing(_world: World, _me: UserPresence, _message: object) -> Effects:
    return []


def test_topics_are_joined_into_one_table() -> None:
    one, two = Routes(), Routes()
    one.on(Ping)(nothing)
    two.on(Pong)(nothing)

    assert join((one, two)) == {Ping: nothing, Pong: nothing}


def test_a_message_cannot_have_two_handlers_in_a_topic() -> None:
    routes = Routes()
    routes.on(Ping)(nothing)

    with pytest.raises(ValueError, match="Ping has two handlers"):
        routes.on(Ping)(nothing)


def test_a_message_cannot_have_two_handlers_in_two_topics() -> None:
    one, two = Routes(), Routes()
    one.on(Ping)(nothing)
    two.on(Ping)(nothing)

    with pytest.raises(ValueError, match="Ping has two handlers"):
        join((one, two))
