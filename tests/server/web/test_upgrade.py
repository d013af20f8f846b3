"""Who gets a socket and who is refused, in the documented order; and what we rely on in aiohttp."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.support.clock import JumpingClock
from tests.support.inprocess import Live, running
from tests.support.rawsocket import BINARY, FIN, TEXT, Answer, Frame


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with running(tmp_path) as started:
        yield started


async def ask(live: Live, target: str, headers: dict[str, str] | None = None) -> Answer:
    socket = await live.dial()
    answer = await socket.upgrade(target, headers)
    await socket.hang_up()
    return answer


NO_HANDSHAKE = {"Sec-WebSocket-Version": "12"}


@pytest.mark.parametrize(
    ("target", "headers", "status", "text"),
    [
        ("/ws", {}, 401, "Missing or invalid token"),
        ("/ws?token=", {}, 401, "Missing or invalid token"),
        ("/ws?token=x.y.z", {}, 401, "Missing or invalid token"),
        ("/ws?format=xml", {}, 400, "Invalid format parameter"),
        ("/ws?format=JSON&token={good}", {}, 400, "Invalid format parameter"),
        ("/ws?format=xml", NO_HANDSHAKE, 400, "Invalid format parameter"),
        ("/ws?token=wrong", NO_HANDSHAKE, 401, "Missing or invalid token"),
        ("/ws?token={good}", NO_HANDSHAKE, 400, "Bad Request"),
        ("/ws?token={good}", {"Upgrade": "h2c"}, 400, "Bad Request"),
        ("/ws?token={good}", {"Sec-WebSocket-Key": "short"}, 400, "Bad Request"),
        ("/ws?token={good}", {"Authorization": "Basic eDo="}, 401, "Missing or invalid token"),
        ("/ws?token={good}", {"Authorization": "Bearer wrong"}, 401, "Missing or invalid token"),
        ("/ws?token={good}", {"Authorization": "bearer {good}"}, 401, "Missing or invalid token"),
        ("/ws?token={good}", {"Authorization": ""}, 401, "Missing or invalid token"),
        ("/ws?token={refresh}", {}, 401, "Missing or invalid token"),
    ],
)
async def test_a_refusal_has_its_status_and_text(
    live: Live, target: str, headers: dict[str, str], status: int, text: str
) -> None:
    pair = await live.sign_in("ada")

    def fill(value: str) -> str:
        return value.replace("{good}", pair["token"]).replace("{refresh}", pair["refresh_token"])

    answer = await ask(live, fill(target), {name: fill(value) for name, value in headers.items()})

    assert (answer.status, answer.body) == (status, f"{text}\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert live.server._upgrade.refused == 1
    assert len(live.server._registry) == 0


async def test_a_refused_handshake_tells_the_version_we_speak(live: Live) -> None:
    token = (await live.sign_in("ada"))["token"]

    answer = await ask(live, f"/ws?token={token}", NO_HANDSHAKE)

    assert answer.headers["sec-websocket-version"] == "13"


async def test_a_header_with_a_good_token_wins_over_the_query(live: Live) -> None:
    token = (await live.sign_in("ada"))["token"]

    answer = await ask(live, "/ws?token=wrong", {"Authorization": f"Bearer {token}"})

    assert answer.status == 101


@pytest.mark.parametrize(
    ("parameter", "ping", "opcode", "pong"),
    [
        ("", b'{"ping":{}}', TEXT, b'{"pong":{}}'),
        ("&format=", b'{"ping":{}}', TEXT, b'{"pong":{}}'),
        ("&format=json", b'{"ping":{}}', TEXT, b'{"pong":{}}'),
        ("&format=protobuf", b"\x82\x02\x00", BINARY, b"\x8a\x02\x00"),
    ],
)
async def test_a_socket_speaks_the_format_it_asked_for(
    live: Live, parameter: str, ping: bytes, opcode: int, pong: bytes
) -> None:
    token = (await live.sign_in("ada"))["token"]
    socket = await live.dial()
    assert (await socket.upgrade(f"/ws?token={token}{parameter}")).status == 101

    socket.frame(FIN | opcode, ping)
    assert await socket.receive() == Frame(opcode, pong)
    socket.frame(FIN | (TEXT | BINARY) - opcode, ping)

    assert await socket.ending() == (1000, "received unexpected WebSocket message type")


async def test_no_offer_of_the_client_is_taken_up(live: Live) -> None:
    token = (await live.sign_in("ada"))["token"]
    offers = {"Sec-WebSocket-Protocol": "chat", "Sec-WebSocket-Extensions": "permessage-deflate"}

    answer = await ask(live, f"/ws?token={token}", offers)

    assert answer.status == 101
    assert answer.headers == {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",  # of the sample nonce in RFC 6455
    }


async def ticket(live: Live, token: str) -> str:
    status, answer = await live.ask("POST", "/v2/session/ticket", f"Bearer {token}", {})
    assert (status, answer["expires_in"]) == (200, 30)
    return str(answer["ticket"])


async def test_a_ticket_opens_one_socket(live: Live) -> None:
    shown = await ticket(live, (await live.sign_in("ada"))["token"])

    first = await ask(live, f"/ws?ticket={shown}")
    second = await ask(live, f"/ws?ticket={shown}")

    assert (first.status, second.status) == (101, 401)
    assert "sec-websocket-protocol" not in first.headers


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/ws?format=xml&ticket=", {}, 400),
        ("/ws?ticket=", NO_HANDSHAKE, 400),
        ("/ws?ticket=", {"Authorization": "Bearer wrong"}, 401),
        ("/ws?ticket=", {"Sec-WebSocket-Protocol": "bearer.wrong"}, 401),
    ],
)
async def test_an_attempt_that_fails_uses_its_ticket_up(
    live: Live, target: str, headers: dict[str, str], status: int
) -> None:
    shown = await ticket(live, (await live.sign_in("ada"))["token"])

    failed = await ask(live, target + shown, headers)
    after = await ask(live, f"/ws?ticket={shown}")

    assert (failed.status, after.status) == (status, 401)


async def test_a_ticket_shown_by_a_page_of_another_origin_is_used_up(tmp_path: Path) -> None:
    async with running(tmp_path, allowed_origins=("https://game.test",)) as live:
        shown = await ticket(live, (await live.sign_in("ada"))["token"])
        foreign = await ask(live, f"/ws?ticket={shown}", {"Origin": "https://evil.test"})
        own = await ask(live, f"/ws?ticket={shown}", {"Origin": "https://game.test"})

    assert (foreign.status, own.status) == (403, 401)


async def test_a_ticket_ends_with_its_login_and_with_no_other(live: Live) -> None:
    ended, kept = (await live.sign_in("ada"))["token"], (await live.sign_in("ada"))["token"]
    before = [await ticket(live, token) for token in (ended, kept)]
    await live.ask("POST", "/v2/session/logout", f"Bearer {ended}", {"token": ended})

    answers = [await ask(live, f"/ws?ticket={shown}") for shown in before]

    assert [answer.status for answer in answers] == [401, 101]


async def test_a_ticket_ends_with_its_session_token(tmp_path: Path) -> None:
    clock = JumpingClock()
    async with running(tmp_path, clock=clock) as live:
        shown = await ticket(live, (await live.sign_in("ada"))["token"])
        clock.jump(7200)
        answer = await ask(live, f"/ws?ticket={shown}")

    assert answer.status == 401


async def test_a_token_among_the_subprotocols_opens_a_socket_that_is_told_the_game_alone(live: Live) -> None:
    token = (await live.sign_in("ada"))["token"]

    answer = await ask(live, "/ws", {"sec-websocket-protocol": f"bearer.{token}, game.v1"})

    assert (answer.status, answer.headers["sec-websocket-protocol"]) == (101, "game.v1")


@pytest.mark.parametrize(
    "offered", ["bearer.{good}", "game.v1, bearer.{good}, bearer.{good}", "game.v1, bearer.{refresh}"]
)
async def test_a_refused_subprotocol_is_answered_without_any(live: Live, offered: str) -> None:
    pair = await live.sign_in("ada")
    offered = offered.replace("{good}", pair["token"]).replace("{refresh}", pair["refresh_token"])

    answer = await ask(live, f"/ws?token={pair['token']}", {"Sec-WebSocket-Protocol": offered})

    assert (answer.status, answer.body) == (401, "Missing or invalid token\n")
    assert "sec-websocket-protocol" not in answer.headers


@pytest.mark.parametrize("value", ["1", "t", "T", "true", "True", "TRUE"])
async def test_status_true_appears_online(live: Live, value: str) -> None:
    assert await own_events(live, f"&status={value}") == ["joins"]


@pytest.mark.parametrize(
    "query", ["", "&status=", "&status=false", "&status=0", "&status=yes", "&status=tRUE"]
)
async def test_any_other_status_stays_offline(live: Live, query: str) -> None:
    assert await own_events(live, query) == []


async def own_events(live: Live, query: str) -> list[str]:
    """What a socket hears of itself when it opens."""
    token = (await live.sign_in("ada"))["token"]
    socket = await live.dial()
    answer = await socket.upgrade(f"/ws?token={token}{query}")
    assert answer.status == 101
    heard = await socket.heard_until_pong("end")
    await socket.hang_up()
    return [kind for message in heard for kind in message["status_presence_event"]]


async def test_a_draining_server_takes_nobody_in(live: Live) -> None:
    token = (await live.sign_in("ada"))["token"]
    await live.server.drain(asyncio.Event())

    answer = await ask(live, f"/ws?token={token}")

    assert (answer.status, answer.body) == (503, "Server is shutting down\n")
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("trusted", "expected"), [(("127.0.0.0/8",), "203.0.113.7"), (("10.0.0.0/8",), "127.0.0.1")]
)
async def test_an_open_socket_is_told_with_its_clients_address(
    tmp_path: Path, trusted: tuple[str, ...], expected: str
) -> None:
    async with running(tmp_path, trusted_proxies=trusted) as live:
        token = (await live.sign_in("ada"))["token"]
        with capture_logs() as logs:
            await ask(live, f"/ws?token={token}", {"X-Forwarded-For": "198.51.100.1, 203.0.113.7"})

    assert [entry["address"] for entry in logs if entry["event"] == "socket_opened"] == [expected]
