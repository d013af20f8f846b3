"""Hooks can be written for everything that clients send."""

from protocol.messages import INCOMING, Ping, Pong
from server.runtime import messages


def test_every_message_that_clients_send_can_be_imported_by_game_code() -> None:
    # Pings are answered from their bytes, before any hook.
    missing = (
        {each.__name__ for each in INCOMING.values()}
        - set(messages.__all__)
        - {
            Ping.__name__,
            Pong.__name__,
        }
    )

    assert missing == set()


def test_every_name_that_is_promised_is_there() -> None:
    assert [name for name in messages.__all__ if not hasattr(messages, name)] == []
