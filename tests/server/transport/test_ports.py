"""What a connection needs of whoever owns it is what they offer."""

from server.sessions.outbox import Outbox
from server.sessions.session import Session
from server.transport.ports import Listener, Outgoing


def members(port: type) -> set[str]:
    return {name for name in {*vars(port), *port.__annotations__} if not name.startswith("_")}


def test_sessions_listen_and_outboxes_hold_what_goes_out() -> None:
    assert members(Listener) <= set(dir(Session))
    assert members(Outgoing) <= set(dir(Outbox))
