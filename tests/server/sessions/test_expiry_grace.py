"""Grace: a socket lives while its login does, and only near its end is the database asked."""

import pytest

from server.sessions.expiry import SocketExpiry
from tests.support.expiring import EXPIRED, TTL, at, crowd, how, is_open, table_of, warnings
from tests.support.players import ALICE


async def test_in_grace_a_socket_lives_while_its_login_can_be_refreshed() -> None:
    table = table_of(SocketExpiry.GRACE)
    start = int(table.clock.wall())
    first_end, last_end = start + 14 * 86_400, start + 20 * 86_400
    alice = table.seat(ALICE, family_id="f")
    table.families.until = {"f": first_end}

    await at(table, start + TTL)
    table.families.until = {"f": last_end}
    await at(table, first_end - 60)
    await at(table, first_end)
    assert is_open(alice)
    assert warnings(alice) == []
    await at(table, last_end - 60)
    assert warnings(alice) == [last_end]
    await at(table, last_end - 0.001)
    assert is_open(alice)
    await at(table, last_end)

    assert how(alice) == EXPIRED
    assert warnings(alice) == []
    assert len(table.families.asked) == 4


async def test_in_grace_a_refresh_between_warning_and_end_keeps_the_socket() -> None:
    table = table_of(SocketExpiry.GRACE)
    start = int(table.clock.wall())
    end = start + 10_000
    alice = table.seat(ALICE, family_id="f")
    table.families.until = {"f": end}
    await at(table, start + TTL)
    await at(table, end - 60)
    assert warnings(alice) == [end]

    table.families.until = {"f": end + 5000}
    await at(table, end)

    assert is_open(alice)
    await at(table, end + 4940)
    assert warnings(alice) == [end + 5000]


async def test_in_grace_a_login_that_ends_with_its_token_is_warned_of_as_well() -> None:
    table = table_of(SocketExpiry.GRACE)
    start = int(table.clock.wall())
    alice = table.seat(ALICE, family_id="f")
    table.families.until = {"f": start + TTL}

    await at(table, start + TTL - 60)
    assert warnings(alice) == [start + TTL]
    await at(table, start + TTL)

    assert how(alice) == EXPIRED


@pytest.mark.parametrize("until", [{}, {"f": 1}])
async def test_in_grace_no_socket_ends_before_its_token(until: dict[str, int]) -> None:
    """Also one whose login is over, if the end of the login has spared it (`logout_closes_sockets`)."""
    table = table_of(SocketExpiry.GRACE)
    start = int(table.clock.wall())
    alice = table.seat(ALICE, family_id="f")
    table.families.until = until

    await at(table, start + TTL - 1)
    assert is_open(alice)
    await at(table, start + TTL)

    assert how(alice) == EXPIRED


async def test_in_grace_a_login_revoked_meanwhile_ends_its_socket_at_the_next_look() -> None:
    table = table_of(SocketExpiry.GRACE)
    start = int(table.clock.wall())
    alice = table.seat(ALICE, family_id="f")
    table.families.until = {"f": start + 10_000}
    await at(table, start + TTL)

    table.families.until = {}
    await at(table, start + 9_940)

    assert how(alice) == EXPIRED


async def test_in_grace_a_login_that_turns_out_to_end_sooner_is_believed() -> None:
    table = table_of(SocketExpiry.GRACE)
    start = int(table.clock.wall())
    alice = table.seat(ALICE, family_id="f")
    table.families.until = {"f": start + 20_000}
    await at(table, start + TTL)

    table.families.until = {"f": start + 19_950}
    await at(table, start + 19_940)
    await at(table, start + 19_945)
    assert warnings(alice) == [start + 19_950]
    await at(table, start + 19_950)

    assert how(alice) == EXPIRED


async def test_in_grace_a_newer_token_shown_keeps_the_socket_as_long_as_it_lasts() -> None:
    table = table_of(SocketExpiry.GRACE)
    start = int(table.clock.wall())
    alice = table.seat(ALICE, family_id="f")
    await at(table, start + TTL - 60)

    table.expiry.shown(alice.session, start + TTL + 500)
    await at(table, start + TTL)
    assert is_open(alice)
    await at(table, start + TTL + 500)

    assert how(alice) == EXPIRED


async def test_in_grace_a_database_out_of_reach_closes_nobody() -> None:
    table = table_of(SocketExpiry.GRACE)
    start = table.clock.wall()
    alice = table.seat(ALICE)
    table.families.failure = ConnectionRefusedError()

    for minute in range(10):
        await at(table, start + TTL + 60 * minute)
    assert is_open(alice)
    assert table.expiry.failed_checks == 10
    table.families.failure = None
    await at(table, table.clock.wall() + 60)

    assert how(alice) == EXPIRED


async def test_in_grace_one_question_serves_all_who_are_due() -> None:
    table = table_of(SocketExpiry.GRACE)
    start = int(table.clock.wall())
    seated = [table.seat(each, family_id=each.username) for each in crowd(400)]
    table.families.until = {f"player {number}": start + 86_400 for number in range(0, 400, 2)}

    await at(table, start + TTL)

    assert [len(question) for question in table.families.asked] == [400]
    assert [is_open(each) for each in seated] == [True, False] * 200
