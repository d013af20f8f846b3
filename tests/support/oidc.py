"""A real OpenID provider (`oidc-provider` under Node), and a player who signs in to it without a browser.

The provider is of its own process; the player fills in the two forms of its development pages over HTTP,
with a jar for the cookies, as a browser would.
"""

import asyncio
import base64
import hashlib
import html
import json
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp

from tests.support.node import NODE

FOLDER = Path(__file__).parent.parent / "e2e" / "oidc"
CLIENT = "game"
MACHINE = aiohttp.encode_basic_auth("machine", "a-secret-of-this-test-alone")
AUDIENCE = "game-api"
RESOURCES = {"RS256": "urn:game:rs256", "ES256": "urn:game:es256"}
OTHER_RESOURCE = "urn:shop"
REDIRECT = "http://127.0.0.1/cb"
START_LIMIT_S = 30
STEPS = 12
"""More pages than a sign-in has."""

_ACTION = re.compile(r'<form[^>]*\baction="([^"]+)"')
_HIDDEN = re.compile(r'<input[^>]*\btype="hidden"[^>]*\bname="([^"]+)"[^>]*\bvalue="([^"]*)"')


class OidcProvider:
    """A running provider. `issuer` is its URL."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    async def rotate(self) -> None:
        """Sign with new keys from now on; the old ones stay published."""
        await self._change_keys("rotate")

    async def drop_old_keys(self) -> None:
        """Publish the newest keys alone."""
        await self._change_keys("drop")

    async def token_by_code(self, user: str, resource: str) -> str:
        """An access token by authorization code with PKCE (RFC 7636)."""
        verifier = secrets.token_urlsafe(32)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "client_id": CLIENT,
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": "openid game",
            "resource": resource,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        async with _browser() as browser:
            url, _ = await self._walk(browser, "GET", f"{self.issuer}/auth", asked, user)
            assert url.startswith(REDIRECT), url
            code = parse_qs(urlsplit(url).query)["code"][0]
            return await self._token(
                browser,
                grant_type="authorization_code",
                client_id=CLIENT,
                code=code,
                redirect_uri=REDIRECT,
                code_verifier=verifier,
                resource=resource,
            )

    async def token_by_device(self, user: str, resource: str) -> str:
        """An access token by the device flow (RFC 8628)."""
        async with _browser() as browser:
            asked = {"client_id": CLIENT, "scope": "openid game", "resource": resource}
            async with browser.post(f"{self.issuer}/device/auth", data=asked) as answer:
                device = await answer.json()
            url, page = await self._walk(browser, "GET", device["verification_uri_complete"], {}, user)
            assert "Sign-in Success" in page, (url, page)
            return await self._token(
                browser,
                grant_type="urn:ietf:params:oauth:grant-type:device_code",
                client_id=CLIENT,
                device_code=device["device_code"],
                resource=resource,
            )

    async def machine_token(self, resource: str) -> str:
        """An access token by client credentials: nobody signed in."""
        async with _browser() as browser:
            return await self._token(
                browser, {"Authorization": MACHINE}, grant_type="client_credentials", resource=resource
            )

    async def _change_keys(self, how: str) -> None:
        async with _browser() as browser, browser.post(f"{self.issuer}/_test/{how}") as answer:
            assert answer.status == 204, await answer.text()

    async def _token(
        self, browser: aiohttp.ClientSession, headers: dict[str, str] | None = None, **form: str
    ) -> str:
        async with browser.post(f"{self.issuer}/token", data=form, headers=headers) as answer:
            told: dict[str, Any] = await answer.json()
        assert "access_token" in told, told
        return str(told["access_token"])

    async def _walk(
        self, browser: aiohttp.ClientSession, method: str, url: str, data: dict[str, str], user: str
    ) -> tuple[str, str]:
        """Follow redirects and send each form, filled in, until another site or a page without a form."""
        for _ in range(STEPS):
            sent: Any = {"params": data} if method == "GET" else {"data": data}
            async with browser.request(method, url, allow_redirects=False, **sent) as answer:
                page, location = await answer.text(), answer.headers.get("Location")
            if location is not None:
                method, url, data = "GET", urljoin(url, location), {}
                if not url.startswith(self.issuer):
                    return url, page
                continue
            form = _ACTION.search(page)
            if form is None:
                return url, page
            method, url = "POST", urljoin(url, html.unescape(form[1]))
            data = {name: html.unescape(value) for name, value in _HIDDEN.findall(page)}
            if 'name="login"' in page:
                data |= {"login": user, "password": "any"}
        raise AssertionError(f"the provider asks for more than {STEPS} pages, last of {url}")


def _browser() -> aiohttp.ClientSession:
    # unsafe: the jar otherwise keeps no cookies of a host that is an address.
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


@asynccontextmanager
async def running_provider() -> AsyncIterator[OidcProvider]:
    """Start the provider; its packages must be installed."""
    process = await asyncio.create_subprocess_exec(
        NODE,
        FOLDER / "provider.mjs",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # it warns that it keeps everything in memory
    )
    try:
        assert process.stdout is not None
        ready = await asyncio.wait_for(process.stdout.readline(), START_LIMIT_S)
        yield OidcProvider(json.loads(ready)["issuer"])
    finally:
        process.terminate()
        await process.wait()
