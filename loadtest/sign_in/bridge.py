"""The game server's HTTP side of signing in: an identity goes in, a session and a refresh token come out.

Tokens and identities are part of no error's text.
"""

import base64
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import msgspec

from loadtest.failures import Refused, SwarmError
from loadtest.sign_in.conceal import concealed
from loadtest.upgrade import retry_after

MAX_TEXT: Final = 80
"""Characters of a refusal that are told."""

MAX_BODY: Final = 64 * 1024
"""Bytes of an answer."""


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """What is posted, to which route of `/v2/account/authenticate/`."""

    route: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """The two tokens of a session."""

    token: str
    refresh_token: str
    user_id: str
    expires_at: int
    """Unix seconds."""


class Bridge:
    """Over an HTTP client that is given, and that does not queue: arrivals are open."""

    def __init__(self, http: aiohttp.ClientSession, url: str, server_key: str) -> None:
        self._http = http
        self._url = url
        self._key = server_key
        self._basic = aiohttp.encode_basic_auth(server_key, "")

    async def authenticate(self, credential: Credential) -> Tokens:
        """Sign in; the account is made if there is none. Raises Refused, SwarmError."""
        path = f"/v2/account/authenticate/{credential.route}?create=true"
        return _tokens(await self._post(path, credential.body, self._basic))

    async def refresh(self, tokens: Tokens) -> Tokens:
        """The next pair. Raises Refused, SwarmError."""
        body = {"token": tokens.refresh_token}
        return _tokens(await self._post("/v2/account/session/refresh", body, self._basic))

    async def logout(self, tokens: Tokens) -> None:
        """End the login of this pair. Raises Refused, SwarmError."""
        body = {"token": tokens.token, "refresh_token": tokens.refresh_token}
        await self._post("/v2/session/logout", body, f"Bearer {tokens.token}")

    async def _post(self, path: str, body: dict[str, Any], authorization: str) -> dict[str, Any]:
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        try:
            async with self._http.post(
                self._url + path, data=msgspec.json.encode(body), headers=headers
            ) as response:
                raw = await body_of(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SwarmError(f"the server does not answer a login: {type(error).__name__}") from None
        answer = object_of(raw)
        if response.status != 200:
            told = concealed(str(answer.get("message", "")), self._secrets(authorization, body), MAX_TEXT)
            late = retry_after({name.lower(): value for name, value in response.headers.items()})
            raise Refused(
                response.status, f"the server refused a login: {response.status} {told}".rstrip(), late
            )
        return answer

    def _secrets(self, authorization: str, body: dict[str, Any]) -> list[str]:
        """What a server must not make us tell by repeating it."""
        posted = (value for value in body.values() if isinstance(value, str))
        return [self._key, authorization.partition(" ")[2], *posted]


async def body_of(response: aiohttp.ClientResponse) -> bytes:
    """All of it. Raises SwarmError when it is longer than any answer we ask for."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            response.close()
            raise SwarmError(f"an answer was longer than {MAX_BODY} bytes")
    return bytes(body)


def object_of(raw: bytes) -> dict[str, Any]:
    """A JSON object, empty when it is none."""
    try:
        found = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _tokens(answer: dict[str, Any]) -> Tokens:
    token, refresh_token = answer.get("token"), answer.get("refresh_token", "")
    if not isinstance(token, str) or not isinstance(refresh_token, str):
        raise SwarmError("the server answered a login without a token")
    claims = claims_of(token)
    expires_at = claims.get("exp", 0)
    return Tokens(
        token, refresh_token, str(claims.get("uid", "")), expires_at if isinstance(expires_at, int) else 0
    )


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT as SDKs read them, unverified; empty when it is none."""
    part = token.split(".")[1:2]
    try:
        return object_of(base64.urlsafe_b64decode(part[0] + "=" * (-len(part[0]) % 4))) if part else {}
    except ValueError:
        return {}
