"""What a match says to its players: gathered while its code runs, sent when the callback is over.

Everything of one callback that goes to one player leaves in one write. Data is bytes, or text (sent as
UTF-8), or anything else that JSON can express.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from operator import index
from typing import Any

import msgspec

from server.runtime.players import Player

MAX_LABEL_BYTES = 2048
MAX_DATA_BYTES = 1024 * 1024
Data = bytes | str | Any
Label = str | dict[str, Any]


class Broadcast(msgspec.Struct, frozen=True):
    """Data for members: all of them if `to` is None, less those in `skip`."""

    op_code: int
    data: bytes
    to: tuple[str, ...] | None
    """Session ids. Empty is nobody."""
    skip: tuple[str, ...] = ()
    sender: Player | None = None
    reliable: bool = True
    latest_key: str = ""


class Kick(msgspec.Struct, frozen=True):
    """Members to be put out, by session id."""

    sessions: tuple[str, ...]


class SetLabel(msgspec.Struct, frozen=True):
    """What listings find the match by, from now on."""

    label: str


class Spawn(msgspec.Struct, frozen=True):
    """A function to be started outside of the match."""

    function: Callable[..., Awaitable[object]]
    arguments: tuple[Any, ...]


class End(msgspec.Struct, frozen=True):
    """The match is over."""


Output = Broadcast | Kick | SetLabel | Spawn | End


class TooMuch(Exception):
    """A match said more in one callback than it may."""


class Dispatcher:
    """How a match reaches its players. `limit`: how much it may say in one callback."""

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._said: list[Output] = []
        self._deferred: list[Output] = []
        self.label = ""
        self.ended = False

    def broadcast(
        self,
        op_code: int,
        data: Data = b"",
        *,
        to: Iterable[Player] | None = None,
        skip: Iterable[Player] = (),
        sender: Player | None = None,
        reliable: bool = True,
        deferred: bool = False,
        latest_key: str = "",
    ) -> None:
        """Send data to all members, or to those in `to` (nobody if that is empty), but to none in `skip`.

        Who is no member is passed over. `sender` is whom clients see it come from, if anybody. Data that is
        not `reliable` may be left out for a player who is too slow. Of data with the same `latest_key`, such
        as a whole state, a player who is slow is sent only the latest. `deferred`: after all that is not.
        Raises ValueError for data that cannot be sent, TooMuch when the callback has said too much.
        """
        message = Broadcast(
            op_code=_op_code(op_code),
            data=encoded(data),
            to=None if to is None else _sessions(to),
            skip=_sessions(skip) if skip else (),
            sender=sender,
            reliable=reliable,
            latest_key=latest_key,
        )
        self._add(message, self._deferred if deferred else self._said)

    def kick(self, players: Iterable[Player]) -> None:
        """Put members out. The others are told, and `leave` is called; those who go are told nothing."""
        self._add(Kick(_sessions(players)), self._said)

    def set_label(self, label: Label) -> None:
        """What listings find the match by: text, or an object whose fields queries can ask for.

        Raises ValueError for more than 2048 bytes.
        """
        text = label if isinstance(label, str) else msgspec.json.encode(label).decode()
        if len(text.encode()) > MAX_LABEL_BYTES:
            raise ValueError(f"a label has at most {MAX_LABEL_BYTES} bytes")
        self.label = text
        self._add(SetLabel(text), self._said)

    def spawn(self, function: Callable[..., Awaitable[object]], *arguments: Any) -> None:
        """Start an async function outside of the match when this callback is over.

        It may use `server`, store things, wait; the match does not wait for it. To bring something back, let
        it call `server.signal(match_id, ...)`. When the match is recorded, what it does is not.
        """
        self._add(Spawn(function, arguments), self._said)

    def end(self) -> None:
        """The match is over when this callback is. What it said is sent; leave is called for nobody."""
        self.ended = True

    def take(self) -> Sequence[Output]:
        """What was said since last time: the deferred after the rest, the end of the match last."""
        said, self._said = self._said, []
        deferred, self._deferred = self._deferred, []
        ended, self.ended = self.ended, False
        return [*said, *deferred, *([End()] if ended else [])]

    def _add(self, output: Output, where: list[Output]) -> None:
        if len(self._said) + len(self._deferred) >= self._limit:
            raise TooMuch(f"more than {self._limit} things said in one callback")
        where.append(output)


def _sessions(players: Iterable[Player]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([player.session_id for player in players]))


def _op_code(number: int) -> int:
    number = index(number)  # of an IntEnum the number; a float is none
    if not -(2**63) <= number < 2**63:
        raise ValueError("an op code is an integer of 64 bits")
    return number


def encoded(data: Data) -> bytes:
    """Data as it goes over the wire. Raises ValueError."""
    if isinstance(data, str):
        data = data.encode()
    elif not isinstance(data, bytes):
        try:
            data = bytes(data) if isinstance(data, bytearray | memoryview) else msgspec.json.encode(data)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"data that JSON cannot express: {error}") from None
    if len(data) > MAX_DATA_BYTES:
        raise ValueError(f"data of more than {MAX_DATA_BYTES} bytes")
    return data
