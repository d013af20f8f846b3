"""A socket's outgoing frames, compressed as they leave."""

from protocol.envelope import Format
from protocol.frames import FIN_PING, FIN_TEXT, build
from server.sessions.outbox import Outbox
from server.sessions.slow_receivers import Overflow, SlowReceivers
from server.transport.compressed import Compressed
from server.transport.compression import RSV1, Deflater

LONG = build(FIN_TEXT, b"state " * 200)


class Writer:
    buffered = 0

    def wake(self) -> None:
        """The test takes by itself."""

    def flush(self) -> None:
        """Likewise."""


def _full(cause: Overflow) -> bool:
    raise AssertionError(cause)


def outgoing() -> tuple[Compressed, Outbox]:
    outbox = Outbox("session", Format.JSON, 1 << 20, SlowReceivers(max_age_s=10, max_bytes=1 << 28))
    outbox.attach(Writer(), _full)
    return Compressed(outbox, Deflater(512)), outbox


def test_frames_are_counted_as_they_are_put_and_compressed_when_taken() -> None:
    compressed, outbox = outgoing()

    compressed.put(LONG)
    compressed.put(build(FIN_PING, b""))
    assert compressed.queued == outbox.queued == len(LONG) + 2
    long, ping = compressed.take()

    assert long[0] == FIN_TEXT | RSV1
    assert ping == build(FIN_PING, b"")
    assert compressed.queued == 0


def test_what_waits_while_the_peer_is_behind_is_compressed_when_it_goes_on() -> None:
    compressed, _ = outgoing()

    compressed.stall()
    compressed.put(LONG)
    compressed.put(LONG)
    taken = compressed.take()
    compressed.catch_up()

    assert [frame[0] for frame in taken] == [FIN_TEXT | RSV1] * 2
    assert compressed.take() == []
