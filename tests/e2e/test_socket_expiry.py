"""Sockets whose session tokens expire, over the wire: each policy, and the refresh on the socket itself."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from structlog.testing import capture_logs

from server.identity.logins import Logins
from server.identity.tokens import Pair
from server.storage.families import Families
from tests.support.clock import JumpingClock
from tests.support.inprocess import Live, running, until
from tests.support.rawsocket import CLOSE, PING, RawSocket
from tests.support.site import AUTHENTICATE

TTL = 7200
IDLE = 14 * 86_400
EXPIRED = (4501, "session expired")
REFUSED = {"code": 7, "message": "Refresh token invalid or expired."}


class Timed:
    """A server whose wall clock the test moves."""

    def __init__(self, live: Live, clock: JumpingClock) -> None:
        self.live = live
        self.clock = clock

    async def jump(self, seconds: float) -> None:
        """Move the wall clock, and let the sweep see it twice."""
        self.clock.jump(seconds)
        keepalive = self.live.server._sockets.keepalive
        seen = keepalive.now
        await until(lambda: keepalive.now > seen + 1.5 * keepalive.interval_s)

    async def metrics(self) -> dict[str, float]:
        async with self.live.http.get(f"http://{self.live.server.ops}/metrics") as response:
            lines = (await response.text()).splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}


@asynccontextmanager
async def timed(folder: Path, policy: str) -> AsyncIterator[Timed]:
    clock = JumpingClock()
    session = {"socket_expiry": policy, "token_ttl_s": TTL, "refresh_idle_s": IDLE}
    async with running(folder, session=session, socket={"close_timeout_s": 0.2}, clock=clock) as live:
        yield Timed(live, clock)


def expiry(token: str) -> int:
    return int(jwt.decode(token, options={"verify_signature": False})["exp"])


async def refreshed(socket: RawSocket, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Call `session_refresh`; gives the answer's payload, or the error."""
    socket.say(cid="r", rpc={"id": "session_refresh", "payload": json.dumps(payload)})
    answer = await socket.hear()
    assert answer.pop("cid") == "r"
    if "error" in answer:
        return dict(answer["error"])
    assert answer["rpc"]["id"] == "session_refresh"
    return dict(json.loads(answer["rpc"]["payload"]))


async def warned(socket: RawSocket) -> int:
    """The end that the next message warns of."""
    (news,) = (await socket.hear())["notifications"]["notifications"]
    assert (news["subject"], news["code"]) == ("session_expiring", -1001)
    return int(json.loads(news["content"])["expires_at"])


async def test_a_strict_socket_is_warned_and_closed_with_its_token(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with timed(tmp_path, "strict") as at:
            token = (await at.live.sign_in("ada"))["token"]
            socket = await at.live.open(token)
            assert await socket.heard_until_pong("1") == []

            await at.jump(TTL - 50)
            assert await warned(socket) == expiry(token)
            assert await socket.heard_until_pong("2") == []
            await at.jump(50)
            assert await socket.ending() == EXPIRED

            shown = await at.metrics()

    assert shown['lockgate_sockets_closed_total{code="4501"}'] == 1
    assert shown["lockgate_sockets_expired_total"] == 1
    assert shown["lockgate_sockets_expiry_warned_total"] == 1
    (line,) = [line for line in logs if line["event"] == "socket_closed"]
    assert (line["code"], line["reason"]) == EXPIRED


async def test_a_refresh_on_the_socket_keeps_a_strict_one_open(tmp_path: Path) -> None:
    async with timed(tmp_path, "strict") as at:
        login = await at.live.sign_in("ada")
        socket = await at.live.open(login["token"])
        await at.jump(TTL - 50)
        await warned(socket)

        pair = await refreshed(socket, {"token": login["refresh_token"], "vars": {"map": "ice"}})
        assert pair.keys() == {"token", "refresh_token"}
        assert jwt.decode(pair["token"], options={"verify_signature": False})["vrs"] == {"map": "ice"}
        await at.jump(60)
        assert await socket.heard_until_pong("1") == []

        assert (await at.live.ask("GET", "/v2/account", f"Bearer {pair['token']}"))[0] == 200
        assert (await at.live.ask("GET", "/v2/account", f"Bearer {login['token']}"))[0] == 401
        await at.jump(TTL - 90)
        assert await warned(socket) == expiry(pair["token"])
        await at.jump(30)
        assert await socket.ending() == EXPIRED


async def test_a_newer_session_token_from_elsewhere_keeps_a_strict_socket_open(tmp_path: Path) -> None:
    async with timed(tmp_path, "strict") as at:
        login = await at.live.sign_in("ada")
        socket = await at.live.open(login["token"])
        await at.jump(TTL - 100)
        body = {"token": login["refresh_token"]}
        _, pair = await at.live.ask("POST", "/v2/account/session/refresh", at.live.server_key, body)

        assert await refreshed(socket, {"session_token": pair["token"]}) == {
            "expires_at": expiry(pair["token"])
        }
        await at.jump(200)

        assert await socket.heard_until_pong("1") == []
        await socket.hang_up()


async def test_a_refused_token_leaves_the_socket_open_and_the_token_alone(tmp_path: Path) -> None:
    async with timed(tmp_path, "strict") as at:
        login, other = await at.live.sign_in("ada"), await at.live.sign_in("ada")
        bob = await at.live.sign_in("bob")
        socket = await at.live.open(login["token"])

        for foreign in (other, bob):
            assert await refreshed(socket, {"token": foreign["refresh_token"]}) == REFUSED
            assert (await refreshed(socket, {"session_token": foreign["token"]}))["code"] == 7
        assert (await refreshed(socket, {}))["code"] == 3
        assert (await refreshed(socket, {"token": 7}))["code"] == 3

        for foreign in (other, bob, login):
            body = {"token": foreign["refresh_token"]}
            path = "/v2/account/session/refresh"
            assert (await at.live.ask("POST", path, at.live.server_key, body))[0] == 200
        assert await socket.heard_until_pong("1") == []
        await socket.hang_up()


async def test_what_is_said_behind_a_refresh_is_answered_behind_it(tmp_path: Path) -> None:
    async with timed(tmp_path, "grace") as at:
        login = await at.live.sign_in("ada")
        socket = await at.live.open(login["token"])

        payload = json.dumps({"token": login["refresh_token"]})
        socket.say(cid="1", rpc={"id": "session_refresh", "payload": payload})
        socket.say(cid="2", ping={})

        assert [(await socket.hear())["cid"] for _ in range(2)] == ["1", "2"]
        await socket.hang_up()


async def test_a_refresh_begun_in_time_is_answered_although_the_token_ends_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = asyncio.Event(), asyncio.Event()
    refresh = Logins.refresh

    async def slow(self: Logins, token: str, client_vars: Mapping[str, str]) -> Pair:
        begun.set()
        await go.wait()
        return await refresh(self, token, client_vars)

    async with timed(tmp_path, "strict") as at:
        login = await at.live.sign_in("ada")
        socket = await at.live.open(login["token"])
        await at.jump(TTL - 50)
        await warned(socket)
        monkeypatch.setattr(Logins, "refresh", slow)

        payload = json.dumps({"token": login["refresh_token"]})
        socket.say(cid="1", rpc={"id": "session_refresh", "payload": payload})
        await begun.wait()
        await at.jump(51)
        go.set()

        pair = json.loads((await socket.hear())["rpc"]["payload"])
        assert expiry(pair["token"]) > at.clock.wall() + TTL - 60
        await at.jump(30)
        assert await socket.heard_until_pong("2") == []
        await socket.hang_up()


async def test_in_grace_a_socket_outlives_its_token_and_ends_with_its_login(tmp_path: Path) -> None:
    async with timed(tmp_path, "grace") as at:
        login = await at.live.sign_in("ada")
        socket = await at.live.open(login["token"])

        await at.jump(TTL + 10)
        assert await socket.heard_until_pong("1") == []
        pair = await refreshed(socket, {"token": login["refresh_token"]})
        await at.jump(IDLE - TTL)  # past the end of the first refresh token
        assert await socket.heard_until_pong("2") == []

        end = expiry(pair["refresh_token"])
        await at.jump(end - at.clock.wall() - 30)
        assert await warned(socket) == end
        await at.jump(31)
        assert await socket.ending() == EXPIRED


async def test_in_grace_a_database_out_of_reach_closes_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_self: Families, _ids: Sequence[str]) -> dict[str, int]:
        raise ConnectionRefusedError

    async with timed(tmp_path, "grace") as at:
        socket = await at.live.connect("ada")
        with monkeypatch.context() as broken:
            broken.setattr(Families, "ends", fail)
            await at.jump(IDLE + 10)
            await until(lambda: at.live.server._expiry.failed_checks == 1)
            assert await socket.heard_until_pong("1") == []
            assert (await at.metrics())["lockgate_expiry_checks_failed_total"] == 1

        assert await socket.ending() == EXPIRED


async def test_ignored_expiry_closes_nobody(tmp_path: Path) -> None:
    async with timed(tmp_path, "ignore") as at:
        login = await at.live.sign_in("ada")
        socket = await at.live.open(login["token"])
        await at.jump(100)
        pair = await refreshed(socket, {"token": login["refresh_token"]})
        assert expiry(pair["token"]) > expiry(login["token"])

        await at.jump(100 * 86_400)

        assert await socket.heard_until_pong("1") == []
        await socket.hang_up()


async def test_real_seconds_end_a_strict_socket(tmp_path: Path) -> None:
    session = {"socket_expiry": "strict", "token_ttl_s": 2}
    async with running(tmp_path, session=session, socket={"close_timeout_s": 0.2}) as live:
        token = (await live.sign_in("ada"))["token"]
        socket = await live.open(token)

        assert await warned(socket) == expiry(token)

        frames = [frame for frame in await socket.rest() if frame.opcode != PING]
        await socket.hang_up()
    assert [(frame.opcode, frame.code, frame.reason) for frame in frames] == [(CLOSE, *EXPIRED)]


async def test_a_lost_answer_is_given_again_to_the_byte(tmp_path: Path) -> None:
    async with timed(tmp_path, "strict") as at:
        login = await at.live.sign_in("ada")
        socket = await at.live.open(login["token"])

        first = await refreshed(socket, {"token": login["refresh_token"]})
        again = await refreshed(socket, {"token": login["refresh_token"]})

        assert again == first
        await socket.hang_up()


async def test_a_token_used_again_too_late_ends_the_login_and_its_socket(tmp_path: Path) -> None:
    async with timed(tmp_path, "strict") as at:
        login = await at.live.sign_in("ada")
        socket = await at.live.open(login["token"])
        pair = await refreshed(socket, {"token": login["refresh_token"]})
        await at.jump(100)

        payload = json.dumps({"token": login["refresh_token"]})
        socket.say(cid="1", rpc={"id": "session_refresh", "payload": payload})

        assert await socket.ending() == (4500, "session revoked")
        assert (await at.live.ask("GET", "/v2/account", f"Bearer {pair['token']}"))[0] == 401


async def test_the_longest_refresh_token_fits_into_a_message(tmp_path: Path) -> None:
    async with timed(tmp_path, "strict") as at:
        body = {"id": await at.live.identity_token("ada"), "vars": {"v": "x" * (2048 - len('{"v":""}'))}}
        _, login = await at.live.ask("POST", AUTHENTICATE, at.live.server_key, body)
        socket = await at.live.open(login["token"])

        pair = await refreshed(socket, {"token": login["refresh_token"]})

        assert len(pair["refresh_token"]) >= len(login["refresh_token"]) > 2048
        await socket.hang_up()


async def test_too_many_refreshes_on_the_socket_are_refused_and_cost_nothing(tmp_path: Path) -> None:
    async with timed(tmp_path, "strict") as at:
        login = await at.live.sign_in("ada")
        socket = await at.live.open(login["token"])
        token, answer = login["refresh_token"], {}
        for _ in range(20):
            answer = await refreshed(socket, {"token": token})
            if "code" in answer:
                break
            token = answer["refresh_token"]

        assert answer["code"] == 7
        assert "Too many" in answer["message"]
        body = {"token": token}
        path = "/v2/account/session/refresh"
        assert (await at.live.ask("POST", path, at.live.server_key, body))[0] == 429
        assert await socket.heard_until_pong("1") == []
        await socket.hang_up()


async def test_a_spared_socket_of_a_logged_out_player_lasts_as_long_as_its_token(tmp_path: Path) -> None:
    clock = JumpingClock()
    session = {"logout_closes_sockets": False}
    async with running(tmp_path, session=session, socket={"close_timeout_s": 0.2}, clock=clock) as live:
        at = Timed(live, clock)
        login = await live.sign_in("ada")
        socket = await live.open(login["token"])
        path = "/v2/session/logout"
        assert (await live.ask("POST", path, f"Bearer {login['token']}", {}))[0] == 200

        await at.jump(TTL - 30)
        assert await warned(socket) == expiry(login["token"])
        assert await socket.heard_until_pong("1") == []
        await at.jump(31)

        assert await socket.ending() == EXPIRED
