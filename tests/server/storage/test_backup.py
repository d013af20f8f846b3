"""Copies of a database from before its migration."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from server.storage.backup import KEPT, back_up


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "lock[gate].db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE numbers (value)")
        connection.commit()
    file.chmod(0o640)
    return file


def values(file: Path) -> list[int]:
    with closing(sqlite3.connect(file)) as connection:
        return [row[0] for row in connection.execute("SELECT value FROM numbers ORDER BY value")]


def test_the_copy_has_what_was_committed_and_the_mode_of_the_file(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("INSERT INTO numbers VALUES (1)")  # in the log only, not in the file
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO numbers VALUES (2)")
        copy = back_up(file, "0007")

    assert copy.name == "lock[gate].db.before-0007"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    assert values(copy) == [1]


def test_the_newest_copies_are_kept(file: Path) -> None:
    other = file.with_name("lockgate.db.before-0001")
    other.write_text("of another database")
    for number in range(1, KEPT + 3):
        copy = back_up(file, f"{number:04}")
        os.utime(copy, ns=(number, number))

    assert sorted(path.name for path in file.parent.glob("lock[[]gate].db.before-*")) == [
        f"{file.name}.before-{number:04}" for number in range(3, KEPT + 3)
    ]
    assert other.exists()


def test_a_copy_that_fails_leaves_the_one_from_before(file: Path) -> None:
    first = back_up(file, "0002")
    file.write_bytes(b"no database" * 100)

    with pytest.raises(sqlite3.Error):
        back_up(file, "0002")

    assert values(first) == []
    assert not list(file.parent.glob("*.part*"))
