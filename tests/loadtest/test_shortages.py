"""What the swarm's own machine has no more of is counted, and nothing else is."""

import errno
import os
import socket

import aiohttp
import pytest

from loadtest.shortages import Shortages


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "missing"),
    [
        (errno.EMFILE, "files"),
        (errno.ENFILE, "files"),
        (errno.EADDRNOTAVAIL, "ports"),
        (errno.ENOBUFS, "memory"),
        (errno.ENOMEM, "memory"),
    ],
)
def test_what_is_missing_is_told_and_counted(number: int, missing: str) -> None:
    shortages = Shortages()

    assert shortages.of(os_error(number)) == missing
    assert shortages.of(os_error(number)) == missing

    assert shortages.take() == {missing: 2}
    assert shortages.take() == {}


@pytest.mark.parametrize(
    "error",
    [os_error(errno.ECONNREFUSED), os_error(errno.ETIMEDOUT), os_error(errno.ECONNRESET), TimeoutError()],
)
def test_what_the_server_did_is_none_of_it(error: Exception) -> None:
    shortages = Shortages()

    assert shortages.of(error) == ""

    assert shortages.take() == {}


async def test_the_requests_of_a_client_are_counted() -> None:
    def none_left(*_: object, **__: object) -> socket.socket:
        raise os_error(errno.EMFILE)

    shortages = Shortages()
    connector = aiohttp.TCPConnector(socket_factory=none_left)
    async with aiohttp.ClientSession(connector=connector, trace_configs=[shortages.trace()]) as http:
        with pytest.raises(aiohttp.ClientConnectionError):
            await http.get("http://127.0.0.1:1/")

    assert shortages.take() == {"files": 1}
