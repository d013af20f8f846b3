"""The site over real sockets: what is open, what is closed, and what nonsense gets."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from server.config import IdentitySettings
from server.identity.failures import KeysUnavailable
from server.web.reading import MAX_BODY
from server.web.site import ROUTES
from tests.support import issuer
from tests.support.issuer import ALICE, BOB
from tests.support.site import SERVER_KEY, Site, open_gate, running_site

AUTHENTICATE = "/v2/account/authenticate/custom"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND")
LISTED = {(route.method, route.path) for route in ROUTES}
CLOSED = [
    (method, path) for path in sorted({path for _, path in LISTED}) for method in METHODS
    if (method, path) not in LISTED
] + [
    (method, path)
    for method in ("GET", "POST")
    for path in (
        "/ws/", "/v2", "/v2/", "/v2/account/", "//v2/account", "/v2/account/authenticate/device",
        "/v2%2Faccount", "/v2/account;x=1", "/V2/account", "/healthcheck/", "/metrics", "/readyz",
        "/v2/healthcheck", "/.well-known/jwks.json", "/%00", "/%ff", "/a/../v2/account2", "/favicon.ico",
    )
]  # fmt: skip


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_gate(tmp_path) as gate, running_site(gate) as running:
        yield running


async def raw(site: Site, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes, read to the end."""
    reader, writer = await asyncio.open_connection(site.host, site.port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split(" ")[1]) if first else 0, headers, body


async def post(site: Site, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with site.client.post(path, data=data, headers=headers) as response:
        return response.status, await response.json()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(("method", "path"), CLOSED)
async def test_what_is_not_in_the_table_is_forbidden(site: Site, method: str, path: str) -> None:
    request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    status, headers, body = await raw(site, request.encode())

    assert status == 403
    assert headers["Content-Type"] == "application/json"
    assert body == (b"" if method == "HEAD" else b'{"code":7,"message":"Forbidden"}')


async def test_the_root_and_the_healthcheck_are_open(site: Site) -> None:
    async with site.client.get("/") as root, site.client.get("/healthcheck") as health:
        assert (root.status, await root.read()) == (200, b"")
        assert (health.status, await health.read()) == (200, b"{}")
        assert "Server" not in health.headers


async def test_the_upgrade_is_handed_on(site: Site) -> None:
    async with site.client.get("/ws?token=garbage") as response:
        assert (response.status, await response.text()) == (401, "Missing or invalid token\n")
    assert site.upgrades == ["/ws"]


async def test_a_player_signs_in_reads_their_account_refreshes_and_logs_out(site: Site) -> None:
    session = await site.login()
    refreshed = await post(
        site, "/v2/account/session/refresh", {"token": session["refresh_token"]}, SERVER_KEY
    )
    token = refreshed[1]["token"]

    site.online.add(ALICE)
    async with site.client.get("/v2/account", headers=bearer(token)) as response:
        account = await response.json()
    logout = await post(site, "/v2/session/logout", {"token": token}, bearer(token))
    claims = site.gate.tokens.check_session(token)
    async with site.client.get("/v2/account", headers=bearer(session["token"])) as response:
        after = response.status

    assert session["created"] is True
    assert "created" not in refreshed[1]
    assert account["user"]["id"] == ALICE
    assert account["user"]["online"] is True
    assert account["custom_id"] == ALICE
    assert logout == (200, {})
    assert len(site.ended) == 1
    assert (claims, after) == (None, 401)


async def test_whatever_else_the_body_and_query_say_the_session_is_the_token_holders(site: Site) -> None:
    await site.login(sub=BOB, username="bob")
    body = {
        "id": site.id_token(custom_role="guest"),
        "user_id": BOB,
        "uid": BOB,
        "userId": BOB,
        "username": "bob",
        "account": {"id": BOB},
        "vars": {"role": "admin", "uid": BOB, "usn": "bob"},
    }
    status, session = await post(
        site, f"{AUTHENTICATE}?username=bob&user_id={BOB}&id={BOB}", body, SERVER_KEY
    )

    claims = site.gate.tokens.check_session(session["token"])
    assert status == 200
    assert claims is not None
    assert (claims.user_id, claims.username) == (ALICE, "alice")
    assert claims.vars == {"role": "guest", "uid": BOB, "usn": "bob"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Custom ID is required."),
        (b" \n", "Custom ID is required."),
        (b"{}", "Custom ID is required."),
        (b'{"id":null}', "Custom ID is required."),
        (b'{"id":["x"]}', "Custom ID is required."),
        (b'{"id":', "unexpected EOF"),
        (b'{"id":"a', "unexpected EOF"),
        (b"null", "proto: "),
        (b"7", "proto: "),
        (b'"text"', "proto: "),
        (b'{"id":"x","id":"y"}', "proto: "),
        (b'{"id":"x","vars":[]}', "proto: "),
        (b'{"id":"x","vars":{"a":null}}', "proto: "),
        (b'{"id":"x","vars":{"a":{}}}', "proto: "),
        (b'{"id":NaN}', "proto: "),
        (b'{"id":"\\ud800"}', "proto: "),
        (b'{"id":"\xff"}', "proto: "),
        (b'{"id":1' + b"0" * 5000 + b"}", "proto: "),
        (b"[" * 5000, "proto: "),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "proto: "),
        (b"\xef\xbb\xbf{}", "proto: "),
        (b"\x00", "proto: "),
    ],
)
async def test_a_bad_body_is_an_invalid_argument(site: Site, body: bytes, message: str) -> None:
    status, answer = await post(site, AUTHENTICATE, body, SERVER_KEY)

    assert (status, answer["code"]) == (400, 3)
    assert answer["message"].startswith(message)


async def test_both_spellings_of_a_field_are_read_and_never_together(site: Site) -> None:
    session = await site.login()
    caller = bearer(session["token"])
    both = {"refresh_token": "x", "refreshToken": "y"}

    twice = await post(site, "/v2/session/logout", both, caller)
    camel = await post(site, "/v2/session/logout", {"refreshToken": session["refresh_token"]}, caller)

    assert twice[0] == 400
    assert camel == (200, {})
    assert len(site.ended) == 1


@pytest.mark.parametrize("path", [AUTHENTICATE, "/v2/account/session/refresh"])
async def test_a_body_is_read_up_to_its_limit(site: Site, path: str) -> None:
    fits = b'{"x":"' + b"a" * (MAX_BODY - 8) + b'"}'
    assert len(fits) == MAX_BODY

    at_limit = await post(site, path, fits, SERVER_KEY)
    over = await post(site, path, fits + b" ", SERVER_KEY)
    bomb = await post(
        site, path, gzip.compress(b" " * (MAX_BODY * 50)), SERVER_KEY | {"Content-Encoding": "gzip"}
    )

    assert at_limit[1]["message"].endswith(" is required.")
    assert over == bomb == (400, {"code": 3, "message": "http: request body too large"})


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_body_that_is_not_coded_as_it_says_is_refused(site: Site, coding: str) -> None:
    head = f"POST {AUTHENTICATE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: {coding}\r\n"
    head += f"Authorization: {SERVER_KEY['Authorization']}\r\nContent-Length: 12\r\n\r\n"

    with capture_logs() as logs:
        status, _, body = await raw(site, head.encode() + b"marker-text!")

    assert status == 400
    assert b"marker" not in body
    assert [entry for entry in logs if entry["log_level"] == "error"] == []


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"marker\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nmarker\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nmar ker: 1\r\n\r\n",
        b"GET /?token=marker\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /?token=" + b"marker" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"marker" * 3000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: marker\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nmarker",
        b"\x16\x03\x01marker\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_without_being_quoted(
    site: Site, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    status, headers, body = await raw(site, request_bytes)

    assert (status, json.loads(body)) == (400, {"code": 3, "message": "Bad Request"})
    assert "marker" not in str(headers)
    assert "marker" not in caplog.text


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        (None, "Server key required"),
        ("", "Server key invalid"),
        ("Basic", "Server key invalid"),
        ("basic ZGVmYXVsdGtleTo=", "Server key invalid"),
        ("Basic ZGVmYXVsdGtleQ==", "Server key invalid"),
        ("Basic ZGVmYXVsdGtleTo", "Server key invalid"),
        ("Basic d3Jvbmc6", "Server key invalid"),
        ("Basic !!!!", "Server key invalid"),
        ("Basic \u00fc\u00fc", "Server key invalid"),
        ("Bearer ZGVmYXVsdGtleTo=", "Server key invalid"),
    ],
)
async def test_the_server_key_is_asked_for(site: Site, authorization: str | None, message: str) -> None:
    header = "" if authorization is None else f"Authorization: {authorization}\r\n"
    request = (
        f"POST {AUTHENTICATE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n{header}\r\n"
    )
    status, headers, body = await raw(site, request.encode())

    assert (status, json.loads(body)) == (401, {"code": 16, "message": message})
    assert headers["WWW-Authenticate"] == message


async def test_a_second_authorization_header_is_not_chosen_between(site: Site) -> None:
    session = await site.login()
    line = f"Authorization: Bearer {session['token']}\r\n"
    request = f"GET /v2/account HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{line}{line}\r\n"

    assert (await raw(site, request.encode()))[0] == 401


@pytest.mark.parametrize(
    "value", ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"]
)
async def test_create_is_read_as_go_reads_a_bool(site: Site, value: str) -> None:
    status, _ = await post(site, f"{AUTHENTICATE}?create={value}", {"id": site.id_token()}, SERVER_KEY)

    assert status == (200 if value in ("1", "t", "T", "TRUE", "true", "True") else 404)


@pytest.mark.parametrize(
    "query", ["create=", "create=yes", "create=true&create=true", "create=%ff", "create=%00"]
)
async def test_a_create_that_is_no_bool_is_refused(site: Site, query: str) -> None:
    status, answer = await post(site, f"{AUTHENTICATE}?{query}", {"id": site.id_token()}, SERVER_KEY)

    assert (status, answer["code"]) == (400, 3)
    assert answer["message"].startswith('parsing field "create": ')


async def test_unavailable_keys_ask_to_come_back(tmp_path: Path) -> None:
    keys = issuer.fixed_keys()
    keys.failure = KeysUnavailable(7)

    async with open_gate(tmp_path, keys=keys) as gate, running_site(gate) as site:
        body = json.dumps({"id": site.id_token()})
        async with site.client.post(AUTHENTICATE, data=body, headers=SERVER_KEY) as response:
            answer = await response.json()
            assert (response.status, answer["code"], response.headers["Retry-After"]) == (503, 14, "7")


async def test_a_bug_is_answered_without_detail_and_logged_with_its_traceback(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await site.login()

    async def broken(*_: object) -> None:
        raise RuntimeError("marker")

    monkeypatch.setattr(site.gate.store, "account", broken)
    with capture_logs() as logs:
        async with site.client.get("/v2/account", headers=bearer(session["token"])) as response:
            answer = await response.json()

    failures = [entry for entry in logs if entry["event"] == "request_failed"]
    assert (response.status, answer) == (500, {"code": 13, "message": "Internal Server Error"})
    assert isinstance(failures[0]["exc_info"], RuntimeError)


async def test_a_request_is_logged_by_its_route_and_never_by_its_query(site: Site) -> None:
    with capture_logs(processors=[merge_contextvars]) as logs:
        async with site.client.get("/v2/account?token=marker", headers={"Referer": "marker"}):
            pass
        async with site.client.get("/marker/marker?x=marker"):
            pass
        await asyncio.sleep(0)

    listed, unlisted = [entry for entry in logs if entry["event"] == "http_request"]
    assert (listed["method"], listed["path"], listed["status"]) == ("GET", "/v2/account", 401)
    assert (unlisted["path"], unlisted["status"]) == (None, 403)
    assert listed["log_level"] == "debug"
    assert re.fullmatch(r"[0-9a-f-]{36}", listed["trace_id"])
    assert listed["trace_id"] != unlisted["trace_id"]
    assert "marker" not in json.dumps(logs)


async def test_origins_are_limited_where_configured(tmp_path: Path) -> None:
    async with (
        open_gate(tmp_path) as gate,
        running_site(gate, allowed_origins=("https://game.example",)) as site,
    ):
        good, bad = {"Origin": "https://game.example"}, {"Origin": "https://evil.example"}
        async with site.client.get("/healthcheck", headers=good) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "https://game.example"
            assert response.headers.getall("Vary") == ["Accept-Encoding", "Origin"]
        async with site.client.get("/healthcheck", headers=bad) as response:
            assert "Access-Control-Allow-Origin" not in response.headers
        async with site.client.get("/ws", headers=bad) as response:
            assert response.status == 403
        preflight = bad | {"Access-Control-Request-Method": "POST"}
        async with site.client.options("/v2/account", headers=preflight) as response:
            assert response.status == 403

    assert site.upgrades == []


@pytest.mark.parametrize("path", ["/", "/ws", "/v2/account", "/no/such/path"])
async def test_every_answer_may_be_read_by_a_page(site: Site, path: str) -> None:
    async with site.client.get(path, headers={"Origin": "null"}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "null"}, 400),
        ({"Origin": "null", "Access-Control-Request-Method": "PATCH"}, 405),
        (
            {
                "Origin": "null",
                "Access-Control-Request-Method": "GET",
                "Access-Control-Request-Headers": "X-A",
            },
            403,
        ),
        (
            {
                "Origin": "null",
                "Access-Control-Request-Method": "PUT",
                "Access-Control-Request-Headers": "accept",
            },
            200,
        ),
    ],
)
async def test_a_preflight_is_answered_for_any_path(site: Site, headers: dict[str, str], status: int) -> None:
    async with site.client.options("/any/path", headers=headers) as response:
        assert (response.status, await response.read()) == (status, b"")
        if headers.get("Access-Control-Request-Method") == "PUT":
            assert response.headers["Access-Control-Allow-Methods"] == "PUT"


async def test_a_site_without_issuers_refuses_every_token(tmp_path: Path) -> None:
    async with open_gate(tmp_path, identity=IdentitySettings()) as gate, running_site(gate) as site:
        status, answer = await post(site, AUTHENTICATE, {"id": site.id_token()}, SERVER_KEY)

    assert (status, answer) == (401, {"code": 16, "message": "Identity token invalid"})


async def test_a_client_that_goes_away_mid_request_leaves_no_trace_in_the_log(site: Site) -> None:
    with capture_logs() as logs:
        _, writer = await asyncio.open_connection(site.host, site.port)
        head = f"POST {AUTHENTICATE} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n"
        writer.write(f"{head}Authorization: {SERVER_KEY['Authorization']}\r\n\r\n{{".encode())
        await writer.drain()
        async with site.client.get("/healthcheck") as response:
            assert response.status == 200
        writer.transport.abort()
        async with (
            aiohttp.ClientSession() as other,
            other.get(f"http://{site.host}:{site.port}/") as response,
        ):
            assert response.status == 200

    assert [entry for entry in logs if entry["log_level"] == "error"] == []
