"""A certificate is read again when its files change, and only a pair that can be used is taken."""

import os
import ssl
from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from structlog.testing import capture_logs

from server.tasks import TaskOwner
from server.web import certificate
from server.web.certificate import Certificate, CertificateError
from tests.support import tls
from tests.support.inprocess import until


class Files:
    """A certificate and its key on disk, and others to put in their places."""

    def __init__(self, folder: Path) -> None:
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        self._folder = folder
        self._made = 0

    def make(self) -> tuple[str, str]:
        """Certificate and key as PEM."""
        self._made += 1
        folder = self._folder / str(self._made)
        folder.mkdir()
        text = tls.Certificate(folder, "localhost").pem.read_text()
        key, mark, cert = text.partition("-----BEGIN CERTIFICATE")
        return mark + cert, key

    def put(self, cert: str, key: str) -> None:
        self.cert.write_text(cert)
        self.key.write_text(key)

    def open(self) -> Certificate:
        return Certificate.open(str(self.cert), str(self.key), TaskOwner("test"))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path)
    made.put(*made.make())
    return made


@pytest.fixture
async def events() -> AsyncIterator[list[MutableMapping[str, Any]]]:
    with capture_logs() as entries:
        yield entries


def test_it_is_told_by_its_fingerprint_and_its_end(files: Files) -> None:
    with capture_logs() as entries:
        opened = files.open()

    assert [entry["event"] for entry in entries] == ["tls_certificate_loaded"]
    assert len(entries[0]["sha256"]) == 64
    assert opened.expires_at > 1_700_000_000
    assert opened.context.minimum_version is ssl.TLSVersion.TLSv1_2


def encrypted() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")).decode()


@pytest.mark.parametrize(
    "spoilt", ["missing", "empty", "swapped", "other key", "text", "folder", "encrypted"]
)
def test_files_that_are_no_pair_are_refused_without_a_word_of_them(files: Files, spoilt: str) -> None:
    cert, key = files.cert.read_text(), files.key.read_text()
    match spoilt:
        case "missing":
            files.key.unlink()
        case "empty":
            files.put(cert, "")
        case "swapped":
            files.put(key, cert)
        case "other key":
            files.put(cert, files.make()[1])
        case "text":
            files.put("marker", "marker")
        case "encrypted":
            files.put(cert, encrypted())
        case _:
            files.key.unlink()
            files.key.mkdir()

    with pytest.raises(CertificateError) as caught:
        files.open()

    assert "marker" not in str(caught.value)
    assert key.split("\n")[1] not in str(caught.value)


async def test_a_change_is_taken_over_and_what_has_not_changed_is_not_told(
    files: Files, events: list[MutableMapping[str, Any]]
) -> None:
    opened = files.open()
    first = opened.context
    await opened.look()
    await opened.look()
    assert opened.context is first

    files.put(*files.make())
    await opened.look()
    await opened.look()

    assert opened.context is not first
    assert (opened.loaded, opened.not_loaded) == (1, 0)
    assert [entry["event"] for entry in events] == ["tls_certificate_loaded"] * 2


async def test_half_a_renewal_changes_nothing_until_the_other_half_is_there(
    files: Files, events: list[MutableMapping[str, Any]]
) -> None:
    opened = files.open()
    first = opened.context
    cert, key = files.make()

    files.cert.write_text(cert)
    for _ in range(3):
        await opened.look()
    assert opened.context is first
    files.key.write_text(key)
    await opened.look()

    assert opened.context is not first
    assert (opened.loaded, opened.not_loaded) == (1, 1)
    assert [entry["event"] for entry in events] == [
        "tls_certificate_loaded",
        "tls_certificate_not_loaded",
        "tls_certificate_loaded",
    ]


async def test_files_that_go_away_and_come_back_harm_nobody(files: Files) -> None:
    opened = files.open()
    first = opened.context
    cert, key = files.cert.read_text(), files.key.read_text()

    files.cert.unlink()
    await opened.look()
    await opened.look()
    assert (opened.context, opened.not_loaded) == (first, 1)
    files.put(cert, key)
    await opened.look()

    assert opened.loaded == 1


async def test_a_link_that_is_swapped_is_a_change(files: Files, tmp_path: Path) -> None:
    cert, key = files.make()
    (tmp_path / "new.pem").write_text(key + cert)
    (tmp_path / "old.pem").write_text(files.key.read_text() + files.cert.read_text())
    link = tmp_path / "link.pem"
    link.symlink_to("old.pem")
    opened = Certificate.open(str(link), str(link), TaskOwner("test"))

    os.symlink("new.pem", tmp_path / "next")
    os.replace(tmp_path / "next", link)
    await opened.look()

    assert opened.loaded == 1


async def test_the_files_are_watched_until_it_is_closed(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "INTERVAL_S", 0.01)
    opened = files.open()
    opened.start()

    files.put(*files.make())
    await until(lambda: opened.loaded == 1)
    await opened.close()

    assert opened._looking is not None
    assert opened._looking.done()
