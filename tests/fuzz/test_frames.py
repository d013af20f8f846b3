"""Random streams of frames mean to our connection what they mean to the library's own parser.

One round in `make test`; `make fuzz-frames` goes on for LOCKGATE_FUZZ_S seconds. Each run prints its seed:
LOCKGATE_FUZZ_SEED repeats it, and a failure names the one stream that is to be looked at.
"""

import os
import random
import secrets
import sys
import time
from collections import Counter

from protocol.close import CloseReason
from protocol.frames import FIN_BINARY, FIN_CLOSE, FIN_PONG, FIN_TEXT, build
from server.transport.compression import Agreed, negotiate
from tests.fuzz.frame_streams import (
    CLOSES,
    HOLDS,
    MAX_BYTES,
    Outcome,
    cut,
    reference,
    sent_frames,
    stream_of,
)
from tests.support.transport import Wire

FUZZ_S = float(os.environ.get("LOCKGATE_FUZZ_S", "0"))
SEED = os.environ.get("LOCKGATE_FUZZ_SEED") or str(secrets.randbelow(1 << 32))
AGREED = negotiate("permessage-deflate; client_max_window_bits")
ROUND = 2000
"""Streams at least."""


def ours(chunks: list[bytes], chance: random.Random, agreed: Agreed | None) -> Outcome:
    """What our connection makes of it; each chunk is a turn of the loop, and what was held goes on later."""
    wire = Wire(max_message_bytes=MAX_BYTES, max_fragments=10_000, agreed=agreed)
    held = 0

    def echo(payload: bytes) -> None:
        nonlocal held
        if payload.startswith(CLOSES):
            wire.socket.close(CloseReason.MALFORMED)
            return
        if payload.startswith(HOLDS):
            wire.socket.hold()
            held = chance.randrange(1, 4)
        wire.outbox.put(build(FIN_BINARY if wire.listener.messages[-1][1] else FIN_TEXT, payload))

    wire.listener.on_message = echo
    for chunk in chunks:
        wire.feed(chunk)
        if held and (held := held - 1) == 0:
            wire.socket.release()
    wire.settle()
    while held:
        held = 0
        wire.socket.release()
        wire.settle()
    return Outcome(wire.listener.messages, sent_frames(wire.transport.written), bool(wire.listener.closes))


def test_any_stream_means_what_the_library_says_it_means() -> None:
    sys.stdout.write(f"\nframes: LOCKGATE_FUZZ_SEED={SEED}\n")
    seen: Counter[str] = Counter()
    end = time.monotonic() + FUZZ_S

    while seen["streams"] < ROUND or time.monotonic() < end:
        number = seen["streams"]
        chance = random.Random(f"{SEED}/{number}")
        agreed = AGREED if chance.random() < 0.3 else None
        stream = stream_of(chance, deflate=agreed is not None)
        chunks = cut(chance, stream)
        expected = reference(stream, agreed)
        seen["streams"] += 1
        if expected is None:
            seen["not comparable"] += 1
            continue
        found = ours(chunks, chance, agreed)
        assert found == expected, f"LOCKGATE_FUZZ_SEED={SEED}, stream {number}: {[c.hex() for c in chunks]}"
        seen["compressed"] += agreed is not None
        seen["messages"] += len(found.messages)
        seen["ended"] += found.ended
        seen["pongs"] += sum(first == FIN_PONG for first, _ in found.sent)
        seen["closes"] += sum(first == FIN_CLOSE for first, _ in found.sent)

    sys.stdout.write(f"frames: {dict(seen)}\n")
    # Streams that all end at once would prove little.
    assert seen["not comparable"] < seen["streams"] / 50
    assert seen["messages"] > seen["streams"]
    assert seen["pongs"] > seen["streams"] / 4
    assert 0.1 < seen["ended"] / seen["streams"] < 0.9
