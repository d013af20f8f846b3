"""What the first bytes of a frame tell."""

import pytest
from websockets.protocol import Side

from protocol.frames import FIN_CLOSE
from server.transport.library import StrictLibrary, is_hopeless

LIMIT = 4096


@pytest.mark.parametrize(
    "head",
    [
        b"\x83\x80",  # an opcode that nobody has given a meaning
        b"\x81\x05",  # not masked
        b"\x81\xfe" + (LIMIT + 1).to_bytes(2),
        b"\x82\xff" + (LIMIT + 1).to_bytes(8),
        b"\x81\xff" + b"\xff" * 8,
    ],
)
def test_a_head_that_no_good_frame_has_is_told_wherever_it_stands(head: bytes) -> None:
    assert is_hopeless(head, 0, LIMIT)
    assert is_hopeless(b"before" + head, 6, LIMIT)


@pytest.mark.parametrize(
    "head",
    [
        b"\x81\x80",
        b"\x00\xfd",
        b"\x81\xfe",  # how long is not known yet
        b"\x81\xfe\xff",
        b"\x81\xfe" + LIMIT.to_bytes(2),
        b"\x82\xff" + b"\xff" * 7,
        b"\x82\xff" + LIMIT.to_bytes(8) + b"\x00\x00",
    ],
)
def test_a_head_that_may_become_a_good_frame_is_waited_for(head: bytes) -> None:
    assert not is_hopeless(head, 0, LIMIT)


def test_what_is_too_big_is_refused_without_a_text_and_what_is_wrong_with_one() -> None:
    big, wrong = StrictLibrary(Side.SERVER), StrictLibrary(Side.SERVER)

    big.fail(1009, "too big")
    wrong.fail(1002, "wrong")

    assert big.data_to_send()[0] == bytes((FIN_CLOSE, 2)) + (1009).to_bytes(2)
    assert wrong.data_to_send()[0].endswith(b"wrong")
