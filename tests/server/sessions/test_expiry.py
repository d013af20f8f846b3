"""When a socket ends by itself, and who is warned: what holds for each policy, and the strict one."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.sections import SessionSettings
from server.sessions.expiry import HELD_S, Expiry, SocketExpiry, warning_time
from tests.support.expiring import EXPIRED, TTL, at, crowd, how, is_open, table_of, warnings
from tests.support.players import ALICE, BOB
from tests.support.seats import Table


def test_the_settings_have_a_word_for_each_policy() -> None:
    words = get_args(SessionSettings.model_fields["socket_expiry"].annotation)

    assert words == tuple(SocketExpiry)


# ---- ignore


async def test_ignored_expiry_ends_and_asks_nobody() -> None:
    table = table_of(SocketExpiry.IGNORE)
    alice = table.seat(ALICE)

    await at(table, table.clock.wall() + 10 * 365 * 86_400)

    assert is_open(alice)
    assert alice.heard() == []
    assert table.families.asked == []
    assert len(table.expiry) == 0


# ---- strict


async def test_a_strict_socket_ends_in_the_second_of_its_token_and_not_before() -> None:
    table = table_of(SocketExpiry.STRICT)
    start = table.clock.wall()
    alice = table.seat(ALICE)

    await at(table, start + TTL - 0.001)
    assert is_open(alice)
    await at(table, start + TTL)

    assert how(alice) == EXPIRED
    assert table.registry.closed == {4501: 1}
    assert (table.expiry.closed, len(table.expiry)) == (1, 0)
    assert table.families.asked == []


async def test_a_strict_socket_is_warned_once_a_minute_before() -> None:
    table = table_of(SocketExpiry.STRICT)
    start = table.clock.wall()
    alice = table.seat(ALICE)

    await at(table, start + TTL - 60.001)
    assert warnings(alice) == []
    await at(table, start + TTL - 60)
    await at(table, start + TTL - 1)

    assert warnings(alice) == [int(start) + TTL]
    assert table.expiry.warned == 1


@pytest.mark.parametrize(("left", "warned_at"), [(7200, 7140), (121, 61), (120, 60), (119, 59.5), (2, 1)])
def test_who_has_less_than_two_minutes_is_warned_half_way(left: float, warned_at: float) -> None:
    assert warning_time(1000 + left, 1000) == 1000 + warned_at


async def test_the_newest_token_shown_moves_a_strict_end_and_its_warning() -> None:
    table = table_of(SocketExpiry.STRICT)
    start = int(table.clock.wall())
    alice = table.seat(ALICE)
    await at(table, start + TTL - 30)
    assert warnings(alice) == [start + TTL]

    assert table.expiry.shown(alice.session, start + 2 * TTL) == start + 2 * TTL

    await at(table, start + 2 * TTL - 61)
    assert warnings(alice) == []
    await at(table, start + 2 * TTL - 1)
    assert warnings(alice) == [start + 2 * TTL]
    await at(table, start + 2 * TTL)
    assert how(alice) == EXPIRED


async def test_an_older_token_moves_nothing() -> None:
    table = table_of(SocketExpiry.STRICT)
    start = int(table.clock.wall())
    alice = table.seat(ALICE)

    assert table.expiry.shown(alice.session, start + 10) == start + TTL

    await at(table, start + TTL - 1)
    assert is_open(alice)


async def test_a_strict_end_that_moves_a_little_is_warned_of_again_in_time() -> None:
    table = table_of(SocketExpiry.STRICT)
    start = int(table.clock.wall())
    alice = table.seat(ALICE, token_ttl_s=100)
    await at(table, start + 60)
    assert warnings(alice) == [start + 100]

    table.expiry.shown(alice.session, start + 102)
    await at(table, start + 81)

    assert warnings(alice) == [start + 102]


async def test_sockets_of_one_login_end_each_with_its_own_token() -> None:
    table = table_of(SocketExpiry.STRICT)
    start = table.clock.wall()
    early = table.seat(ALICE, family_id="f", token_ttl_s=10)
    late = table.seat(BOB, family_id="f", token_ttl_s=20)

    await at(table, start + 10)

    assert how(early) == EXPIRED
    assert is_open(late)


# ---- a refresh under way


async def test_a_refresh_under_way_holds_the_end_until_it_is_answered() -> None:
    table = table_of(SocketExpiry.STRICT)
    start = int(table.clock.wall())
    alice = table.seat(ALICE)

    with table.expiry.refreshing(alice.session):
        await at(table, start + TTL)
        await at(table, start + TTL + 5)
        assert is_open(alice)
        table.expiry.shown(alice.session, start + 2 * TTL)
    await at(table, start + TTL + 20)

    assert is_open(alice)


async def test_a_refresh_that_came_to_nothing_holds_it_no_longer() -> None:
    table = table_of(SocketExpiry.STRICT)
    start = table.clock.wall()
    alice = table.seat(ALICE)

    async def fails() -> None:
        with table.expiry.refreshing(alice.session):
            await at(table, start + TTL)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fails()
    assert is_open(alice)
    await at(table, start + TTL + 1)

    assert how(alice) == EXPIRED


@pytest.mark.parametrize("policy", [SocketExpiry.STRICT, SocketExpiry.GRACE])
async def test_a_refresh_that_does_not_come_back_holds_it_for_so_long_only(policy: SocketExpiry) -> None:
    table = table_of(policy)
    start = table.clock.wall()
    alice = table.seat(ALICE)

    with table.expiry.refreshing(alice.session):
        await at(table, start + TTL - 60)
        await at(table, start + TTL)
        for _ in range(int(HELD_S) - 1):
            await at(table, table.clock.wall() + 1)
        assert is_open(alice)
        await at(table, table.clock.wall() + 1)

    assert how(alice) == EXPIRED


def test_a_session_that_is_not_watched_may_be_refreshing() -> None:
    table = table_of(SocketExpiry.IGNORE)
    alice = table.seat(ALICE)

    with table.expiry.refreshing(alice.session):
        assert table.expiry.shown(alice.session, int(table.clock.wall()) + 9000) > 0


# ---- clocks, and what is left


@pytest.mark.parametrize("policy", [SocketExpiry.STRICT, SocketExpiry.GRACE])
async def test_a_wall_clock_that_jumps_back_only_delays(policy: SocketExpiry) -> None:
    table = table_of(policy)
    start = table.clock.wall()
    alice = table.seat(ALICE)
    await at(table, start + TTL - 60)
    assert len(warnings(alice)) == 1

    await at(table, start - 86_400)
    await at(table, start + TTL - 1)
    assert is_open(alice)
    assert warnings(alice) == []
    await at(table, start + TTL)

    assert how(alice) == EXPIRED


@pytest.mark.parametrize("policy", [SocketExpiry.STRICT, SocketExpiry.GRACE])
async def test_a_wall_clock_that_jumps_far_ends_what_is_over_without_a_warning(policy: SocketExpiry) -> None:
    table = table_of(policy)
    alice = table.seat(ALICE)

    await at(table, table.clock.wall() + 10 * TTL)

    assert how(alice) == EXPIRED
    assert warnings(alice) == []


@pytest.mark.parametrize("policy", list(SocketExpiry))
async def test_sockets_that_left_are_forgotten(policy: SocketExpiry) -> None:
    table = table_of(policy)
    start = table.clock.wall()
    table.families.failure = OSError()
    leaver, stayer = table.seat(ALICE), table.seat(BOB, token_ttl_s=TTL + 1000)
    await at(table, start + TTL - 60)

    leaver.lose()
    await at(table, start + TTL)

    assert leaver.session.close_code == 1006
    assert is_open(stayer)
    assert len(table.expiry) == (0 if policy is SocketExpiry.IGNORE else 1)
    assert table.expiry.closed == 0
    table.families.failure = None
    await at(table, start + TTL + 990)
    asked = table.families.asked[-1:]
    assert asked == ([[stayer.session.family_id]] if policy is SocketExpiry.GRACE else [])


def test_one_who_leaves_long_before_its_end_leaves_no_deadline() -> None:
    table = table_of(SocketExpiry.STRICT)

    table.seat(ALICE).lose()

    assert len(table.expiry._deadlines) == len(table.expiry) == 0


async def test_a_warning_that_is_too_much_for_a_slow_socket_ends_it_and_leaves_nothing() -> None:
    table = Table(socket_expiry=SocketExpiry.STRICT, limit_bytes=16)
    alice = table.seat(ALICE)
    alice.socket.pause_writing()

    await at(table, table.clock.wall() + TTL - 60)

    assert how(alice) == (1000, "session outgoing queue full")
    assert len(table.expiry) == len(table.expiry._deadlines) == 0
    await at(table, table.clock.wall() + 60)
    assert table.expiry.closed == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(2, 300), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(1, 300)), max_size=6),
)
def test_strict_sockets_end_at_the_newest_token_whatever_is_shown(
    lifetimes: list[int], shown: list[tuple[int, int]]
) -> None:
    table = table_of(SocketExpiry.STRICT)
    start = int(table.clock.wall())
    seated = [
        table.seat(each, token_ttl_s=lifetime)
        for each, lifetime in zip(crowd(len(lifetimes)), lifetimes, strict=True)
    ]
    ends = dict(enumerate(lifetimes))
    for which, lifetime in shown:
        if which in ends:
            table.expiry.shown(seated[which].session, start + lifetime)
            ends[which] = max(ends[which], lifetime)

    for second in range(301):
        table.expiry.sweep()
        assert [is_open(each) for each in seated] == [second < ends[number] for number in ends]
        table.clock.advance(1)
    assert [warnings(each) for each in seated] == [[start + ends[number]] for number in ends]


async def test_ten_thousand_sockets_cost_a_sweep_nothing_until_they_are_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = table_of(SocketExpiry.STRICT)
    start = table.clock.wall()
    seated = [table.seat(each) for each in crowd(10_000)]
    looks = 0

    def counted(_: object, watch: object, *more: object) -> None:
        nonlocal looks
        looks += 1

    with monkeypatch.context() as patched:
        patched.setattr(Expiry, "_warn", counted)
        patched.setattr(Expiry, "_close", counted)
        for minute in range(119):
            await at(table, start + minute * 60)
    assert looks == 0
    assert table.expiry._deadlines.entries == 10_000
    await at(table, start + TTL)

    assert {how(each) for each in seated} == {EXPIRED}
    assert table.expiry._deadlines.entries == len(table.expiry) == 0
