"""A running match as bytes, to be taken up again after a restart: what its code gave, and who was in it."""

from collections.abc import Callable
from typing import Any

import msgspec

VERSION = 1


class SnapshotError(Exception):
    """A match could not be written down, or not be read."""


class Seat(msgspec.Struct, frozen=True, array_like=True):
    """A member."""

    user_id: str
    session_id: str
    username: str


class Snapshot(msgspec.Struct, frozen=True):
    """`state`: what the match's `snapshot()` returned. Times are Unix seconds."""

    version: int
    tick: int
    started_at: float
    taken_at: float
    seed: int
    label: str
    seats: tuple[Seat, ...]
    """In the order in which they came."""
    state: Any


def encode(snapshot: Snapshot) -> bytes:
    """Raises SnapshotError for a state that is not made of plain values."""
    try:
        return msgspec.msgpack.encode(snapshot)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise SnapshotError(f"the state is not plain: {type(error).__name__}") from error


def decode(data: bytes) -> Snapshot:
    """Raises SnapshotError for what is no snapshot, or one of another version."""
    try:
        snapshot = _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SnapshotError(f"not a snapshot: {type(error).__name__}") from error
    if snapshot.version != VERSION:
        raise SnapshotError(f"a snapshot of version {snapshot.version}")
    return snapshot


_DECODER = msgspec.msgpack.Decoder(Snapshot)


def state_of(give: Callable[[], Any]) -> Any:
    """What a match gives of itself. Raises SnapshotError when its code fails."""
    try:
        return give()
    except Exception as error:  # game code may raise anything
        raise SnapshotError(f"snapshot() raised {type(error).__name__}") from error
