"""The account as its owner reads it."""

from dataclasses import replace
from typing import Any

import pytest

from server.storage.store import Account
from server.web.account import account_json
from tests.support.issuer import ALICE
from tests.support.site import Site, bearer

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
