"""Names, passwords and refreshable sign-ins, each of them bounded."""

import asyncio
from dataclasses import replace

import pytest

from server.identity.devissuer_users import REFRESH_TTL_S, Directory, Refused
from server.ids import RandomIds
from tests.support.clock import ManualClock

PASSWORD = "correct horse"


def directory(
    pool: str = "pool", clock: ManualClock | None = None, max_users: int = 10, max_logins: int = 10
) -> Directory:
    return Directory(pool, clock or ManualClock(), RandomIds("test"), max_users, max_logins)


async def refusal_of_sign_up(users: Directory, name: str, password: str = PASSWORD) -> str:
    with pytest.raises(Refused) as refused:
        await users.sign_up(name, password)
    return refused.value.kind


async def test_a_user_signs_in_with_the_password_of_the_sign_up() -> None:
    users = directory()
    alice = await users.sign_up("alice", PASSWORD)

    login = await users.sign_in("alice", PASSWORD)

    assert (login.username, login.subject) == ("alice", alice.subject)


@pytest.mark.parametrize("given", ["", "wrong", PASSWORD + " ", PASSWORD.upper(), "x" * 10_000, "\ud800"])
async def test_any_other_password_is_refused(given: str) -> None:
    users = directory()
    await users.sign_up("alice", PASSWORD)

    with pytest.raises(Refused) as refused:
        await users.sign_in("alice", given)

    assert refused.value.kind == "NotAuthorizedException"


async def test_an_unknown_user_is_told_as_such() -> None:
    with pytest.raises(Refused) as refused:
        await directory().sign_in("alice", PASSWORD)

    assert refused.value.kind == "UserNotFoundException"


async def test_a_user_made_without_a_password_has_none_that_fits() -> None:
    users = directory()
    users.find_or_add("alice")

    with pytest.raises(Refused) as refused:
        await users.sign_in("alice", "")

    assert refused.value.kind == "NotAuthorizedException"


async def test_of_two_sign_ups_for_one_name_at_once_the_second_is_refused() -> None:
    users = directory()

    answers = await asyncio.gather(
        users.sign_up("alice", "password-1"), users.sign_up("alice", "password-2"), return_exceptions=True
    )

    assert sorted(type(answer).__name__ for answer in answers) == ["Refused", "User"]


@pytest.mark.parametrize("name", ["", "a b", "tab\t", "nul\0", "\ud800", "x" * 129, "line\n", "\u2028"])
async def test_a_name_that_does_not_print_is_refused(name: str) -> None:
    assert await refusal_of_sign_up(directory(), name) == "InvalidParameterException"


@pytest.mark.parametrize("name", ["x" * 128, "Zoë", "李雷", "a/b?c=d&e", "alice@example.com"])
async def test_a_name_in_any_script_is_taken(name: str) -> None:
    user = await directory().sign_up(name, PASSWORD)

    assert user.username == name


async def test_passwords_are_bounded_at_both_ends() -> None:
    users = directory()

    assert await refusal_of_sign_up(users, "a", "12345") == "InvalidPasswordException"
    assert await refusal_of_sign_up(users, "a", "x" * 257) == "InvalidParameterException"
    assert (await users.sign_up("short", "123456")).username == "short"
    assert (await users.sign_up("long", "x" * 256)).username == "long"


async def test_a_full_directory_refuses_new_users_and_still_signs_in_the_old() -> None:
    users = directory(max_users=2)
    await users.sign_up("alice", PASSWORD)
    users.find_or_add("bob")

    assert await refusal_of_sign_up(users, "carol") == "LimitExceededException"
    with pytest.raises(Refused, match="keeps 2 users"):
        users.find_or_add("carol")
    assert (await users.sign_in("alice", PASSWORD)).username == "alice"
    assert users.find_or_add("bob").username == "bob"


def test_a_subject_follows_from_pool_and_name_alone() -> None:
    first = directory("pool").find_or_add("alice").subject

    assert directory("pool").find_or_add("alice").subject == first
    assert directory("other").find_or_add("alice").subject != first
    assert directory("pool").find_or_add("Alice").subject != first


def test_a_refresh_token_leads_back_to_its_sign_in() -> None:
    users = directory()
    login = users.find_or_add("alice")

    token = users.remember(login)

    assert users.refresh(token) == login
    assert users.refresh(token) == login


def test_an_unknown_refresh_token_is_refused() -> None:
    with pytest.raises(Refused, match="Invalid Refresh Token"):
        directory().refresh("\ud800")


def test_a_refresh_token_ends_after_thirty_days() -> None:
    clock = ManualClock()
    users = directory(clock=clock)
    token = users.remember(users.find_or_add("alice"))

    clock.advance(REFRESH_TTL_S - 1)
    assert users.refresh(token).username == "alice"
    clock.advance(1)
    with pytest.raises(Refused, match="expired"):
        users.refresh(token)


def test_when_too_many_sign_ins_are_kept_the_oldest_is_forgotten() -> None:
    users = directory(max_logins=2)
    login = users.find_or_add("alice")
    oldest, older, newest = [users.remember(replace(login, event_id=str(n))) for n in range(3)]

    with pytest.raises(Refused):
        users.refresh(oldest)

    assert [users.refresh(token).event_id for token in (older, newest)] == ["1", "2"]
    assert users.forgotten_logins == 1


async def test_a_user_does_not_print_its_hash() -> None:
    user = await directory().sign_up("alice", PASSWORD)

    assert repr(user) == "User('alice')"
