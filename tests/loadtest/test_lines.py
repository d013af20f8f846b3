"""Lines out of a stream, whatever its pieces are."""

import asyncio

import pytest

from loadtest import lines
from loadtest.failures import SwarmError
from loadtest.notes import Note, Ready


def stream(*pieces: bytes) -> lines.Lines:
    reader = asyncio.StreamReader()
    for piece in pieces:
        reader.feed_data(piece)
    reader.feed_eof()
    return lines.Lines(reader)


async def all_of(cut: lines.Lines, limit: int = 100) -> list[bytes]:
    found = []
    while (line := await cut.next(limit)) is not None:
        found.append(line)
    return found


async def test_lines_are_cut_where_they_end() -> None:
    assert await all_of(stream(b"one\ntw", b"o\n", b"\nfour\n")) == [b"one", b"two", b"", b"four"]


async def test_what_was_cut_off_is_no_line() -> None:
    assert await all_of(stream(b"one\ntw")) == [b"one"]


@pytest.mark.parametrize("said", [b"x" * 11, b"x" * 11 + b"\n", b"x" * 200_000 + b"\n"])
async def test_a_line_over_the_limit_is_refused(said: bytes) -> None:
    with pytest.raises(SwarmError, match="more than 10 bytes"):
        await stream(said).next(10)


async def test_a_line_of_just_the_limit_is_none_too_long() -> None:
    assert await stream(b"x" * 10 + b"\n" + b"y" * 50).next(10) == b"x" * 10


async def test_the_stream_is_not_read_beyond_what_is_needed_to_refuse() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"x" * 300_000)

    with pytest.raises(SwarmError, match="more than"):
        await lines.Lines(reader).next(1000)


def test_a_message_comes_back_as_it_was() -> None:
    assert lines.read(lines.write(Ready())[:-1], Note, "note") == Ready()


def test_what_is_refused_is_not_repeated() -> None:
    with pytest.raises(SwarmError, match=r"^said what is no note$"):
        lines.read(b'{"password": 1', Note, "note")
