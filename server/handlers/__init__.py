"""One topic each: check who may ask, call the core, return its effects."""

from protocol.message import Message
from server.handlers import channel, control, match, matchmaker, party, rpc, status
from server.routes import join

ROUTES = join(
    (
        channel.routes,
        control.routes,
        match.routes,
        matchmaker.routes,
        party.routes,
        rpc.routes,
        status.routes,
    )
)

NOT_OFFERED: frozenset[type[Message]] = frozenset()
"""Known to the protocol, not offered yet: answered as the reference answers for a disabled resource."""
