"""The tables of what clients and servers may send, against the published envelope."""

from typing import Any

import pytest

from protocol.message import Member, Message
from protocol.messages import ALL, INCOMING, OUTGOING, Ping, Pong, _gather
from tests.support.contract import MEMBERS, MESSAGES


@pytest.mark.parametrize(
    ("table", "place", "direction"),
    [(INCOMING, "from_client", "client_to_server"), (OUTGOING, "from_server", "server_to_client")],
)
def test_the_envelope_has_the_published_members(table: Any, place: str, direction: str) -> None:
    found = {name: (message.__name__, getattr(message, place).number) for name, message in table.items()}

    expected = {m["name"]: (m["type"].split(".")[-1], m["number"]) for m in MEMBERS if m[direction]}
    assert found == expected


def test_there_is_a_class_for_each_published_message_and_no_other() -> None:
    assert sorted(message.__name__ for message in ALL) == sorted(MESSAGES)


@pytest.mark.parametrize("other", [Member("ping", 99), Member("other", 32)])
def test_two_messages_may_not_share_a_place(other: Member) -> None:
    with pytest.raises(ValueError):
        _gather([(Ping.from_client, Ping), (other, Pong)])


@pytest.mark.parametrize("message", ALL)
def test_every_field_has_a_default_and_every_class_says_what_is_meant(message: type[Message]) -> None:
    assert message() == message()
    assert message.__doc__
