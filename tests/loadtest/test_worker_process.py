"""A worker as a process of its own: what it says on its pipes, and that it never outlives its coordinator."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from loadtest import lines, worker_process
from loadtest.held_notes import MOST_SAMPLES
from loadtest.notes import Begin, Done, Failed, Note, Order, Prepare, Ready, Sample, Share, Stop, Told
from loadtest.plan import Plan
from loadtest.worker_process import NotePipe
from tests.support.fake_worker import COMMAND, STICKY, sample

END_S = 20.0


@contextmanager
def worker(*orders: Order, command: tuple[str, ...] = COMMAND) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            tell(process, *orders)
            yield process
        finally:
            process.kill()


def tell(process: subprocess.Popen[bytes], *orders: Order) -> None:
    assert process.stdin is not None
    process.stdin.write(b"".join(lines.write(order) for order in orders))
    process.stdin.flush()


def hear(process: subprocess.Popen[bytes]) -> Note:
    assert process.stdout is not None
    note: Note = lines.read(process.stdout.readline(), Note, "note")
    return note


def hear_all(process: subprocess.Popen[bytes]) -> list[Note]:
    assert process.stdout is not None
    return [lines.read(line, Note, "note") for line in process.stdout]


def prepare(act: str = "well") -> Prepare:
    return Prepare(msgspec.to_builtins(Plan(settings={"act": act})), Share(0, 1))


def test_it_prepares_begins_and_is_done() -> None:
    with worker(prepare()) as process:
        ready = hear(process)
        tell(process, Begin())
        notes = hear_all(process)

        assert ready == Ready()
        assert [type(note) for note in notes] == [Told, Sample, Sample, Sample, Done]
        assert process.wait(END_S) == 0


def test_what_a_scenario_prints_is_kept_from_the_notes() -> None:
    with worker(prepare(), Begin()) as process:
        hear_all(process)

        assert process.stderr is not None
        assert b"a scenario may print" in process.stderr.read()


def test_the_end_of_its_orders_is_a_stop() -> None:
    with worker(prepare("wait"), Begin()) as process:
        assert hear(process) == Ready()
        assert process.stdin is not None
        process.stdin.close()

        assert hear_all(process)[-1] == Done(0, 3, stopped_early=True)
        assert process.wait(END_S) == 0


def test_a_stop_before_the_beginning_is_obeyed() -> None:
    with worker(prepare("wait"), Stop(), Stop(), Begin()) as process:
        assert hear_all(process) == [Ready(), Done(0, 0, stopped_early=True)]


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (b"", "a worker was not told what to prepare"),
        (lines.write(Begin()), "a worker was not told what to prepare"),
        (b"nonsense\n", "said what is no order"),
        (lines.write(Prepare({"players": "many"}, Share(0, 1))), "the plan makes no sense"),
        (lines.write(prepare("refuse")), "the server is not there"),
    ],
    ids=["nothing", "begin", "nonsense", "plan", "refused"],
)
def test_what_cannot_be_played_is_told(said: bytes, failure: str) -> None:
    with worker() as process:
        assert process.stdin is not None
        process.stdin.write(said)
        process.stdin.close()
        (note,) = hear_all(process)

        assert isinstance(note, Failed)
        assert failure in note.text
        assert process.wait(END_S) == 1


def test_a_bug_is_shown_on_stderr_and_only_named_to_the_coordinator() -> None:
    with worker(prepare("fail early")) as process:
        notes = hear_all(process)

        assert notes == [Failed("a worker failed: ValueError")]
        assert process.stderr is not None
        assert b"Traceback" in process.stderr.read()


def test_nonsense_while_it_plays_fails_it() -> None:
    with worker(prepare("wait"), Begin()) as process:
        assert process.stdin is not None
        process.stdin.write(b"nonsense\n")
        process.stdin.flush()

        assert hear_all(process)[-1] == Failed("said what is no order")


def test_an_interrupt_is_the_coordinators_affair() -> None:
    with worker(prepare("wait")) as process:
        assert hear(process) == Ready()

        process.send_signal(signal.SIGINT)
        tell(process, Begin(), Stop())

        assert isinstance(hear_all(process)[-1], Done)


def test_it_may_open_as_many_files_as_the_system_lets_it() -> None:
    code = (
        "import resource; from loadtest.worker_process import _allow_files; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300)); _allow_files(); "
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "(300, 300)"


@pytest.mark.parametrize("is_heard", [True, False], ids=["stdin ends", "all pipes end"])
def test_even_a_stuck_worker_does_not_outlive_its_coordinator(tmp_path: Path, is_heard: bool) -> None:
    script = tmp_path / "impatient.py"
    script.write_text(
        "import runpy, loadtest.worker_process as it\n"
        "it.GRACE_S = 0.1\n"
        f"runpy.run_path({COMMAND[1]!r}, run_name='__main__')\n",
        encoding="utf-8",
    )
    with worker(prepare("stuck"), Begin(), command=(sys.executable, str(script))) as process:
        assert hear(process) == Ready()
        assert hear(process) == Told(0, STICKY)
        for pipe in (process.stdin,) if is_heard else (process.stdout, process.stderr, process.stdin):
            assert pipe is not None
            pipe.close()

        assert process.wait(END_S) == worker_process.STUCK


async def test_notes_wait_for_a_coordinator_that_does_not_listen() -> None:
    reading, writing = os.pipe()
    loop = asyncio.get_running_loop()
    _, pipe = await loop.connect_write_pipe(NotePipe, os.fdopen(writing, "wb", buffering=0))
    many = 3 * MOST_SAMPLES
    for second in range(1, many + 1):
        pipe.tell(sample(second, errors={"x" * 10_000: 1}))

    held = len(pipe._held)
    with os.fdopen(reading, "rb") as stream:
        heard = asyncio.to_thread(stream.read)
        text, _ = await asyncio.gather(heard, pipe.close())

    notes = [lines.read(line, Sample, "note") for line in text.splitlines()]
    assert held == MOST_SAMPLES
    assert sum(note.counts["sent"] for note in notes) == 10 * many
    assert notes[-1].at_s == many


async def test_a_coordinator_that_has_gone_keeps_nobody_waiting() -> None:
    reading, writing = os.pipe()
    loop = asyncio.get_running_loop()
    _, pipe = await loop.connect_write_pipe(NotePipe, os.fdopen(writing, "wb", buffering=0))
    os.close(reading)

    for second in range(1, 2 * MOST_SAMPLES):
        pipe.tell(sample(second))
    await pipe.close()
    pipe.tell(sample(1))

    assert len(pipe._held) == 0
