"""One worker process: what is told of its end."""

import asyncio
import os
import sys

import pytest

from loadtest.failures import SwarmError
from loadtest.hand import LAST_LINE, Hand, Patience

PATIENCE = Patience(leave_s=5, terminate_s=1)


async def epitaph(script: str) -> str:
    hand = await Hand.start("it", (sys.executable, "-c", script))
    try:
        while await hand.next_line() is not None:
            pass
        return await hand.epitaph()
    finally:
        await hand.end(PATIENCE)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("", "ended with status 0"),
        ("import sys; sys.exit(3)", "ended with status 3"),
        ("import sys; sys.exit('alas\\n\\n')", "ended with status 1: alas"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
        ("import sys; sys.exit('a\\x1b[31mb\\xe9')", "ended with status 1: a[31mbé"),
    ],
    ids=["well", "status", "words", "signal", "control"],
)
async def test_the_end_is_told_for_people(script: str, told: str) -> None:
    assert await epitaph(script) == told


async def test_long_last_words_are_cut() -> None:
    told = await epitaph("import sys; sys.exit('x' * 100_000)")

    assert told == "ended with status 1: " + "x" * LAST_LINE


async def test_a_flood_on_stderr_keeps_nobody_waiting() -> None:
    told = await epitaph("import sys; sys.stderr.write('words\\n' * 500_000); sys.exit('over')")

    assert told.endswith(": over")


async def test_what_it_started_is_ended_with_it() -> None:
    script = (
        "import subprocess, time\nprint(subprocess.Popen(['sleep', '600']).pid, flush=True)\ntime.sleep(600)"
    )
    hand = await Hand.start("it", (sys.executable, "-c", script))
    child = int(await hand.next_line() or 0)

    ended = asyncio.Event()
    watched = os.pidfd_open(child)
    asyncio.get_running_loop().add_reader(watched, ended.set)

    await hand.end(PATIENCE, politely=False)

    async with asyncio.timeout(10):
        await ended.wait()
    asyncio.get_running_loop().remove_reader(watched)
    os.close(watched)


async def test_what_does_not_start_is_told() -> None:
    with pytest.raises(SwarmError, match="it does not start: No such file"):
        await Hand.start("it", ("/nowhere",))
