"""Every way in which a login ends, at every entrance that one of its tokens could open.

One server, really listening. Of each ending: the live socket closes with the code that its player can read,
and afterwards no route, no way into a socket, no refresh and no logout takes a token of that login.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from protocol.close import CloseReason
from server.storage.revocations import Ended
from server.web.table import ROUTES, PlayerRoute
from tests.support.inprocess import Live, running
from tests.support.rawsocket import RawSocket

REFRESH = "/v2/account/session/refresh"
LOGOUT = "/v2/session/logout"
NOW = 1_800_000_000
PARAMETER = re.compile(r"\{[^}]*\}")
"""A part of a route's path that may be anything."""


def bearer(token: str) -> str:
    return f"Bearer {token}"


@dataclass
class Victim:
    """A login that is to end: every pair it was given, oldest first, its socket, and a ticket it bought."""

    live: Live
    pairs: list[dict[str, Any]]
    socket: RawSocket
    ticket: str = ""
    user_id: str = ""
    beside: dict[str, Any] = field(default_factory=dict)
    """Another login of the same account that goes on, if the ending leaves one."""

    @property
    def pair(self) -> dict[str, Any]:
        return self.pairs[-1]

    async def call(self, method: str, path: str, body: Any = None) -> int:
        return (await self.live.ask(method, path, bearer(self.pair["token"]), body))[0]

    async def refresh(self) -> None:
        body = {"token": self.pair["refresh_token"]}
        status, pair = await self.live.ask("POST", REFRESH, self.live.server_key, body)
        assert status == 200
        self.pairs.append(pair)


Ending = Callable[[Victim], Awaitable[None]]


async def log_out_session(victim: Victim) -> None:
    assert await victim.call("POST", LOGOUT, {"token": victim.pairs[0]["token"]}) == 200


async def log_out_refresh(victim: Victim) -> None:
    assert await victim.call("POST", LOGOUT, {"refresh_token": victim.pair["refresh_token"]}) == 200


async def log_out_both(victim: Victim) -> None:
    pair = victim.pair
    body = {"token": pair["token"], "refresh_token": pair["refresh_token"]}
    assert await victim.call("POST", LOGOUT, body) == 200


async def log_out_everywhere(victim: Victim) -> None:
    assert await victim.call("POST", LOGOUT, {}) == 200


async def show_an_old_token(victim: Victim) -> None:
    for _ in range(2):
        await victim.refresh()
    body = {"token": victim.pairs[0]["refresh_token"]}
    assert (await victim.live.ask("POST", REFRESH, victim.live.server_key, body))[0] == 401


async def sign_in_again(victim: Victim) -> None:
    victim.beside = await victim.live.sign_in("alice")


async def delete(victim: Victim) -> None:
    assert await victim.call("DELETE", "/v2/account") == 200


async def unlink(victim: Victim) -> None:
    """The victim signed in with a linked identity; the first one's login takes that away."""
    body = {"id": await victim.live.identity_token("second")}
    path = "/v2/account/unlink/custom"
    assert (await victim.live.ask("POST", path, bearer(victim.beside["token"]), body))[0] == 200


async def be_banned(victim: Victim) -> None:
    gate = victim.live.server._gate
    await gate.store.bans.ban(victim.user_id, [], reason="", now=NOW)
    await gate.feed.poll()


async def be_revoked(victim: Victim) -> None:
    gate = victim.live.server._gate
    await gate.store.families.revoke_account(victim.user_id, now=NOW, reason=Ended.OPERATOR)
    await gate.feed.poll()


ENDINGS: Mapping[str, tuple[Ending, CloseReason, Mapping[str, Any]]] = {
    "logout by session token": (log_out_session, CloseReason.LOGGED_OUT, {}),
    "logout by refresh token": (log_out_refresh, CloseReason.LOGGED_OUT, {}),
    "logout by both": (log_out_both, CloseReason.LOGGED_OUT, {}),
    "logout everywhere": (log_out_everywhere, CloseReason.LOGGED_OUT, {}),
    "reuse": (show_an_old_token, CloseReason.REVOKED, {}),
    "crowded out": (sign_in_again, CloseReason.REVOKED, {"families_per_account": 1}),
    "single session": (sign_in_again, CloseReason.REVOKED, {"single_session": True}),
    "unlinked": (unlink, CloseReason.REVOKED, {}),
    "deleted": (delete, CloseReason.DISCONNECTED, {}),
    "banned": (be_banned, CloseReason.DISCONNECTED, {}),
    "revoked": (be_revoked, CloseReason.REVOKED, {}),
}


async def prepared(live: Live, ending: Ending) -> Victim:
    """A player with a login, a socket of it, and a ticket."""
    first = await live.sign_in("alice")
    beside: dict[str, Any] = {}
    pair = first
    if ending is unlink:
        body = {"id": await live.identity_token("second")}
        assert (await live.ask("POST", "/v2/account/link/custom", bearer(first["token"]), body))[0] == 200
        pair, beside = await live.sign_in("second"), first
    victim = Victim(live, [pair], await live.open(pair["token"]), beside=beside)
    account = (await live.ask("GET", "/v2/account", bearer(pair["token"])))[1]
    victim.user_id = account["user"]["id"]
    victim.ticket = (await live.ask("POST", "/v2/session/ticket", bearer(pair["token"])))[1]["ticket"]
    return victim


async def socket_status(live: Live, target: str, headers: Mapping[str, str] | None = None) -> int:
    socket = await live.dial()
    answer = await socket.upgrade(target, headers)
    await socket.hang_up()
    return answer.status


@pytest.mark.parametrize("name", ENDINGS)
async def test_nothing_takes_a_token_of_a_login_that_has_ended(tmp_path: Path, name: str) -> None:
    end, close, session = ENDINGS[name]
    async with running(tmp_path, session=dict(session), socket={"close_timeout_s": 0.2}) as live:
        victim = await prepared(live, end)
        stranger = await live.sign_in("stranger")

        await end(victim)

        assert await victim.socket.ending() == (close.code, close.text)
        assert await socket_status(live, f"/ws?ticket={victim.ticket}") == 401
        for pair in victim.pairs:
            token = pair["token"]
            for route in ROUTES:
                if isinstance(route, PlayerRoute):
                    path = PARAMETER.sub("x", route.path)
                    answer = await live.ask(route.method, path, bearer(token), {})
                    assert answer == (401, {"code": 16, "message": "Auth token invalid"}), route.path
            assert await socket_status(live, f"/ws?token={token}") == 401
            assert await socket_status(live, "/ws", {"Authorization": bearer(token)}) == 401
            offered = {"Sec-WebSocket-Protocol": f"game.v1, bearer.{token}"}
            assert await socket_status(live, "/ws", offered) == 401
            shown = await live.ask("POST", REFRESH, live.server_key, {"token": pair["refresh_token"]})
            assert shown == (401, {"code": 16, "message": "Refresh token invalid or expired."})
        # A good login of somebody else goes on, and so does one of the same player.
        for other in (stranger, victim.beside):
            if other:
                assert (await live.ask("GET", "/v2/account", bearer(other["token"])))[0] == 200


@pytest.mark.parametrize("name", [name for name in ENDINGS if name != "banned"])
async def test_a_new_login_of_the_same_player_cannot_show_the_ended_ones_tokens(
    tmp_path: Path, name: str
) -> None:
    end, _, session = ENDINGS[name]
    async with running(tmp_path, session=dict(session), socket={"close_timeout_s": 0.2}) as live:
        victim = await prepared(live, end)
        await end(victim)
        await victim.socket.ending()
        new = victim.beside or await live.sign_in("alice")

        for body, text in (
            ({"token": victim.pair["token"]}, "Session token invalid."),
            ({"refresh_token": victim.pair["refresh_token"]}, "Refresh token invalid."),
        ):
            answer = await live.ask("POST", LOGOUT, bearer(new["token"]), body)
            assert answer == (400, {"code": 3, "message": text})
        assert (await live.ask("GET", "/v2/account", bearer(new["token"])))[0] == 200
