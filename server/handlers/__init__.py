"""One topic each: check who may ask, call the core, return its effects."""

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
