"""Refresh and log out: what carries over, what ends, and what a restart must not forget."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.identity.bridge import Login
from server.identity.failures import NotFound, RequestInvalid, Unauthenticated
from server.identity.logins import Logins
from server.identity.revocation import Revocations
from server.identity.tokens import Pair, SessionClaims, Tokens
from server.storage.revocations import SPARE_S, Ended
from server.tasks import TaskOwner
from tests.support import issuer
from tests.support.issuer import BOB
from tests.support.site import IDENTITY, LIFETIMES, SESSION, Gate, open_gate


@pytest.fixture
async def gate(tmp_path: Path, database_url: str) -> AsyncIterator[Gate]:
    async with open_gate(tmp_path, url=database_url) as opened:
        yield opened


async def sign_in(gate: Gate, client_vars: dict[str, str] | None = None, **claims: Any) -> Login:
    token = issuer.token(gate.clock.wall(), **claims)
    return await gate.bridge.login(token, client_vars or {}, create=True, wanted_username=None)


def claims_of(gate: Gate, token: str) -> SessionClaims:
    claims = gate.tokens.check_session(token)
    assert claims is not None
    return claims


async def test_a_refresh_keeps_the_login_and_moves_its_end(gate: Gate) -> None:
    login = await sign_in(gate, {"a": "b"})
    before = claims_of(gate, login.token)
    gate.clock.advance(100)

    pair = await gate.logins.refresh(login.refresh_token, {})

    after = claims_of(gate, pair.token)
    assert (after.family_id, after.issued_at, after.vars) == (before.family_id, before.issued_at, {"a": "b"})
    assert after.expires_at == before.expires_at + 100
    assert gate.tokens.check_refresh(pair.refresh_token) is not None


async def test_given_vars_replace_the_clients_own_and_never_those_of_claims(gate: Gate) -> None:
    login = await sign_in(gate, {"a": "b"}, custom_role="guest")

    pair = await gate.logins.refresh(login.refresh_token, {"c": "d", "role": "admin"})
    again = await gate.logins.refresh(pair.refresh_token, {"role": "admin"})

    assert claims_of(gate, pair.token).vars == {"c": "d", "role": "guest"}
    assert claims_of(gate, again.token).vars == {"role": "guest"}


async def test_a_reserved_name_cannot_be_set_at_refresh_when_the_claim_was_absent(gate: Gate) -> None:
    login = await sign_in(gate)

    pair = await gate.logins.refresh(login.refresh_token, {"role": "admin", "a": "b"})

    assert claims_of(gate, pair.token).vars == {"a": "b"}


async def test_a_name_that_becomes_reserved_is_not_carried_as_if_it_were_a_claim(gate: Gate) -> None:
    login = await sign_in(gate, {"rank": "king", "a": "b"})
    settings = issuer.SETTINGS.model_copy(update={"claims_to_vars": {"rank": "custom_rank"}})
    logins = Logins(
        [settings], SESSION, gate.store, gate.tokens, gate.revocations, gate.clock, TaskOwner("test")
    )

    pair = await logins.refresh(login.refresh_token, {})

    assert claims_of(gate, pair.token).vars == {"a": "b"}


async def test_vars_at_refresh_have_the_limit_of_a_login(gate: Gate) -> None:
    login = await sign_in(gate)

    with pytest.raises(RequestInvalid):
        await gate.logins.refresh(login.refresh_token, {"k": "x" * 2048})


@pytest.mark.parametrize("token", ["garbage", "a.b.c"])
async def test_what_is_no_refresh_token_is_refused(gate: Gate, token: str) -> None:
    with pytest.raises(Unauthenticated, match=r"Refresh token invalid or expired\."):
        await gate.logins.refresh(token, {})
    with pytest.raises(RequestInvalid, match=r"Refresh token is required\."):
        await gate.logins.refresh("", {})


async def test_a_session_token_does_not_refresh(gate: Gate) -> None:
    login = await sign_in(gate)

    with pytest.raises(Unauthenticated):
        await gate.logins.refresh(login.token, {})


async def test_a_refresh_token_ends_when_idle_and_a_login_ends_for_good(gate: Gate) -> None:
    login = await sign_in(gate)
    token = login.refresh_token
    for _ in range(8):
        gate.clock.advance(LIFETIMES.refresh_idle_s - 86_400 * 3)
        token = (await gate.logins.refresh(token, {})).refresh_token
    with pytest.raises(Unauthenticated):
        await gate.logins.refresh(login.refresh_token, {})

    gate.clock.advance(86_400 * 2 + 1)
    with pytest.raises(Unauthenticated):
        await gate.logins.refresh(token, {})


@pytest.mark.parametrize("shown", ["session", "refresh", "both"])
async def test_either_token_ends_its_login_and_no_other(gate: Gate, shown: str) -> None:
    login, other = await sign_in(gate), await sign_in(gate)
    token = login.token if shown != "refresh" else ""
    refresh = login.refresh_token if shown != "session" else ""

    await gate.logins.logout(claims_of(gate, other.token), token, refresh)

    assert [(item.family_id, item.reason) for item in gate.ended] == [(login.family_id, Ended.LOGOUT)]
    assert gate.tokens.check_session(login.token) is None
    assert gate.tokens.check_session(other.token) is not None
    with pytest.raises(Unauthenticated):
        await gate.logins.refresh(login.refresh_token, {})


async def test_logging_out_with_neither_ends_every_login_also_of_the_same_second(gate: Gate) -> None:
    logins = [await sign_in(gate) for _ in range(3)]
    stranger = await sign_in(gate, sub=BOB, username="bob")

    await gate.logins.logout(claims_of(gate, logins[0].token), "", "")
    again = await sign_in(gate)

    assert {item.family_id for item in gate.ended} == {login.family_id for login in logins}
    assert {item.reason for item in gate.ended} == {Ended.LOGOUT_ALL}
    assert all(gate.tokens.check_session(login.token) is None for login in logins)
    assert gate.tokens.check_session(stranger.token) is not None
    assert gate.tokens.check_session(again.token) is not None


async def test_a_token_of_another_player_or_of_none_logs_nobody_out(gate: Gate) -> None:
    mine = await sign_in(gate)
    theirs = await sign_in(gate, sub=BOB, username="bob")
    me = claims_of(gate, mine.token)

    for token in (theirs.token, "garbage", mine.refresh_token):
        with pytest.raises(RequestInvalid, match=r"Session token invalid\."):
            await gate.logins.logout(me, token, mine.refresh_token)
    for token in (theirs.refresh_token, "garbage", mine.token):
        with pytest.raises(RequestInvalid, match=r"Refresh token invalid\."):
            await gate.logins.logout(me, mine.token, token)
    assert gate.tokens.check_session(mine.token) is not None
    assert gate.tokens.check_session(theirs.token) is not None


async def test_a_restart_forgets_no_revocation(tmp_path: Path, database_url: str) -> None:
    async with open_gate(tmp_path, url=database_url) as gate:
        login, kept = await sign_in(gate), await sign_in(gate)
        await gate.logins.logout(claims_of(gate, login.token), login.token, "")

    async with open_gate(tmp_path, url=database_url, clock=gate.clock) as after:
        assert after.tokens.check_session(login.token) is None
        assert after.tokens.check_session(kept.token) is not None
        with pytest.raises(Unauthenticated):
            await after.logins.refresh(login.refresh_token, {})


async def test_a_restart_remembers_a_revocation_until_the_last_refreshed_token_is_over(
    tmp_path: Path,
    database_url: str,
) -> None:
    async with open_gate(tmp_path, url=database_url) as gate:
        login = await sign_in(gate)
        gate.clock.advance(7000)
        pair = await gate.logins.refresh(login.refresh_token, {})
        await gate.logins.logout(claims_of(gate, pair.token), pair.token, "")
        gate.clock.advance(7000)

    async with open_gate(tmp_path, url=database_url, clock=gate.clock) as after:
        assert len(after.revocations) == 1
        assert after.tokens.check_session(pair.token) is None
        assert after.ended == []  # nothing is open yet that could be closed
        gate.clock.advance(200 + SPARE_S)
        assert (await after.store.revocations.after(0, now=int(gate.clock.wall())))[0] == []


async def test_a_logout_wins_over_refreshes_that_run_beside_it(gate: Gate) -> None:
    login = await sign_in(gate)
    me = claims_of(gate, login.token)

    results = await asyncio.gather(
        *(gate.logins.refresh(login.refresh_token, {}) for _ in range(10)),
        gate.logins.logout(me, "", ""),
        *(gate.logins.refresh(login.refresh_token, {}) for _ in range(10)),
        return_exceptions=True,
    )

    pairs = [result for result in results if isinstance(result, Pair)]
    assert all(gate.tokens.check_session(pair.token) is None for pair in pairs)
    with pytest.raises(Unauthenticated):
        await gate.logins.refresh(login.refresh_token, {})


async def test_a_failed_write_is_no_logout(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    login = await sign_in(gate)

    async def broken(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(gate.store.families, "revoke", broken)
    with pytest.raises(OSError, match="disk full"):
        await gate.logins.logout(claims_of(gate, login.token), login.token, "")
    assert gate.tokens.check_session(login.token) is not None


async def test_a_refresh_token_of_other_keys_or_another_database_is_refused(
    gate: Gate, tmp_path: Path
) -> None:
    login = await sign_in(gate)
    async with open_gate(tmp_path / "other") as other:
        with pytest.raises(Unauthenticated):
            await other.logins.refresh(login.refresh_token, {})
        tokens = Tokens(gate.keys, LIFETIMES, Revocations(gate.clock), gate.clock)
        logins = Logins(
            IDENTITY.issuers, SESSION, other.store, tokens, other.revocations, gate.clock, TaskOwner("test")
        )
        with pytest.raises(Unauthenticated):
            await logins.refresh(login.refresh_token, {})


async def test_a_deleted_account_is_gone_and_its_identity_may_sign_up_again(gate: Gate) -> None:
    login, beside = await sign_in(gate), await sign_in(gate)
    stranger = await sign_in(gate, sub=BOB, username="bob")

    await gate.logins.delete_account(claims_of(gate, login.token))

    assert {item.family_id for item in gate.ended} == {login.family_id, beside.family_id}
    assert {item.reason for item in gate.ended} == {Ended.DELETED}
    assert await gate.store.account(login.user_id) is None
    again = await sign_in(gate)
    assert (again.created, again.user_id) == (True, login.user_id)
    for old in (login, beside):
        assert gate.tokens.check_session(old.token) is None
        with pytest.raises(Unauthenticated):
            await gate.logins.refresh(old.refresh_token, {})
    assert gate.tokens.check_session(again.token) is not None
    assert gate.tokens.check_session(stranger.token) is not None


async def test_a_deleted_account_cannot_be_deleted_again(gate: Gate) -> None:
    login = await sign_in(gate)
    claims = claims_of(gate, login.token)

    await gate.logins.delete_account(claims)

    with pytest.raises(NotFound, match=r"Account not found\."):
        await gate.logins.delete_account(claims)


async def test_no_token_of_a_deleted_account_comes_back_with_a_restart(
    tmp_path: Path, database_url: str
) -> None:
    async with open_gate(tmp_path, url=database_url) as gate:
        login = await sign_in(gate)
        await gate.logins.delete_account(claims_of(gate, login.token))
        await sign_in(gate)

    async with open_gate(tmp_path, url=database_url, clock=gate.clock) as after:
        assert after.tokens.check_session(login.token) is None
        with pytest.raises(Unauthenticated):
            await after.logins.refresh(login.refresh_token, {})


async def test_a_login_too_many_ends_the_oldest_and_tells_whoever_closes_sockets(
    tmp_path: Path, database_url: str
) -> None:
    few = SESSION.model_copy(update={"families_per_account": 2})
    async with open_gate(tmp_path, url=database_url, session=few) as gate:
        logins = [await sign_in(gate) for _ in range(3)]
        passing = [gate.tokens.check_session(login.token) is not None for login in logins]
        reasons = [item.reason for item in gate.ended]

    assert passing.count(True) == 2
    assert passing[2]
    assert reasons == [Ended.CROWDED_OUT]


async def test_with_single_session_a_new_login_ends_the_others(tmp_path: Path, database_url: str) -> None:
    single = SESSION.model_copy(update={"single_session": True})
    async with open_gate(tmp_path, url=database_url, session=single) as gate:
        first = await sign_in(gate)
        pair = await gate.logins.refresh(first.refresh_token, {})
        bob = await sign_in(gate, sub=BOB, username="bob")
        second = await sign_in(gate)

        assert [(item.family_id, item.reason) for item in gate.ended] == [(first.family_id, Ended.REPLACED)]
        assert gate.tokens.check_session(pair.token) is None
        with pytest.raises(Unauthenticated):
            await gate.logins.refresh(pair.refresh_token, {})
        assert gate.tokens.check_session(second.token) is not None
        assert gate.tokens.check_session(bob.token) is not None
