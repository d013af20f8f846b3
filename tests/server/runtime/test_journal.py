"""All that happens to a match is told, and read back up to the last whole frame."""

import pytest

from server.runtime.context import Context
from server.runtime.journal import MAGIC, BadRecording, Drop, Entry, Header, RecordedRun, framed, read
from server.runtime.players import Player
from server.runtime.run import Limits
from tests.server.runtime.recorded import Dice, Pages, played

HEADER = Header("1", "m.n", "n", "games", "Dice", "", 7, 10, Limits())


def recording() -> bytes:
    return MAGIC + framed(HEADER) + b"".join(framed(each) for each in played().entries)


def test_what_was_written_is_read_back() -> None:
    header, entries = read(recording())

    assert header == HEADER
    assert list(entries) == played().entries


def test_a_torn_end_is_left_out_wherever_it_is_torn() -> None:
    whole = recording()
    last = len(framed(played().entries[-1]))

    for cut in range(1, last + 1):
        assert list(read(whole[:-cut])[1]) == played().entries[:-1]


def test_a_garbled_frame_ends_the_recording() -> None:
    data = bytearray(recording())
    data[-1] ^= 1

    assert list(read(bytes(data))[1]) == played().entries[:-1]


@pytest.mark.parametrize("data", [b"", b"hello", MAGIC, MAGIC + b"\xff" * 40])
def test_what_is_no_recording_is_told(data: bytes) -> None:
    with pytest.raises(BadRecording):
        read(data)


def test_a_whole_frame_of_another_kind_is_told() -> None:
    with pytest.raises(BadRecording):
        list(read(recording() + framed(HEADER))[1])


def test_a_call_made_of_another_is_told_once() -> None:
    pages = Pages()
    run = RecordedRun(Dice(), Context("m.n", "n", 10, 7), Limits(), pages)
    run.begin({}, 1.0)
    run.enter(Player("u", "s", "ann"), 1.0)
    run.drop("s", 2.0)

    assert [type(each.asked) for each in pages.entries][2:] == [Drop]


def test_messages_that_find_no_room_are_not_kept() -> None:
    pages = Pages()
    run = RecordedRun(Dice(), Context("m.n", "n", 10, 7), Limits(inputs=1), pages)
    run.begin({}, 1.0)
    run.enter(Player("u", "s", "ann"), 1.0)
    before: list[Entry] = list(pages.entries)

    taken = [run.take("s", 1, b"", reliable=True, now=1.0) for _ in range(3)]

    assert taken == [True, False, False]
    assert len(pages.entries) == len(before) + 1


def test_params_that_cannot_be_written_are_told() -> None:
    pages = Pages()

    RecordedRun(Dice(), Context("m.n", "n", 10, 7), Limits(), pages).begin({"a": object()}, 1.0)

    assert pages.reasons == ["params are not plain values"]
