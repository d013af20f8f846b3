"""A command of the user's own prints the token, and tells nothing else."""

import asyncio
import os
import shlex
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop

from loadtest.failures import SwarmError
from loadtest.sign_in.command import AT_ONCE, Command

BACKGROUND = "sleep 60 {streams} & echo $! > {file}; {then}"


def python(code: str) -> str:
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} {{name}}"


def is_gone(pid: int) -> bool:
    """Killed, though its parent may not have fetched its status; the signal is on its way at most."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.005)
    return False


async def test_a_name_stays_one_word() -> None:
    command = Command(python("import sys; print('-'.join(sys.argv[1:]).replace(' ', '_'))"))

    credential = await command.credential("a; b $(c)")

    assert (credential.route, credential.body) == ("custom", {"id": "a;_b_$(c)"})


async def test_a_failure_tells_status_and_last_line_but_not_the_output() -> None:
    command = Command(python("import sys; print('s3cret'); sys.exit('first\\nlast')"))

    with pytest.raises(SwarmError) as raised:
        await command.prepare(["ann"])

    assert str(raised.value) == "the sign-in command ended with 1: last"


async def test_a_command_that_hangs_is_ended() -> None:
    command = Command(python("import signal; signal.pause()"), timeout_s=0.05)

    with pytest.raises(SwarmError, match="took longer"):
        await command.credential("ann")


@pytest.mark.parametrize("code", ["pass", "print('two s3cret')"])
async def test_what_is_no_token_is_refused_and_not_told(code: str) -> None:
    with pytest.raises(SwarmError, match="printed no token") as raised:
        await Command(python(code)).credential("ann")

    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("command", ["", "'open"])
def test_a_command_without_words_is_refused(command: str) -> None:
    with pytest.raises(SwarmError):
        Command(command)


async def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(SwarmError, match="FileNotFoundError"):
        await Command("./no-such-program").credential("ann")


async def test_a_stderr_that_repeats_its_arguments_tells_none() -> None:
    command = Command(python("import sys; sys.exit(' '.join(sys.argv[1:]))") + " --key=s3cret p4ss")

    with pytest.raises(SwarmError) as raised:
        await command.credential("ann")

    assert str(raised.value) == "the sign-in command ended with 1: ann ... ..."


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_output_without_end_is_not_kept(stream: str) -> None:
    code = f"import sys\nwhile True: sys.{stream}.write('s3cret' * 1000)"
    command = Command(python(code), timeout_s=5 if stream == "stdout" else 0.3)

    with pytest.raises(SwarmError) as raised:
        await command.credential("ann")

    assert ("more than" if stream == "stdout" else "took longer") in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("streams", "then", "timeout_s"),
    [("", "sleep 60", 0.3), (">/dev/null 2>&1", "echo token", 30.0), ("", "exit 3", 30.0)],
    ids=["hangs", "done", "failed-but-its-child-holds-the-pipes"],
)
async def test_what_a_command_started_is_ended_with_it(
    tmp_path: Path, streams: str, then: str, timeout_s: float
) -> None:
    script = BACKGROUND.format(streams=streams, file=tmp_path / "pid", then=then)
    command = Command(f"sh -c {shlex.quote(script)}", timeout_s)

    with suppress(SwarmError):
        await command.credential("ann")

    assert is_gone(int((tmp_path / "pid").read_text()))


async def test_a_command_that_nobody_waits_for_any_more_is_ended(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    script = f"echo $$ > {tmp_path / 'begun'}; sleep 60"

    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(Command(f"sh -c {shlex.quote(script)}").credential("ann"))
        pid = int(await asyncio.to_thread((tmp_path / "begun").read_text))
        asking.cancel()

    assert is_gone(pid)


def test_it_works_on_the_loop_that_workers_use(tmp_path: Path) -> None:
    script = BACKGROUND.format(streams=">/dev/null 2>&1", file=tmp_path / "pid", then="echo token")

    credential = uvloop.run(Command(f"sh -c {shlex.quote(script)}").credential("ann"))

    assert credential.body == {"id": "token"}
    assert is_gone(int((tmp_path / "pid").read_text()))


async def test_at_most_a_few_commands_run_at_once(tmp_path: Path) -> None:
    code = (
        "import os, sys; here = sys.argv[1]; mine = os.path.join(here, sys.argv[2]); open(mine, 'w').close();"
        "print(len(os.listdir(here))); os.remove(mine)"
    )
    command = Command(f"{shlex.quote(sys.executable)} -S -c {shlex.quote(code)} {tmp_path} {{name}}")
    names = [f"player-{number}" for number in range(2 * AT_ONCE)]

    await command.prepare(names)

    most = max([int((await command.credential(name)).body["id"]) for name in names])
    assert 1 <= most <= AT_ONCE
