"""A real browser: our page signs in and plays and never sees a refresh token; a foreign page can do nothing.

The server speaks http, so for the `__Host-` cookie a proxy that ends TLS stands in front of it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from server.web.cookies import Mode
from tests.support.chromium import DevTools, Page, running_chromium
from tests.support.clock import JumpingClock
from tests.support.inprocess import Live, running
from tests.support.tls import Certificate, Proxy, running_proxy
from tests.support.visitor import DEFAULT_KEY

GAME, EVIL = "game.test", "evil.example"

KIT = """
const post = async (path, body, headers, options) => {
  const answer = await fetch(path, {
    method: "POST",
    headers: {"Content-Type": "application/json", ...headers},
    body: JSON.stringify(body),
    ...options,
  });
  return {status: answer.status, body: await answer.json()};
};
const socket = (url, protocols) => new Promise((resolve) => {
  const opened = new WebSocket(url, protocols);
  opened.onopen = () => opened.send(JSON.stringify({cid: "1", ping: {}}));
  opened.onmessage = (message) => {
    resolve({protocol: opened.protocol, said: JSON.parse(message.data)});
    opened.close();
  };
  opened.onclose = (closed) => resolve({closed: closed.code});
});
const tried = async (attempt) => {
  try { return await attempt(); } catch (error) { return error.name; }
};
"""
"""What the scripts of both pages are written with."""

LOGIN = """
const answer = await post("/v2/account/authenticate/custom", {id}, {Authorization: key, "X-GS": "1"});
window.session = answer.body.token;
return {status: answer.status, names: Object.keys(answer.body).sort()};
"""
REFRESH = """
const answer = await post("/v2/account/session/refresh", {}, {Authorization: key, "X-GS": "1"});
window.session = answer.body.token;
return {status: answer.status, names: Object.keys(answer.body).sort()};
"""
LOGOUT = """
return await post("/v2/session/logout", {}, {Authorization: `Bearer ${window.session}`, "X-GS": "1"});
"""
ACCOUNT = """
const answer = await fetch("/v2/account", {headers: {Authorization: `Bearer ${window.session}`}});
return answer.status;
"""
TICKET = """
const answer = await post("/v2/session/ticket", {}, {Authorization: `Bearer ${window.session}`});
return answer.body.ticket;
"""
SOCKET = "return await socket(url, protocols);"
BY_SUBPROTOCOL = 'return await socket(url, ["game.v1", `bearer.${window.session}`]);'

PONG = {"cid": "1", "pong": {}}
REFUSED = {"closed": 1006}
"""What a script sees of a socket that was not opened (WHATWG WebSockets: never why)."""


@dataclass
class Scene:
    """A server whose page is open in a browser."""

    live: Live
    clock: JumpingClock
    proxy: Proxy
    browser: DevTools
    certificate: Certificate
    origin: str

    @property
    def sockets(self) -> str:
        return self.origin.replace("http", "ws", 1) + "/ws"

    async def own_page(self) -> Page:
        page = await self.browser.open_page()
        await page.go(self.origin)
        return page

    async def cookie(self) -> dict[str, Any] | None:
        """The refresh token's cookie, if the browser holds it."""
        found = [cookie for name, cookie in (await self.browser.cookies()).items() if "gs_refresh" in name]
        assert len(found) <= 1
        return found[0] if found else None


@asynccontextmanager
async def playing(program: str, folder: Path, mode: Mode) -> AsyncIterator[Scene]:
    certificate = Certificate(folder, GAME, EVIL)
    secure = mode == "secure"
    async with running_proxy(certificate.context if secure else None) as proxy:
        origin = f"{'https' if secure else 'http'}://{GAME}:{proxy.port}"
        clock = JumpingClock()
        async with running(folder, session={"cookie": mode}, allowed_origins=(origin,), clock=clock) as live:
            proxy.target = (live.host, live.port)
            async with running_chromium(
                program, folder, hosts=(GAME, EVIL), spki=certificate.spki
            ) as browser:
                yield Scene(live, clock, proxy, browser, certificate, origin)


@asynccontextmanager
async def foreign_page(scene: Scene) -> AsyncIterator[Page]:
    """A page of another site, in the same browser."""

    async def empty(_request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>foreign</title>", content_type="text/html")

    site = web.Application()
    site.router.add_get("/{any:.*}", empty)
    runner = web.AppRunner(site)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=scene.certificate.context).start()
        page = await scene.browser.open_page()
        await page.go(f"https://{EVIL}:{runner.addresses[0][1]}/")
        yield page
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("mode", ["secure", "insecure"])
async def test_a_page_signs_in_plays_comes_back_and_leaves(chromium: str, tmp_path: Path, mode: Mode) -> None:
    async with playing(chromium, tmp_path, mode) as scene:
        page = await scene.own_page()

        await signs_in(scene, page, secure=mode == "secure")
        await opens_sockets(scene, page)
        await comes_back(scene, page)
        await leaves(scene, page)


async def signs_in(scene: Scene, page: Page, *, secure: bool) -> None:
    id_token = await scene.live.identity_token("ada")

    answer = await page.run(KIT + LOGIN, id=id_token, key=DEFAULT_KEY)
    cookie = await scene.cookie()

    assert answer == {"status": 200, "names": ["created", "token"]}
    assert cookie is not None
    assert cookie["name"] == ("__Host-gs_refresh" if secure else "gs_refresh")
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, secure, "Strict")
    assert (cookie["path"], cookie["domain"], cookie["session"]) == ("/", GAME, False)
    assert await page.run("return document.cookie;") == ""
    assert await page.run(ACCOUNT) == 200


async def opens_sockets(scene: Scene, page: Page) -> None:
    ticket = await page.run(KIT + TICKET)
    url = f"{scene.sockets}?ticket={ticket}"

    first = await page.run(KIT + SOCKET, url=url, protocols=[])
    second = await page.run(KIT + SOCKET, url=url, protocols=[])
    by_subprotocol = await page.run(KIT + BY_SUBPROTOCOL, url=scene.sockets)
    by_cookie = await page.run(KIT + SOCKET, url=scene.sockets, protocols=[])

    assert first == {"protocol": "", "said": PONG}
    assert second == REFUSED
    assert by_subprotocol == {"protocol": "game.v1", "said": PONG}
    assert by_cookie == REFUSED


async def comes_back(scene: Scene, page: Page) -> None:
    session, cookie = await page.run("return window.session;"), await scene.cookie()
    scene.clock.jump(60)  # else the same second would give the same session token

    await page.reload()
    forgotten = await page.run("return typeof window.session;")
    answer = await page.run(KIT + REFRESH, key=DEFAULT_KEY)
    successor = await scene.cookie()

    assert forgotten == "undefined"
    assert answer == {"status": 200, "names": ["token"]}
    assert await page.run("return window.session !== session;", session=session)
    assert cookie is not None
    assert successor is not None
    assert successor["value"] != cookie["value"]
    assert await page.run(ACCOUNT) == 200


async def leaves(scene: Scene, page: Page) -> None:
    ticket = await page.run(KIT + TICKET)

    answer = await page.run(KIT + LOGOUT)
    refused = await page.run(KIT + REFRESH, key=DEFAULT_KEY)
    with_ticket = await page.run(KIT + SOCKET, url=f"{scene.sockets}?ticket={ticket}", protocols=[])

    assert answer == {"status": 200, "body": {}}
    assert refused["status"] == 401
    assert await scene.cookie() is None
    assert with_ticket == REFUSED


async def test_a_refused_refresh_takes_the_cookie_out_of_the_browser(chromium: str, tmp_path: Path) -> None:
    async with playing(chromium, tmp_path, "secure") as scene:
        page = await scene.own_page()
        id_token = await scene.live.identity_token("ada")
        await page.run(KIT + LOGIN, id=id_token, key=DEFAULT_KEY)
        session = await page.run("return window.session;")
        await scene.live.ask("POST", "/v2/session/logout", f"Bearer {session}", {})

        held = await scene.cookie()
        answer = await page.run(KIT + REFRESH, key=DEFAULT_KEY)

        assert held is not None
        assert answer["status"] == 401
        assert await scene.cookie() is None


ATTEMPTS = """
const login = {Authorization: key};
const cookies = {credentials: "include"};
const paths = {
  login: ["/v2/account/authenticate/custom", {id}],
  refresh: ["/v2/account/session/refresh", {}],
  logout: ["/v2/session/logout", {}],
  ticket: ["/v2/session/ticket", {}],
};
const done = {};
for (const [name, [path, body]] of Object.entries(paths)) {
  const url = origin + path;
  done[name] = await tried(() => post(url, body, {...login, "X-GS": "1"}, cookies));
  done[name + " without X-GS"] = await tried(() => post(url, body, login, cookies));
  done[name + " without preflight"] = await tried(async () => (await fetch(url, {
    method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body: JSON.stringify(body),
    ...cookies,
  })).type);
}
done.socket = await socket(sockets);
done["socket by ticket"] = await socket(`${sockets}?ticket=${ticket}`);
done["socket by token"] = await socket(`${sockets}?token=${token}`);
done["socket by subprotocol"] = await socket(sockets, ["game.v1", `bearer.${token}`]);
return done;
"""
FORM = """
const form = document.createElement("form");
Object.assign(form, {method: "POST", enctype: "text/plain", action: url});
const field = document.createElement("input");
Object.assign(field, {name: '{"id":"' + id + '","pad":"', value: '"}'});
form.append(field);
document.body.append(form);
setTimeout(() => form.submit(), 0);
"""


async def test_a_page_of_another_site_can_do_nothing(chromium: str, tmp_path: Path) -> None:
    async with playing(chromium, tmp_path, "secure") as scene:
        page = await scene.own_page()
        id_token = await scene.live.identity_token("ada")
        await page.run(KIT + LOGIN, id=id_token, key=DEFAULT_KEY)
        ticket, token = await page.run(KIT + TICKET), await page.run("return window.session;")
        before = await scene.cookie()

        async with foreign_page(scene) as foreign:
            done = await foreign.run(
                KIT + ATTEMPTS,
                id=id_token,
                key=DEFAULT_KEY,
                origin=scene.origin,
                sockets=scene.sockets,
                ticket=ticket,
                token=token,
            )
        shown = [await posted_form(scene, path, id_token) for path in FORMS]

        assert {name: how for name, how in done.items() if how not in ("TypeError", "opaque", REFUSED)} == {}
        assert [name for name, how in done.items() if how == "opaque"] == [
            f"{name} without preflight" for name in ("login", "refresh", "logout", "ticket")
        ]
        assert shown == [401] * len(FORMS)
        assert await scene.cookie() == before
        assert scene.proxy.requests("Cookie: __Host-gs_refresh=", f"Origin: https://{EVIL}") == []
        assert scene.proxy.requests("Cookie: __Host-gs_refresh=", "Sec-Fetch-Site: cross-site") == []
        assert scene.proxy.requests("Cookie: __Host-gs_refresh=", f"Origin: {scene.origin}") != []
        assert await page.run(ACCOUNT) == 200
        assert (await page.run(KIT + REFRESH, key=DEFAULT_KEY))["status"] == 200


FORMS = (
    "/v2/account/authenticate/custom",
    "/v2/account/session/refresh",
    "/v2/session/logout",
    "/v2/session/ticket",
)


async def posted_form(scene: Scene, path: str, id_token: str) -> int:
    """Send the form of a foreign page, which knows the server key, to us. With what status we answer."""
    async with foreign_page(scene) as foreign:
        url = scene.origin.replace("://", "://defaultkey:@") + path
        await foreign.submit(FORM, url=url, id=id_token)
        status = await foreign.run('return performance.getEntriesByType("navigation")[0].responseStatus;')
        assert await foreign.run("return location.origin;") == scene.origin
        return int(status)
