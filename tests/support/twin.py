"""One of several server processes that share a database: its gate, its public site, and both doors of it.

It learns what another one decided only when it is told to look, so that a test knows what it knows.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from server.config import AdmissionSettings
from server.sections import SessionSettings, SocketSettings
from server.sessions.registry import Registry
from server.transport.round_trips import RoundTrips
from server.web.address import ClientAddresses
from server.web.browsers import Browsers
from server.web.entrance import Entrance
from server.web.sockets import Sockets
from server.web.upgrade import Upgrade
from tests.support import issuer
from tests.support.clock import ManualClock
from tests.support.site import AUTHENTICATE, SERVER_KEY, Gate, Site, bearer, open_gate, running_site

UNHURRIED = AdmissionSettings(handshakes_per_s=0, handshakes_per_s_per_address=0)
"""Many knock, by a clock that stands still."""
REFRESH = "/v2/account/session/refresh"


@dataclass
class Twin:
    """A started process. `told` counts the ends of logins that were read from `gate.ended`."""

    gate: Gate
    site: Site
    told: int = 0
    behind: set[str] = field(default_factory=set)
    """Logins whose end it cannot know of yet."""

    def news(self) -> list[str]:
        """The logins whose sockets it was told to close since the last call."""
        ended = [item.family_id for item in self.gate.ended[self.told :]]
        self.told += len(ended)
        return ended

    async def call(
        self, method: str, path: str, headers: dict[str, str], body: Any = None
    ) -> tuple[int, dict[str, Any]]:
        async with self.site.client.request(method, path, json=body, headers=headers) as response:
            return response.status, dict(await response.json())

    async def login(self, who: str) -> tuple[int, dict[str, Any]]:
        id_token = issuer.token(self.gate.clock.wall(), sub=who, username=f"player-{who[:4]}")
        return await self.call("POST", AUTHENTICATE, SERVER_KEY, {"id": id_token})

    async def refresh(
        self, refresh_token: str, client_vars: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        body = {"token": refresh_token, "vars": client_vars or {}}
        return await self.call("POST", REFRESH, SERVER_KEY, body)

    async def entrances(self, token: str) -> dict[str, bool]:
        """Whether a session token opens the API and both ways to a socket."""
        status, _ = await self.call("GET", "/v2/account", bearer(token))
        opened = {"api": _opens(status, 200)}
        opened["query"] = await self.socket(params={"token": token})
        opened["header"] = await self.socket(headers=bearer(token))
        opened["sub-protocol"] = await self.socket(
            headers={"Sec-WebSocket-Protocol": f"game.v1, bearer.{token}"}
        )
        return opened

    async def socket(self, **shown: Any) -> bool:
        """Whether what is shown opens a socket."""
        async with self.site.client.get("/ws", **shown) as response:
            return _opens(response.status, 400)

    async def ticket(self, token: str) -> str | None:
        """A one-time ticket; None where the token is refused."""
        status, answer = await self.call("POST", "/v2/session/ticket", bearer(token), {})
        return str(answer["ticket"]) if _opens(status, 200) else None


def _opens(status: int, opened: int) -> bool:
    assert status in (opened, 401), status
    return status == opened


@asynccontextmanager
async def running_twin(
    folder: Path, url: str, session: SessionSettings, clock: ManualClock
) -> AsyncIterator[Twin]:
    """Start a process on a database, with the keys in `folder`; stop it at the end."""
    async with open_gate(folder, url=url, session=session, clock=clock) as gate:
        await gate.feed.close()  # it looks when it is told to

        def door(browsers: Browsers) -> Upgrade:
            # There is no room behind it: who is let in asks for no upgrade, and is told so with a 400.
            return Upgrade(
                browsers.callers,
                cast(Registry, None),
                Sockets(SocketSettings(), clock, RoundTrips(clock.monotonic, lambda: True)),
                gate.ids,
                Entrance(UNHURRIED, ClientAddresses(()), clock),
            )

        async with running_site(gate, session=session, upgrade=door) as site:
            yield Twin(gate, site)
