"""Waiting for one event, bounded in number and time, woken gently."""

import asyncio

import pytest

from server.identity.waiters import WOKEN_PER_TURN, TooManyWaiters, Waiters


def waiting(waiters: Waiters, count: int, timeout_s: float = 5) -> list[asyncio.Task[bool]]:
    return [asyncio.ensure_future(waiters.wait(timeout_s)) for _ in range(count)]  # noqa: TID251 (a test's own)


@pytest.mark.parametrize("outcome", [True, False])
async def test_all_who_wait_are_given_the_outcome(outcome: bool) -> None:
    waiters = Waiters(100)
    callers = waiting(waiters, 100)
    await asyncio.sleep(0)
    waiters.wake(outcome)

    assert await asyncio.gather(*callers) == [outcome] * 100
    assert len(waiters) == 0


async def test_a_turn_of_the_loop_wakes_only_a_few() -> None:
    waiters = Waiters(100)
    callers = waiting(waiters, 100)
    await asyncio.sleep(0)
    waiters.wake(True)
    woken = []
    while not all(caller.done() for caller in callers):
        await asyncio.sleep(0)
        woken.append(sum(caller.done() for caller in callers))

    steps = [later - earlier for earlier, later in zip([0, *woken], woken, strict=False)]
    assert max(steps) == WOKEN_PER_TURN


async def test_who_comes_after_the_event_waits_for_the_next() -> None:
    waiters = Waiters(100)
    early = waiting(waiters, 50)
    await asyncio.sleep(0)
    waiters.wake(False)
    late = waiting(waiters, 2)
    await asyncio.gather(*early)

    assert len(waiters) == 2
    waiters.wake(True)
    assert await asyncio.gather(*late) == [True, True]


async def test_two_events_in_a_row_keep_their_outcomes_apart() -> None:
    waiters = Waiters(100)
    early = waiting(waiters, 50)
    await asyncio.sleep(0)
    waiters.wake(False)
    late = waiting(waiters, 30)
    await asyncio.sleep(0)
    waiters.wake(True)

    assert await asyncio.gather(*early, *late) == [False] * 50 + [True] * 30


async def test_one_too_many_is_turned_away_at_once() -> None:
    waiters = Waiters(2)
    callers = waiting(waiters, 2)
    await asyncio.sleep(0)

    with pytest.raises(TooManyWaiters):
        await waiters.wait(5)
    waiters.wake(True)
    await asyncio.gather(*callers)


async def test_waiting_ends_without_the_event_too() -> None:
    waiters = Waiters(1)

    with pytest.raises(TimeoutError):
        await waiters.wait(0.001)
    assert len(waiters) == 0


async def test_a_cancelled_caller_leaves_its_place() -> None:
    waiters = Waiters(1)
    (gone,) = waiting(waiters, 1)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    (next_one,) = waiting(waiters, 1)
    await asyncio.sleep(0)
    waiters.wake(True)

    assert await next_one


async def test_a_caller_cancelled_while_it_is_being_woken_does_no_harm() -> None:
    waiters = Waiters(100)
    callers = waiting(waiters, 60)
    await asyncio.sleep(0)
    waiters.wake(True)
    callers[-1].cancel()

    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert outcomes[:-1] == [True] * 59
    assert isinstance(outcomes[-1], asyncio.CancelledError)
