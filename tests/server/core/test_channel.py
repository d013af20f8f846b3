"""Channel ids and the content of chat messages."""

import pytest

from protocol.errors import ErrorCode, RequestError
from server.core.channel import check_content, check_message_id, not_joined, parse_channel
from server.effects import Stream

ONE = "11111111-1111-4111-8111-111111111111"
TWO = "22222222-2222-4222-8222-222222222222"


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


@pytest.mark.parametrize(
    "channel_id",
    [
        "",
        "garbage",
        "x" * 4000,
        "2...",
        "2..." + "x" * 65,
        "2..." + "é" * 33,
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


@pytest.mark.parametrize("content", ["{}", '{"text":"hi"}', ' {"a":[1]} '])
def test_content_is_a_json_object(content: str) -> None:
    check_content(content)


@pytest.mark.parametrize(
    "content", ["", "notjson", '"str"', "[]", "1", "null", '{"x":NaN}', "{}}", "[" * 3000]
)
def test_content_that_is_none_is_refused(content: str) -> None:
    with pytest.raises(RequestError, match="Message content must be a valid JSON object"):
        check_content(content)


def test_a_message_id_is_a_uuid() -> None:
    check_message_id(ONE)
    with pytest.raises(RequestError, match="Invalid message identifier"):
        check_message_id("garbage")


def test_a_stranger_is_told_to_join() -> None:
    assert not_joined("sending").message == "Must join channel before sending messages"
