"""The command line of `lockgate swarm`: flags, and files of them, become a plan and what to do with it.

A YAML file holds the plan's members by their names; flags stand above it. Some flags are settings of several
scenarios, so that the common ones need no `--set`.
"""

import argparse
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from loadtest import plan_file
from loadtest.failures import SwarmError
from loadtest.outputs import Outputs
from loadtest.plan import FormatName, Plan, Shape, SignInWay, of_data
from loadtest.plan_file import mapping
from loadtest.scenario import find, settings_of
from loadtest.threshold import parse as parse_threshold
from loadtest.verdict import check_allowed

COMMANDS: Final = ("run", "list", "compare", "capacity", "agent")
AGENT_PORT: Final = 7360
SECRET: Final = "LOCKGATE_SWARM_SECRET"
"""The environment's variable: what coordinator and agents share must not be seen in a list of processes."""
MAX_PLAYERS: Final = 1_000_000
ARRIVALS_PER_S: Final = 100

_PLAIN: Final = {
    "url": str,
    "ops": str,
    "server_pid": int,
    "server_key": str,
    "scenario": str,
    "players": int,
    "ramp_s": float,
    "warm_up_s": float,
    "duration_s": float,
    "seed": int,
    "heartbeat_s": float,
    "workers": int,
}
"""Flags that are members of the plan as they are."""
_PROFILE: Final = {"shape": str, "base": float, "steps": int, "period_s": float, "churn_per_s": float}
_SIGN_IN: Final = {"way": str, "issuer": str, "client_id": str, "command": str}
_SHORT: Final = {"match_size": int, "rate": float, "payload_bytes": int}
"""Settings that have a flag of their own."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for; which members count depends on the command."""

    command: str
    plan: Plan = field(default_factory=Plan)
    outputs: Outputs = field(default_factory=Outputs)
    files: tuple[Path, ...] = ()
    as_json: bool = False
    keeps_ramp: bool = False
    """Whether somebody said how long the ramp is; otherwise it grows with the players."""
    start: int = 0
    ceiling: int = 0
    step: int = 1
    resolution: float = 0.05
    confirm: int = 1
    name: str = ""
    host: str = "127.0.0.1"
    port: int = AGENT_PORT
    folder: Path | None = None
    commands: bool = False


def parse(arguments: Sequence[str]) -> Options:
    """Read the arguments. Exits with status 2 as argparse does; raises SwarmError for what makes no sense."""
    words = list(arguments)
    # Without a command it is a run.
    if not words or (words[0] not in COMMANDS and words[0] not in ("-h", "--help")):
        words.insert(0, "run")
    found = _parser().parse_args(words)
    match found.kind:
        case "list":
            return Options("list", name=found.name)
        case "compare":
            return Options("compare", files=(found.a, found.b), as_json=found.json)
        case "agent":
            host, port = _address(found.listen)
            return Options(
                "agent",
                plan=Plan(workers=found.workers, agent_secret=os.environ.get(SECRET, "")),
                host=host,
                port=port,
                folder=found.scenarios,
                commands=found.allow_commands,
            )
        case kind:
            return _of_run(kind, found)


def ramp_of(players: int) -> float:
    """The seconds in which so many come in, where nobody said."""
    return max(players / ARRIVALS_PER_S, 1.0)


def _of_run(kind: str, found: argparse.Namespace) -> Options:
    plan, keeps_ramp = _plan(found)
    if kind == "run":
        return Options("run", plan, Outputs(found.json, found.html, found.junit, found.plain))
    settings = settings_of(find(plan.scenario), plan.settings)
    step = found.step or settings.group_size
    return Options(
        "capacity",
        plan,
        Outputs(found.json),
        keeps_ramp=keeps_ramp,
        start=found.start or max(step, 10),
        ceiling=found.ceiling,
        step=step,
        resolution=found.resolution,
        confirm=found.confirm,
    )


def _plan(found: argparse.Namespace) -> tuple[Plan, bool]:
    """And whether it names a ramp. Raises SwarmError for what makes no sense: before anything is started."""
    data = plan_file.read(found.file) if found.file else {}
    given = {name: getattr(found, name) for name in _PLAIN if getattr(found, name) is not None}
    data |= given
    for group, flags in (("profile", _PROFILE), ("sign_in", _SIGN_IN)):
        told = {name: value for name in flags if (value := getattr(found, f"{group}_{name}")) is not None}
        if told:
            data[group] = {**mapping(data.get(group, {}), group), **told}
    if found.format is not None:
        data["format"] = found.format
    settings = {name: value for name in _SHORT if (value := getattr(found, name)) is not None}
    data["settings"] = {**mapping(data.get("settings", {}), "settings"), **settings, **dict(found.set or ())}
    if found.limit:
        data["limits"] = {**mapping(data.get("limits", {}), "limits"), **dict(found.limit)}
    for name in ("sources", "agents", "thresholds", "allow", "pin"):
        if getattr(found, name):
            data[name] = [*data.get(name, ()), *getattr(found, name)]
    plan = of_data({"agent_secret": os.environ.get(SECRET, ""), **data})
    if "ramp_s" not in data:
        plan = msgspec.structs.replace(plan, ramp_s=ramp_of(plan.players))
    _check(plan)
    # With those that nobody named: a result must say what was played, also to a later program.
    settings = msgspec.to_builtins(settings_of(find(plan.scenario), plan.settings))
    plan = msgspec.structs.replace(plan, settings=settings)
    _check_numbers(msgspec.to_builtins(plan))
    return plan, "ramp_s" in data


def _check(plan: Plan) -> None:
    for name, url in (("url", plan.url), ("ops", plan.ops), ("issuer", plan.sign_in.issuer)):
        _check_url(name, url)
    if not 1 <= plan.players <= MAX_PLAYERS:
        raise SwarmError(f"players must be 1..{MAX_PLAYERS}")
    if plan.workers < 1 and not plan.agents:
        raise SwarmError("somebody must play: at least one worker, or an agent")
    if plan.duration_s <= 0 or min(plan.ramp_s, plan.warm_up_s, plan.heartbeat_s) < 0:
        raise SwarmError("durations must be at least 0, and that of the load more")
    check_allowed(plan.allow)
    for text in plan.thresholds:
        parse_threshold(text)


def _check_numbers(data: dict[str, Any]) -> None:
    """Nothing is endless, and nothing is beyond a limit that is no number."""
    for name, value in data.items():
        if isinstance(value, dict):
            _check_numbers(value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise SwarmError(f"{name} must be a number, not {value}")


def _check_url(name: str, url: str) -> None:
    if not url:
        return
    if not url.startswith(("http://", "https://")):
        raise SwarmError(f"{name} must be an http or https URL")
    # Addresses are part of results and messages, which secrets must not be; and paths are put behind them.
    if any(mark in url for mark in "@?#"):
        raise SwarmError(f"{name} must be an address only, without a user, a password or a query")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lockgate swarm",
        description="Load a server with players, and find out whether it keeps its promises meanwhile.",
        epilog="Exit status: 0 passed, 1 failed, 2 could not run, 3 invalid: the swarm was the bottleneck.",
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="run|list|compare|capacity|agent")
    once = kinds.add_parser("run", help="one run (what is done without any of these words)")
    outcome = _add_run(once)
    outcome.add_argument("--html", type=Path, metavar="FILE", help="the result as a page with plots")
    outcome.add_argument("--junit", type=Path, metavar="FILE", help="the verdict for continuous integration")
    outcome.add_argument("--plain", action="store_true", help="lines instead of a live picture")
    listing = kinds.add_parser("list", help="the scenarios and their settings")
    listing.add_argument("name", nargs="?", default="", help="only this one")
    comparing = kinds.add_parser("compare", help="two results, with confidence bounds")
    comparing.add_argument("a", type=Path)
    comparing.add_argument("b", type=Path)
    comparing.add_argument("--json", action="store_true", help="as data")
    capacity = kinds.add_parser("capacity", help="the largest number of players that passes")
    _add_run(capacity)
    capacity.add_argument("--start", type=int, default=0, help="players of the first run")
    capacity.add_argument("--ceiling", type=int, default=20_000, help="players at most")
    capacity.add_argument(
        "--step", type=int, default=0, help="players come in multiples of it (a whole group)"
    )
    capacity.add_argument("--resolution", type=float, default=0.05, help="share to which it is searched")
    capacity.add_argument("--confirm", type=int, default=1, help="times that the answer must pass again")
    agent = kinds.add_parser("agent", help=f"lend this machine's workers; the secret is in ${SECRET}")
    agent.add_argument("--listen", default=f"127.0.0.1:{AGENT_PORT}", metavar="HOST:PORT")
    agent.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    agent.add_argument("--scenarios", type=Path, metavar="DIR", help="scenario files that may be played")
    agent.add_argument("--allow-commands", action="store_true", help="a plan may name commands to run here")
    return parser


def _add_run(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """What a run and a search have in common; the group of its outcome."""
    default = Plan()
    load = parser.add_argument_group("load")
    load.add_argument("--file", type=Path, metavar="YAML", help="a plan; flags stand above it")
    load.add_argument("--scenario", help=f"a name of `list`, or FILE.py[:NAME] ({default.scenario})")
    load.add_argument("--set", type=_pair, action="append", metavar="NAME=VALUE", help="of the scenario")
    for name, kind in _SHORT.items():
        load.add_argument(f"--{name.replace('_', '-')}", type=kind, help="the same as --set")
    load.add_argument("--players", type=int, help=f"({default.players})")
    load.add_argument("--duration", dest="duration_s", type=float, help=f"seconds ({default.duration_s:g})")
    load.add_argument("--ramp", dest="ramp_s", type=float, help="seconds to come in (100 players a second)")
    load.add_argument("--warm-up", dest="warm_up_s", type=float, help="seconds that are not timed, behind it")
    load.add_argument("--profile", dest="profile_shape", choices=get_args(Shape))
    load.add_argument("--base", dest="profile_base", type=float, help="spike, sawtooth: share at the foot")
    load.add_argument("--steps", dest="profile_steps", type=int, help="of the profile step")
    load.add_argument("--period", dest="profile_period_s", type=float, help="seconds of a spike or tooth")
    load.add_argument(
        "--churn", dest="profile_churn_per_s", type=float, help="soak: leave and return a second"
    )
    load.add_argument(
        "--heartbeat", dest="heartbeat_s", type=float, help=f"seconds ({default.heartbeat_s:g})"
    )
    load.add_argument("--format", choices=get_args(FormatName), help="how the sockets speak (json)")
    load.add_argument("--seed", type=int, help="names the players and orders what is left to chance")
    _add_places(parser, default)
    outcome = parser.add_argument_group("outcome")
    outcome.add_argument("--threshold", dest="thresholds", action="append", metavar="'deliver_p99<20ms'")
    outcome.add_argument("--allow", action="append", metavar="COUNTER", help="that does not fail the run")
    outcome.add_argument("--limit", type=_number, action="append", metavar="NAME=VALUE", help="of validity")
    outcome.add_argument("--json", type=Path, metavar="FILE", help="the result as data")
    return outcome


def _add_places(parser: argparse.ArgumentParser, default: Plan) -> None:
    places = parser.add_argument_group("server and machines")
    places.add_argument("--url", type=_url, help=f"the server ({default.url})")
    places.add_argument("--ops", type=_url, help=f"where its /metrics is, or '' ({default.ops})")
    places.add_argument("--server-pid", type=int, help="read its use from the system")
    places.add_argument("--server-key", help="(defaultkey)")
    places.add_argument("--sign-in", dest="sign_in_way", choices=get_args(SignInWay))
    places.add_argument("--issuer", dest="sign_in_issuer", type=_url, help="identity provider")
    places.add_argument("--client-id", dest="sign_in_client_id", help="cognito: the app client")
    places.add_argument("--sign-in-command", dest="sign_in_command", help="prints a token for {name}")
    places.add_argument("--workers", type=int, help="processes on this machine (1)")
    places.add_argument("--pin", type=_numbers, help="processors that they keep to, such as 1,2")
    places.add_argument("--agent", dest="agents", action="append", metavar="HOST:PORT", help="lends workers")
    places.add_argument("--source", dest="sources", action="append", help="address to connect from")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("must be NAME=VALUE")
    return name.replace("-", "_"), value


def _number(text: str) -> tuple[str, float]:
    name, value = _pair(text)
    return name, float(value)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _url(text: str) -> str:
    return text.rstrip("/")


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise SwarmError("an address is HOST:PORT")
    return host.strip("[]"), int(port)
