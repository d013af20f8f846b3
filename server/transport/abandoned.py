"""What is behind a connection that nobody is interested in any more: it is closed, and told to nobody."""


class Nobody:
    """Listens to nothing."""

    def received(self, payload: bytes, *, binary: bool) -> None: ...
    def closed(self, code: int, reason: str, *, dropped: bool) -> None: ...
    def lost(self) -> None: ...


class LastFrames:
    """What such a connection still has to say: a close frame."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self.queued = 0

    def put(self, whole: bytes) -> None:
        self._frames.append(whole)

    def take(self) -> list[bytes]:
        frames, self._frames = self._frames, []
        return frames

    def stall(self) -> None: ...
    def catch_up(self) -> None: ...
