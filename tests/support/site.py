"""The whole identity gate behind a real listener, with a key source and a clock of the test's own."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from server.core.channel_id import readable
from server.core.match import Matches
from server.core.matchmaker import Limits, Matchmaker
from server.core.party import Parties
from server.core.presence import Presences
from server.game.fence import Fence
from server.game.remote_calls import RemoteCalls
from server.identity.bridge import Bridge, KeySource
from server.identity.key_file import KeyFile
from server.identity.links import Links
from server.identity.logins import Logins
from server.identity.revocation import Revocations
from server.identity.revocation_feed import RevocationFeed
from server.identity.signingkeys import SigningKeys
from server.identity.tokens import Lifetimes, Tokens
from server.ids import RandomIds
from server.sections import IdentitySettings, SessionSettings
from server.storage.revocations import Revoked
from server.storage.store import Store
from server.tasks import TaskOwner
from server.web.address import ClientAddresses
from server.web.browsers import Browsers
from server.web.handover import SiteRunner
from server.web.matches import Relayed
from server.web.site import build_site
from server.web.table import SiteDeps, Upgrade
from server.world import Functions, LiveMatches
from tests.support import issuer
from tests.support.clock import ManualClock
from tests.support.databases import sqlite_url
from tests.support.live_matches import NoLiveMatches

LIFETIMES = Lifetimes(session_s=7200, refresh_idle_s=14 * 86400, refresh_max_s=90 * 86400)
AUTHENTICATE = "/v2/account/authenticate/custom"
SERVER_KEY = {"Authorization": "Basic ZGVmYXVsdGtleTo="}
HTTP_KEY = "a-key-of-other-servers"
UNLIMITED = IdentitySettings(logins_per_minute_per_address=0, logins_per_minute_per_subject=0)
SESSION = SessionSettings(refreshes_per_minute_per_address=0, refresh_every_s=0)
IDENTITY = UNLIMITED.model_copy(update={"issuers": (issuer.SETTINGS,)})


@dataclass
class Gate:
    """Everything between an identity token and a session."""

    clock: ManualClock
    ids: RandomIds
    store: Store
    keys: SigningKeys
    revocations: Revocations
    feed: RevocationFeed
    tokens: Tokens
    bridge: Bridge
    logins: Logins
    links: Links
    ended: list[Revoked]
    """Logins that ended, in order, as whoever closes sockets is told."""


@dataclass
class Site:
    """A listening site, its client, and what it asked of its neighbours."""

    gate: Gate
    browsers: Browsers
    client: aiohttp.ClientSession
    host: str
    port: int
    online: set[str] = field(default_factory=set)
    upgrades: list[str] = field(default_factory=list)

    async def upgrade(self, request: web.Request) -> web.StreamResponse:
        self.upgrades.append(request.path)
        return web.Response(status=401, text="Missing or invalid token\n")

    def id_token(self, **changed: Any) -> str:
        return issuer.token(self.gate.clock.wall(), **changed)

    async def login(self, **changed: Any) -> dict[str, Any]:
        async with self.client.post(
            "/v2/account/authenticate/custom",
            json={"id": self.id_token(**changed)},
            headers=SERVER_KEY,
        ) as response:
            assert response.status == 200, await response.text()
            answer: dict[str, Any] = await response.json()
            return answer


@asynccontextmanager
async def open_gate(
    folder: Path,
    *,
    url: str | None = None,
    identity: IdentitySettings = IDENTITY,
    session: SessionSettings = SESSION,
    keys: KeySource | None = None,
    clock: ManualClock | None = None,
) -> AsyncIterator[Gate]:
    clock = clock or ManualClock()
    ids = RandomIds("test")
    store = Store(ids, spent_tokens=identity.single_use_tokens)
    await store.open(url or sqlite_url(folder))
    signing = KeyFile(folder / "keys.json").open(ids, clock.wall())
    ended: list[Revoked] = []
    revocations = Revocations(clock, ended.extend)
    feed = RevocationFeed(store, revocations, clock, TaskOwner("revocations"))
    await feed.start()
    tokens = Tokens(signing, LIFETIMES, revocations, clock)
    bridge = Bridge(
        identity,
        keys or issuer.fixed_keys(),
        store,
        tokens,
        revocations,
        clock,
        ids,
        families=1 if session.single_session else session.families_per_account,
    )
    links = Links(bridge, store, revocations, clock, ids, limit=identity.identities_per_account)
    tasks = TaskOwner("identity")
    logins = Logins(identity.issuers, session, store, tokens, revocations, clock, tasks)
    try:
        yield Gate(clock, ids, store, signing, revocations, feed, tokens, bridge, logins, links, ended)
    finally:
        await tasks.cancel_all()
        await feed.close()
        await store.close()


@asynccontextmanager
async def running_site(
    gate: Gate,
    *,
    allowed_origins: tuple[str, ...] = ("*",),
    trusted_proxies: tuple[str, ...] = (),
    session: SessionSettings = SESSION,
    upgrade: Callable[[Browsers], Upgrade] | None = None,
    parties: Parties | None = None,
    functions: Functions | None = None,
    live_matches: LiveMatches | None = None,
    relayed: Relayed | None = None,
) -> AsyncIterator[Site]:
    """`upgrade`: makes what answers `/ws`, instead of a refusal that is noted."""

    async def note(request: web.Request) -> web.StreamResponse:
        return await site.upgrade(request)

    if parties is None:
        parties = Parties(Presences(), Matchmaker(Limits()), "test")
    browsers = Browsers.serve(session, allowed_origins, gate.tokens, gate.clock, gate.ids)
    app = build_site(
        SiteDeps(
            bridge=gate.bridge,
            logins=gate.logins,
            links=gate.links,
            tokens=gate.tokens,
            store=gate.store,
            clock=gate.clock,
            ids=gate.ids,
            server_key="defaultkey",
            http_key=HTTP_KEY,
            functions=functions
            or RemoteCalls({}, Fence("rpc", TaskOwner("rpc"), timeout_s=5, concurrent=10)),
            live_matches=live_matches or NoLiveMatches(),
            relayed=relayed or Matches(Presences(), 10),
            upgrade=note if upgrade is None else upgrade(browsers),
            browsers=browsers,
            is_online=lambda user_id: user_id in site.online,
            list_parties=parties.listing,
            readable=readable,
            addresses=ClientAddresses(trusted_proxies),
            allowed_origins=allowed_origins,
        )
    )
    runner = SiteRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession(f"http://{host}:{port}") as client:
        site = Site(gate, browsers, client, host, port)
        try:
            yield site
        finally:
            await runner.cleanup()


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
