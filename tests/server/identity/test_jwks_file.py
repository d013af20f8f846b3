"""The key set on disk: what is written is read, and nothing else is believed."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from server.identity.jwks_file import MAX_FILE, FileUnusable, JwksFile, SavedSet

ISSUER, URL = "https://issuer.example", "https://issuer.example/keys"
SAVED = SavedSet(b'{"keys":["\xc3\xa9"]}', 1_800_000_000)
NOW = 1_800_000_100


@pytest.fixture
def file(tmp_path: Path) -> JwksFile:
    return JwksFile(tmp_path / "made", ISSUER, URL)


def only(folder: Path) -> Path:
    (path,) = (folder / "made").iterdir()
    return path


def test_what_was_written_is_read(file: JwksFile) -> None:
    file.write(SAVED, "draft")

    assert file.read(NOW, 3600) == SAVED


def test_nothing_written_is_nothing_read(file: JwksFile) -> None:
    assert file.read(NOW, 3600) is None


def test_the_file_is_replaced_and_only_its_owner_may_read_it(file: JwksFile, tmp_path: Path) -> None:
    file.write(SAVED, "a")
    file.write(SavedSet(b"{}", NOW), "b")

    assert stat.S_IMODE(only(tmp_path).stat().st_mode) == 0o600
    assert file.read(NOW, 3600) == SavedSet(b"{}", NOW)


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(
    file: JwksFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write(SAVED, "a")

    def full(_descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        file.write(SavedSet(b"{}", NOW), "b")

    assert only(tmp_path).name.startswith("jwks-")
    assert file.read(NOW, 3600) == SAVED


@pytest.mark.parametrize(
    ("issuer", "url"), [("https://other.example", URL), (ISSUER, ""), (f"{ISSUER}\n", URL)]
)
def test_another_issuer_or_another_place_has_its_own_file(
    file: JwksFile, tmp_path: Path, issuer: str, url: str
) -> None:
    file.write(SAVED, "draft")

    assert JwksFile(tmp_path / "made", issuer, url).read(NOW, 3600) is None


@pytest.mark.parametrize(
    ("now", "good"),
    [
        (1_800_000_000, True),
        (1_800_003_600, True),
        (1_800_003_601, False),
        (1_799_999_940, True),
        (1_799_999_939, False),
    ],
)
def test_a_set_is_read_until_it_is_too_old_and_never_from_the_future(
    file: JwksFile, now: float, good: bool
) -> None:
    file.write(SAVED, "draft")

    if good:
        assert file.read(now, 3600) == SAVED
    else:
        with pytest.raises(FileUnusable, match="too old"):
            file.read(now, 3600)


def content(**changed: Any) -> bytes:
    good = {"issuer": ISSUER, "jwks_url": URL, "fetched_at": NOW, "document": "{}"}
    return json.dumps(good | changed).encode()


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\x00" * 100,
        b"\xff\xfe",
        b"[]",
        content()[:-1],
        content() + b"x",
        content(issuer="https://other.example"),
        content(jwks_url=None),
        content(fetched_at="1800000000"),
        content(fetched_at=True),
        content(fetched_at=1.5),
        content(fetched_at=None),
        content(fetched_at=float("nan")),
        content(fetched_at=10**400),
        content(document=None),
        content(document={"keys": []}),
        content(document="\ud800"),
        content(padding="x" * MAX_FILE),
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_not_believed(file: JwksFile, tmp_path: Path, damaged: bytes) -> None:
    file.write(SAVED, "draft")
    only(tmp_path).write_bytes(damaged)

    with pytest.raises(FileUnusable):
        file.read(NOW, 3600)


@pytest.mark.parametrize(("mode", "good"), [(0o600, True), (0o644, True), (0o620, False), (0o602, False)])
def test_a_file_that_others_can_write_is_not_believed(
    file: JwksFile, tmp_path: Path, mode: int, good: bool
) -> None:
    file.write(SAVED, "draft")
    only(tmp_path).chmod(mode)

    if good:
        assert file.read(NOW, 3600) == SAVED
    else:
        with pytest.raises(FileUnusable, match="others can write"):
            file.read(NOW, 3600)


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_only_a_regular_file_is_read(file: JwksFile, tmp_path: Path, kind: str) -> None:
    file.write(SAVED, "draft")
    path = only(tmp_path)
    moved = path.rename(tmp_path / "moved")
    match kind:
        case "link":
            path.symlink_to(moved)
        case "folder":
            path.mkdir()
        case _:
            os.mkfifo(path)

    with pytest.raises(FileUnusable):
        file.read(NOW, 3600)
