"""What every message class is by being one."""

import pytest

from protocol.message import Member, Message, incoming, outgoing
from protocol.messages import MatchData, Ping, Pong, UserPresence


def test_a_wrapper_that_is_not_set_differs_from_zero() -> None:
    assert UserPresence(status="") != UserPresence()


def test_a_message_cannot_be_changed() -> None:
    name = "match_id"

    with pytest.raises(AttributeError):
        setattr(MatchData(), name, "m.")


def test_a_class_may_go_both_ways() -> None:
    assert Pong.from_client == Pong.from_server == Member("pong", 33)
    assert Ping.from_server is None


def test_marking_a_class_leaves_its_base_alone() -> None:
    @incoming("here", 100)
    @outgoing("there", 101)
    class Extra(Message, frozen=True):
        """One more."""

    assert (Extra.from_client, Extra.from_server) == (Member("here", 100), Member("there", 101))
    assert (Message.from_client, Message.from_server) == (None, None)
