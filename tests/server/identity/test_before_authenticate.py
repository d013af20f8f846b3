"""What the game may say to a verified player, and what its faults cannot do."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from server.identity.before_authenticate import (
    MAX_ASKED,
    MAX_TEXT,
    MAX_THREADS,
    NO_TEXT,
    BeforeAuthenticate,
    Hook,
    Outcome,
    Verdict,
)
from server.identity.failures import GameFault, PlayerRefused, Unfinished
from server.identity.identity import Identity
from server.tasks import TaskOwner
from tests.support.inprocess import until

ALICE = Identity("https://issuer.test", "alice", {"groups": ["a"]})
ENDLESS = 60.0
AT_ONCE = 0.01

Make = Callable[..., BeforeAuthenticate]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[BeforeAuthenticate] = []

    def build(hook: Hook | None, timeout_s: float = ENDLESS) -> BeforeAuthenticate:
        made.append(BeforeAuthenticate(hook, timeout_s, TaskOwner("test")))
        return made[-1]

    yield build
    for one in made:
        await one.close()


def answering(answer: Any, *, plain: bool) -> Hook:
    async def asynchronous(_identity: Identity) -> Any:
        return answer

    return (lambda _identity: answer) if plain else asynchronous


def raising(error: BaseException, *, plain: bool) -> Hook:
    async def asynchronous(_identity: Identity) -> Verdict:
        raise error

    def synchronous(_identity: Identity) -> Verdict:
        raise error

    return synchronous if plain else asynchronous


async def test_without_a_hook_everyone_is_let_in(make: Make) -> None:
    asked = make(None)

    await asked.check(ALICE)

    assert asked.outcomes.total() == 0


@pytest.mark.parametrize("plain", [True, False])
async def test_none_lets_a_player_in(make: Make, plain: bool) -> None:
    asked = make(answering(None, plain=plain))

    await asked.check(ALICE)

    assert asked.outcomes[Outcome.ADMITTED] == asked.outcomes.total() == 1


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("Closed beta.", "Closed beta."),
        ("", NO_TEXT),
        ("x" * (MAX_TEXT + 1), "x" * MAX_TEXT),
        ("a\ud800b", "a?b"),
    ],
)
async def test_a_text_refuses_and_is_what_the_player_is_told(
    make: Make, answer: str, told: str, plain: bool
) -> None:
    asked = make(answering(answer, plain=plain))

    with pytest.raises(PlayerRefused) as refused:
        await asked.check(ALICE)

    assert refused.value.message == told
    assert asked.outcomes[Outcome.REFUSED] == 1


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("answer", [True, False, 0, b"no", [], ALICE])
async def test_any_other_answer_is_a_fault_and_lets_nobody_in(
    make: Make, answer: object, plain: bool
) -> None:
    asked = make(answering(answer, plain=plain))

    with capture_logs() as logs, pytest.raises(GameFault):
        await asked.check(ALICE)

    assert [entry["event"] for entry in logs] == ["before_authenticate_failed"]
    assert asked.outcomes[Outcome.FAILED] == 1


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    "error",
    [RuntimeError("boom"), KeyError("x"), TimeoutError(), StopIteration(), asyncio.CancelledError()],
)
async def test_a_failing_hook_lets_nobody_in_and_is_logged(
    make: Make, error: BaseException, plain: bool
) -> None:
    asked = make(raising(error, plain=plain))

    with capture_logs() as logs, pytest.raises(GameFault) as fault:
        await asked.check(ALICE)

    assert fault.value.message == "Internal Server Error"
    assert "before_authenticate_failed" in [entry["event"] for entry in logs]
    assert asked.outcomes[Outcome.FAILED] == 1


async def test_a_plain_function_may_give_back_something_to_await(make: Make) -> None:
    asked = make(lambda identity: answering("No.", plain=False)(identity))

    with pytest.raises(PlayerRefused, match="No"):
        await asked.check(ALICE)


async def test_an_object_with_an_async_call_is_asked_on_the_loop(make: Make) -> None:
    class Rule:
        thread: threading.Thread | None = None

        async def __call__(self, identity: Identity) -> Verdict:
            self.thread = threading.current_thread()
            return None

    rule = Rule()
    await make(rule).check(ALICE)

    assert rule.thread is threading.main_thread()


async def test_a_hook_that_takes_too_long_is_given_up_and_logged(make: Make) -> None:
    cancelled = asyncio.Event()

    async def endless(_identity: Identity) -> Verdict:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return None

    asked = make(endless, AT_ONCE)
    with capture_logs() as logs, pytest.raises(Unfinished) as unfinished:
        await asked.check(ALICE)

    assert unfinished.value.retry_after_s >= 1
    assert [(entry["event"], entry["outcome"]) for entry in logs] == [
        ("before_authenticate_unfinished", "late")
    ]
    await cancelled.wait()


async def test_a_hook_that_swallows_its_cancellation_holds_up_nobody(make: Make) -> None:
    release = asyncio.Event()

    async def stubborn(_identity: Identity) -> Verdict:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return None

    asked = make(stubborn, AT_ONCE)
    with pytest.raises(Unfinished):
        await asked.check(ALICE)
    release.set()

    assert asked.outcomes[Outcome.LATE] == 1


async def test_a_plain_hook_that_blocks_costs_its_place_and_not_the_loop(make: Make) -> None:
    release = threading.Event()
    running: list[int] = []

    def blocking(_identity: Identity) -> Verdict:
        running.append(1)
        release.wait(30)
        return None

    asked = make(blocking, 0.2)
    try:
        outcomes = await asyncio.gather(
            *(asked.check(ALICE) for _ in range(MAX_THREADS + 5)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [Unfinished] * (MAX_THREADS + 5)
        assert len(running) == MAX_THREADS
    finally:
        release.set()

    await until(lambda: not asked.threads)
    later = make(answering(None, plain=True))
    await later.check(ALICE)


async def test_no_more_than_a_limit_are_asked_at_once(make: Make) -> None:
    release = asyncio.Event()

    async def waiting(_identity: Identity) -> Verdict:
        await release.wait()
        return None

    asked, owner = make(waiting), TaskOwner("askers")
    askers = [owner.spawn("asker", asked.check(ALICE)) for _ in range(MAX_ASKED)]
    await asyncio.sleep(0)

    with pytest.raises(Unfinished):
        await asked.check(ALICE)
    release.set()
    await asyncio.gather(*askers)

    assert (asked.outcomes[Outcome.FULL], asked.outcomes[Outcome.ADMITTED]) == (1, MAX_ASKED)


async def test_a_login_that_is_given_up_gives_up_its_question(make: Make) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless(_identity: Identity) -> Verdict:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return None

    asker = TaskOwner("asker").spawn("login", make(endless).check(ALICE))
    await begun.wait()
    asker.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asker
    await ended.wait()


async def test_what_a_hook_is_shown_it_cannot_change(make: Make) -> None:
    async def greedy(identity: Identity) -> Verdict:
        identity.claims["groups"].append("admin")
        identity.claims["role"] = "admin"  # type: ignore[index]  # a game module is not type-checked
        return None

    await make(greedy).check(ALICE)

    assert ALICE.claims == {"groups": ["a"]}
