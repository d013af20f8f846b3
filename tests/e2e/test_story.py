"""A whole story against a server process, with marked secrets: the log tells it, and tells no secret."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from tests.support.postgres import PASSWORD
from tests.support.rawsocket import RawSocket
from tests.support.running import RunningServer, running_server
from tests.support.visitor import Visitor

SERVER_KEY = "key-of-the-story-58213"
HTTP_KEY = "http-key-of-the-story-94177"
ORIGIN = "https://game.test"
COOKIE = "__Host-gs_refresh"
MARK = "mark-31415"
"""In every query string, payload and piece of garbage that the story sends."""


@dataclass
class Story:
    """What happened, as the players saw it."""

    secrets: set[str] = field(default_factory=set)
    user_ids: dict[str, str] = field(default_factory=dict)
    endings: dict[str, tuple[int, str]] = field(default_factory=dict)
    match_id: str = ""

    def keep(self, pair: dict[str, Any]) -> str:
        """Remember a pair's tokens, whole and in parts. Gives the session token."""
        for token in (pair["token"], pair["refresh_token"]):
            self.keep_token(token)
        return str(pair["token"])

    def keep_token(self, token: str) -> str:
        _, payload, signature = token.split(".")
        self.secrets |= {token, payload, signature}
        return token


@dataclass
class Told:
    """The story and what the process printed of it."""

    story: Story
    server: RunningServer
    folder: Path

    def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.server.events if event["event"] == name]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, module_database_url: str) -> Told:
    folder = tmp_path_factory.mktemp("story")
    story = Story()
    settings = {
        "LOCKGATE_STORAGE__URL": module_database_url,
        "LOCKGATE_LOG__LEVEL": "debug",
        "LOCKGATE_SOCKET__SERVER_KEY": SERVER_KEY,
        "LOCKGATE_RUNTIME__HTTP_KEY": HTTP_KEY,
        "LOCKGATE_SESSION__COOKIE": "secure",
        "LOCKGATE_LISTEN__ALLOWED_ORIGINS": json.dumps([ORIGIN]),
    }
    with running_server(folder, environment=settings) as server:  # asserts exit status 0 at its end
        asyncio.run(play(server, story))
    return Told(story, server, folder)


async def play(server: RunningServer, story: Story) -> None:
    key = aiohttp.encode_basic_auth(SERVER_KEY, "")
    async with aiohttp.ClientSession() as http:
        visitor = Visitor(server.public, server.issuer, http, server_key=key)
        await bad_logins(visitor, story)
        ada = story.keep(await visitor.sign_in("ada"))
        bob = await refreshed(visitor, story)
        await strangers(visitor, ada)
        await browser(visitor, story)
        older, newer, bobs = await match(visitor, story, ada, bob)
        story.endings["replaced"] = await older.ending()
        await malformed(visitor, story)
        assert (await visitor.ask("POST", "/v2/session/logout", f"Bearer {bob}", {}))[0] == 200
        story.endings["logged out"] = await bobs.ending()
        assert (await visitor.ask("GET", "/v2/account", f"Bearer {bob}"))[0] == 401
        server.process.terminate()
        story.endings["stopped"] = await newer.ending()


async def bad_logins(visitor: Visitor, story: Story) -> None:
    login = "/v2/account/authenticate/custom"
    good = story.keep_token(await visitor.identity_token("ada"))
    head, payload, signature = good.split(".")
    for bad in (f"{head}.{payload}.{signature[::-1]}", "not-a-token-" + MARK, f"{head}.{payload}."):
        status, _ = await visitor.ask("POST", f"{login}?{MARK}=1", visitor.server_key, {"id": bad})
        assert status == 401
    wrong_key = aiohttp.encode_basic_auth("wrong-" + MARK, "")
    assert (await visitor.ask("POST", login, wrong_key, {"id": good}))[0] == 401
    assert (await visitor.ask("POST", login, visitor.server_key, {"id": ""}))[0] == 400


async def refreshed(visitor: Visitor, story: Story) -> str:
    """Sign bob in and refresh. Gives the newer session token."""
    pair = await visitor.sign_in("bob")
    story.keep(pair)
    refresh = "/v2/account/session/refresh"
    status, _ = await visitor.ask("POST", refresh, visitor.server_key, {"token": "x.y." + MARK})
    assert status == 401
    status, pair = await visitor.ask("POST", refresh, visitor.server_key, {"token": pair["refresh_token"]})
    assert status == 200
    return story.keep(pair)


async def strangers(visitor: Visitor, token: str) -> None:
    """What is not in the route table, and what is not HTTP."""
    for path in (f"/v2/account?{MARK}=1&token={token}", f"/nowhere/{MARK}?token={token}", f"/{MARK}"):
        await visitor.ask("GET", path, f"Bearer {token}")
    for data in (
        f"{MARK} \x00\r\n\r\n".encode(),
        f"GET /ws?token={token}&pad={'x' * 9000} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}{'x' * 9000}\r\n\r\n".encode(),
        f"GET /{MARK} HTTP/1.1\r\n{MARK}{token}\r\n\r\n".encode(),
    ):
        socket = await visitor.dial()
        socket.write(data)
        assert (await socket.answer()).status == 400
        await socket.hang_up()
    for target in (f"/ws?token=x.{MARK}.z", f"/ws?format={MARK}&token={token}"):
        socket = await visitor.dial()
        assert (await socket.upgrade(target)).status in (400, 401)
        await socket.hang_up()


async def browser(visitor: Visitor, story: Story) -> None:
    """Dana's page: cookie, ticket and sub-protocol, good and spoiled."""
    page = Page(visitor, story)
    login, refresh = "/v2/account/authenticate/custom", "/v2/account/session/refresh"
    assert await page.post(login, {"id": await visitor.identity_token("dana")}) == 200
    for spoiled in ({"Origin": MARK}, {"Sec-Fetch-Site": MARK}, {"Content-Type": MARK}):
        assert await page.post(refresh, {}, spoiled) == 403
    for spoiled in ({"X-GS": MARK}, {"Cookie": f"{COOKIE}={page.cookie}; {COOKIE}={MARK}"}):
        assert await page.post(refresh, {}, spoiled) == 400
    assert await page.post(refresh, {"token": page.cookie}) == 400
    assert await page.post(refresh, {}) == 200
    await page.sockets()
    assert await page.post(refresh, {}, {"Cookie": f"{COOKIE}=x.{MARK}.z"}) == 401
    cookie = page.cookie
    assert await page.post("/v2/session/logout", {}, {"Authorization": f"Bearer {page.session}"}) == 200
    assert await page.post(refresh, {}, {"Cookie": f"{COOKIE}={cookie}"}) == 401


@dataclass
class Page:
    """What a browser sends for a page in cookie mode."""

    visitor: Visitor
    story: Story
    session: str = ""
    cookie: str = ""

    async def post(self, path: str, body: dict[str, Any], changed: dict[str, str] | None = None) -> int:
        headers = {
            "Authorization": self.visitor.server_key,
            "X-GS": "1",
            "Origin": ORIGIN,
            "Content-Type": "application/json",
            "Cookie": f"{COOKIE}={self.cookie}",
        } | (changed or {})
        url, data = f"http://{self.visitor.public}{path}?{MARK}=1", json.dumps(body)
        async with self.visitor.http.post(url, data=data, headers=headers) as answer:
            if token := (await answer.json()).get("token"):
                self.session = self.story.keep_token(token)
            if (cookie := answer.cookies.get(COOKIE)) and cookie.value:
                self.cookie = self.story.keep_token(cookie.value)
            return answer.status

    async def ticket(self) -> str:
        path = f"/v2/session/ticket?{MARK}=1"
        _, answer = await self.visitor.ask("POST", path, f"Bearer {self.session}", {"pad": MARK})
        self.story.secrets.add(answer["ticket"])
        return str(answer["ticket"])

    async def sockets(self) -> None:
        ticket, bearer = await self.ticket(), f"bearer.{self.session}"
        assert await self.socket(f"/ws?ticket={ticket}", "chat") == 101
        assert await self.socket(f"/ws?ticket={ticket}", f"game.v1, {MARK}") == 401
        assert await self.socket(f"/ws?ticket={MARK}", "game.v1") == 401
        assert await self.socket("/ws", f"game.v1, {bearer}") == 101
        assert await self.socket("/ws", f"{bearer}, {MARK}") == 401
        assert await self.socket("/ws", f"game.v1, bearer.x.{MARK}.z") == 401
        assert await self.socket(f"/ws?format={MARK}", f"game.v1, {bearer}") == 400
        foreign = f"/ws?ticket={await self.ticket()}"
        assert await self.socket(foreign, f"game.v1, {bearer}", f"https://{MARK}.test") == 403

    async def socket(self, target: str, offered: str, origin: str = ORIGIN) -> int:
        socket = await self.visitor.dial()
        answer = await socket.upgrade(
            target,
            {"Sec-WebSocket-Protocol": offered, "Origin": origin, "Cookie": f"{COOKIE}={self.cookie}"},
        )
        if answer.status == 101:
            await socket.heard_until_pong("1")
        await socket.hang_up()
        return answer.status


async def match(visitor: Visitor, story: Story, ada: str, bob: str) -> tuple[RawSocket, RawSocket, RawSocket]:
    """Ada and bob play; a second socket of ada's takes over. Gives ada's older and newer one, and bob's."""
    older = await visitor.open(ada, status=True)
    await older.hear()
    bobs = await visitor.dial()
    assert (await bobs.upgrade("/ws?status=false", {"Authorization": f"Bearer {bob}"})).status == 101
    older.say(cid="1", match_create={})
    created = (await older.hear())["match"]
    story.match_id, story.user_ids["ada"] = created["match_id"], created["self"]["user_id"]
    bobs.say(cid="1", match_join={"match_id": story.match_id})
    joined = await bobs.hear()
    story.user_ids["bob"] = joined["match"]["self"]["user_id"]
    await bobs.hear()
    older.say(match_data_send={"match_id": story.match_id, "op_code": "1", "data": "bWFyaw=="})
    assert "match_data" in await bobs.hear()
    older.say(cid=MARK, rpc={"id": MARK, "payload": MARK, "http_key": HTTP_KEY})
    newer = await visitor.open(ada, status=True)
    assert "leaves" in (await bobs.hear())["match_presence_event"]
    bobs.say(cid="2", match_leave={"match_id": story.match_id})
    assert await bobs.hear() == {"cid": "2"}
    return older, newer, bobs


async def malformed(visitor: Visitor, story: Story) -> None:
    for payload in (b"{", f'{{"{MARK}":1}}'.encode(), f'"{MARK}"'.encode(), b"\xff" + MARK.encode()):
        socket = await visitor.open(story.keep(await visitor.sign_in("cem")))
        socket.frame(0x81, payload)
        assert (await socket.ending())[0] == 1000
    for first in (0x83, 0xC1):
        socket = await visitor.open(story.keep(await visitor.sign_in("cem")))
        socket.frame(first, MARK.encode())
        assert (await socket.ending())[0] == 1002


def test_every_line_of_standard_output_is_one_json_object(told: Told) -> None:
    assert told.server.stdout
    for line in told.server.stdout:
        event = json.loads(line)
        assert {"event", "level", "time"} <= event.keys()


def test_no_secret_is_printed_anywhere(told: Told) -> None:
    keys = strings(json.loads((told.folder / "data" / "session-keys.json").read_text()))
    secrets = (
        told.story.secrets
        | {SERVER_KEY, HTTP_KEY, MARK, PASSWORD, quote(PASSWORD, safe="")}
        | {each for each in keys if len(each) > 20}
    )
    pem = (told.folder / "data" / "dev-issuer-keys.pem").read_text()
    secrets |= {line for line in pem.splitlines() if "-----" not in line}

    assert len(secrets) > 30
    assert [secret for secret in secrets if secret in told.server.output] == []


def strings(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {text for part in parts for text in strings(part)}


def test_no_query_string_is_printed(told: Told) -> None:
    assert [line for line in told.server.stdout if "?" in line or "token=" in line] == []


def test_nothing_is_an_error_or_a_traceback(told: Told) -> None:
    assert [event for event in told.server.events if event["level"] in ("error", "critical")] == []
    assert "Traceback" not in told.server.output


def test_the_server_tells_its_life(told: Told) -> None:
    names = [event["event"] for event in told.server.events]

    assert names[0] == "server_starting"
    assert names[-1] == "server_stopped"
    assert names.index("server_ready") < names.index("server_draining")
    (ready,) = told.events("server_ready")
    assert (ready["public"], ready["ops"]) == (told.server.public, told.server.ops)


def test_logins_are_told_with_their_ids_and_refusals_with_a_reason(told: Told) -> None:
    issued, refused = told.events("session_issued"), told.events("identity_refused")

    assert len(told.events("identity_accepted")) == len(issued)
    assert {event["user_id"] for event in issued} >= set(told.story.user_ids.values())
    assert len({event["family_id"] for event in issued}) == len(issued)
    assert len({event["trace_id"] for event in issued}) == len(issued)
    assert len(refused) == 3
    assert all(event["reason"] and event["trace_id"] for event in refused)
    assert len(told.events("session_refreshed")) == 2
    assert len(told.events("logged_out")) == 2


def test_sockets_are_told_from_opening_to_close(told: Told) -> None:
    opened = {event["session_id"]: event for event in told.events("socket_opened")}
    closed = {event["session_id"]: event for event in told.events("socket_closed")}

    assert opened.keys() == closed.keys()
    for session_id, event in closed.items():
        assert event["user_id"] == opened[session_id]["user_id"]
        assert event["family_id"] == opened[session_id]["family_id"]
        assert event["duration_s"] >= 0
        assert event["bytes_in"] > 0
        assert event["bytes_out"] > 0
        assert event["messages_out"] > 0
    reasons = {(event["code"], event["reason"]) for event in closed.values()}
    assert set(told.story.endings.values()) <= reasons
    assert (1000, "received malformed payload") in reasons


def test_players_are_told_why_their_socket_ends(told: Told) -> None:
    assert told.story.endings == {
        "replaced": (1000, "server-side session disconnect"),
        "logged out": (4502, "logged out"),
        "stopped": (4001, "server restarting"),
    }


def test_a_takeover_is_told_with_both_sockets(told: Told) -> None:
    (replaced,) = told.events("socket_replaced")

    adas = [event for event in told.events("socket_opened") if event["user_id"] == told.story.user_ids["ada"]]
    assert replaced["user_id"] == told.story.user_ids["ada"]
    assert [replaced["session_id"], replaced["replaced_by"]] == [event["session_id"] for event in adas]


def test_a_match_is_told_with_its_beginning_and_end(told: Told) -> None:
    (created,), (ended,) = told.events("match_created"), told.events("match_ended")

    assert created["match_id"] == ended["match_id"] == told.story.match_id
    assert created["user_id"] == told.story.user_ids["ada"]
    assert ended["user_id"] == told.story.user_ids["bob"]
    assert created["session_id"] != ended["session_id"]


def test_requests_are_told_by_route_alone(told: Told) -> None:
    requests = told.events("http_request")

    assert {event["path"] for event in requests} >= {"/ws", "/v2/account", None}
    refused = {event["path"] for event in requests if event["status"] == 403}
    # What is not in the table, a foreign page's socket, and its request in cookie mode.
    assert refused == {None, "/ws", "/v2/account/session/refresh"}
