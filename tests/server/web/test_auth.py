"""Sign in, refresh and log out over HTTP."""

import json
from pathlib import Path

from server.config import IdentitySettings
from server.identity.failures import KeysUnavailable
from tests.support import issuer
from tests.support.issuer import ALICE, BOB
from tests.support.site import AUTHENTICATE, SERVER_KEY, Site, bearer, open_gate, post, running_site


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
    assert len(site.ended) == 1
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


async def test_a_site_without_issuers_refuses_every_token(tmp_path: Path) -> None:
    async with open_gate(tmp_path, identity=IdentitySettings()) as gate, running_site(gate) as site:
        status, answer = await post(site, AUTHENTICATE, {"id": site.id_token()}, SERVER_KEY)

    assert (status, answer) == (401, {"code": 16, "message": "Identity token invalid"})
