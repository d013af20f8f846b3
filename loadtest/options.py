"""The command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.envelope import Format

FORMATS = {"json": Format.JSON, "protobuf": Format.PROTOBUF}
"""Values of the `format` parameter of a socket's URL."""
SCENARIOS = ("relay", "idle")
MAX_PLAYERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """One run."""

    url: str
    issuer: str
    ops: str
    scenario: str
    players: int
    match_size: int
    rate: float
    duration_s: float
    ramp_s: float
    server_key: str
    form: Format
    server_pid: int | None
    seed: int


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read the arguments. Exits with status 2 and a hint when they make no sense, as argparse does."""
    parser = argparse.ArgumentParser(prog="lockgate swarm", description="Load a server with players.")
    parser.add_argument("--url", type=_http, default="http://127.0.0.1:7350", help="the server")
    parser.add_argument("--issuer", type=_http, default="http://127.0.0.1:7352", help="development issuer")
    parser.add_argument("--ops", type=_http, default="http://127.0.0.1:7351", help="the server's /metrics")
    parser.add_argument("--scenario", choices=SCENARIOS, default="relay")
    parser.add_argument("--players", type=_count, default=100)
    parser.add_argument("--match-size", type=_count, default=10, help="players per match (relay)")
    parser.add_argument("--rate", type=_positive, default=10.0, help="messages per second and player (relay)")
    parser.add_argument("--duration", type=_positive, default=30.0, help="seconds of load")
    parser.add_argument("--ramp", type=_not_negative, help="seconds to bring all players in")
    parser.add_argument("--server-key", default="defaultkey")
    parser.add_argument("--format", choices=FORMATS, default="json", help="how the sockets speak")
    parser.add_argument("--server-pid", type=int, help="read the server's use from /proc, not from --ops")
    parser.add_argument("--seed", type=int, default=1, help="names the players and orders their sends")
    found = parser.parse_args(arguments)
    return Options(
        url=found.url,
        issuer=found.issuer,
        ops=found.ops,
        scenario=found.scenario,
        players=found.players,
        match_size=found.match_size,
        rate=found.rate,
        duration_s=found.duration,
        ramp_s=found.players / 50 if found.ramp is None else found.ramp,
        server_key=found.server_key,
        form=FORMATS[found.format],
        server_pid=found.server_pid,
        seed=found.seed,
    )


def _http(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError("must be an http or https URL")
    return text.rstrip("/")


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MAX_PLAYERS:
        raise argparse.ArgumentTypeError(f"must be 1..{MAX_PLAYERS}")
    return number


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError("must be a number above 0")
    return number


def _not_negative(text: str) -> float:
    number = float(text)
    if not 0 <= number < 1e6:
        raise argparse.ArgumentTypeError("must be a number of at least 0")
    return number
