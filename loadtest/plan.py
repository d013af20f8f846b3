"""What a run is to do, as data: read from flags or a YAML file, sent to workers, told in the result."""

import shlex
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any, Literal

import msgspec

from loadtest.failures import SwarmError

Shape = Literal["constant", "ramp", "step", "spike", "sawtooth", "soak"]
SignInWay = Literal["dev", "cognito", "command", "device"]
FormatName = Literal["json", "protobuf"]

SECRETS = ("server_key", "agent_secret")


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many players there are at each moment; see `profile.py`."""

    shape: Shape = "constant"
    base: float = 0.1
    """Share of the players below a spike, and at the foot of a sawtooth."""
    steps: int = 5
    period_s: float = 10.0
    """How long a spike or one tooth of a sawtooth takes."""
    churn_per_s: float = 1.0
    """In a soak, how many players a second leave and come back."""


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How players prove who they are; see `sign_in/`."""

    way: SignInWay = "dev"
    issuer: str = "http://127.0.0.1:7352"
    """The development issuer, or what answers as Cognito (moto, or Cognito itself)."""
    client_id: str = ""
    """Of the app client at Cognito; the development issuer tells its own."""
    password: str = "{name}-Passw0rd"
    """Of the users at Cognito; the player's name takes the place of `{name}`."""
    command: str = ""
    """Prints an identity token for the user name that takes the place of `{name}`."""

    def tell(self) -> dict[str, Any]:
        """For the result: without the password, and of the command, which may hold one, only the program."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        told.pop("password")
        return told | {"command": _program(self.command)}

    def __repr__(self) -> str:
        return f"SignIn({self.tell()})"


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Beyond any of these the swarm was the bottleneck, and the run is invalid."""

    lag_p99_ms: float = 20.0
    lag_max_ms: float = 1000.0
    slip_p99_ms: float = 20.0
    cpu: float = 0.92
    gc_max_ms: float = 100.0


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run. Raises `msgspec.ValidationError` by `msgspec.convert` when a member makes no sense."""

    url: str = "http://127.0.0.1:7350"
    ops: str = "http://127.0.0.1:7351"
    """Where the server's `/metrics` is; empty when there is none."""
    server_pid: int | None = None
    server_key: str = "defaultkey"
    format: FormatName = "json"
    scenario: str = "relay"
    """A name of `lockgate swarm list`, or the path of a file of one's own."""
    settings: dict[str, Any] = {}
    """Of the scenario."""
    players: int = 100
    profile: Profile = Profile()
    ramp_s: float = 2.0
    """In which the players come in; then the load is measured."""
    warm_up_s: float = 1.0
    """Behind the ramp; not timed."""
    duration_s: float = 30.0
    """Of the load, behind ramp and warm-up."""
    seed: int = 1
    sign_in: SignIn = SignIn()
    heartbeat_s: float = 10.0
    """How often each player sends the application's heartbeat, as SDKs do. 0: never."""
    sources: list[str] = []
    """Addresses of this machine to connect from, in turn: one has only some 28,000 ports to one server."""
    workers: int = 1
    """Processes on this machine."""
    pin: list[int] = []
    """Processors of this machine that its workers keep to, in turn; none: wherever the system puts them."""
    agents: list[str] = []
    """host:port of other machines that lend their workers."""
    agent_secret: str = ""
    limits: Limits = Limits()
    thresholds: list[str] = []
    allow: list[str] = []
    """Fault counters that do not fail the run."""

    def tell(self) -> dict[str, Any]:
        """For the result: everything but the secrets."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        told["sign_in"] = self.sign_in.tell()
        told["settings"] = {
            name: _program(value) if name == "command" and isinstance(value, str) else value
            for name, value in self.settings.items()
        }
        return {name: value for name, value in told.items() if name not in SECRETS}

    def __repr__(self) -> str:
        return f"Plan({self.tell()})"


def _program(command: str) -> str:
    """The name of the program that is run, empty when that cannot be one."""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    # `SECRET=x program` is a shell's way to write it; there is none here, but such a word is not told.
    return PurePath(words[0]).name if words and "=" not in words[0] else ""


def of_data(data: dict[str, Any]) -> Plan:
    """Raises SwarmError that names the member which makes no sense."""
    _check_names(data, Plan, "the plan")
    for group, kind in (("profile", Profile), ("sign_in", SignIn), ("limits", Limits)):
        if isinstance(members := data.get(group), dict):
            _check_names(members, kind, f"the plan's {group}")
    try:
        return msgspec.convert(data, Plan)
    except msgspec.ValidationError as error:
        raise SwarmError(f"the plan makes no sense: {error}") from None


def _check_names(given: Collection[str], kind: type[msgspec.Struct], owner: str) -> None:
    known = kind.__struct_fields__
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), known, 1)
            meant = f" did you mean {near[0]!r}?" if near else ""
            raise SwarmError(f"{owner} has no {str(name)[:100]!r};{meant} it has {', '.join(known)}")
