"""The site over real sockets: what is open, what is closed, and what is written down about it."""

import asyncio
import json
import re

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from server.web.table import ROUTES
from tests.support.site import AUTHENTICATE, Site, bearer, raw

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND")


LISTED = {(route.method, route.path) for route in ROUTES}


CLOSED = [
    (method, path) for path in sorted({path for _, path in LISTED}) for method in METHODS
    # Objects of any collection are listed, and it may be called "delete".
    if (method, path) not in LISTED and (method, path) != ("GET", "/v2/storage/delete")
] + [
    (method, path)
    for method in ("GET", "POST")
    for path in (
        "/ws/", "/v2", "/v2/", "/v2/account/", "//v2/account", "/v2/account/authenticate/device",
        "/v2%2Faccount", "/v2/account;x=1", "/V2/account", "/healthcheck/", "/metrics", "/readyz",
        "/v2/healthcheck", "/.well-known/jwks.json", "/%00", "/%ff", "/a/../v2/account2", "/favicon.ico",
    )
]  # fmt: skip


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
