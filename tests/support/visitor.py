"""What a client does before it has a socket: sign in over HTTP with a token of the development issuer."""

import ssl
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.support.rawsocket import RawSocket

DEFAULT_KEY = aiohttp.encode_basic_auth("defaultkey", "")


@dataclass
class Visitor:
    """`public` is the server's `host:port`, `issuer` the URL of its development issuer."""

    public: str
    issuer: str
    http: aiohttp.ClientSession
    server_key: str = field(default=DEFAULT_KEY, kw_only=True)
    tls: ssl.SSLContext | None = field(default=None, kw_only=True)
    """How the server is known, if it speaks TLS."""

    @property
    def host(self) -> str:
        return self.public.rpartition(":")[0]

    @property
    def port(self) -> int:
        return int(self.public.rpartition(":")[2])

    async def identity_token(self, user: str) -> str:
        """An identity JWT of the development issuer; the user is made if missing."""
        origin = "/".join(self.issuer.split("/")[:3])
        async with self.http.post(f"{origin}/_dev/token", json={"user": user}) as answer:
            return str((await answer.json())["token"])

    async def sign_in(self, user: str) -> dict[str, Any]:
        """A new login: `token` and `refresh_token`."""
        body = {"id": await self.identity_token(user)}
        status, pair = await self.ask("POST", "/v2/account/authenticate/custom", self.server_key, body)
        assert status == 200, pair
        return pair

    async def ask(
        self, method: str, path: str, authorization: str, body: Any = None
    ) -> tuple[int, dict[str, Any]]:
        """A call of the HTTP API. Gives status and answer."""
        headers = {"Authorization": authorization}
        url = f"http{'' if self.tls is None else 's'}://{self.public}{path}"
        secure = True if self.tls is None else self.tls
        async with self.http.request(method, url, json=body, headers=headers, ssl=secure) as answer:
            return answer.status, dict(await answer.json())

    async def connect(self, user: str, *, status: bool = False) -> RawSocket:
        """Sign a player in and open a socket."""
        token = (await self.sign_in(user))["token"]
        return await self.open(token, status=status)

    async def dial(self) -> RawSocket:
        """A TCP connection on which nothing was said yet."""
        return await RawSocket.dial(self.host, self.port, self.tls)

    async def open(self, token: str, *, status: bool = False) -> RawSocket:
        socket = await self.dial()
        answer = await socket.upgrade(f"/ws?token={token}&status={'true' if status else 'false'}")
        assert answer.status == 101, answer
        return socket
