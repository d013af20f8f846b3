"""Frames that wait, at the edge of their bound."""

from server.sessions.outbox import Outbox


class Told:
    def __init__(self, limit_bytes: int = 10) -> None:
        self.wakes = 0
        self.fulls = 0
        self.outbox = Outbox(limit_bytes)
        self.outbox.attach(wake=self.wake, full=self.full)

    def wake(self) -> None:
        self.wakes += 1

    def full(self) -> None:
        self.fulls += 1


def test_only_the_first_frame_wakes_the_writer() -> None:
    told = Told()

    told.outbox.put(b"a")
    told.outbox.put(b"b")

    assert told.wakes == 1
    assert told.outbox.take() == [b"a", b"b"]
    assert told.outbox.queued == 0


def test_the_limit_may_be_reached_but_not_passed() -> None:
    told = Told(limit_bytes=10)

    told.outbox.put(b"x" * 10)
    assert told.fulls == 0
    told.outbox.put(b"x")

    assert told.fulls == 1


def test_discarded_frames_are_counted_and_gone() -> None:
    told = Told()
    told.outbox.put(b"a")
    told.outbox.put(b"b")

    assert told.outbox.discard() == 2

    assert told.outbox.queued == 0
    assert told.outbox.take() == []
