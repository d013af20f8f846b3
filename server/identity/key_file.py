"""The file of the signing keys: who may read it, how it is made, and how it is replaced in one step.

A link is followed to what it names now, as mounts of secrets swap links. All of it blocks on the disk, which
may be another machine's. Nothing that is raised or returned tells a key, but `SigningKeys` itself.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from server.config import Settings
from server.identity.signingkeys import KeyFileError, SigningKeys
from server.ids import Ids

MAX_FILE = 64 * 1024
SETTING = "session.keys"

FileState = tuple[int, ...]
"""Differs when the file was written, replaced, given other rights, or another one is linked to."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The file at one moment."""

    keys: SigningKeys
    found: os.stat_result


class KeyFile:
    """One key file; `production` refuses weak keys in it. Every method raises `KeyFileError`."""

    def __init__(self, path: Path, *, production: bool = False) -> None:
        self.path = path
        self._production = production

    @classmethod
    def configured(cls, settings: Settings) -> "KeyFile | None":
        """The file that the settings name; None when the keys come with the settings themselves."""
        session = settings.session
        if session.keys.get_secret_value():
            return None
        path = Path(session.key_file or Path(settings.data_dir) / "session-keys.json")
        return cls(path, production=settings.production)

    def open(self, ids: Ids, now: float) -> SigningKeys:
        """The keys; where there is no file, one is made, of mode 0600."""
        with self.telling():
            if not self.path.exists():
                self._create(ids, int(now))
        return self.read().keys

    def read(self) -> Reading:
        """The keys, and the file that they are from."""
        with self.telling():
            # Without O_NONBLOCK a pipe in its place would hold us up for ever.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                found = os.fstat(file.fileno())
                check_rights(found)
                text = file.read(MAX_FILE + 1)
            if len(text) > MAX_FILE:
                raise ValueError("too large")
            return Reading(SigningKeys.parse(text, production=self._production), found)

    def state(self) -> FileState:
        """Which file this is now, and in which state."""
        with self.telling():
            found = self.path.stat()
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    @contextlib.contextmanager
    def replacing(self, ids: Ids) -> Iterator["Replacement"]:
        """Nobody else replaces the file within this block. Raises at once if somebody is at it."""
        with self.telling():
            try:
                target = self.path.resolve(strict=True)
            except FileNotFoundError:
                raise ValueError("there is no such file yet; the server makes it when it starts") from None
            folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with self.telling():
                try:
                    # On the folder, since the file itself is replaced; the lock ends with the process.
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise ValueError("another rotation is running") from None
            yield Replacement(self, target, folder, ids)
        finally:
            os.close(folder)

    def _create(self, ids: Ids, now: int) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _draft(self.path, SigningKeys.generate(ids, now), ids) as (draft, _):
            try:
                os.link(draft, self.path)  # unlike a rename, never replaces the file of a faster process
            except FileExistsError:
                return
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextlib.contextmanager
    def telling(self, doing: str = "") -> Iterator[None]:
        """Tells any failure within the block as a `KeyFileError`."""
        try:
            yield
        except OSError as error:
            raise KeyFileError(f"{self.path}: {doing}{error.strerror or type(error).__name__}") from None
        except ValueError as error:
            raise KeyFileError(f"{self.path}: {error}") from None


class Replacement:
    """The right to replace a key file, while the block of `KeyFile.replacing` lasts."""

    def __init__(self, file: KeyFile, target: Path, folder: int, ids: Ids) -> None:
        self._file = file
        self._target = target
        self._folder = folder
        self._ids = ids

    def write(self, keys: SigningKeys, instead_of: os.stat_result) -> None:
        """Once this returns, whoever opens the file reads these keys, also after a power cut.

        Owner and group stay; so does the group's right to read, which `check_rights` has allowed.
        """
        with (
            self._file.telling("cannot be replaced: "),
            _draft(self._target, keys, self._ids) as (draft, descriptor),
        ):
            made = os.fstat(descriptor)
            if (made.st_uid, made.st_gid) != (instead_of.st_uid, instead_of.st_gid):
                os.fchown(descriptor, instead_of.st_uid, instead_of.st_gid)
            os.fchmod(descriptor, 0o600 | stat.S_IMODE(instead_of.st_mode) & 0o040)
            os.fsync(descriptor)
            draft.rename(self._target)
            os.fsync(self._folder)


@contextlib.contextmanager
def _draft(target: Path, keys: SigningKeys, ids: Ids) -> Iterator[tuple[Path, int]]:
    """A complete file of mode 0600 beside the target, on disk, gone after the block unless renamed."""
    draft = target.with_name(f".{target.name}.{ids.uuid4()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(keys.document())
            file.flush()
            os.fsync(file.fileno())
            yield draft, file.fileno()
    finally:
        draft.unlink(missing_ok=True)


def check_rights(found: os.stat_result) -> None:
    """Refuse what others can read or write. Raises ValueError.

    The group may read a file that somebody else owns: so an orchestrator hands a secret to a process that it
    runs under a user id of its own.
    """
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("not a regular file")
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid == os.geteuid():
        if mode & 0o077:
            raise ValueError("others can read or write it; give it mode 0600")
    elif mode & 0o027:
        raise ValueError("others can read it, or its group can write it; give it mode 0600 or 0640")


def load(settings: Settings, file: KeyFile | None, ids: Ids, now: float) -> SigningKeys:
    """The keys to start with. Raises `KeyFileError`."""
    if file is not None:
        return file.open(ids, now)
    text = settings.session.keys.get_secret_value()
    try:
        return SigningKeys.parse(text.encode(errors="replace"), production=settings.production)
    except ValueError as error:
        raise KeyFileError(f"{SETTING}: {error}") from None
