"""From a name to a session token, and how long that took."""

import time

import aiohttp

from loadtest.login import Logins
from loadtest.options import parse
from tests.support.swarm import FaultySite, serving

LATE_NS = 5_000_000_000


async def test_a_player_is_signed_up_in_and_over() -> None:
    site = FaultySite()

    async with serving(site) as url, aiohttp.ClientSession() as http:
        logins = Logins(http, parse(["--url", url, "--issuer", url]))
        await logins.prepare()
        login = await logins.login("ann", time.monotonic_ns())

    assert login.token == "session-jwt-of-ann"
    assert site.users == {"ann"}
    assert 0 < login.issuer_us < LATE_NS // 1000
    assert login.bridge_us > 0


async def test_beginning_late_counts_as_latency() -> None:
    async with serving(FaultySite()) as url, aiohttp.ClientSession() as http:
        logins = Logins(http, parse(["--url", url, "--issuer", url]))
        await logins.prepare()
        login = await logins.login("ann", time.monotonic_ns() - LATE_NS)

    assert login.issuer_us >= LATE_NS // 1000


async def test_a_login_does_not_show_its_token() -> None:
    async with serving(FaultySite()) as url, aiohttp.ClientSession() as http:
        logins = Logins(http, parse(["--url", url, "--issuer", url]))
        await logins.prepare()
        login = await logins.login("ann", 0)

    assert "session-" not in repr(login)
