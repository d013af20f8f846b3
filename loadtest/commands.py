"""What `lockgate swarm` does when asked: a run, a search, a comparison, the list, an agent."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TextIO

import msgspec
import uvloop

from loadtest import agent, capacity, compare, pinning, verdict
from loadtest.faces import summary
from loadtest.faces.lines import Lines
from loadtest.faces.live import LiveView
from loadtest.faces.watcher import Watcher, is_screen
from loadtest.failures import SwarmError, reraise_first
from loadtest.options import Options, ramp_of
from loadtest.plan import Plan
from loadtest.result import Result, read
from loadtest.run import run
from loadtest.scenario import Scenario, built_in, find

OK = 0


def main(options: Options, out: TextIO, environment: dict[str, str]) -> int:
    """The exit status. Raises SwarmError when it could not be done."""
    match options.command:
        case "list":
            out.write(listing(options.name))
        case "compare":
            comparison = compare.compare(*(read(path) for path in options.files))
            text = msgspec.json.encode(comparison).decode() if options.as_json else compare.text(comparison)
            out.write(text.rstrip("\n") + "\n")
        case "agent":
            serving = agent.serve(
                options.host,
                options.port,
                options.plan.agent_secret,
                pinning.lent(options.plan.workers, pinning.allowed(0)),
                scenarios=options.folder,
                commands=options.commands,
                say=lambda line: _say(out, line),
            )
            _conduct(lambda stop: _until(stop, serving))
        case "capacity":
            return _search(options, out)
        case _:
            return _run_once(options, out, environment)
    return OK


def listing(name: str) -> str:
    """The scenarios with their settings, or one of them. Raises SwarmError."""
    known = built_in()
    shown = [find(name)] if name else [known[each] for each in sorted(known)]
    lines = [line for each in shown for line in _described(each)]
    if not name:
        lines.append("Your own: --scenario FILE.py, see docs/load-testing.md.")
    return "\n".join(lines) + "\n"


def _described(scenario: Scenario) -> list[str]:
    lines = [f"{scenario.name:<18}{scenario.summary}"]
    for each in msgspec.structs.fields(scenario.settings):
        marks = getattr(each.type, "__metadata__", ())
        about = next((mark.description for mark in marks if isinstance(mark, msgspec.Meta)), "")
        lines.append(f"    {each.name + '=' + _shown(each.default):<26}{about or ''}".rstrip())
    return [*lines, ""]


def _shown(default: Any) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default)


def _run_once(options: Options, out: TextIO, environment: dict[str, str]) -> int:
    plan, outputs = options.plan, options.outputs
    outputs.check()
    if is_screen(out, environment) and not outputs.plain:
        with LiveView(plan) as view:
            result = _play(plan, view)
    else:
        result = _play(plan, Lines(plan, lambda line: _say(out, line)))
    out.write("\n" + summary.text(result))
    outputs.keep(result, out)
    return verdict.EXIT[result.verdict]


def _play(plan: Plan, watch: Watcher) -> Result:
    found: list[Result] = []

    async def playing(stop: asyncio.Event) -> None:
        found.append(await run(plan, watch, stop))

    _conduct(playing)
    return found[0]


def _search(options: Options, out: TextIO) -> int:
    options.outputs.check()
    found: list[capacity.Capacity] = []

    async def searching(stop: asyncio.Event) -> None:
        async def once(players: int) -> Result:
            ramp_s = options.plan.ramp_s if options.keeps_ramp else ramp_of(players)
            plan = msgspec.structs.replace(options.plan, players=players, ramp_s=ramp_s)
            _say(out, f"trying {players} players")
            result = await run(plan, Lines(plan, lambda line: _say(out, line)), stop)
            if stop.is_set():
                raise SwarmError("stopped")
            for reason in verdict.why(result):
                _say(out, f"  {reason}")
            return result

        found.append(
            await capacity.search(
                once, options.start, options.ceiling, options.step, options.resolution, options.confirm
            )
        )

    _conduct(searching)
    out.write("\n" + capacity.text(found[0]).rstrip("\n") + "\n")
    options.outputs.keep(found[0], out)
    if found[0].players:
        return OK
    return verdict.EXIT["invalid" if found[0].bounded_by == "swarm" else "failed"]


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do it until it ends or `stop` is set. Raises what it raises."""
    async with asyncio.TaskGroup() as tasks:
        working, stopping = tasks.create_task(work), tasks.create_task(stop.wait())
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        stopping.cancel()


def _conduct(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run it on a loop of its own: the first signal asks it to end, the second one ends it.

    Raises SwarmError.
    """

    async def conducted() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        task = asyncio.current_task()

        def on_signal() -> None:
            if stop.is_set() and task is not None:
                task.cancel()
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal)
        try:
            await work(stop)
        except BaseExceptionGroup as group:
            reraise_first(group)

    try:
        uvloop.run(conducted())
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise SwarmError("broken off") from None


def _say(out: TextIO, line: str) -> None:
    out.write(line + "\n")
    out.flush()
