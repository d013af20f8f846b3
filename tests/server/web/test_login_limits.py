"""Login limits over HTTP: whose address counts, and what comes before what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.issuer import BOB
from tests.support.site import AUTHENTICATE, IDENTITY, SERVER_KEY, Site, bearer, open_gate, post, running_site

LIMITED = {"code": 8, "message": "Too many logins, try again later."}
LOOPBACK = ("127.0.0.0/8",)


@asynccontextmanager
async def limited(
    folder: Path, *, address: int = 0, subject: int = 0, trusted: tuple[str, ...] = ()
) -> AsyncIterator[Site]:
    limits = {"logins_per_minute_per_address": address, "logins_per_minute_per_subject": subject}
    identity = IDENTITY.model_copy(update=limits)
    async with (
        open_gate(folder, identity=identity) as gate,
        running_site(gate, trusted_proxies=trusted) as site,
    ):
        yield site


async def statuses(
    site: Site, times: int, *, headers: dict[str, str] | None = None, **claims: Any
) -> list[int]:
    body = {"id": site.id_token(**claims)}
    return [(await post(site, AUTHENTICATE, body, SERVER_KEY | (headers or {})))[0] for _ in range(times)]


async def test_an_address_is_limited_whatever_it_shows(tmp_path: Path) -> None:
    async with limited(tmp_path, address=3) as site:
        first = [
            await post(site, AUTHENTICATE, body, SERVER_KEY)
            for body in ({"id": site.id_token()}, {"id": "nonsense"}, b"no json")
        ]
        with capture_logs() as logs:
            async with site.client.post(
                AUTHENTICATE, json={"id": site.id_token()}, headers=SERVER_KEY
            ) as response:
                answer = await response.json()
                retry_after = response.headers["Retry-After"]
        site.gate.clock.advance(20)
        later = await statuses(site, 2)

    assert [status for status, _ in first] == [200, 401, 400]
    assert (response.status, answer, retry_after) == (429, LIMITED, "20")
    # Nothing of the token was looked at.
    assert [entry["event"] for entry in logs if entry["log_level"] != "debug"] == ["logins_limited"]
    assert later == [200, 429]


async def test_a_player_is_limited_after_the_token_was_verified(tmp_path: Path) -> None:
    async with limited(tmp_path, subject=2) as site:
        forged = site.id_token()[:-6] + "AAAAAA"
        for _ in range(5):
            assert (await post(site, AUTHENTICATE, {"id": forged}, SERVER_KEY))[0] == 401

        assert await statuses(site, 3) == [200, 200, 429]
        assert await statuses(site, 1, sub=BOB) == [200]
        assert site.gate.bridge.limits.refused == {"address": 0, "subject": 1}


async def test_without_limits_everybody_signs_in(tmp_path: Path) -> None:
    async with limited(tmp_path) as site:
        assert set(await statuses(site, 50)) == {200}


async def test_who_lacks_the_server_key_uses_nothing_up(tmp_path: Path) -> None:
    async with limited(tmp_path, address=1) as site:
        for _ in range(5):
            assert (await post(site, AUTHENTICATE, {"id": site.id_token()}, {}))[0] == 401

        assert await statuses(site, 1) == [200]


async def test_linking_counts_as_signing_in(tmp_path: Path) -> None:
    async with limited(tmp_path, address=3) as site:
        alice = bearer((await site.login())["token"])
        other = {"id": site.id_token(sub=BOB)}
        paths = ["/v2/account/link/custom", "/v2/account/unlink/custom", "/v2/account/link/custom"]
        answers = [await post(site, path, other, alice) for path in paths]
        refreshed = await post(site, "/v2/account/session/refresh", {"token": "x.y.z"}, SERVER_KEY)

    assert [status for status, _ in answers] == [200, 200, 429]
    assert answers[2][1] == LIMITED
    assert refreshed[0] == 401


async def test_behind_a_trusted_proxy_each_client_has_a_limit_of_its_own(tmp_path: Path) -> None:
    async with limited(tmp_path, address=1, trusted=LOOPBACK) as site:
        for address in ("203.0.113.7", "203.0.113.8", "2001:db8:0:1::7", "2001:db8:0:2::7"):
            forwarded = {"X-Forwarded-For": f"198.51.100.{address[-1]}, {address}"}
            assert await statuses(site, 2, headers=forwarded) == [200, 429]

        same_network = {"X-Forwarded-For": "2001:db8:0:1:ffff::1"}
        assert await statuses(site, 1, headers=same_network) == [429]


@pytest.mark.parametrize("trusted", [(), ("10.0.0.0/8",)])
async def test_nobody_else_chooses_their_address(tmp_path: Path, trusted: tuple[str, ...]) -> None:
    async with limited(tmp_path, address=1, trusted=trusted) as site:
        with capture_logs() as logs:
            found = [
                *await statuses(site, 1, headers={"X-Forwarded-For": "203.0.113.7"}),
                *await statuses(site, 1, headers={"X-Forwarded-For": "203.0.113.8"}),
            ]

    assert found == [200, 429]
    assert [entry["event"] for entry in logs].count("forwarded_for_not_trusted") == 1
