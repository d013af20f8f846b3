"""Which pages may read our answers."""

from pathlib import Path

import pytest

from tests.support.site import Site, open_gate, running_site


async def test_origins_are_limited_where_configured(tmp_path: Path) -> None:
    async with (
        open_gate(tmp_path) as gate,
        running_site(gate, allowed_origins=("https://game.example",)) as site,
    ):
        good, bad = {"Origin": "https://game.example"}, {"Origin": "https://evil.example"}
        async with site.client.get("/healthcheck", headers=good) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "https://game.example"
            assert response.headers.getall("Vary") == ["Accept-Encoding", "Origin"]
        async with site.client.get("/healthcheck", headers=bad) as response:
            assert "Access-Control-Allow-Origin" not in response.headers
        async with site.client.get("/ws", headers=bad) as response:
            assert response.status == 403
        preflight = bad | {"Access-Control-Request-Method": "POST"}
        async with site.client.options("/v2/account", headers=preflight) as response:
            assert response.status == 403

    assert site.upgrades == []


@pytest.mark.parametrize("path", ["/", "/ws", "/v2/account", "/no/such/path"])
async def test_every_answer_may_be_read_by_a_page(site: Site, path: str) -> None:
    async with site.client.get(path, headers={"Origin": "null"}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "null"}, 400),
        ({"Origin": "null", "Access-Control-Request-Method": "PATCH"}, 405),
        (
            {
                "Origin": "null",
                "Access-Control-Request-Method": "GET",
                "Access-Control-Request-Headers": "X-A",
            },
            403,
        ),
        (
            {
                "Origin": "null",
                "Access-Control-Request-Method": "PUT",
                "Access-Control-Request-Headers": "accept",
            },
            200,
        ),
    ],
)
async def test_a_preflight_is_answered_for_any_path(site: Site, headers: dict[str, str], status: int) -> None:
    async with site.client.options("/any/path", headers=headers) as response:
        assert (response.status, await response.read()) == (status, b"")
        if headers.get("Access-Control-Request-Method") == "PUT":
            assert response.headers["Access-Control-Allow-Methods"] == "PUT"


@pytest.mark.parametrize("origin", ["https://game.example", "https://evil.example", "null"])
@pytest.mark.parametrize("asked", ["x-gs", "authorization,content-type,x-gs", "X-GS"])
async def test_no_page_of_another_site_may_ask_for_cookie_mode(
    tmp_path: Path, origin: str, asked: str
) -> None:
    preflight = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": asked,
    }
    async with (
        open_gate(tmp_path) as gate,
        running_site(gate, allowed_origins=("https://game.example",)) as site,
        site.client.options("/v2/account/session/refresh", headers=preflight) as response,
    ):
        assert response.status == 403
        assert "Access-Control-Allow-Headers" not in response.headers
        assert "Access-Control-Allow-Credentials" not in response.headers
