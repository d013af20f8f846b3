"""What was asked of a match and what it said, told to a journal call by call, and written as bytes.

A new kind of call is one Struct with a `play` below, and one override in `RecordedRun`. Knows no files.
A recording is MAGIC, a frame with the Header, then one frame for each Entry. A frame is its length and CRC-32
(both big-endian, 32 bits), then MessagePack.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from server.runtime.context import Context
from server.runtime.dispatcher import Broadcast, End, Kick, Output, SetLabel, Spawn
from server.runtime.match import Match
from server.runtime.players import Player
from server.runtime.run import Limits, MatchRun, Verdict
from server.runtime.snapshot import Snapshot, SnapshotError, decode, encode

MAGIC = b"lockgate recording 1\n"
MAX_FRAME = 64 * 1024 * 1024
_FRAME = struct.Struct(">II")
T = TypeVar("T")
Played = tuple[Any, Sequence[Output]]


class Header(msgspec.Struct, frozen=True):
    """What a match was begun with. `hash_seed` is PYTHONHASHSEED, empty if there was none."""

    version: str
    match_id: str
    node: str
    module: str
    kind: str
    source_sha256: str
    seed: int
    tick_rate: int
    limits: Limits
    file: str = ""
    """Where the source was."""
    hash_seed: str = ""


class Call(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Something asked of a match, at `now` (Unix seconds)."""

    now: float

    def play(self, run: MatchRun) -> Played:
        """Ask it again. Returns the answer as plain values, and what the match said."""
        raise NotImplementedError


class Begin(Call, frozen=True, tag=True):
    params: dict[str, Any]

    def play(self, run: MatchRun) -> Played:
        return None, run.begin(self.params, self.now)


class Ask(Call, frozen=True, tag=True):
    player: Player
    metadata: dict[str, str]

    def play(self, run: MatchRun) -> Played:
        verdict, said = run.ask(self.player, self.metadata, self.now)
        return [verdict.allowed, verdict.reason], said


class Enter(Call, frozen=True, tag=True):
    player: Player

    def play(self, run: MatchRun) -> Played:
        return None, run.enter(self.player, self.now)


class Leave(Call, frozen=True, tag=True):
    sessions: list[str]

    def play(self, run: MatchRun) -> Played:
        return None, run.leave(self.sessions, self.now)


class Drop(Call, frozen=True, tag=True):
    session: str

    def play(self, run: MatchRun) -> Played:
        return None, run.drop(self.session, self.now)


class Reenter(Call, frozen=True, tag=True):
    seat: Player
    player: Player

    def play(self, run: MatchRun) -> Played:
        return None, run.reenter(self.seat, self.player, self.now)


class Take(Call, frozen=True, tag=True):
    """A message that found room; others change nothing, and are not kept."""

    session: str
    op_code: int
    data: bytes
    reliable: bool

    def play(self, run: MatchRun) -> Played:
        return run.take(self.session, self.op_code, self.data, reliable=self.reliable, now=self.now), ()


class Step(Call, frozen=True, tag=True):
    def play(self, run: MatchRun) -> Played:
        return None, run.step(self.now)


class Signal(Call, frozen=True, tag=True):
    data: str

    def play(self, run: MatchRun) -> Played:
        return run.signal(self.data, self.now)


class Stop(Call, frozen=True, tag=True):
    grace_s: float

    def play(self, run: MatchRun) -> Played:
        return None, run.stop(self.grace_s, self.now)


class Restore(Call, frozen=True, tag=True):
    snapshot: bytes

    def play(self, run: MatchRun) -> Played:
        return None, run.restore(decode(self.snapshot), self.now)


class Kept(Call, frozen=True, tag=True):
    """A snapshot was made: game code ran, and may have drawn from `context.random`."""

    def play(self, run: MatchRun) -> Played:
        try:
            run.snapshot(self.now)
        except SnapshotError:
            return False, ()
        return True, ()


class GivenUp(Call, frozen=True, tag=True):
    """The recording ends here, and the match went on."""

    reason: str

    def play(self, run: MatchRun) -> Played:
        return None, ()


Asked = Begin | Ask | Enter | Leave | Drop | Reenter | Take | Step | Signal | Stop | Restore | Kept | GivenUp


class Said(msgspec.Struct, frozen=True, array_like=True):
    """One output, as plain values. Of a Spawn only the function's name: its arguments may be anything."""

    kind: str
    text: str = ""
    data: bytes = b""
    op_code: int = 0
    to: tuple[str, ...] | None = None
    skip: tuple[str, ...] = ()
    sender: str = ""
    reliable: bool = True
    latest_key: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """What a call gave. `cause`: why the match is over, `error`: the type that its code raised; or empty."""

    answer: Any = None
    said: tuple[Said, ...] = ()
    cause: str = ""
    error: str = ""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """`tick`: the number of the present tick, or of the next between ticks, when the call began."""

    tick: int
    asked: Asked
    gave: Outcome


class Journal(Protocol):
    """Is told all that happens to a match. Must not raise."""

    def write(self, entry: Entry) -> None: ...

    def give_up(self, reason: str) -> None:
        """From here on the match cannot be run again."""


class RecordedRun(MatchRun):
    """A match that tells a journal of itself; otherwise as any other."""

    def __init__(self, match: Match, context: Context, limits: Limits, journal: Journal) -> None:
        super().__init__(match, context, limits)
        self._journal = journal
        self._inside = False

    def begin(self, params: Mapping[str, object], now: float) -> Sequence[Output]:
        try:
            copy = msgspec.msgpack.decode(msgspec.msgpack.encode(params), type=dict[str, Any])
        except (TypeError, ValueError, OverflowError, RecursionError):
            copy = {}
        if copy != params:
            self._journal.give_up("params are not plain values")
        return self._note(Begin(now=now, params=copy), lambda: super(RecordedRun, self).begin(params, now))

    def ask(
        self, player: Player, metadata: Mapping[str, str], now: float
    ) -> tuple[Verdict, Sequence[Output]]:
        before, asked = self.context.tick, Ask(now=now, player=player, metadata=dict(metadata))
        verdict, said = super().ask(player, metadata, now)
        self._write(before, asked, [verdict.allowed, verdict.reason], said)
        return verdict, said

    def enter(self, player: Player, now: float) -> Sequence[Output]:
        return self._note(Enter(now=now, player=player), lambda: super(RecordedRun, self).enter(player, now))

    def leave(self, session_ids: Sequence[str], now: float) -> Sequence[Output]:
        asked = Leave(now=now, sessions=list(session_ids))
        return self._note(asked, lambda: super(RecordedRun, self).leave(session_ids, now))

    def drop(self, session_id: str, now: float) -> Sequence[Output]:
        return self._note(
            Drop(now=now, session=session_id), lambda: super(RecordedRun, self).drop(session_id, now)
        )

    def reenter(self, seat: Player, player: Player, now: float) -> Sequence[Output]:
        asked = Reenter(now=now, seat=seat, player=player)
        return self._note(asked, lambda: super(RecordedRun, self).reenter(seat, player, now))

    def take(self, session_id: str, op_code: int, data: bytes, *, reliable: bool, now: float) -> bool:
        taken = super().take(session_id, op_code, data, reliable=reliable, now=now)
        if taken:
            asked = Take(now=now, session=session_id, op_code=op_code, data=data, reliable=reliable)
            self._write(self.context.tick, asked, True, ())
        return taken

    def step(self, now: float) -> Sequence[Output]:
        return self._note(Step(now=now), lambda: super(RecordedRun, self).step(now))

    def signal(self, data: str, now: float) -> tuple[str, Sequence[Output]]:
        before = self.context.tick
        answer, said = super().signal(data, now)
        self._write(before, Signal(now=now, data=data), answer, said)
        return answer, said

    def stop(self, grace_s: float, now: float) -> Sequence[Output]:
        return self._note(Stop(now=now, grace_s=grace_s), lambda: super(RecordedRun, self).stop(grace_s, now))

    def snapshot(self, now: float) -> bytes:
        done = False
        try:
            data = super().snapshot(now)
            done = True
            return data
        finally:
            self._write(self.context.tick, Kept(now=now), done, ())

    def restore(self, snapshot: Snapshot, now: float) -> Sequence[Output]:
        asked = Restore(now=now, snapshot=encode(snapshot))
        return self._note(asked, lambda: super(RecordedRun, self).restore(snapshot, now))

    def replace(self, match: Match, now: float) -> Sequence[Output]:
        said = super().replace(match, now)  # raises when the old code goes on
        self._journal.give_up("its code was replaced")
        return said

    def _note(self, asked: Asked, call: Callable[[], Sequence[Output]]) -> Sequence[Output]:
        if self._inside:  # one call made of another: the outer one is enough to run both again
            return call()
        before, self._inside = self.context.tick, True
        try:
            said = call()
        finally:
            self._inside = False
        self._write(before, asked, None, said)
        return said

    def _write(self, tick: int, asked: Asked, answer: Any, said: Sequence[Output]) -> None:
        self._journal.write(Entry(tick, asked, outcome(self, answer, said)))


def outcome(run: MatchRun, answer: Any, said: Sequence[Output]) -> Outcome:
    """What a call gave, to be written or compared."""
    error = "" if run.error is None else type(run.error).__qualname__
    return Outcome(answer, tuple(_plain(each) for each in said), run.cause or "", error)


def _plain(output: Output) -> Said:
    match output:
        case Broadcast(op_code=op_code, data=data, to=to, skip=skip, reliable=reliable):
            sender = "" if output.sender is None else output.sender.session_id
            return Said("broadcast", "", data, int(op_code), to, skip, sender, reliable, output.latest_key)
        case Kick(sessions=sessions):
            return Said("kick", to=sessions)
        case SetLabel(label=label):
            return Said("label", label)
        case Spawn(function=function):
            return Said("spawn", getattr(function, "__qualname__", type(function).__qualname__))
        case End():
            return Said("end")
    raise AssertionError("all outputs are named above")


class BadRecording(Exception):
    """These bytes are no recording that can be read."""


def framed(value: Header | Entry) -> bytes:
    """One frame. Raises TypeError or ValueError for what cannot be written."""
    body = msgspec.msgpack.encode(value)
    if len(body) > MAX_FRAME:
        raise ValueError("the frame is too large")
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def read(data: bytes) -> tuple[Header, Iterator[Entry]]:
    """A recording, up to its last whole frame: a torn end is left out.

    Raises BadRecording, also while iterating, for a frame that is whole but means nothing.
    """
    if not data.startswith(MAGIC):
        raise BadRecording("not a recording of this format")
    bodies = _bodies(memoryview(data)[len(MAGIC) :])
    first = next(bodies, None)
    if first is None:
        raise BadRecording("the recording has no header")
    return _decoded(first, Header), (_decoded(body, Entry) for body in bodies)


def _bodies(rest: memoryview) -> Iterator[memoryview]:
    while len(rest) >= _FRAME.size:
        size, crc = _FRAME.unpack_from(rest)
        body = rest[_FRAME.size : _FRAME.size + size]
        if size > MAX_FRAME or len(body) < size or zlib.crc32(body) != crc:
            return
        yield body
        rest = rest[_FRAME.size + size :]


def _decoded(body: memoryview, kind: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRecording(f"a frame is no {kind.__name__}: {type(error).__name__}") from error
