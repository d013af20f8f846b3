"""Linking and unlinking over HTTP."""

from typing import Any

import pytest

from tests.support.issuer import ALICE, BOB
from tests.support.site import SERVER_KEY, Site, bearer, post

LINK = "/v2/account/link/custom"
UNLINK = "/v2/account/unlink/custom"


async def test_a_second_identity_is_linked_used_and_unlinked(site: Site) -> None:
    alice = bearer((await site.login())["token"])
    other = site.id_token(sub=BOB)

    linked = [await post(site, LINK, {"id": other, "vars": {"k": "v"}}, alice) for _ in range(2)]
    session = await site.login(sub=BOB)
    claims = site.gate.tokens.check_session(session["token"])
    unlinked = await post(site, UNLINK, {"id": other}, alice)
    again = await post(site, UNLINK, {"id": other}, alice)

    assert linked == [(200, {}), (200, {})]
    assert "created" not in session
    assert claims is not None
    assert claims.user_id == ALICE
    assert site.gate.tokens.check_session(session["token"]) is None
    assert site.gate.tokens.check_session(alice["Authorization"].removeprefix("Bearer ")) is not None
    assert unlinked == (200, {})
    assert (again[0], again[1]["code"]) == (403, 7)


async def test_an_identity_of_another_account_is_a_conflict(site: Site) -> None:
    alice = bearer((await site.login())["token"])
    await site.login(sub=BOB)

    answer = await post(site, LINK, {"id": site.id_token(sub=BOB)}, alice)

    assert answer == (409, {"code": 6, "message": "Custom ID is already in use."})


async def test_the_last_identity_stays(site: Site) -> None:
    alice = bearer((await site.login())["token"])

    answer = await post(site, UNLINK, {"id": site.id_token()}, alice)

    text = "Cannot unlink last account identifier. Check profile exists and is not last link."
    assert answer == (403, {"code": 7, "message": text})


@pytest.mark.parametrize("path", [LINK, UNLINK])
@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        (b"", 400, 3, "Custom ID is required."),
        ({}, 400, 3, "Custom ID is required."),
        ({"id": ""}, 400, 3, "Custom ID is required."),
        ({"id": None}, 400, 3, "Custom ID is required."),
        ({"id": 7}, 400, 3, "Custom ID is required."),
        ({"id": "somecustomid"}, 401, 16, "Identity token invalid"),
        ({"id": "a.b.c"}, 401, 16, "Identity token invalid"),
    ],
)
async def test_only_a_verified_identity_counts(
    site: Site, path: str, body: Any, status: int, code: int, message: str
) -> None:
    alice = bearer((await site.login())["token"])

    assert await post(site, path, body, alice) == (status, {"code": code, "message": message})


@pytest.mark.parametrize("path", [LINK, UNLINK])
async def test_only_a_player_may_ask(site: Site, path: str) -> None:
    body = {"id": site.id_token()}

    without = await post(site, path, body, {})
    with_server_key = await post(site, path, body, SERVER_KEY)

    assert without == (401, {"code": 16, "message": "Auth token required"})
    assert with_server_key == (401, {"code": 16, "message": "Auth token invalid"})
