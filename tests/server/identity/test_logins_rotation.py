"""Refresh tokens that rotate: one successor, the same again in the grace time, and theft told from haste."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from server.identity.bridge import Login
from server.identity.failures import TooManyRefreshes, Unauthenticated
from server.identity.rotation import Verdict
from server.identity.tokens import Pair
from server.storage.families import MadeOf
from server.storage.revocations import Ended
from tests.support import issuer
from tests.support.clock import ManualClock
from tests.support.site import SESSION, Gate, open_gate


@pytest.fixture
async def gate(tmp_path: Path, database_url: str) -> AsyncIterator[Gate]:
    async with open_gate(tmp_path, url=database_url) as opened:
        yield opened


async def sign_in(gate: Gate, client_vars: dict[str, str] | None = None, **claims: Any) -> Login:
    token = issuer.token(gate.clock.wall(), **claims)
    return await gate.bridge.login(token, client_vars or {}, create=True, wanted_username=None)


async def test_each_refresh_gives_another_refresh_token(gate: Gate) -> None:
    login = await sign_in(gate)
    tokens = [login.refresh_token]
    for _ in range(3):
        tokens.append((await gate.logins.refresh(tokens[-1], {})).refresh_token)

    assert len(set(tokens)) == 4
    assert [gate.tokens.check_refresh(token).gen for token in tokens] == [0, 1, 2, 3]  # type: ignore[union-attr]  # None fails the test too


async def test_a_repeat_within_the_grace_time_gets_the_same_to_the_byte(gate: Gate) -> None:
    login = await sign_in(gate, {"ü": "\u2028"}, custom_role="guest")
    gate.clock.advance(100)
    first = await gate.logins.refresh(login.refresh_token, {"b": "2", "a": "1"})
    gate.clock.advance(30)

    again = await gate.logins.refresh(login.refresh_token, {"other": "vars"})

    assert again == first
    assert gate.tokens.check_session(again.token) is not None
    assert gate.ended == []
    assert await gate.logins.refresh(again.refresh_token, {}) != first


async def test_a_repeat_after_a_restart_gets_the_same_to_the_byte(tmp_path: Path, database_url: str) -> None:
    async with open_gate(tmp_path, url=database_url) as gate:
        login = await sign_in(gate, {"a": "b"})
        first = await gate.logins.refresh(login.refresh_token, {})

    async with open_gate(tmp_path, url=database_url, clock=gate.clock) as after:
        assert await after.logins.refresh(login.refresh_token, {}) == first


async def test_a_repeat_is_the_same_although_the_player_was_renamed_meanwhile(gate: Gate) -> None:
    login = await sign_in(gate)
    first = await gate.logins.refresh(login.refresh_token, {})
    family = await gate.store.families.find(login.family_id)
    assert family is not None
    # The name in the row is what counts; here it is made to differ from the account's.
    renamed = MadeOf(2, family.made_of.vars, family.made_of.made_at, family.made_of.terms)
    await gate.store.families.rotate(family.id, 1, renamed, username="old name")

    again = await gate.logins.refresh(first.refresh_token, {})

    claims = gate.tokens.check_session(again.token)
    assert claims is not None
    assert claims.username == "old name"


async def test_a_replaced_token_after_the_grace_time_ends_the_login_for_both_who_hold_it(gate: Gate) -> None:
    login, beside = await sign_in(gate), await sign_in(gate)
    pair = await gate.logins.refresh(login.refresh_token, {})
    gate.clock.advance(31)

    with (
        capture_logs() as logged,
        pytest.raises(Unauthenticated, match=r"Refresh token invalid or expired\."),
    ):
        await gate.logins.refresh(login.refresh_token, {})

    assert [(item.family_id, item.reason) for item in gate.ended] == [(login.family_id, Ended.REUSE)]
    assert [event for event in logged if event["event"] == "refresh_reused"] != []
    assert gate.tokens.check_session(pair.token) is None
    assert gate.tokens.check_session(login.token) is None
    with pytest.raises(Unauthenticated):
        await gate.logins.refresh(pair.refresh_token, {})
    assert gate.tokens.check_session(beside.token) is not None
    assert gate.logins.judged[Verdict.REUSE] == 1


async def test_the_token_before_the_last_ends_the_login_at_once(gate: Gate) -> None:
    login = await sign_in(gate)
    second = await gate.logins.refresh(login.refresh_token, {})
    third = await gate.logins.refresh(second.refresh_token, {})

    with pytest.raises(Unauthenticated):
        await gate.logins.refresh(login.refresh_token, {})

    for pair in (second, third):
        assert gate.tokens.check_session(pair.token) is None
        with pytest.raises(Unauthenticated):
            await gate.logins.refresh(pair.refresh_token, {})


async def test_a_login_that_ended_by_theft_has_no_grace_left(gate: Gate) -> None:
    login = await sign_in(gate)
    second = await gate.logins.refresh(login.refresh_token, {})
    third = await gate.logins.refresh(second.refresh_token, {})
    with pytest.raises(Unauthenticated):
        await gate.logins.refresh(login.refresh_token, {})

    for token in (second.refresh_token, third.refresh_token):
        with pytest.raises(Unauthenticated):
            await gate.logins.refresh(token, {})
    assert len(gate.ended) == 1


async def test_a_thousand_refreshes_of_one_token_at_once_give_one_successor(gate: Gate) -> None:
    login = await sign_in(gate)

    pairs = await asyncio.gather(*(gate.logins.refresh(login.refresh_token, {}) for _ in range(1000)))

    assert len(set(pairs)) == 1
    family = await gate.store.families.find(login.family_id)
    assert family is not None
    assert family.made_of.gen == 1
    assert gate.ended == []
    assert gate.logins.judged[Verdict.ROTATE] == 1


async def test_several_processes_on_one_database_give_one_successor(
    tmp_path: Path, database_url: str
) -> None:
    async with open_gate(tmp_path, url=database_url) as one:
        login = await sign_in(one)
        async with (
            open_gate(tmp_path, url=database_url, clock=one.clock) as two,
            open_gate(tmp_path, url=database_url, clock=one.clock) as three,
        ):
            pairs = await asyncio.gather(
                *(
                    gate.logins.refresh(login.refresh_token, {})
                    for _ in range(50)
                    for gate in (one, two, three)
                )
            )

    assert len(set(pairs)) == 1
    assert one.ended == two.ended == three.ended == []


async def test_a_caller_who_goes_away_takes_nobodys_answer_along(gate: Gate) -> None:
    login = await sign_in(gate)
    leaver = asyncio.ensure_future(gate.logins.refresh(login.refresh_token, {}))  # noqa: TID251  # the test's own
    await asyncio.sleep(0)
    stayer = asyncio.ensure_future(gate.logins.refresh(login.refresh_token, {}))  # noqa: TID251  # as above
    await asyncio.sleep(0)
    leaver.cancel()

    pair = await stayer

    assert isinstance(pair, Pair)
    assert leaver.cancelled()
    assert gate.logins.joined == 1


async def test_only_what_rotates_counts_against_the_limit_of_a_login(
    tmp_path: Path, database_url: str
) -> None:
    limited = SESSION.model_copy(update={"refresh_burst": 3, "refresh_every_s": 5})
    async with open_gate(tmp_path, url=database_url, session=limited) as gate:
        login, beside = await sign_in(gate), await sign_in(gate)
        token = login.refresh_token
        for _ in range(3):
            before, token = token, (await gate.logins.refresh(token, {})).refresh_token
            for _ in range(5):
                await gate.logins.refresh(before, {})
        with pytest.raises(TooManyRefreshes) as refused:
            await gate.logins.refresh(token, {})
        await gate.logins.refresh(beside.refresh_token, {})
        gate.clock.advance(5)
        await gate.logins.refresh(token, {})

    assert refused.value.retry_after_s == 5
    assert gate.logins.limits.refused == {"address": 0, "family": 1}
    assert gate.ended == []


async def test_a_refusal_is_no_failure_of_a_task(gate: Gate) -> None:
    login = await sign_in(gate)
    await gate.store.families.revoke([login.family_id], now=int(gate.clock.wall()), reason=Ended.OPERATOR)

    with capture_logs() as logged, pytest.raises(Unauthenticated):
        await gate.logins.refresh(login.refresh_token, {})

    assert [event for event in logged if event["event"] == "task_failed"] == []
    assert gate.logins.judged[Verdict.OVER] == 1


async def test_a_token_made_before_the_clock_was_set_back_does_not_outlive_the_memory_of_its_logins_end(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    async with open_gate(tmp_path, clock=clock) as gate:
        login = await sign_in(gate)
        clock.set_back(23 * 3600)
        pair = await gate.logins.refresh(login.refresh_token, {})
        caller = gate.tokens.check_session(pair.token)
        assert caller is not None
        await gate.logins.logout(caller, "", "")

    clock.advance(26 * 3600 + 60)
    async with open_gate(tmp_path, clock=clock) as later:
        clock.set_back(23 * 3600)

        assert later.tokens.check_session(login.token) is None
