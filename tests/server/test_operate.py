"""An operator's commands on the database, beside a server that runs."""

import argparse
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import pytest

from server.config import Settings
from server.identity.bridge import Login
from server.identity.failures import NotAllowed, Unauthenticated
from server.operate import NoSuchPlayer, add_arguments, check_arguments, moment, operate
from tests.support import issuer
from tests.support.issuer import ALICE, BOB, ISSUER
from tests.support.site import Gate, open_gate


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    async with open_gate(tmp_path) as opened:
        yield opened


async def sign_in(gate: Gate, sub: str = ALICE) -> Login:
    token = issuer.token(gate.clock.wall(), sub=sub)
    return await gate.bridge.login(token, {}, create=True, wanted_username=None)


class Refused(Exception):
    """The command line was refused."""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(message)


def parse(line: str) -> argparse.Namespace:
    command, *arguments = shlex.split(line)
    parser = Parser()
    add_arguments(command, parser)
    options = parser.parse_args(arguments)
    check_arguments(parser, options)
    options.command = command
    return options


async def run(gate: Gate, folder: Path, line: str) -> str:
    """Carry a command out, and let the server look."""
    settings = Settings.model_validate({"storage": {"url": f"sqlite:///{folder / 'lockgate.db'}"}})
    told = await operate(settings, parse(line), gate.clock, gate.ids)
    await gate.feed.poll()
    return told


@pytest.mark.parametrize("who", [f"--user {ALICE}", f"--issuer {ISSUER} --subject {ALICE}"])
async def test_a_revoked_player_has_no_token_left_and_may_sign_in_again(
    gate: Gate, tmp_path: Path, who: str
) -> None:
    logins = [await sign_in(gate) for _ in range(2)]
    bob = await sign_in(gate, BOB)

    assert await run(gate, tmp_path, f"revoke {who}") == "logins ended: 2"

    for login in logins:
        assert gate.tokens.check_session(login.token) is None
        with pytest.raises(Unauthenticated):
            await gate.logins.refresh(login.refresh_token, {})
    assert gate.tokens.check_session(bob.token) is not None
    assert gate.tokens.check_session((await sign_in(gate)).token) is not None
    assert await run(gate, tmp_path, f"revoke {who} --before 0") == "logins ended: 0"


async def test_one_login_is_revoked_by_its_family(gate: Gate, tmp_path: Path) -> None:
    login, beside = await sign_in(gate), await sign_in(gate)

    assert await run(gate, tmp_path, f"revoke --family {login.family_id}") == "logins ended: 1"

    assert gate.tokens.check_session(login.token) is None
    assert gate.tokens.check_session(beside.token) is not None


async def test_only_logins_made_before_a_time_are_revoked(gate: Gate, tmp_path: Path) -> None:
    old = await sign_in(gate)
    gate.clock.advance(60)
    since = int(gate.clock.wall())
    new = await sign_in(gate)

    assert await run(gate, tmp_path, f"revoke --user {ALICE} --before {since}") == "logins ended: 1"

    assert gate.tokens.check_session(old.token) is None
    assert gate.tokens.check_session(new.token) is not None


async def test_a_banned_player_is_out_until_unbanned(gate: Gate, tmp_path: Path) -> None:
    login = await sign_in(gate)

    told = await run(gate, tmp_path, f"ban --user {ALICE} --reason 'aim bot'")
    with pytest.raises(NotAllowed, match=r"User account banned\."):
        await sign_in(gate)
    lifted = await run(gate, tmp_path, f"unban --issuer {ISSUER} --subject {ALICE}")

    assert told == "banned; logins ended: 1"
    assert lifted == "identities that may sign in again: 1"
    assert gate.tokens.check_session(login.token) is None
    assert (await sign_in(gate)).user_id == ALICE


async def test_an_identity_is_banned_before_its_first_login(gate: Gate, tmp_path: Path) -> None:
    assert await run(gate, tmp_path, f"ban --issuer {ISSUER} --subject {BOB}") == "banned; logins ended: 0"

    with pytest.raises(NotAllowed):
        await sign_in(gate, BOB)


async def test_an_account_is_deleted_with_its_logins(gate: Gate, tmp_path: Path) -> None:
    login = await sign_in(gate)

    assert await run(gate, tmp_path, f"delete-account --user {ALICE}") == "account deleted; logins ended: 1"

    assert gate.tokens.check_session(login.token) is None
    assert await gate.store.account(ALICE) is None


@pytest.mark.parametrize(
    "line",
    [
        f"revoke --user {BOB}",
        f"revoke --issuer {ISSUER} --subject {BOB}",
        "revoke --family unknown",
        f"ban --user {BOB}",
        f"delete-account --user {BOB}",
    ],
)
async def test_who_does_not_exist_is_told_so(gate: Gate, tmp_path: Path, line: str) -> None:
    await sign_in(gate)

    with pytest.raises(NoSuchPlayer):
        await run(gate, tmp_path, line)


@pytest.mark.parametrize(
    "line",
    [
        "revoke",
        "ban --subject x",
        "ban --user x --issuer y",
        "revoke --user x --subject y --issuer z",
        "revoke --family x --before 1",
        "revoke --session x --before 1",
        "revoke --session x --family y",
        "ban --session x",
        "revoke --user x --before yesterday",
        "unban --family x",
        "ban --user x --reason 'line\nbreak'",
    ],
)
def test_a_command_that_is_not_clear_is_refused(line: str) -> None:
    with pytest.raises(Refused):
        parse(line)


def test_a_moment_is_read_with_and_without_a_zone() -> None:
    assert moment("1800000000") == 1_800_000_000
    assert moment("2027-01-15T08:00:00Z") == moment("2027-01-15T08:00:00") == 1_800_000_000
    assert moment("2027-01-15T10:00:00+02:00") == 1_800_000_000
