"""Sign in, refresh and log out over HTTP."""

import asyncio
import json
from pathlib import Path

import pytest

from server.identity.before_authenticate import BeforeAuthenticate, Hook
from server.identity.bridge import Bridge
from server.identity.failures import KeysUnavailable
from server.identity.identity import Identity
from server.sections import IdentitySettings
from server.tasks import TaskOwner
from tests.support import issuer
from tests.support.issuer import ALICE, BOB
from tests.support.site import AUTHENTICATE, IDENTITY, SERVER_KEY, Site, bearer, open_gate, post, running_site


async def test_a_player_signs_in_reads_their_account_refreshes_and_logs_out(site: Site) -> None:
    session = await site.login()
    refreshed = await post(
        site, "/v2/account/session/refresh", {"token": session["refresh_token"]}, SERVER_KEY
    )
    token = refreshed[1]["token"]

    site.online.add(ALICE)
    async with site.client.get("/v2/account", headers=bearer(token)) as response:
        account = await response.json()
    logout = await post(site, "/v2/session/logout", {"token": token}, bearer(token))
    claims = site.gate.tokens.check_session(token)
    async with site.client.get("/v2/account", headers=bearer(session["token"])) as response:
        after = response.status

    assert session["created"] is True
    assert "created" not in refreshed[1]
    assert account["user"]["id"] == ALICE
    assert account["user"]["online"] is True
    assert account["custom_id"] == ALICE
    assert logout == (200, {})
    assert len(site.gate.ended) == 1
    assert (claims, after) == (None, 401)


async def test_whatever_else_the_body_and_query_say_the_session_is_the_token_holders(site: Site) -> None:
    await site.login(sub=BOB, username="bob")
    body = {
        "id": site.id_token(custom_role="guest"),
        "user_id": BOB,
        "uid": BOB,
        "userId": BOB,
        "username": "bob",
        "account": {"id": BOB},
        "vars": {"role": "admin", "uid": BOB, "usn": "bob"},
    }
    status, session = await post(
        site, f"{AUTHENTICATE}?username=bob&user_id={BOB}&id={BOB}", body, SERVER_KEY
    )

    claims = site.gate.tokens.check_session(session["token"])
    assert status == 200
    assert claims is not None
    assert (claims.user_id, claims.username) == (ALICE, "alice")
    assert claims.vars == {"role": "guest", "uid": BOB, "usn": "bob"}


async def test_unavailable_keys_ask_to_come_back(tmp_path: Path) -> None:
    keys = issuer.fixed_keys()
    keys.failure = KeysUnavailable(7)

    async with open_gate(tmp_path, keys=keys) as gate, running_site(gate) as site:
        body = json.dumps({"id": site.id_token()})
        async with site.client.post(AUTHENTICATE, data=body, headers=SERVER_KEY) as response:
            answer = await response.json()
            assert (response.status, answer["code"], response.headers["Retry-After"]) == (503, 14, "7")


async def endless(_identity: Identity) -> str | None:
    await asyncio.Event().wait()
    return None


async def broken(_identity: Identity) -> str | None:
    raise RuntimeError("marker")


@pytest.mark.parametrize(
    ("hook", "status", "code", "message", "retry_after"),
    [
        (lambda _identity: "Not in your region.", 403, 7, "Not in your region.", None),
        (endless, 503, 14, "Sign-in unavailable", "1"),
        (broken, 500, 13, "Internal Server Error", None),
    ],
)
async def test_what_the_game_says_or_fails_to_say_is_answered(
    tmp_path: Path, hook: Hook, status: int, code: int, message: str, retry_after: str | None
) -> None:
    fence = BeforeAuthenticate(hook, 0.05 if hook is endless else 60, TaskOwner("test"))

    async with open_gate(tmp_path) as gate:
        gate.bridge = Bridge(
            IDENTITY,
            issuer.fixed_keys(),
            gate.store,
            gate.tokens,
            gate.revocations,
            gate.clock,
            gate.ids,
            fence,
        )
        async with running_site(gate) as site:
            body = json.dumps({"id": site.id_token()})
            async with site.client.post(AUTHENTICATE, data=body, headers=SERVER_KEY) as response:
                answer = await response.json()
        account = await gate.store.account(ALICE)

    assert (response.status, answer) == (status, {"code": code, "message": message})
    assert response.headers.get("Retry-After") == retry_after
    assert account is None


async def test_a_site_without_issuers_refuses_every_token(tmp_path: Path) -> None:
    async with open_gate(tmp_path, identity=IdentitySettings()) as gate, running_site(gate) as site:
        status, answer = await post(site, AUTHENTICATE, {"id": site.id_token()}, SERVER_KEY)

    assert (status, answer) == (401, {"code": 16, "message": "Identity token invalid"})
