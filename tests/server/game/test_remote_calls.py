"""The fence around the functions of the game."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
from structlog.testing import capture_logs

from server.core.function import Caller, Function, FunctionError, NoSuchFunction
from server.game.fence import Fence, Outcome
from server.game.remote_calls import RemoteCalls
from server.tasks import TaskOwner

CALLER = Caller(user_id="u")
SECRET = "what-the-player-said"
Made = Callable[..., RemoteCalls]


@pytest.fixture
async def make() -> AsyncIterator[Made]:
    made: list[RemoteCalls] = []

    def build(
        functions: Mapping[str, Function], *, timeout_s: float = 5.0, concurrent: int = 10
    ) -> RemoteCalls:
        fence = Fence("rpc", TaskOwner("rpc"), timeout_s=timeout_s, concurrent=concurrent)
        made.append(RemoteCalls(functions, fence))
        return made[-1]

    yield build
    for calls in made:
        await calls.close()


async def echo(caller: Caller, payload: str) -> str:
    return f"{caller.user_id}:{payload}"


@pytest.mark.parametrize("name", ["Echo/Twice", "echo/twice", "ECHO/TWICE"])
async def test_a_function_is_found_in_any_case(make: Made, name: str) -> None:
    calls = make({"Echo/Twice": echo})

    assert calls.knows(name)
    assert await calls.call(name, CALLER, "x") == "u:x"
    assert calls.outcomes[Outcome.ANSWERED] == 1


async def test_what_is_not_registered_is_not_there(make: Made) -> None:
    calls = make({"echo": echo})

    assert not calls.knows("ech")
    with pytest.raises(NoSuchFunction):
        await calls.call("ech", CALLER, "")


@pytest.mark.parametrize("names", [("a", "A"), ("",), ("session_refresh",), ("Session_Refresh",)])
async def test_a_name_that_cannot_be_one_is_refused(make: Made, names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="name"):
        make(dict.fromkeys(names, echo))


async def test_a_refusal_reaches_the_caller_with_its_code(make: Made) -> None:
    async def refuse(_caller: Caller, _payload: str) -> str:
        raise FunctionError("not yet", 9)

    calls = make({"f": refuse})

    with pytest.raises(FunctionError, match="not yet") as refused:
        await calls.call("f", CALLER, "")
    assert refused.value.code == 9
    assert calls.outcomes[Outcome.REFUSED] == 1


async def raising(error: BaseException) -> str:
    raise error


@pytest.mark.parametrize(
    "error", [ValueError(SECRET), SystemExit(3), asyncio.CancelledError(SECRET), TimeoutError(SECRET)]
)
async def test_a_fault_is_told_in_our_words_alone(make: Made, error: BaseException) -> None:
    calls = make({"f": lambda _caller, _payload: raising(error), "echo": echo})

    with capture_logs() as logged, pytest.raises(FunctionError) as failed:
        await calls.call("f", CALLER, SECRET)

    assert (failed.value.message, failed.value.code) == ("RPC function failed", 13)
    assert calls.outcomes[Outcome.FAILED] == 1
    assert SECRET not in repr(logged)
    assert await calls.call("echo", CALLER, "on") == "u:on"


async def test_a_fault_is_logged_with_the_lines_of_code(make: Made) -> None:
    calls = make({"f": lambda _caller, _payload: raising(KeyError(SECRET))})

    with capture_logs() as logged, pytest.raises(FunctionError):
        await calls.call("f", CALLER, SECRET)

    (event,) = logged
    assert (event["event"], event["kind"], event["name"], event["error"]) == (
        "game_code_failed",
        "rpc",
        "f",
        "KeyError",
    )
    assert "in raising" in event["trace"]
    assert "exc_info" not in event


async def test_an_answer_that_is_no_text_is_a_fault(make: Made) -> None:
    async def number(_caller: Caller, _payload: str) -> object:
        return 7

    calls = make({"f": number})

    with pytest.raises(FunctionError, match="RPC function failed"):
        await calls.call("f", CALLER, "")


async def test_a_text_that_cannot_be_written_is_mended(make: Made) -> None:
    async def refuse(_caller: Caller, payload: str) -> str:
        raise FunctionError(payload)

    calls = make({"echo": echo, "refuse": refuse})

    assert await calls.call("echo", CALLER, "ü\ud800") == "u:ü?"
    with pytest.raises(FunctionError, match=r"ü\?"):
        await calls.call("refuse", CALLER, "ü\ud800")


async def test_a_function_that_takes_too_long_is_given_up_even_if_it_does_not_give_up(make: Made) -> None:
    let_go = asyncio.Event()

    async def stubborn(_caller: Caller, _payload: str) -> str:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue
        return "late"

    calls = make({"f": stubborn}, timeout_s=0.01, concurrent=1)

    with pytest.raises(FunctionError, match="timed out") as late:
        await calls.call("f", CALLER, "")

    assert late.value.code == 4
    assert calls.running == 1  # it keeps its place
    with pytest.raises(FunctionError, match="Too many"):
        await calls.call("f", CALLER, "")
    let_go.set()


async def test_only_so_many_run_at_once(make: Made) -> None:
    inside, let_go = asyncio.Event(), asyncio.Event()

    async def wait(_caller: Caller, payload: str) -> str:
        inside.set()
        await let_go.wait()
        return payload

    calls = make({"f": wait}, concurrent=1)
    first = TaskOwner("test").spawn("call", calls.call("f", CALLER, "1"))
    await inside.wait()

    with pytest.raises(FunctionError) as full:
        await calls.call("f", CALLER, "2")

    let_go.set()
    assert full.value.code == 8
    assert await first == "1"
    assert await calls.call("f", CALLER, "3") == "3"
    assert calls.outcomes[Outcome.FULL] == 1


async def test_a_caller_who_goes_away_takes_the_function_along(make: Made) -> None:
    inside = asyncio.Event()
    cancelled = asyncio.Event()

    async def wait(_caller: Caller, payload: str) -> str:
        inside.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()
        return payload

    calls = make({"f": wait})
    caller = TaskOwner("test").spawn("call", calls.call("f", CALLER, ""))
    await inside.wait()

    caller.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller
    await asyncio.wait_for(cancelled.wait(), 5)
