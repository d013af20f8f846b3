"""A recorded match, run again without sockets, and each call compared with what it gave then.

Found are differences in what the match said. What game code takes from elsewhere than its callbacks and
`context` (the modules time and random, files, networks, other matches, the order of a set under another
PYTHONHASHSEED) is not recorded, and makes one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from server.runtime.context import Context
from server.runtime.journal import Entry, GivenUp, Header, Outcome, Said, outcome
from server.runtime.match import Match
from server.runtime.run import MatchRun
from server.runtime.snapshot import SnapshotError

SHOWN = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """The first call that gave something else. `expected` and `got` are for people to read."""

    tick: int
    call: str
    expected: str
    got: str


def fresh(header: Header, match: Match) -> MatchRun:
    """The match as it was before its first call."""
    context = Context(header.match_id, header.node, header.tick_rate, header.seed)
    return MatchRun(match, context, header.limits)


def replay(run: MatchRun, entries: Iterable[Entry]) -> Iterator[Entry | Difference]:
    """Each call that gave the same again; then the first difference, if there is one, and nothing more."""
    for entry in entries:
        if isinstance(entry.asked, GivenUp):
            yield entry
            return
        try:
            answer, said = entry.asked.play(run)
            got = outcome(run, answer, said)
        except SnapshotError as error:
            got = Outcome(error=type(error).__qualname__)
        if got != entry.gave:
            yield _difference(entry, got)
            return
        yield entry


def _difference(entry: Entry, got: Outcome) -> Difference:
    expected = entry.gave
    call = type(entry.asked).__name__.lower()
    if expected.said != got.said:
        length = max(len(expected.said), len(got.said))
        for at in range(length):
            then, now = _at(expected.said, at), _at(got.said, at)
            if then != now:
                return Difference(entry.tick, call, _text(then), _text(now))
    return Difference(entry.tick, call, _end(expected), _end(got))


def _at(said: tuple[Said, ...], at: int) -> Said | None:
    return said[at] if at < len(said) else None


def _text(said: Said | None) -> str:
    if said is None:
        return "nothing"
    if said.kind != "broadcast":
        return _cut(f"{said.kind} {said.text}{' '.join(said.to or ())}".strip())
    to = "all" if said.to is None else " ".join(said.to)
    less = f" less {' '.join(said.skip)}" if said.skip else ""
    sender = f" from {said.sender}" if said.sender else ""
    way = "" if said.reliable else " unreliable"
    try:
        data = said.data.decode()
    except UnicodeDecodeError:
        data = said.data.hex()
    return f"broadcast {said.op_code} to {_cut(to + less)}{sender}{way}: {_cut(data)}"


def _end(gave: Outcome) -> str:
    return _cut(f"answer {gave.answer!r}, cause {gave.cause or 'none'}, error {gave.error or 'none'}")


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"
