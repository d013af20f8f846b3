"""A copy of a SQLite file from before its schema is changed: the way back to the release that wrote it."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

KEPT = 3


def back_up(file: Path, revision: str) -> Path:
    """Copy the database to `<file>.before-<revision>`, with the file's mode. The newest 3 such copies stay.

    The file may be in use; what was committed is in the copy. Raises OSError and `sqlite3.Error`: there is
    then no copy, or the one from before.
    """
    mode = stat.S_IMODE(file.stat().st_mode)
    target = file.with_name(f"{file.name}.before-{revision}")
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
        part.chmod(mode)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    for old in _copies(file)[:-KEPT]:
        old.unlink(missing_ok=True)
    return target


def _copies(file: Path) -> list[Path]:
    """Oldest first."""
    start = f"{file.name}.before-"
    found = [path for path in file.parent.iterdir() if path.name.startswith(start) and path.suffix != ".part"]
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))
