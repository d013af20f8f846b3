"""Channel ids, what a join may name, and whose history is whose."""

import pytest

from protocol.errors import ErrorCode, RequestError
from server.core.channel_id import id_of, named_by, names_of, other_in, parse_channel, readable
from server.effects import Stream

ONE = "11111111-1111-4111-8111-111111111111"
TWO = "22222222-2222-4222-8222-222222222222"
NIL = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("channel_id", "stream"),
    [
        ("2...lobby", Stream(2, label="lobby")),
        ("2...dots.in.it", Stream(2, label="dots.in.it")),
        ("2..." + "x" * 64, Stream(2, label="x" * 64)),
        (f"3.{ONE}..", Stream(3, ONE)),
        (f"4.{ONE}.{TWO}.", Stream(4, ONE, TWO)),
        (f"4.{ONE.upper()}.{TWO}.", Stream(4, ONE, TWO)),
    ],
)
def test_each_kind_of_channel_has_its_form(channel_id: str, stream: Stream) -> None:
    assert parse_channel(channel_id) == stream
    assert id_of(stream) == channel_id.lower()


@pytest.mark.parametrize(
    "channel_id",
    [
        "",
        "garbage",
        "x" * 4000,
        "2...",
        "2..." + "x" * 65,
        "2..." + "é" * 33,
        "2...\ud800",
        f"2.{ONE}..room",
        "2..x.room",
        "3.garbage..",
        f"3.{ONE}..label",
        f"4.{ONE}.garbage.",
        f"4.{ONE}.{TWO}.label",
        f"5.{ONE}..",
        "2..lobby",
    ],
)
def test_anything_else_is_no_channel(channel_id: str) -> None:
    with pytest.raises(RequestError, match="Invalid channel identifier") as refused:
        parse_channel(channel_id)

    assert refused.value.code is ErrorCode.BAD_INPUT


@pytest.mark.parametrize(
    ("target", "kind", "stream"),
    [
        ("lobby", 0, Stream(2, label="lobby")),
        ("lobby", 1, Stream(2, label="lobby")),
        (" a.b ", 1, Stream(2, label=" a.b ")),
        ("é" * 32, 1, Stream(2, label="é" * 32)),
        (TWO, 2, Stream(4, ONE, TWO)),
        (TWO.upper(), 2, Stream(4, ONE, TWO)),
        (ONE, 2, Stream(4, ONE, ONE)),
        ("00000000-0000-4000-8000-000000000001", 2, Stream(4, "00000000-0000-4000-8000-000000000001", ONE)),
    ],
)
def test_a_join_names_a_room_or_another_player(target: str, kind: int, stream: Stream) -> None:
    assert named_by(ONE, target, kind) == stream


@pytest.mark.parametrize(
    ("target", "kind", "text"),
    [
        ("", 1, "Invalid channel target"),
        ("", 9, "Invalid channel target"),
        ("x", 9, "Invalid channel type"),
        ("x", -1, "Invalid channel type"),
        ("x" * 65, 1, "Channel name is required and must be 1-64 chars: Invalid channel target"),
        ("é" * 33, 0, "Channel name is required and must be 1-64 chars: Invalid channel target"),
        ("x" * 65 + "\n", 1, "Channel name is required and must be 1-64 chars: Invalid channel target"),
        ("bad\n", 1, "Channel name must not contain control chars: Invalid channel target"),
        ("\x00", 1, "Channel name must not contain control chars: Invalid channel target"),
        ("\x7f", 1, "Channel name must not contain control chars: Invalid channel target"),
        ("\ud800", 1, "Channel name must only contain valid UTF-8 bytes: Invalid channel target"),
        ("not-a-uuid", 2, "Invalid user ID in direct message join: Invalid channel target"),
        (NIL, 2, "Invalid user ID in direct message join: Invalid channel target"),
        ("not-a-uuid", 3, "Invalid group ID in group channel join: Invalid channel target"),
        (TWO, 3, "Group not found: Invalid channel target"),
    ],
)
def test_a_join_of_anything_else_is_refused_with_the_first_reason(target: str, kind: int, text: str) -> None:
    with pytest.raises(RequestError) as refused:
        named_by(ONE, target, kind)

    assert (refused.value.code, refused.value.message) == (ErrorCode.BAD_INPUT, text)


def test_messages_name_a_channel_by_its_kind() -> None:
    assert names_of(Stream(2, label="lobby")) == {"room_name": "lobby"}
    assert names_of(Stream(3, ONE)) == {"group_id": ONE}
    assert names_of(Stream(4, ONE, TWO)) == {"user_id_one": ONE, "user_id_two": TWO}


def test_the_other_of_two_is_told_from_either_side() -> None:
    stream = Stream(4, ONE, TWO)

    assert (other_in(stream, ONE), other_in(stream, TWO)) == (TWO, ONE)
    assert other_in(Stream(4, ONE, ONE), ONE) == ONE


def test_rooms_are_read_by_all_and_direct_messages_by_the_two() -> None:
    direct = f"4.{ONE}.{TWO}."

    assert readable("2...lobby", ONE) == ("2...lobby", {"room_name": "lobby"})
    assert readable(direct.upper(), ONE) == readable(direct, TWO)
    assert readable(direct, TWO) == (direct, {"user_id_one": ONE, "user_id_two": TWO})


@pytest.mark.parametrize(
    ("channel_id", "text"),
    [
        ("garbage", "Invalid channel ID."),
        (f"4.{ONE}.{TWO}.", "Invalid channel ID."),
        (f"3.{ONE}..", "Group not found."),
    ],
)
def test_nobody_reads_what_others_say_to_each_other(channel_id: str, text: str) -> None:
    with pytest.raises(RequestError) as refused:
        readable(channel_id, NIL)

    assert refused.value.message == text
