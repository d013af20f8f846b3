"""The certificate that public listeners show, read again within a second when its files change.

A pair that cannot be used, such as one half of a renewal, changes nothing but the log and a count: the
certificate that was good stays in use, and the files are tried again. Nothing of the key is ever told. The
disk is asked off the event loop: the files may be on a mount that answers late, or never.
"""

import asyncio
import ssl
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from server.tasks import TaskOwner

INTERVAL_S = 1.0
MAX_FILE = 1024 * 1024

FilesState = tuple[tuple[int, ...], ...]
"""Differs when one of the files was written, replaced, or another one is linked to."""

log = structlog.get_logger("lockgate.web")


class CertificateError(ValueError):
    """The files cannot be used."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What new connections are given, and how a human knows it."""

    context: ssl.SSLContext
    fingerprint: str
    expires: datetime


class Certificate:
    """`open` it, `start` to watch its files, `close` it. `context` is for the next connection only."""

    def __init__(self, cert: Path, key: Path, tasks: TaskOwner) -> None:
        self._cert = cert
        self._key = key
        self._tasks = tasks
        self._seen: FilesState | None = None
        self._read_again = False
        self._told: tuple[FilesState | None, str] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._loaded: Loaded
        self.loaded = 0
        self.not_loaded = 0
        """Changes of the files, by whether they could be used."""

    @classmethod
    def open(cls, cert: str, key: str, tasks: TaskOwner) -> "Certificate":
        """Raises `CertificateError`."""
        opened = cls(Path(cert), Path(key), tasks)
        opened._seen = opened._state()
        opened._loaded = opened._load()
        opened._tell()
        return opened

    @property
    def context(self) -> ssl.SSLContext:
        return self._loaded.context

    @property
    def expires_at(self) -> float:
        """Unix second."""
        return self._loaded.expires.timestamp()

    def start(self) -> None:
        # Scheduled first, so that nothing below can end the watching.
        self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self.start)
        # One look at a time: on a mount that hangs, threads would pile up.
        if self._looking is None or self._looking.done():
            self._looking = self._tasks.spawn("certificate", self.look())

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def look(self) -> None:
        """Read the files if one of them has changed."""
        try:
            loaded = await asyncio.to_thread(self._load_if_changed)
        except CertificateError as error:
            self._read_again = True  # whatever was wrong may pass without changing a file
            if (self._seen, str(error)) != self._told:
                self._told = (self._seen, str(error))
                self.not_loaded += 1
                log.error("tls_certificate_not_loaded", reason=str(error))
            return
        if loaded is None:
            return
        # The context too, when the fingerprint is the same: the two are read one after the other.
        former, self._loaded = self._loaded, loaded
        if loaded.fingerprint != former.fingerprint or self._told is not None:
            self._told = None
            self.loaded += 1
            self._tell()

    def _tell(self) -> None:
        log.info(
            "tls_certificate_loaded",
            sha256=self._loaded.fingerprint,
            expires=self._loaded.expires.isoformat(),
        )

    def _load_if_changed(self) -> Loaded | None:
        before, self._seen = self._seen, None
        self._seen = self._state()
        changed = self._seen != before
        if not changed and not self._read_again:
            return None
        # Times of files are coarse: one more reading finds what was written right after the first.
        self._read_again = changed
        return self._load()

    def _state(self) -> FilesState:
        return tuple(_state(path) for path in (self._cert, self._key))

    def _load(self) -> Loaded:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            # A new context each time: loading into one that is in use would spoil it when the pair is wrong.
            context.load_cert_chain(self._cert, self._key, password=_refuse_password)
            shown = x509.load_pem_x509_certificates(self._cert.read_bytes())[0]
        except ssl.SSLError as error:
            raise CertificateError(f"listen.tls_cert, tls_key: {error.reason or 'not PEM'}") from None
        except OSError as error:
            raise CertificateError(f"listen.tls_cert, tls_key: {error.strerror}") from None
        except ValueError:
            raise CertificateError("listen.tls_cert: not a certificate in PEM") from None
        return Loaded(context, shown.fingerprint(SHA256()).hex(), shown.not_valid_after_utc)


def _refuse_password() -> str:
    """Instead of asking on the terminal. The text is never told: `ValueError` has another."""
    raise ValueError


def _state(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError as error:
        raise CertificateError(f"{path}: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE:
        raise CertificateError(f"{path}: not a file of a sensible size")
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
