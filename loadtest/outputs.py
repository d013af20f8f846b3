"""The files in which a run or a search leaves what it found: checked before it, written behind it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from loadtest import junit
from loadtest.capacity import Capacity
from loadtest.faces import page
from loadtest.failures import SwarmError
from loadtest.result import Result, as_json


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where results go; `plain`: no live picture, also on a terminal."""

    json: Path | None = None
    html: Path | None = None
    junit: Path | None = None
    plain: bool = False

    def check(self) -> None:
        """Make the folders. Raises SwarmError for what cannot be written: nobody wants to learn that last."""
        seen: set[Path] = set()
        for path in (self.json, self.html, self.junit):
            if path is None:
                continue
            if path.resolve() in seen:
                raise SwarmError(f"two results cannot both go to {path}")
            seen.add(path.resolve())
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SwarmError(f"cannot write {path}: {error.strerror}") from None
            if path.is_dir():
                raise SwarmError(f"cannot write {path}: it is a folder")
            if not os.access(path if path.exists() else path.parent, os.W_OK):
                raise SwarmError(f"cannot write {path}: no permission")

    def keep(self, found: Result | Capacity, out: TextIO) -> None:
        """Write the files that were asked for. Raises SwarmError, when as many as possible are written."""
        failed = list(self._failures(found, out))
        if failed:
            raise SwarmError("; ".join(failed))

    def _failures(self, found: Result | Capacity, out: TextIO) -> Iterable[str]:
        if self.json is not None:
            yield from _put(self.json, as_json(found), out)
        if isinstance(found, Result):
            if self.html is not None:
                yield from _put(self.html, page.html(found).encode(), out)
            if self.junit is not None:
                yield from _put(self.junit, junit.document(found), out)


def _put(path: Path, content: bytes, out: TextIO) -> Iterable[str]:
    try:
        path.write_bytes(content)
    except OSError as error:
        yield f"cannot write {path}: {error.strerror}"
    else:
        out.write(f"written: {path}\n")
        out.flush()
