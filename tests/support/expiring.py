"""Sockets that end by themselves, seen from outside: are they open, what was their player told."""

import json

from protocol.messages import UserPresence
from server.sessions.expiry import SocketExpiry
from server.sessions.notices import SESSION_EXPIRING
from server.sessions.session import SessionState
from tests.support.seats import TOKEN_TTL_S, Seated, Table

EXPIRED = (4501, "session expired")
TTL = TOKEN_TTL_S


def table_of(policy: SocketExpiry) -> Table:
    return Table(socket_expiry=policy, single_socket=False)


def is_open(seated: Seated) -> bool:
    return seated.session.state is SessionState.OPEN


def how(seated: Seated) -> tuple[int, str]:
    """How the server ended a socket."""
    assert not is_open(seated)
    return seated.session.close_code, seated.session.close_text


def warnings(seated: Seated) -> list[int]:
    """The ends that the player was warned of since last asked."""
    told = [message["notifications"]["notifications"][0] for message in seated.heard()]
    assert {(news["subject"], news["code"]) for news in told} <= {("session_expiring", SESSION_EXPIRING)}
    return [json.loads(news["content"])["expires_at"] for news in told]


async def at(table: Table, wall: float) -> None:
    """Go to a time, on the way or back, and sweep there; questions are answered."""
    table.clock.advance(wall - table.clock.wall())
    table.expiry.sweep()
    await table.tasks.idle()


def crowd(size: int) -> list[UserPresence]:
    """Players, each with one socket."""
    return [
        UserPresence(user_id=f"u{number}", session_id=f"s{number}", username=f"player {number}")
        for number in range(size)
    ]
