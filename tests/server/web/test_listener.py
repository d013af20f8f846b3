"""Bytes that are not HTTP."""

import asyncio
import json
import logging

import aiohttp
import pytest
from structlog.testing import capture_logs

from tests.support.site import AUTHENTICATE, SERVER_KEY, Site, raw


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"marker\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nmarker\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nmar ker: 1\r\n\r\n",
        b"GET /?token=marker\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /?token=" + b"marker" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"marker" * 3000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: marker\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nmarker",
        b"\x16\x03\x01marker\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_without_being_quoted(
    site: Site, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    status, headers, body = await raw(site, request_bytes)

    assert (status, json.loads(body)) == (400, {"code": 3, "message": "Bad Request"})
    assert "marker" not in str(headers)
    assert "marker" not in caplog.text


async def test_a_client_that_goes_away_mid_request_leaves_no_trace_in_the_log(site: Site) -> None:
    with capture_logs() as logs:
        _, writer = await asyncio.open_connection(site.host, site.port)
        head = f"POST {AUTHENTICATE} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n"
        writer.write(f"{head}Authorization: {SERVER_KEY['Authorization']}\r\n\r\n{{".encode())
        await writer.drain()
        async with site.client.get("/healthcheck") as response:
            assert response.status == 200
        writer.transport.abort()
        async with (
            aiohttp.ClientSession() as other,
            other.get(f"http://{site.host}:{site.port}/") as response,
        ):
            assert response.status == 200

    assert [entry for entry in logs if entry["log_level"] == "error"] == []


@pytest.mark.parametrize("path", ["/", "/no/such/path", AUTHENTICATE])
async def test_an_expectation_that_we_do_not_know_is_refused_without_being_quoted(
    site: Site, path: str
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"

    status, headers, body = await raw(site, f"{head}Expect: marker\r\n\r\n".encode())

    assert (status, body) == (417, b"")
    assert "marker" not in str(headers)


async def test_a_body_is_asked_for_where_the_peer_waits_for_that(site: Site) -> None:
    head = f"POST {AUTHENTICATE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n"
    head += f"Authorization: {SERVER_KEY['Authorization']}\r\nExpect: 100-continue\r\n\r\n"
    reader, writer = await asyncio.open_connection(site.host, site.port)
    writer.write(head.encode())
    asked = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"{}")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert asked == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Custom ID is required." in answer


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\nmarker-text!",
        b"Content-Encoding: deflate\r\nContent-Length: 12\r\n\r\nmarker-text!",
        b"Transfer-Encoding: chunked\r\n\r\nmarker\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nmarker",
    ],
)
@pytest.mark.parametrize("path", [AUTHENTICATE, "/no/such/path", "/"])
@pytest.mark.parametrize("key", [b"Authorization: Basic ZGVmYXVsdGtleTo=\r\n", b""])
async def test_a_body_that_does_not_decode_is_the_peers_fault_and_not_logged(
    site: Site, caplog: pytest.LogCaptureFixture, rest: bytes, path: str, key: bytes
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()

    status, _, body = await raw(site, head + key + rest)

    assert 400 <= status < 500
    assert b"marker" not in body
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
