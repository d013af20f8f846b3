"""`lockgate replay FILE`: a recorded match run again without a server, and what it says compared.

Exit status: 0 when it said the same, 1 when it said something else, 2 when it cannot be run.
"""

import argparse
import os
import pdb
import sys
from bdb import BdbQuit
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from server.matches.recorder import source_hash
from server.runtime.game import GameError
from server.runtime.journal import BadRecording, Begin, Entry, GivenUp, Header, Restore, Step, Take, read
from server.runtime.loader import load_module
from server.runtime.match import Match
from server.runtime.replay import Difference, fresh, replay
from server.runtime.run import MatchRun

SAME, DIFFERENT, CANNOT = 0, 1, 2
HASH_SEED = "PYTHONHASHSEED"


class CannotReplay(Exception):
    """The recording cannot be run, and why."""


@dataclass(slots=True)
class Seen:
    """What was run again."""

    calls: Counter[str] = field(default_factory=Counter)
    said: int = 0
    tick: int = 0
    began: float = 0.0
    ended: float = 0.0
    early: str = ""
    """Why the recording ends before its match did."""

    def note(self, entry: Entry) -> None:
        if isinstance(entry.asked, GivenUp):
            self.early = entry.asked.reason
            return
        self.calls[type(entry.asked).__name__] += 1
        self.said += sum(each.kind == "broadcast" for each in entry.gave.said)
        self.tick = entry.tick
        self.began = self.began or entry.asked.now
        self.ended = entry.asked.now

    def __str__(self) -> str:
        return (
            f"{self.calls['Step']} ticks, {self.calls['Enter']} joins, {self.calls['Take']} inputs, "
            f"{self.said} broadcasts, {self.ended - self.began:.1f} s"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("file", type=Path, help="a recording (matches.record)")
    parser.add_argument("--module", metavar="NAME", help="the game's module, or its file; else as recorded")
    parser.add_argument("--until", type=int, metavar="TICK", help="stop in a debugger before this tick")


def run(options: argparse.Namespace) -> int:
    """Replay once and tell. Returns the exit status."""
    try:
        header, entries = read(options.file.read_bytes())
        _same_hashes(header)
        match = load_kind(header, options.module)
        return _compare(fresh(header, match), entries, options.until)
    except BdbQuit:
        sys.stderr.write("lockgate: stopped in the debugger\n")
        return CANNOT
    except (OSError, BadRecording, CannotReplay) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        sys.stderr.write(f"lockgate: {options.file}: {reason}\n")
        return CANNOT


def load_kind(header: Header, module: str | None) -> Match:
    """A new match of the recorded class. Raises CannotReplay."""
    names = [module] if module else [header.module, header.file]
    problems: list[str] = []
    for name in filter(None, names):
        try:
            kind: object = load_module(name)
        except GameError as error:
            problems += error.problems
            continue
        for part in header.kind.split("."):
            kind = getattr(kind, part, None)
        if isinstance(kind, type) and issubclass(kind, Match):
            _tell_changes(header, kind)
            return kind()
        problems.append(f"{name}: there is no match {header.kind}")
    raise CannotReplay("\n".join([*problems, "name the game's module with --module"]))


def _tell_changes(header: Header, kind: type[Match]) -> None:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    if source_hash(file) != header.source_sha256:
        sys.stderr.write(f"lockgate: {file} is not as it was when the match was recorded\n")


def _same_hashes(header: Header) -> None:
    """Start this command again with the hashes of the recording: sets of texts are in their order."""
    wanted = header.hash_seed
    if wanted and os.environ.get(HASH_SEED) != wanted:
        arguments = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, HASH_SEED: wanted})


def _compare(run: MatchRun, entries: Iterator[Entry], until: int | None) -> int:
    seen = Seen()
    for each in replay(run, entries if until is None else _stopping(run, entries, until)):
        if isinstance(run.error, BdbQuit):
            raise CannotReplay("stopped in the debugger")
        if isinstance(each, Difference):
            sys.stdout.write(f"tick {each.tick}: {each.call} gave something else, after {seen}\n")
            sys.stdout.write(f"  recorded: {each.expected}\n  now:      {each.got}\n")
            return DIFFERENT
        if not seen.calls and not isinstance(each.asked, Begin | Restore):
            raise CannotReplay("the beginning is missing")
        seen.note(each)
    if not seen.calls:
        raise CannotReplay("nothing was recorded")
    ending = f"the recording ends at tick {seen.tick}: {seen.early}" if seen.early else f"tick {seen.tick}"
    sys.stdout.write(f"the same up to {ending}\n{seen}\n")
    return SAME


def _stopping(run: MatchRun, entries: Iterator[Entry], until: int) -> Iterator[Entry]:
    """The entries, with a stop in the debugger before the step of a tick."""
    inputs: list[Take] = []
    for entry in entries:
        if isinstance(entry.asked, Take):
            inputs.append(entry.asked)
        if isinstance(entry.asked, Step):
            if entry.tick == until:
                _debug(run, inputs)
            inputs = []
        yield entry


def _debug(run: MatchRun, inputs: list[Take]) -> None:
    debugger, code = pdb.Pdb(), type(run.match).tick.__code__
    first = min((line for _, _, line in code.co_lines() if line and line > code.co_firstlineno), default=0)
    debugger.set_break(code.co_filename, first or code.co_firstlineno)
    sys.stdout.write(
        f"Before tick {run.context.tick}: match, inputs, players, context. c goes on to its code.\n"
    )
    _before_tick(run.match, inputs, run.match.players, run.context, debugger)


def _before_tick(match: Match, inputs: object, players: object, context: object, debugger: pdb.Pdb) -> None:
    debugger.set_trace()
    del match, inputs, players, context  # a line to stop at, with everything at hand
