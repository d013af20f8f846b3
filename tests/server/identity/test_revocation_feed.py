"""The deny list keeps up with the database, whoever writes there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.identity import revocation_feed
from server.identity.bridge import Login
from server.identity.revocation_feed import RevocationFeed
from server.storage.revocations import SPARE_S, Ended, RevocationLog
from server.storage.store import Store
from server.tasks import TaskOwner
from tests.support import issuer
from tests.support.issuer import ALICE, BOB
from tests.support.site import LIFETIMES, Gate, open_gate


@pytest.fixture
async def gate(tmp_path: Path, database_url: str) -> AsyncIterator[Gate]:
    async with open_gate(tmp_path, url=database_url) as opened:
        yield opened


async def sign_in(gate: Gate, sub: str = issuer.ALICE) -> Login:
    token = issuer.token(gate.clock.wall(), sub=sub)
    return await gate.bridge.login(token, {}, create=True, wanted_username=None)


async def test_what_another_process_ended_is_refused_after_the_next_look(
    tmp_path: Path, database_url: str
) -> None:
    async with open_gate(tmp_path, url=database_url) as here:
        mine, other = await sign_in(here), await sign_in(here, BOB)
        async with open_gate(tmp_path, url=database_url, clock=here.clock) as there:
            now = int(here.clock.wall())
            await there.store.families.revoke_account(mine.user_id, now=now, reason=Ended.OPERATOR)

            await here.feed.poll()

            assert here.tokens.check_session(mine.token) is None
            assert here.tokens.check_session(other.token) is not None
            assert [(item.family_id, item.reason) for item in here.ended] == [
                (mine.family_id, Ended.OPERATOR)
            ]
            await here.feed.poll()
            assert len(here.ended) == 1


Ending = Callable[[Store, int], Awaitable[object]]

ENDINGS: dict[str, Ending] = {
    "operator": lambda store, now: store.families.revoke_account(ALICE, now=now, reason=Ended.OPERATOR),
    "ban": lambda store, now: store.bans.ban(ALICE, [], reason="", now=now),
    "deletion": lambda store, now: store.delete(ALICE, now=now),
}


@pytest.mark.parametrize("how", ENDINGS)
async def test_an_end_is_told_however_long_ago_the_session_token_expired(tmp_path: Path, how: str) -> None:
    # A player who only plays refreshes nothing for days, and the socket must close all the same.
    async with open_gate(tmp_path) as here:
        login = await sign_in(here)
        here.clock.advance(LIFETIMES.session_s + SPARE_S + 1)
        async with open_gate(tmp_path, clock=here.clock) as there:
            await ENDINGS[how](there.store, int(here.clock.wall()))
            await there.feed.purge()

            await here.feed.poll()

            assert [item.family_id for item in here.ended] == [login.family_id]


async def test_it_looks_by_itself(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation_feed, "INTERVAL_S", 0.001)
    known = asyncio.Event()
    gate.revocations.on_ended = lambda _: known.set()
    feed = RevocationFeed(gate.store, gate.revocations, gate.clock, TaskOwner("test"))
    await feed.start()
    login = await sign_in(gate)
    await gate.store.families.revoke([login.family_id], now=int(gate.clock.wall()), reason=Ended.OPERATOR)

    await asyncio.wait_for(known.wait(), 5)

    assert gate.tokens.check_session(login.token) is None
    await feed.close()


async def test_a_look_that_fails_is_told_once_and_made_again(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation_feed, "INTERVAL_S", 0.001)
    looks = 0
    good = RevocationLog.after
    recovered = asyncio.Event()

    async def after(*args: object, **named: object) -> object:
        nonlocal looks
        looks += 1
        if looks <= 3:
            raise OSError("secret of the driver")
        recovered.set()
        return await good(*args, **named)  # type: ignore[arg-type]  # passed on as they came

    feed = RevocationFeed(gate.store, gate.revocations, gate.clock, TaskOwner("test"))
    await feed.start()
    with capture_logs() as logged:
        monkeypatch.setattr(RevocationLog, "after", after)
        await asyncio.wait_for(recovered.wait(), 5)
    await feed.close()

    told = [event for event in logged if event["event"] == "revocations_not_read"]
    assert [event["error"] for event in told] == ["OSError"]
    assert "secret of the driver" not in str(logged)
    assert feed.failures == 3


async def test_a_long_log_is_loaded_page_by_page_at_start(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    logins = [await sign_in(gate) for _ in range(5)]
    await gate.store.families.revoke_account(issuer.ALICE, now=int(gate.clock.wall()), reason=Ended.OPERATOR)
    good = RevocationLog.after

    async def paged(log: RevocationLog, last: int, *, now: int) -> object:
        return await good(log, last, now=now, limit=2)

    monkeypatch.setattr(RevocationLog, "after", paged)
    feed = RevocationFeed(gate.store, gate.revocations, gate.clock, TaskOwner("test"))
    await feed.start()
    await feed.close()

    assert all(gate.tokens.check_session(login.token) is None for login in logins)


async def test_what_is_over_is_purged_and_what_is_not_stays(gate: Gate) -> None:
    old = await sign_in(gate)
    await gate.store.families.revoke([old.family_id], now=int(gate.clock.wall()), reason=Ended.OPERATOR)
    gate.clock.advance(LIFETIMES.session_s + SPARE_S + 1)
    login = await sign_in(gate)

    assert await gate.feed.purge() == 2
    assert await gate.feed.purge() == 0
    assert gate.feed.purged == 2
    assert (await gate.logins.refresh(login.refresh_token, {})).token != ""


async def test_a_file_that_nobody_wrote_to_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    plain = RevocationLog.after

    async def after(self: RevocationLog, last: int, *, now: int) -> object:
        read.append(last)
        return await plain(self, last, now=now)

    async with open_gate(tmp_path) as here, open_gate(tmp_path, clock=here.clock) as there:
        login = await sign_in(here)
        await here.feed.poll()
        monkeypatch.setattr(RevocationLog, "after", after)

        await here.feed.poll()
        assert read == []

        await there.store.families.revoke(
            [login.family_id], now=int(here.clock.wall()), reason=Ended.OPERATOR
        )
        await here.feed.poll()
        assert read != []
        assert here.tokens.check_session(login.token) is None
