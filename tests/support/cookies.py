"""A site in cookie mode, and a client that sends exactly the headers it is told to."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy

from server.sections import SessionSettings
from server.web.cookies import Mode
from tests.support.site import AUTHENTICATE, SERVER_KEY, Site, open_gate, running_site

ORIGIN = "https://game.test"
NAME = "__Host-gs_refresh"
REFRESH = "/v2/account/session/refresh"
LOGOUT = "/v2/session/logout"
OURS = {"X-GS": "1", "Origin": ORIGIN, "Content-Type": "application/json"}
"""What a request in cookie mode must show."""


@asynccontextmanager
async def cookie_site(folder: Path, mode: Mode = "secure") -> AsyncIterator[Site]:
    async with (
        open_gate(folder) as gate,
        running_site(gate, allowed_origins=(ORIGIN,), session=SessionSettings(cookie=mode)) as site,
    ):
        yield site


class Reply:
    """An answer with the cookie it sets, if any."""

    def __init__(self, status: int, body: dict[str, Any], headers: CIMultiDictProxy[str]) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self.lines = headers.getall("Set-Cookie", [])

    @property
    def refusal(self) -> tuple[int, dict[str, Any], list[str]]:
        return self.status, self.body, self.lines

    @property
    def cookie(self) -> Morsel[str]:
        (line,) = self.lines
        ((_, morsel),) = SimpleCookie(line).items()
        return morsel


async def send(site: Site, path: str, body: Any, *headers: dict[str, str]) -> Reply:
    merged: CIMultiDict[str] = CIMultiDict()
    for part in headers:
        merged.extend(part)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with site.client.post(path, data=data, headers=merged) as response:
        return Reply(response.status, await response.json(), response.headers)


async def login(site: Site, **changed: Any) -> Reply:
    reply = await send(site, AUTHENTICATE, {"id": site.id_token(**changed)}, SERVER_KEY, OURS)
    assert reply.status == 200, reply.body
    return reply


async def refresh(site: Site, token: str, *headers: dict[str, str], body: Any = None) -> Reply:
    return await send(site, REFRESH, body or {}, SERVER_KEY, OURS, holding(token), *headers)


def holding(token: str, name: str = NAME) -> dict[str, str]:
    return {"Cookie": f"{name}={token}"}
