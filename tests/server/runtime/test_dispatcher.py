"""What a match may say, and what comes of it."""

import enum
from typing import Any

import pytest

from server.runtime import Dispatcher, Player, TooMuch
from server.runtime.dispatcher import Broadcast, End, Kick, SetLabel

ALICE, BOB = Player("a", "session-a", "alice"), Player("b", "session-b", "bob")


class Op(enum.IntEnum):
    MOVE = 7


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        ("h\u00e9", "h\u00e9".encode()),
        ({"x": 1.5}, b'{"x":1.5}'),
        ([1, None], b"[1,null]"),
        ("", b""),
    ],
)
def test_data_is_bytes_or_text_or_json(data: Any, sent: bytes) -> None:
    dispatcher = Dispatcher()

    dispatcher.broadcast(Op.MOVE, data)

    assert dispatcher.take() == [Broadcast(7, sent, None)]


@pytest.mark.parametrize("data", [object(), {1j: 2}, "x" * (1024 * 1024 + 1)], ids=["object", "key", "long"])
def test_data_that_cannot_be_sent_is_told_where_it_is_said(data: Any) -> None:
    dispatcher = Dispatcher()

    with pytest.raises(ValueError, match="data"):
        dispatcher.broadcast(1, data)

    assert dispatcher.take() == []


@pytest.mark.parametrize("op_code", [2**63, -(2**63) - 1])
def test_an_op_code_has_64_bits(op_code: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        Dispatcher().broadcast(op_code)
    Dispatcher().broadcast(2**63 - 1)


def test_an_op_code_is_no_fraction() -> None:
    with pytest.raises(TypeError):
        Dispatcher().broadcast(1.0)  # type: ignore[arg-type]  # what an untyped caller may do


def test_nobody_is_not_everybody() -> None:
    dispatcher = Dispatcher()

    dispatcher.broadcast(1, to=[])
    dispatcher.broadcast(1, to=[ALICE, BOB, ALICE], skip=[BOB], sender=BOB, reliable=False, latest_key="k")

    nobody, some = dispatcher.take()
    assert nobody == Broadcast(1, b"", ())
    assert some == Broadcast(
        1, b"", ("session-a", "session-b"), ("session-b",), BOB, reliable=False, latest_key="k"
    )


def test_what_is_deferred_comes_last_and_the_end_after_all() -> None:
    dispatcher = Dispatcher()

    dispatcher.end()
    dispatcher.broadcast(1, deferred=True)
    dispatcher.kick([ALICE])
    dispatcher.broadcast(2)

    said = dispatcher.take()
    assert said == [Kick(("session-a",)), Broadcast(2, b"", None), Broadcast(1, b"", None), End()]
    assert dispatcher.take() == []


def test_a_label_is_text_or_an_object() -> None:
    dispatcher = Dispatcher()

    dispatcher.set_label({"mode": "duel", "open": True})

    assert dispatcher.label == '{"mode":"duel","open":true}'
    assert dispatcher.take() == [SetLabel(dispatcher.label)]


def test_a_label_has_2048_bytes() -> None:
    dispatcher = Dispatcher()
    dispatcher.set_label("\u00e9" * 1024)

    with pytest.raises(ValueError, match="2048 bytes"):
        dispatcher.set_label("\u00e9" * 1024 + "e")

    assert dispatcher.label == "\u00e9" * 1024


def test_a_callback_can_say_only_so_much() -> None:
    dispatcher = Dispatcher(limit=2)
    dispatcher.broadcast(1)
    dispatcher.broadcast(1, deferred=True)

    with pytest.raises(TooMuch):
        dispatcher.broadcast(1)

    assert len(dispatcher.take()) == 2
    dispatcher.broadcast(1)  # the next callback has room again
