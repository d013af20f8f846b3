"""What players share: bounded counts, patience with a server, and groups that find out once."""

import asyncio
import time

import pytest

from loadtest.common import MAX_COUNTS, MAX_ERROR_TEXTS, OTHER, Common, Group
from loadtest.failures import Refused, SwarmError
from loadtest.ledger import Ledger
from loadtest.pacer import NS
from tests.support.swarm_stage import common_of


def group_in(common: Common) -> Group:
    return Group(0, "group", common.ledger)


async def test_error_texts_have_a_bound_and_nothing_goes_uncounted() -> None:
    common = common_of()

    for number in range(MAX_ERROR_TEXTS + 7):
        common.error(f"error {number}")
    common.error("error 0")

    assert len(common.errors) == MAX_ERROR_TEXTS + 1
    assert (common.errors["error 0"], common.errors[OTHER]) == (2, 7)


async def test_counts_have_a_bound_too() -> None:
    common = common_of()

    for number in range(MAX_COUNTS + 3):
        common.count(f"count {number}", 2)

    assert len(common.counts) == MAX_COUNTS + 1
    assert common.counts[OTHER] == 6


async def test_who_is_put_off_asks_again_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    common, asked, waited_ns = common_of(), 0, []

    async def attempt() -> str:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise Refused(503, "come later", 2.0)
        return "in"

    async def until(due_ns: int) -> None:
        waited_ns.append(due_ns - common.begun_ns)

    monkeypatch.setattr(common.pacer, "until", until)

    assert await common.patiently(attempt) == "in"
    assert common.counts["asked_to_come_later"] == 2
    assert all(2 * NS <= each < 3.5 * NS for each in waited_ns)


@pytest.mark.parametrize("status", [401, 403, 500])
async def test_a_refusal_for_good_is_raised_at_once(status: int) -> None:
    common = common_of()

    async def attempt() -> None:
        raise Refused(status, "no")

    with pytest.raises(Refused):
        await common.patiently(attempt)
    assert not common.counts


async def test_nobody_is_patient_beyond_the_end_of_the_run() -> None:
    common = common_of()
    common.until_ns = common.begun_ns

    async def attempt() -> None:
        raise Refused(503, "come later", 60.0)

    with pytest.raises(Refused):
        await common.patiently(attempt)


async def test_one_member_finds_out_for_all() -> None:
    group, asked = group_in(common_of()), 0
    found = asyncio.Event()

    async def find() -> str:
        nonlocal asked
        asked += 1
        await found.wait()
        return "it"

    async with asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(group.once("what", find)) for _ in range(3)]
        await asyncio.sleep(0)
        found.set()

    assert [task.result() for task in asking] == ["it"] * 3
    assert asked == 1


async def test_when_it_cannot_be_found_out_those_who_wait_fail_and_the_next_tries_again() -> None:
    group = group_in(common_of())
    failing = asyncio.Event()

    async def fail() -> str:
        await failing.wait()
        raise SwarmError("the server refused")

    async def find() -> str:
        return "it"

    async with asyncio.TaskGroup() as tasks:
        outcomes = tasks.create_task(
            asyncio.wait_for(
                asyncio.gather(group.once("what", fail), group.once("what", find), return_exceptions=True), 5
            )
        )
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        failing.set()

    told = [str(each) for each in outcomes.result()]
    assert told[0] == "the server refused"
    assert "member of the group" in told[1]
    assert await group.once("what", find) == "it"


async def test_a_finder_that_is_cancelled_leaves_nobody_waiting() -> None:
    group = group_in(common_of())

    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    async with asyncio.TaskGroup() as tasks:
        finding = tasks.create_task(group.once("what", never))
        await asyncio.sleep(0)
        waiting = tasks.create_task(asyncio.wait({tasks.create_task(_failure(group))}))
        await asyncio.sleep(0)
        finding.cancel()
        (told,), _ = await waiting

    assert "member of the group" in told.result()


async def _failure(group: Group) -> str:
    try:
        return await group.learn("what")
    except SwarmError as error:
        return str(error)


async def test_what_is_told_is_learned_before_and_behind_and_may_change() -> None:
    group = group_in(common_of())

    async with asyncio.TaskGroup() as tasks:
        before = tasks.create_task(group.learn("what"))
        await asyncio.sleep(0)
        group.tell("what", "one")
    group.tell("what", "two")

    assert before.result() == "one"
    assert await group.learn("what") == "two"


async def test_an_answer_is_for_those_who_wait_and_not_kept() -> None:
    group = group_in(common_of())
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(group.learn("what")) for _ in range(2)]
        await asyncio.sleep(0)
        group.answer("what", "it")
        group.answer("what", "another")
        group.answer("else", "nobody asked")

    assert [task.result() for task in waiting] == ["it"] * 2
    assert not group._told
    with pytest.raises(SwarmError):
        await group.learn("what", within_s=0)


async def test_who_learns_nothing_in_time_is_told_so() -> None:
    with pytest.raises(SwarmError, match="in vain"):
        await group_in(common_of()).learn("what", within_s=0)


async def test_members_meet_in_one_topic_by_its_name() -> None:
    group = group_in(common_of())

    assert group.topic("match") is group.topic("match")
    assert group.topic("match") is not group.topic("chat")


async def never() -> str:
    raise AssertionError("it is known already")


async def settle() -> None:
    """Let everybody get as far as they can."""
    for _ in range(5):
        await asyncio.sleep(0)


def lone_group() -> Group:
    return Group(0, "group", Ledger())


async def test_who_learns_before_anybody_finds_it_does_not_keep_others_from_finding_it() -> None:
    shared = lone_group()

    async def find() -> str:
        return "found"

    learning = asyncio.get_running_loop().create_task(shared.learn("id"))
    await settle()

    assert await shared.once("id", find) == "found"
    assert await learning == "found"


async def test_what_is_told_replaces_what_was_told_and_what_is_found() -> None:
    shared, gate = lone_group(), asyncio.Event()

    async def find() -> str:
        await gate.wait()
        return "found"

    finding = asyncio.get_running_loop().create_task(shared.once("id", find))
    await settle()
    shared.tell("id", "told")
    assert await shared.learn("id") == "told"
    gate.set()

    assert await finding == "found"
    assert await shared.learn("id") == "found"


async def test_what_is_forgotten_is_found_anew_unless_it_is_another_by_now() -> None:
    shared = lone_group()
    shared.tell("id", "new")

    async def find() -> str:
        return "newest"

    shared.forget("id", "old")
    assert await shared.once("id", never) == "new"
    shared.forget("id", "new")
    shared.forget("unheard of", "new")
    assert await shared.once("id", find) == "newest"


@pytest.mark.parametrize("retry_s", [3600.0, 1.0])
async def test_who_is_put_off_beyond_the_end_gives_up_at_once(retry_s: float) -> None:
    shared, attempts = common_of(), 0
    shared.until_ns = time.monotonic_ns() + NS // 2

    async def attempt() -> None:
        nonlocal attempts
        attempts += 1
        raise Refused(503, "later", retry_s)

    with pytest.raises(Refused):
        await shared.patiently(attempt)
    assert attempts == 1
