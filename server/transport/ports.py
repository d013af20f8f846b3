"""What a connection needs of whoever owns it: frames to write, and somebody who listens."""

from typing import Protocol


class Outgoing(Protocol):
    """Frames that wait to be written, in order."""

    @property
    def queued(self) -> int:
        """Bytes that wait."""

    def put(self, whole: bytes) -> None: ...

    def take(self) -> list[bytes]:
        """What to write next, maybe not yet all; empty if nothing waits."""
        ...

    def stall(self) -> None:
        """The network takes nothing for now."""

    def catch_up(self) -> None:
        """All that waited has been written."""


class Listener(Protocol):
    """What a connection tells its owner. Calls stop after `lost`."""

    def received(self, payload: bytes, *, binary: bool) -> None:
        """A whole message."""

    def closed(self, code: int, reason: str, *, dropped: bool) -> None:
        """No more messages will come; `code` and `reason` say why. Called once.

        `dropped`: the peer did not say that it goes, and was not told to go.
        """

    def lost(self) -> None:
        """TCP is gone and the counters are final. Called once, after `closed`."""
