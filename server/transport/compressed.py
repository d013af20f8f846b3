"""The outgoing frames of a socket whose client takes compressed messages.

They are counted and limited as they were put in, and compressed when they leave, so that what is dropped or
replaced in between costs nothing.
"""

from server.transport.compression import Deflater
from server.transport.ports import Outgoing


class Compressed:
    """Stands between a socket and its outgoing frames."""

    __slots__ = ("_deflater", "_outgoing")

    def __init__(self, outgoing: Outgoing, deflater: Deflater) -> None:
        self._outgoing = outgoing
        self._deflater = deflater

    @property
    def queued(self) -> int:
        return self._outgoing.queued

    def put(self, whole: bytes) -> None:
        self._outgoing.put(whole)

    def take(self) -> list[bytes]:
        return [self._deflater.frame(whole) for whole in self._outgoing.take()]

    def stall(self) -> None:
        self._outgoing.stall()

    def catch_up(self) -> None:
        self._outgoing.catch_up()
