"""Whose request it is, behind proxies that are believed and proxies that are not."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict
from structlog.testing import capture_logs

from server.web.address import ClientAddresses, parse_address, site_of

PROXIES = ("10.0.0.0/8", "192.168.1.1/32", "fd00::/8")


def request(peer: str | None, *forwarded: str) -> web.BaseRequest:
    headers = CIMultiDict([("X-Forwarded-For", value) for value in forwarded])
    return make_mocked_request("POST", "/", headers=headers).clone(remote=peer or "")


def client(peer: str, *forwarded: str, trusted: tuple[str, ...] = PROXIES) -> str:
    return ClientAddresses(trusted).of(request(peer, *forwarded))


def test_without_a_proxy_the_peer_is_the_client() -> None:
    assert client("203.0.113.7") == "203.0.113.7"
    assert client("2001:db8::0:7") == "2001:db8::7"


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("203.0.113.7,10.0.0.2,\t192.168.1.1 ", "203.0.113.7"),
        # What a client writes itself stands left of what the first proxy saw.
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.9, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("127.0.0.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        # A proxy that is not trusted is the client.
        ("203.0.113.7, 192.168.1.2", "192.168.1.2"),
        # A client within the trusted networks: the leftmost is all there is.
        ("10.0.0.9, 10.0.0.2", "10.0.0.9"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:DB8:0::7, fd00::1", "2001:db8::7"),
        ("203.0.113.7:51234", "203.0.113.7"),
        ("[2001:db8::7]:51234, 10.0.0.2", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, ::ffff:10.0.0.2", "203.0.113.7"),
        ("203.0.113.7, , 10.0.0.2,", "203.0.113.7"),
    ],
)
def test_the_list_is_read_from_the_right_over_trusted_addresses(forwarded: str, expected: str) -> None:
    assert client("10.0.0.1", forwarded) == expected


@pytest.mark.parametrize(
    "entry",
    [
        "unknown",
        "_hidden",
        "203.0.113",
        "203.0.113.7.8",
        "203.0.113.256",
        "203.0.113.07",
        "203.0.113.7:",
        "203.0.113.7:port",
        "203.0.113.7:123456",
        "203.0.113.7/32",
        '"203.0.113.7"',
        "[2001:db8::7",
        "2001:db8::7]",
        "[203.0.113.7",
        "[]",
        "2001:db8:::7",
        "٣.3.3.3",
        "203.0.113.7 198.51.100.1",
        "for=203.0.113.7",
        "-" * 4000,
    ],
)
def test_nonsense_ends_the_walk_at_the_last_address_that_is_known(entry: str) -> None:
    assert client("10.0.0.1", entry) == "10.0.0.1"
    assert client("10.0.0.1", f"198.51.100.1, {entry}, 10.0.0.2") == "10.0.0.2"
    assert client("10.0.0.1", f"{entry}, 203.0.113.7, 10.0.0.2") == "203.0.113.7"


def test_several_headers_are_one_list() -> None:
    assert client("10.0.0.1", "198.51.100.1", "203.0.113.7, 10.0.0.3", "10.0.0.2") == "203.0.113.7"


def test_an_empty_list_says_nothing() -> None:
    assert client("10.0.0.1", "") == "10.0.0.1"
    assert client("10.0.0.1", " , ,") == "10.0.0.1"


def test_who_is_not_trusted_is_not_believed() -> None:
    assert client("203.0.113.7", "198.51.100.1") == "203.0.113.7"
    assert client("203.0.113.7", "198.51.100.1", trusted=()) == "203.0.113.7"


@pytest.mark.parametrize("trusted", ["10.0.0.0/8", "::ffff:10.0.0.0/104"])
@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1"])
def test_a_mapped_address_is_trusted_like_the_one_it_stands_for(peer: str, trusted: str) -> None:
    assert client(peer, "203.0.113.7", trusted=(trusted,)) == "203.0.113.7"


def test_a_network_of_the_other_family_trusts_nobody_here() -> None:
    assert client("10.0.0.1", "203.0.113.7", trusted=("::/0",)) == "10.0.0.1"
    assert client("2001:db8::1", "203.0.113.7", trusted=("0.0.0.0/0",)) == "2001:db8::1"


def test_a_zone_is_no_part_of_an_address() -> None:
    assert client("fe80::1%eth0") == "fe80::1"
    assert client("fe80::1%eth0", "203.0.113.7", trusted=("fe80::/10",)) == "203.0.113.7"


def test_a_connection_without_an_address_has_none() -> None:
    assert ClientAddresses(("0.0.0.0/0",)).of(request(None, "203.0.113.7")) == ""


def test_a_header_from_an_untrusted_address_is_warned_of_once() -> None:
    addresses = ClientAddresses(PROXIES)

    with capture_logs() as logs:
        addresses.of(request("10.0.0.1", "203.0.113.7"))
        addresses.of(request("203.0.113.7"))
        for _ in range(3):
            addresses.of(request("203.0.113.7", "198.51.100.1"))

    assert logs == [
        {
            "event": "forwarded_for_not_trusted",
            "log_level": "warning",
            "setting": "listen.trusted_proxies",
            "address": "203.0.113.7",
        }
    ]


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::1", "::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_client_is_its_network(address: str, site: str) -> None:
    assert site_of(address) == site


def test_a_port_is_only_read_where_it_is_unambiguous() -> None:
    assert str(parse_address("2001:db8::7:80")) == "2001:db8::7:80"


@pytest.mark.parametrize(
    ("peername", "site"),
    [
        (("192.0.2.1", 50_000), "192.0.2.1"),
        (("2001:db8:0:1:2::3", 50_000, 0, 0), "2001:db8:0:1::/64"),
        (("::ffff:192.0.2.1", 50_000, 0, 0), "192.0.2.1"),
        (("10.0.0.9", 50_000), ""),
        (("::ffff:10.0.0.9", 50_000, 0, 0), ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_connection_is_counted_for_its_peer_unless_that_is_a_proxy(peername: object, site: str) -> None:
    class Transport(asyncio.BaseTransport):
        def get_extra_info(self, name: str, default: object = None) -> object:
            return peername

    assert ClientAddresses(("10.0.0.0/8",)).site_of_peer(Transport()) == site
