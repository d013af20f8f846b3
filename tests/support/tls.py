"""TLS for tests: a certificate of the test's own, and a proxy that ends TLS in front of a plain server.

The proxy pumps bytes both ways, so that sockets pass as requests do, and remembers what clients said.
"""

import asyncio
import base64
import datetime
import hashlib
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID


class Certificate:
    """Self-signed, for these host names. `spki` is the hash by which a browser can be told to take it."""

    def __init__(self, folder: Path, *names: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([_named(each) for each in names]), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = folder / "certificate.pem"
        pem.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + made.public_bytes(Encoding.PEM)
        )
        self.pem = pem
        """Certificate and key in one file."""
        self.der = made.public_bytes(Encoding.DER)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem)
        self.trusting = ssl.create_default_context(cadata=made.public_bytes(Encoding.PEM).decode())
        """For clients that know this certificate."""
        info = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.spki = base64.b64encode(hashlib.sha256(info).digest()).decode()


def _named(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Proxy:
    """Listens on `port` before it is told where to pass on to: set `target` before the first client comes."""

    def __init__(self) -> None:
        self.port = 0
        self.target: tuple[str, int] = ("", 0)
        self.heard: list[bytes] = []

    def requests(self, *parts: str) -> list[str]:
        """The heads of requests in which all these texts occur."""
        heads = [data.partition(b"\r\n\r\n")[0].decode("latin-1") for data in self.heard]
        return [head for head in heads if " HTTP/1.1" in head and all(part in head for part in parts)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(*self.target)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, inner_writer, self.heard))
                both.create_task(self._pump(inner_reader, writer, []))
        finally:
            for end in (writer, inner_writer):
                end.close()
                await asyncio.gather(end.wait_closed(), return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: list[bytes]
    ) -> None:
        try:
            while data := await reader.read(65_536):
                heard.append(data)
                writer.write(data)
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            pass
        writer.close()  # TLS has no half-closed connections


@asynccontextmanager
async def running_proxy(context: ssl.SSLContext | None) -> AsyncIterator[Proxy]:
    """On a port of the system's choice; without a context it is plain TCP."""
    proxy = Proxy()
    listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=context)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()
