"""The `lockgate` command: serve, check, tokens, what operators do, the swarm. Picks the event loop.

What only some commands need is imported by them: it takes most of a second all together.
"""

import argparse
import asyncio
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path
from typing import Any

from server import __version__
from server.clock import SystemClock
from server.config import ConfigError, Settings, load
from server.identity import key_rotation
from server.identity.signingkeys import USES, KeyFileError
from server.ids import RandomIds

OPEN_FILES = 65536
OPERATIONS = {
    "revoke": "end a player's logins, or one login",
    "ban": "let a player no longer sign in, and end the logins",
    "unban": "let a banned player sign in again",
    "delete-account": "remove an account and its data",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["swarm"]:
        # The load tester never shares a process or a package with the server.
        os.execv(sys.executable, [sys.executable, "-m", "loadtest", *arguments[1:]])
    options = _parser(arguments[0] if arguments else "").parse_args(arguments)
    if hasattr(options, "replay"):
        return int(options.replay(options))  # needs no settings
    try:
        settings = load(options.config, _flags(options))
        return int(options.run(settings, options))
    except ConfigError as error:
        for problem in error.problems:
            _say(f"lockgate: {problem}")
        return 2


def _parser(asked: str) -> argparse.ArgumentParser:
    """Knows the options of the command that is asked for; of the others not more than `--help` tells."""
    parser = argparse.ArgumentParser(prog="lockgate", description="A real-time game server with two tokens.")
    parser.add_argument("--version", action="version", version=f"lockgate {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the server")
    _common(serve)
    serve.add_argument("--dev", action="store_true", help="also run the development issuer; loopback only")
    serve.add_argument(
        "--module",
        action="append",
        metavar="NAME",
        help="runtime.modules: a module or a file; may be repeated",
    )
    serve.add_argument("--public", metavar="HOST:PORT", help="listen.public")
    serve.add_argument("--ops", metavar="HOST:PORT", help="listen.ops")
    serve.set_defaults(run=_serve)

    check = commands.add_parser("check-config", help="report every problem of the configuration")
    _common(check)
    check.set_defaults(run=_check)

    token = commands.add_parser("token", help="print an identity JWT of the running development issuer")
    _common(token)
    token.add_argument("--user", required=True, help="user name; made if it is new")
    token.add_argument("--port", type=int, help="the issuer's port (dev.port)")
    token.set_defaults(run=_token)

    for name, purpose in OPERATIONS.items():
        command = commands.add_parser(name, help=purpose)
        _common(command)
        command.set_defaults(run=_operate, command=name, parser=command)
        if name == asked:
            from server import operate  # late: it brings the storage along

            operate.add_arguments(name, command)

    keys = commands.add_parser("keys", help="the keys that sign our own tokens")
    keys_commands = keys.add_subparsers(required=True, metavar="COMMAND")
    rotate = keys_commands.add_parser("rotate", help="sign with a fresh key from now on")
    _common(rotate)
    rotate.add_argument("--use", choices=USES, help="only the keys of these tokens")
    rotate.set_defaults(run=_rotate_keys)

    again = commands.add_parser("replay", help="run a recorded match again and compare what it says")
    if asked == "replay":
        from server import replaying  # late: it brings the runtime of games and a debugger along

        replaying.add_arguments(again)
        again.set_defaults(replay=replaying.run)

    commands.add_parser("swarm", help="load-test a server; see `lockgate swarm --help`", add_help=False)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file")


def _flags(options: argparse.Namespace) -> dict[str, Any]:
    listen = {name: value for name in ("public", "ops") if (value := getattr(options, name, None))}
    flags: dict[str, Any] = {"listen": listen} if listen else {}
    if modules := getattr(options, "module", None):
        flags["runtime"] = {"modules": modules}
    return flags


def _serve(settings: Settings, options: argparse.Namespace) -> int:
    if settings.matches.record:
        _fix_hashes(settings)
    import uvloop  # late, as all of the server: other commands do without

    from server import app

    _raise_open_files()
    uvloop.run(_until_stopped(app.serve(settings, dev=options.dev), app.STOP_SIGNALS))
    return 0


def _fix_hashes(settings: Settings) -> None:
    """A recorded match must find its sets of texts in the same order again."""
    from server import replaying  # late: only who records needs it

    if replaying.HASH_SEED not in os.environ:
        seed = str(1 + int.from_bytes(RandomIds(settings.name).key()[:4]) % (2**32 - 1))
        arguments = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, replaying.HASH_SEED: seed})


async def _until_stopped(serving: Awaitable[None], signals: Iterable[signal.Signals]) -> None:
    try:
        await serving
    finally:
        # Only the interpreter's own end is left: one more signal must not spoil the exit status.
        for number in signals:
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


def _check(_settings: Settings, _options: argparse.Namespace) -> int:
    _say("lockgate: the configuration is good")
    return 0


def _token(settings: Settings, options: argparse.Namespace) -> int:
    from server.identity.devissuer import DevIssuerError, fetch_dev_token  # late: it brings aiohttp along

    try:
        token = fetch_dev_token(options.port or settings.dev.port, options.user)
    except DevIssuerError as error:
        _say(f"lockgate: {error}")
        return 1
    sys.stdout.write(f"{token}\n")
    return 0


def _operate(settings: Settings, options: argparse.Namespace) -> int:
    from server import operate  # late: it brings the storage along
    from server.observe import logs

    operate.check_arguments(options.parser, options)
    logs.configure("warning", settings.log.format, sys.stderr)  # standard output is for the result
    try:
        done = asyncio.run(operate.operate(settings, options, SystemClock(), RandomIds(settings.name)))
    except (operate.NoSuchPlayer, ValueError) as error:
        _say(f"lockgate: {error}")
        return 1
    sys.stdout.write(f"{done}\n")
    return 0


def _rotate_keys(settings: Settings, options: argparse.Namespace) -> int:
    uses = USES if options.use is None else (options.use,)
    try:
        rings = key_rotation.rotate(settings, uses, RandomIds(settings.name), SystemClock().wall())
    except KeyFileError as error:
        _say(f"lockgate: {error}")
        return 1
    for ring in rings:
        sys.stdout.write(f"{ring}\n")
    return 0


def _raise_open_files() -> None:
    """One descriptor per player: take what the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
