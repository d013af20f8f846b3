"""The account as its owner reads and changes it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from server.storage.profiles import Profiles, Updated
from server.storage.store import Account
from server.web.account import MAX_CHARACTERS, account_json
from tests.support.issuer import ALICE, BOB
from tests.support.site import SERVER_KEY, Site, bearer, post

PLAIN = Account(ALICE, "alice", "", "", "en", "", "", "{}", 1_800_000_000, 1_800_000_060, "auth0|1")
USER = {
    "id": ALICE,
    "username": "alice",
    "lang_tag": "en",
    "metadata": "{}",
    "create_time": "2027-01-15T08:00:00Z",
    "update_time": "2027-01-15T08:01:00Z",
}


def test_empty_fields_are_left_out() -> None:
    answer = account_json(PLAIN, online=False)

    assert answer == {"user": USER, "wallet": "{}", "custom_id": "auth0|1"}


@pytest.mark.parametrize("field", ["display_name", "avatar_url", "location", "timezone"])
def test_filled_fields_are_there(field: str) -> None:
    changed: dict[str, Any] = {field: "ü"}

    assert account_json(replace(PLAIN, **changed), online=True)["user"] == USER | changed | {"online": True}


async def test_an_account_that_is_gone_is_not_found(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await site.login()

    async def gone(_account_id: str) -> None:
        return None

    monkeypatch.setattr(site.gate.store, "account", gone)
    async with site.client.get("/v2/account", headers=bearer(session["token"])) as response:
        assert (response.status, await response.json()) == (404, {"code": 5, "message": "Account not found."})


async def put(site: Site, token: str, body: Any) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with site.client.put("/v2/account", data=data, headers=bearer(token)) as response:
        return response.status, await response.json()


async def read(site: Site, token: str) -> dict[str, Any]:
    async with site.client.get("/v2/account", headers=bearer(token)) as response:
        answer: dict[str, Any] = (await response.json())["user"]
        return answer


async def test_a_player_changes_what_they_name(site: Site) -> None:
    token = (await site.login())["token"]

    first = await put(site, token, {"display_name": "Al", "avatarUrl": "http://x/y.png", "location": "here"})
    second = await put(site, token, {"location": "", "lang_tag": None, "unknown": 1, "timezone": "UTC"})

    user = await read(site, token)
    assert first == second == (200, {})
    assert (user["display_name"], user["avatar_url"], user["timezone"]) == ("Al", "http://x/y.png", "UTC")
    assert user["lang_tag"] == "en"
    assert "location" not in user


@pytest.mark.parametrize("body", [b"", b"{}", {"username": None}, {"metadata": "{}"}, {"email": "x"}])
async def test_a_change_without_a_field_is_refused(site: Site, body: Any) -> None:
    token = (await site.login())["token"]

    assert await put(site, token, body) == (400, {"code": 3, "message": "No fields to update."})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "Username invalid, must be 1-128 bytes."),
        ("x" * 129, "Username invalid, must be 1-128 bytes."),
        ("ü" * 64 + "x", "Username invalid, must be 1-128 bytes."),
        ("\n" * 129, "Username invalid, must be 1-128 bytes."),
        ("a\tb", "Username invalid, no spaces or control characters allowed."),
        ("a\x85b", "Username invalid, no spaces or control characters allowed."),
    ],
)
async def test_a_name_that_cannot_be_one_is_refused(site: Site, name: str, message: str) -> None:
    token = (await site.login())["token"]

    assert await put(site, token, {"username": name}) == (400, {"code": 3, "message": message})


@pytest.mark.parametrize("name", ["x", "a b", "ü" * 64, "al"])
async def test_a_name_changes_and_tokens_follow_at_their_refresh(site: Site, name: str) -> None:
    session = await site.login()

    changed = await put(site, session["token"], {"username": name})

    _, fresh = await post(
        site, "/v2/account/session/refresh", {"token": session["refresh_token"]}, SERVER_KEY
    )
    claims = [site.gate.tokens.check_session(each) for each in (session["token"], fresh["token"])]
    assert changed == (200, {})
    assert (await read(site, session["token"]))["username"] == name
    assert [each and each.username for each in claims] == ["alice", name]


async def test_a_taken_name_is_refused_and_ones_own_is_not(site: Site) -> None:
    token = (await site.login())["token"]
    await site.login(sub=BOB, username="bob")

    status, answer = await put(site, token, {"username": "bob", "location": "x"})

    assert (status, answer["code"]) == (400, 3)
    assert "Username is already in use." in answer["message"]
    assert "location" not in await read(site, token)
    assert await put(site, token, {"username": "alice"}) == (200, {})


@pytest.mark.parametrize(("field", "most"), MAX_CHARACTERS.items())
async def test_a_text_is_taken_up_to_its_limit(site: Site, field: str, most: int) -> None:
    token = (await site.login())["token"]

    fits = await put(site, token, {field: "ü" * most})
    over = await put(site, token, {field: "ü" * (most + 1)})

    assert fits == (200, {})
    assert (over[0], over[1]["code"]) == (400, 3)
    assert (await read(site, token))[field] == "ü" * most


@pytest.mark.parametrize(
    "body", [{"display_name": 7}, {"username": ["x"]}, {"location": "a\0b"}, b'{"location":"\\ud800"}', b"[]"]
)
async def test_what_is_no_text_is_refused(site: Site, body: Any) -> None:
    token = (await site.login())["token"]

    status, answer = await put(site, token, body)

    assert (status, answer["code"]) == (400, 3)


async def test_an_account_that_is_gone_cannot_be_changed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    token = (await site.login())["token"]

    async def gone(*_: object, **__: object) -> Updated:
        return Updated.NO_ACCOUNT

    monkeypatch.setattr(Profiles, "update", gone)

    assert await put(site, token, {"location": "x"}) == (404, {"code": 5, "message": "Account not found."})
