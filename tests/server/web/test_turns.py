"""So much in a turn of the loop, the first to come first."""

import asyncio

from server.web.turns import Turns


async def turn() -> None:
    await asyncio.sleep(0)


async def test_so_many_go_on_at_once_and_as_many_in_the_next_turn() -> None:
    turns = Turns(2)

    assert [turns.take() for _ in range(3)] == [True, True, False]
    await turn()

    assert [turns.take() for _ in range(3)] == [True, True, False]


async def test_who_waits_comes_before_who_comes_later() -> None:
    turns = Turns(2)
    done: list[int] = []
    assert turns.take()
    assert turns.take()
    for number in range(5):
        turns.wait(lambda number=number: done.append(number))  # type: ignore[misc]  # a default binds it

    await turn()
    assert done == [0, 1]
    assert not turns.take()
    await turn()
    assert done == [0, 1, 2, 3]
    await turn()
    assert done == [0, 1, 2, 3, 4]
    assert len(turns) == 0

    assert turns.take()  # one more fits into this turn
    assert not turns.take()


async def test_after_a_quiet_time_all_is_free_again() -> None:
    turns = Turns(1)
    turns.take()
    await turn()
    await turn()

    assert turns.take()
