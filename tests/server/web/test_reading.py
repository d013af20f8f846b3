"""Bodies, queries and headers as the reference's gateway reads them."""

import gzip
import json

import pytest

from server.web.errors import Failure
from server.web.reading import MAX_BODY, messages, optional_int32
from tests.support.site import AUTHENTICATE, SERVER_KEY, Site, bearer, post, raw


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Custom ID is required."),
        (b" \n", "Custom ID is required."),
        (b"{}", "Custom ID is required."),
        (b'{"id":null}', "Custom ID is required."),
        (b'{"id":["x"]}', "Custom ID is required."),
        (b'{"id":', "unexpected EOF"),
        (b'{"id":"a', "unexpected EOF"),
        (b"null", "proto: "),
        (b"7", "proto: "),
        (b'"text"', "proto: "),
        (b'{"id":"x","id":"y"}', "proto: "),
        (b'{"id":"x","vars":[]}', "proto: "),
        (b'{"id":"x","vars":{"a":null}}', "proto: "),
        (b'{"id":"x","vars":{"a":{}}}', "proto: "),
        (b'{"id":NaN}', "proto: "),
        (b'{"id":"\\ud800"}', "proto: "),
        (b'{"id":"\xff"}', "proto: "),
        (b'{"id":1' + b"0" * 5000 + b"}", "proto: "),
        (b"[" * 5000 + b"]" * 5000, "proto: "),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "proto: "),
        (b"\xef\xbb\xbf{}", "proto: "),
        (b"\x00", "proto: "),
    ],
)
async def test_a_bad_body_is_an_invalid_argument(site: Site, body: bytes, message: str) -> None:
    status, answer = await post(site, AUTHENTICATE, body, SERVER_KEY)

    assert (status, answer["code"]) == (400, 3)
    assert answer["message"].startswith(message)


async def test_both_spellings_of_a_field_are_read_and_never_together(site: Site) -> None:
    session = await site.login()
    caller = bearer(session["token"])
    both = {"refresh_token": "x", "refreshToken": "y"}

    twice = await post(site, "/v2/session/logout", both, caller)
    camel = await post(site, "/v2/session/logout", {"refreshToken": session["refresh_token"]}, caller)

    assert twice[0] == 400
    assert camel == (200, {})
    assert len(site.gate.ended) == 1


@pytest.mark.parametrize("path", [AUTHENTICATE, "/v2/account/session/refresh"])
async def test_a_body_is_read_up_to_its_limit(site: Site, path: str) -> None:
    fits = b'{"x":"' + b"a" * (MAX_BODY - 8) + b'"}'
    assert len(fits) == MAX_BODY

    at_limit = await post(site, path, fits, SERVER_KEY)
    over = await post(site, path, fits + b" ", SERVER_KEY)
    bomb = await post(
        site, path, gzip.compress(b" " * (MAX_BODY * 50)), SERVER_KEY | {"Content-Encoding": "gzip"}
    )

    assert at_limit[1]["message"].endswith(" is required.")
    assert over == bomb == (400, {"code": 3, "message": "http: request body too large"})


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_body_that_is_not_coded_as_it_says_is_refused(site: Site, coding: str) -> None:
    head = f"POST {AUTHENTICATE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: {coding}\r\n"
    head += f"Authorization: {SERVER_KEY['Authorization']}\r\nContent-Length: 12\r\n\r\n"

    status, _, body = await raw(site, head.encode() + b"marker-text!")

    assert (status, json.loads(body)) == (400, {"code": 3, "message": "Bad Request"})


@pytest.mark.parametrize(
    "value", ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"]
)
async def test_create_is_read_as_go_reads_a_bool(site: Site, value: str) -> None:
    status, _ = await post(site, f"{AUTHENTICATE}?create={value}", {"id": site.id_token()}, SERVER_KEY)

    assert status == (200 if value in ("1", "t", "T", "TRUE", "true", "True") else 404)


@pytest.mark.parametrize(
    "query", ["create=", "create=yes", "create=true&create=true", "create=%ff", "create=%00"]
)
async def test_a_create_that_is_no_bool_is_refused(site: Site, query: str) -> None:
    status, answer = await post(site, f"{AUTHENTICATE}?{query}", {"id": site.id_token()}, SERVER_KEY)

    assert (status, answer["code"]) == (400, 3)
    assert answer["message"].startswith('parsing field "create": ')


@pytest.mark.parametrize("limit", ["1", "100", "+7", "007"])
async def test_a_number_in_the_query_is_read_as_go_reads_it(site: Site, limit: str) -> None:
    session = await site.login()

    async with site.client.get(
        "/v2/party", params={"limit": limit}, headers=bearer(session["token"])
    ) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("limit", "quoted", "why"),
    [
        ("", "", "invalid syntax"),
        ("1.0", "1.0", "invalid syntax"),
        (" 1", " 1", "invalid syntax"),
        ("1_0", "1_0", "invalid syntax"),
        ("٣", "٣", "invalid syntax"),
        ("2147483648", "2147483648", "value out of range"),
        ("-2147483649", "-2147483649", "value out of range"),
        ("9" * 5000, "9" * 64, "value out of range"),
    ],
)
async def test_what_is_no_number_of_32_bits_is_refused(site: Site, limit: str, quoted: str, why: str) -> None:
    session = await site.login()

    async with site.client.get(
        "/v2/party", params={"limit": limit}, headers=bearer(session["token"])
    ) as response:
        told = (await response.json())["message"]

    assert (response.status, told) == (
        400,
        f'parsing field "limit": strconv.ParseInt: parsing "{quoted}": {why}',
    )


@pytest.mark.parametrize(
    ("value", "read"),
    [(None, None), (0, 0), (-3, -3), ("7", 7), ("-7", -7), (2.0, 2), (1e3, 1000), (2**31 - 1, 2**31 - 1)],
)
def test_an_integer_is_read_as_a_number_or_its_text(value: object, read: int | None) -> None:
    assert optional_int32({"maxSize": value}, "max_size") == read


@pytest.mark.parametrize(
    "value", [True, False, 1.5, "", "1.5", "one", "+1", "01", "1" * 5000, [], {}, 2**31, -(2**31) - 1, 1e300]
)
def test_what_is_no_integer_of_32_bits_is_refused(value: object) -> None:
    with pytest.raises(Failure, match="proto: invalid value for int32 field max_size"):
        optional_int32({"max_size": value}, "max_size")


def test_a_list_of_messages_is_read() -> None:
    assert messages({}, "objects") == messages({"objects": None}, "objects") == []
    assert messages({"objects": [{"a": 1}, {}]}, "objects") == [{"a": 1}, {}]


@pytest.mark.parametrize("value", [{}, "x", 1, [None], [[]], [{}, "x"]])
def test_any_other_list_is_refused(value: object) -> None:
    with pytest.raises(Failure, match="proto: invalid value for repeated field objects"):
        messages({"objects": value}, "objects")
