"""Tokens that come again: counted, or refused."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from server.identity.bridge import Login
from server.identity.failures import InUse, NotAllowed, NotFound, TokensNotKept, Unauthenticated
from server.identity.identity import Identity
from server.identity.replay import Replay, token_digest
from server.identity.verify import RefusalReason
from server.storage.spent_tokens import KEPT_BEYOND_S
from tests.support import issuer
from tests.support.issuer import ALICE, BOB, ISSUER
from tests.support.site import IDENTITY, Gate, open_gate

STRICT = IDENTITY.model_copy(update={"single_use": True})


@pytest.fixture
async def strict(tmp_path: Path, database_url: str) -> AsyncIterator[Gate]:
    async with open_gate(tmp_path, url=database_url, identity=STRICT) as opened:
        yield opened


@pytest.fixture
async def lenient(tmp_path: Path, database_url: str) -> AsyncIterator[Gate]:
    async with open_gate(tmp_path, url=database_url) as opened:
        yield opened


async def exchange(gate: Gate, token: str, *, create: bool = True) -> Login:
    return await gate.bridge.login(token, {}, create=create, wanted_username=None)


def token(gate: Gate, **claims: Any) -> str:
    return issuer.token(gate.clock.wall(), **claims)


async def test_by_default_a_token_is_taken_again_and_counted(lenient: Gate) -> None:
    shown = token(lenient)

    for _ in range(3):
        await exchange(lenient, shown)
    await exchange(lenient, token(lenient, jti="another"))
    await exchange(lenient, token(lenient, jti=None))
    await exchange(lenient, token(lenient, jti=None))

    assert lenient.bridge.replay.repeated == 2
    assert len(lenient.bridge.replay) == 2


def test_the_oldest_token_is_forgotten_when_there_are_too_many() -> None:
    replay = Replay(single_use=False, refused=Counter(), remembered=2)

    for token_id in ("a", "b", "c", "c", "b", "a"):
        replay.note_login(Identity(ISSUER, ALICE, {}, token_id, 0))

    assert replay.repeated == 2
    assert len(replay) == 2


async def test_a_token_is_taken_once(strict: Gate) -> None:
    shown = token(strict)
    await exchange(strict, shown)

    with capture_logs() as logs, pytest.raises(Unauthenticated, match="Identity token invalid"):
        await exchange(strict, shown)

    assert logs[-1] == {
        "event": "identity_refused",
        "log_level": "info",
        "reason": "replayed",
        "issuer": ISSUER,
    }
    assert strict.bridge.refused[RefusalReason.REPLAYED] == 1


async def test_another_token_with_the_same_id_of_the_same_issuer_is_the_same(strict: Gate) -> None:
    await exchange(strict, token(strict))

    with pytest.raises(Unauthenticated):
        await exchange(strict, token(strict, sub=BOB))
    await exchange(strict, token(strict, jti="another"))


@pytest.mark.parametrize("token_id", [None, "", 7, ["a"]])
async def test_a_token_that_cannot_be_told_from_others_is_refused(strict: Gate, token_id: object) -> None:
    with capture_logs() as logs, pytest.raises(Unauthenticated):
        await exchange(strict, token(strict, jti=token_id))

    assert logs[-1]["reason"] == "token_id"


async def test_of_simultaneous_exchanges_one_wins(strict: Gate) -> None:
    shown = token(strict)

    outcomes = await asyncio.gather(*(exchange(strict, shown) for _ in range(20)), return_exceptions=True)

    assert sum(isinstance(outcome, Login) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Unauthenticated) for outcome in outcomes) == 19


async def test_of_simultaneous_exchanges_in_two_processes_one_wins(tmp_path: Path, database_url: str) -> None:
    async with (
        open_gate(tmp_path, url=database_url, identity=STRICT) as one,
        open_gate(tmp_path, url=database_url, identity=STRICT) as two,
    ):
        shown = [token(one, jti=f"token {number}") for number in range(20)]

        outcomes = await asyncio.gather(
            *(exchange(gate, item) for item in shown for gate in (one, two)), return_exceptions=True
        )

    assert sum(isinstance(outcome, Login) for outcome in outcomes) == 20
    assert sum(isinstance(outcome, Unauthenticated) for outcome in outcomes) == 20


async def test_a_restart_does_not_forget(tmp_path: Path, database_url: str) -> None:
    async with open_gate(tmp_path, url=database_url, identity=STRICT) as gate:
        shown = token(gate)
        await exchange(gate, shown)

    async with open_gate(tmp_path, url=database_url, identity=STRICT) as gate:
        with pytest.raises(Unauthenticated):
            await exchange(gate, shown)


async def test_a_login_that_fails_does_not_use_the_token_up(strict: Gate) -> None:
    shown = token(strict)
    with pytest.raises(NotFound):
        await exchange(strict, shown, create=False)

    assert (await exchange(strict, shown)).created


async def test_a_write_that_fails_does_not_use_the_token_up(
    strict: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = token(strict)
    with monkeypatch.context() as broken:
        broken.setattr("server.storage.families.add", fail)
        with pytest.raises(RuntimeError):
            await exchange(strict, shown)

    assert (await exchange(strict, shown)).created


def fail(*_args: object) -> None:
    raise RuntimeError


async def test_a_token_is_remembered_to_its_very_end(strict: Gate) -> None:
    exp = int(strict.clock.wall()) + 100
    shown = token(strict, exp=exp)
    await exchange(strict, shown)

    strict.clock.advance(104)
    await exchange(strict, token(strict, jti="makes the store count"))
    with pytest.raises(Unauthenticated):
        await exchange(strict, shown)

    assert strict.bridge.refused[RefusalReason.REPLAYED] == 1


async def test_where_no_more_can_be_remembered_nobody_signs_in(tmp_path: Path, database_url: str) -> None:
    few = STRICT.model_copy(update={"single_use_tokens": 2})
    async with open_gate(tmp_path, url=database_url, identity=few) as gate:
        first = token(gate, jti="0")
        await exchange(gate, first)
        await exchange(gate, token(gate, jti="1"))

        with capture_logs() as logs:
            for number in range(3):
                with pytest.raises(TokensNotKept):
                    await exchange(gate, token(gate, jti=f"late {number}", sub=BOB))
        with pytest.raises(Unauthenticated):
            await exchange(gate, first)

        assert [entry["event"] for entry in logs].count("spent_tokens_full") == 1
        assert gate.bridge.replay.not_kept == 3
        assert await gate.store.account(BOB) is None

        gate.clock.advance(3600 + 5 + KEPT_BEYOND_S)
        assert (await exchange(gate, token(gate, jti="2", sub=BOB))).created


async def test_linking_and_unlinking_use_a_token_up_too(strict: Gate) -> None:
    alice = (await exchange(strict, token(strict))).user_id
    to_link, to_unlink = token(strict, sub=BOB, jti="link"), token(strict, sub=BOB, jti="unlink")

    await strict.links.link(alice, to_link)
    for again in (strict.links.link, strict.links.unlink):
        with pytest.raises(Unauthenticated):
            await again(alice, to_link)
    with pytest.raises(Unauthenticated):
        await exchange(strict, to_link)
    await strict.links.unlink(alice, to_unlink)
    with pytest.raises(Unauthenticated):
        await exchange(strict, to_unlink)


async def test_a_link_that_is_refused_does_not_use_the_token_up(strict: Gate) -> None:
    alice = (await exchange(strict, token(strict))).user_id
    await exchange(strict, token(strict, sub=BOB, jti="b1"))
    shown = token(strict, sub=BOB, jti="b2")

    with pytest.raises(InUse):
        await strict.links.link(alice, shown)
    with pytest.raises(NotAllowed):
        await strict.links.unlink(alice, shown)

    assert not (await exchange(strict, shown)).created


def test_a_digest_tells_issuer_and_id_apart() -> None:
    texts = {
        token_digest(*pair) for pair in [("a", "b"), ("ab", ""), ("", "ab"), ("a", '","b'), ("a", "\ud800")]
    }

    assert len(texts) == 5
    assert {len(text) for text in texts} == {64}
