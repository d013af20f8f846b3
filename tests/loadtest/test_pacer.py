"""What is due is done, in order, however late; and how late is told, unless others kept us."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from loadtest.pacer import NS, YIELD_EACH, Pacer


class Clock:
    """Monotonic nanoseconds that stand still."""

    def __init__(self) -> None:
        self.now_ns = 1_000 * NS

    def __call__(self) -> int:
        return self.now_ns


class HandAlarm:
    """Is fired by hand."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call
        self.set_for_s: list[float] = []
        self.is_set = False
        self.is_closed = False

    def set(self, due_ns: int, now_ns: int) -> None:
        self.set_for_s.append((due_ns - now_ns) / NS)
        self.is_set = True

    def clear(self) -> None:
        self.is_set = False

    def close(self) -> None:
        self.is_closed = True


class Stage:
    """A pacer whose alarm is fired by hand."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.start = tasks.create_task
        self.clock = Clock()
        self.slips_us: list[int] = []
        self.pacer = Pacer(self.slips_us.append, self.clock, self._make_alarm)
        self.woken: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    def _make_alarm(self, call: Callable[[], None]) -> HandAlarm:
        self.alarm = HandAlarm(call)
        return self.alarm

    def wait(self, name: str, in_ns: int) -> None:
        async def waiting() -> None:
            await self.pacer.until(self.clock.now_ns + in_ns)
            self.woken.append(name)

        self.tasks.append(self.start(waiting()))

    async def turn(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    async def pass_ns(self, ns: int) -> None:
        self.clock.now_ns += ns
        self.alarm.call()
        await self.turn()


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    async with asyncio.TaskGroup() as tasks:
        stage = Stage(tasks)
        yield stage
        stage.pacer.close()


async def test_who_is_due_first_is_woken_first() -> None:
    async with staged() as stage:
        stage.wait("late", 3 * NS)
        stage.wait("early", NS)
        await stage.turn()

        await stage.pass_ns(NS)
        assert stage.woken == ["early"]
        await stage.pass_ns(2 * NS)

        assert stage.woken == ["early", "late"]
        assert stage.slips_us == [0, 0]


async def test_an_earlier_one_sets_the_timer_anew() -> None:
    async with staged() as stage:
        stage.wait("late", 3 * NS)
        await stage.turn()
        stage.wait("early", NS)
        await stage.turn()

        assert stage.alarm.set_for_s == [3.0, 1.0]


async def test_a_late_timer_wakes_all_that_are_due_and_tells_by_how_much() -> None:
    async with staged() as stage:
        for second in range(1, 4):
            stage.wait(str(second), second * NS)
        stage.wait("later", 100 * NS)
        await stage.turn()

        await stage.pass_ns(5 * NS)

        assert stage.woken == ["1", "2", "3"]
        assert stage.slips_us == [4_000_000, 3_000_000, 2_000_000]


async def test_what_others_take_before_one_can_act_is_a_slip_too() -> None:
    async with staged() as stage:

        async def work() -> None:
            await stage.pacer.until(stage.clock.now_ns + NS)
            stage.clock.now_ns += 5 * NS

        stage.tasks.append(stage.start(work()))
        stage.wait("behind", NS)
        await stage.turn()

        await stage.pass_ns(NS)

        assert stage.slips_us == [0, 5_000_000]


async def test_who_does_nothing_then_is_not_late() -> None:
    async with staged() as stage:
        leaves_ns = stage.clock.now_ns + NS
        stage.tasks.append(stage.start(stage.pacer.until(leaves_ns, acts=False)))
        stage.wait("acts", NS)
        await stage.turn()

        await stage.pass_ns(3 * NS)

        assert stage.tasks[0].done()
        assert stage.slips_us == [2_000_000]


async def test_who_comes_late_goes_on_at_once_and_is_no_slip_of_ours() -> None:
    async with staged() as stage:
        stage.wait("behind", -5 * NS)
        await stage.turn()

        assert stage.woken == ["behind"]
        assert stage.slips_us == []


async def test_who_is_far_behind_lets_others_have_their_turn() -> None:
    async with staged() as stage:
        others = 0

        async def catch_up() -> None:
            for _ in range(4 * YIELD_EACH):
                await stage.pacer.until(0)

        catching_up = stage.start(catch_up())
        while not catching_up.done():
            others += 1
            await asyncio.sleep(0)

        assert others >= 4


async def test_in_a_hurry_nobody_waits() -> None:
    async with staged() as stage:
        stage.wait("waiting", 100 * NS)
        await stage.turn()

        stage.pacer.hurry()
        stage.wait("new", 100 * NS)
        await stage.turn()

        assert stage.woken == ["waiting", "new"]
        assert stage.slips_us == []


async def test_who_stopped_waiting_is_not_woken() -> None:
    async with staged() as stage:
        stage.wait("gone", NS)
        stage.wait("there", NS)
        await stage.turn()
        stage.tasks[0].cancel()
        await stage.turn()

        await stage.pass_ns(NS)

        assert stage.woken == ["there"]
        assert len(stage.slips_us) == 1


async def test_when_nobody_waits_the_alarm_is_not_set() -> None:
    async with staged() as stage:
        stage.wait("one", NS)
        await stage.turn()
        assert stage.alarm.is_set

        await stage.pass_ns(NS)
        assert not stage.alarm.is_set
        stage.wait("another", 3 * NS)
        await stage.turn()

        assert stage.alarm.is_set
        assert stage.alarm.set_for_s == [1.0, 3.0]


async def test_a_closed_pacer_cancels_who_waits() -> None:
    async with staged() as stage:
        stage.wait("waiting", NS)
        await stage.turn()

        stage.pacer.close()
        await stage.turn()

        assert stage.tasks[0].cancelled()
        assert stage.alarm.is_closed
