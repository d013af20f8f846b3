"""Where a request came from, as far as that can be known: behind proxies, `X-Forwarded-For` says it.

Each proxy appends the address it saw, so the list is read from the right, and an entry is believed only when
a trusted address wrote it. Whatever stands left of the first untrusted address may be forged. Hops are never
counted: a request that took a shorter way would then choose its own address.
"""

import asyncio
import ipaddress
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import structlog
from aiohttp import web

HEADER = "X-Forwarded-For"
SITE_PREFIX = 64
"""An IPv6 client is given at least this network (RFC 6177), and all its addresses with it."""
_MAPPED = IPv6Network("::ffff:0:0/96")
_WITH_PORT = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3}|\[[^\[\]]*\])(?::\d{1,5})?", re.ASCII)

Address = IPv4Address | IPv6Address

log = structlog.get_logger("lockgate.web")


class ClientAddresses:
    """Finds the address of the client, given the networks (CIDR) of the proxies that are believed."""

    def __init__(self, trusted_proxies: Iterable[str] = ()) -> None:
        self._trusted = tuple(_network(text) for text in trusted_proxies)
        self._warned = False

    def of(self, request: web.BaseRequest) -> str:
        """The client's address as canonical text; empty where the connection has none (a Unix socket)."""
        peer = parse_address(request.remote or "")
        forwarded = request.headers.getall(HEADER, [])
        if peer is None or not forwarded:
            return "" if peer is None else str(peer)
        if not self._trusts(peer):
            self._warn(peer)
            return str(peer)
        return str(self._behind(peer, ",".join(forwarded)))

    def site_of_peer(self, transport: asyncio.BaseTransport) -> str:
        """What a TCP connection is limited by; empty for a proxy that is believed, and without an address."""
        peername = transport.get_extra_info("peername")
        peer = parse_address(peername[0]) if isinstance(peername, tuple) else None
        return "" if peer is None or self._trusts(peer) else site_of(str(peer))

    def _behind(self, proxy: Address, forwarded: str) -> Address:
        client = proxy
        for entry in reversed(forwarded.split(",")):
            text = entry.strip(" \t")
            if not text:
                continue  # RFC 9110 section 5.6.1: empty elements of a list say nothing
            found = parse_address(text)
            if found is None:
                break  # a trusted proxy wrote nonsense or nothing: it is the last place that is known
            client = found
            if not self._trusts(found):
                break
        return client

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _warn(self, peer: Address) -> None:
        if not self._warned:
            self._warned = True
            log.warning("forwarded_for_not_trusted", setting="listen.trusted_proxies", address=str(peer))


def parse_address(text: str) -> Address | None:
    """An address with or without a port, IPv6 with a port in brackets; None for anything else.

    An IPv4 address written as IPv6 (RFC 4291 section 2.5.5.2) is that IPv4 address; a zone is dropped.
    """
    if found := _WITH_PORT.fullmatch(text):
        text = found[1].strip("[]")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def site_of(address: str) -> str:
    """What an address is limited by: an IPv4 address itself, the /64 of an IPv6 one."""
    parsed = parse_address(address)
    if not isinstance(parsed, IPv6Address):
        return address
    return str(IPv6Network((parsed, SITE_PREFIX), strict=False))


def _network(text: str) -> IPv4Network | IPv6Network:
    """A CIDR block; one within IPv6's mapped IPv4 addresses is the IPv4 block."""
    network = ipaddress.ip_network(text)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        assert mapped is not None, "lies within the mapped addresses"
        return IPv4Network((mapped, network.prefixlen - _MAPPED.prefixlen))
    return network
