"""Content codings, both ways and within limits."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.web.coding import MAX_DECODED, MAX_MEMBERS, BadCoding, TooLarge, decode, encode, wanted
from server.web.reading import MAX_BODY
from tests.support.site import AUTHENTICATE, SERVER_KEY, Site, bearer, raw


def deflated(body: bytes, wbits: int = -15) -> bytes:
    made = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return made.compress(body) + made.flush()


@given(st.binary(max_size=2000), st.sampled_from(["gzip", "deflate"]))
def test_what_is_coded_comes_back(body: bytes, coding: str) -> None:
    assert decode(coding, encode(coding, body)) == body


@pytest.mark.parametrize(
    ("coding", "sent"),
    [
        ("gzip", gzip.compress(b"body", mtime=0)),
        ("GZIP ", gzip.compress(b"body", mtime=0)),
        ("gzip", gzip.compress(b"bo", mtime=0) + gzip.compress(b"dy", mtime=0)),
        ("deflate", deflated(b"body")),
        ("deflate", zlib.compress(b"body")),
        ("identity", b"body"),
        ("", b"body"),
        ("br", b"body"),
    ],
)
def test_a_body_is_decoded_by_its_header(coding: str, sent: bytes) -> None:
    assert decode(coding, sent) == b"body"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_no_body_is_no_body_in_any_coding(coding: str) -> None:
    assert decode(coding, b"") == b""


@pytest.mark.parametrize(
    ("coding", "sent"),
    [
        ("gzip", b"{}"),
        ("gzip", gzip.compress(b"body", mtime=0)[:-1]),
        ("gzip", gzip.compress(b"body", mtime=0) + b"x"),
        ("gzip", gzip.compress(b"", mtime=0) * (MAX_MEMBERS + 1)),
        ("gzip", gzip.compress(b"body", mtime=0)[:-8] + b"\0" * 8),
        ("gzip", deflated(b"body")),
        ("deflate", b"{}"),
        ("deflate", deflated(b"body")[:-1]),
        ("deflate", deflated(b"body") + b"x"),
        ("deflate", gzip.compress(b"body", mtime=0)),
    ],
)
def test_a_body_that_is_not_coded_as_it_says_is_refused(coding: str, sent: bytes) -> None:
    with pytest.raises(BadCoding):
        decode(coding, sent)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_body_is_decoded_up_to_its_limit(coding: str) -> None:
    assert len(decode(coding, encode(coding, b"x" * MAX_DECODED))) == MAX_DECODED
    with pytest.raises(TooLarge):
        decode(coding, encode(coding, b"x" * (MAX_DECODED + 1)))


def test_members_are_bounded_together() -> None:
    half = gzip.compress(b"x" * (MAX_DECODED // 2 + 1))

    with pytest.raises(TooLarge):
        decode("gzip", half + half)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("br, GZip;q=0.5, deflate", "gzip"),
        ("deflate, gzip", "deflate"),
        ("gzip;q=0, deflate", "deflate"),
        ("gzip; q=0.000", None),
        ("gzipped", None),
        ("identity, *", None),
        ("", None),
    ],
)
def test_the_first_acceptable_coding_that_we_know_is_chosen(accepted: str, coding: str | None) -> None:
    assert wanted(accepted) == coding


async def authenticate(site: Site, body: bytes, coding: str) -> tuple[int, Any]:
    headers = SERVER_KEY | {"Content-Encoding": coding, "Connection": "close", "Host": "x"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"POST {AUTHENTICATE} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode()
    status, _, answer = await raw(site, request + body)
    return status, json.loads(answer)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_coded_request_is_read(site: Site, coding: str) -> None:
    body = json.dumps({"id": site.id_token()}).encode()

    status, answer = await authenticate(site, encode(coding, body), coding)

    assert (status, answer["created"]) == (200, True)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_the_limit_of_a_request_is_for_what_is_sent(site: Site, coding: str) -> None:
    body = json.dumps({"x": "a" * MAX_BODY * 2, "id": site.id_token()}).encode()

    status, answer = await authenticate(site, encode(coding, body), coding)
    bomb = await authenticate(site, encode(coding, b" " * (MAX_BODY * 50)), coding)

    assert (status, answer["created"]) == (200, True)
    assert bomb == (400, {"code": 3, "message": "http: request body too large"})


@pytest.mark.parametrize(("accept", "coding"), [("gzip, deflate, br", "gzip"), ("deflate", "deflate")])
async def test_an_answer_is_coded_for_who_asks(site: Site, accept: str, coding: str) -> None:
    token = (await site.login())["token"]
    head = (
        f"Host: x\r\nConnection: close\r\nAccept-Encoding: {accept}\r\nAuthorization: Bearer {token}\r\n\r\n"
    )

    _, headers, body = await raw(site, f"GET /v2/account HTTP/1.1\r\n{head}".encode())

    assert json.loads(decode(coding, body))["user"]["username"] == "alice"
    assert headers["Content-Encoding"] == coding
    assert headers["Vary"] == "Accept-Encoding"
    assert int(headers["Content-Length"]) == len(body)


async def test_an_answer_is_plain_for_who_does_not_ask(site: Site) -> None:
    token = (await site.login())["token"]
    async with site.client.get(
        "/v2/account", headers=bearer(token), skip_auto_headers=("Accept-Encoding",)
    ) as response:
        assert "Content-Encoding" not in response.headers
        assert response.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", ["/", "/ws"])
async def test_the_root_and_the_socket_are_never_coded(site: Site, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\r\n"

    _, headers, _ = await raw(site, request.encode())

    assert "Content-Encoding" not in headers
    assert "Vary" not in headers


async def test_a_refusal_is_coded_too(site: Site) -> None:
    async with site.client.get("/no/such/route", headers={"Accept-Encoding": "gzip"}) as response:
        assert (response.status, await response.json()) == (403, {"code": 7, "message": "Forbidden"})
        assert response.headers["Content-Encoding"] == "gzip"


async def test_headers_are_read_up_to_their_limit(site: Site) -> None:
    def request(size: int) -> bytes:
        lines = "".join(f"X-{number}: {'x' * size}\r\n" for number in range(2))
        return f"GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n".encode()

    fits, _, _ = await raw(site, request(4500))
    status, _, body = await raw(site, request(4600))

    assert fits == 200
    assert (status, json.loads(body)) == (431, {"code": 3, "message": "Request Header Fields Too Large"})
