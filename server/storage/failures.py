"""When the database cannot do what it is asked: told apart from a mistake in the question.

Reasons are a short closed vocabulary, for logs and metrics: they hold nothing of a statement, of its values
or of an address.
"""

from enum import StrEnum

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from protocol.errors import ErrorCode, RequestError

RETRY_AFTER_S = 2


class Reason(StrEnum):
    """Why the database could not be used."""

    UNREACHABLE = "unreachable"
    """No connection, or it was lost."""
    TIMEOUT = "timeout"
    """It did not answer in time, or no connection became free."""
    CROWDED = "crowded"
    """Too many wait for it already."""
    BUSY = "busy"
    """Others held what was needed for too long, or kept getting in each other's way."""
    FULL = "full"
    """It lacks room: disk, memory, connections."""
    READ_ONLY = "read_only"
    DAMAGED = "damaged"
    """The file or the disk under it fails."""
    CLOSED = "closed"
    """This process is about to end."""


class StorageUnavailable(RequestError):
    """The database cannot be used now; whether a write was done is not known. Try again later."""

    def __init__(self, reason: Reason, retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__(ErrorCode.RUNTIME_EXCEPTION, "Storage unavailable")
        self.reason = reason
        self.retry_after_s = retry_after_s


_SQLITE = {
    "SQLITE_BUSY": Reason.BUSY,
    "SQLITE_LOCKED": Reason.BUSY,
    "SQLITE_PROTOCOL": Reason.BUSY,
    "SQLITE_FULL": Reason.FULL,
    "SQLITE_NOMEM": Reason.FULL,
    "SQLITE_READONLY": Reason.READ_ONLY,
    "SQLITE_PERM": Reason.READ_ONLY,
    "SQLITE_CANTOPEN": Reason.UNREACHABLE,
    "SQLITE_IOERR": Reason.DAMAGED,
    "SQLITE_CORRUPT": Reason.DAMAGED,
    "SQLITE_NOTADB": Reason.DAMAGED,
}
"""By the first two words of the error's name."""

_POSTGRES = {
    "08": Reason.UNREACHABLE,  # connection exception
    "57": Reason.UNREACHABLE,  # operator intervention: shut down, or starting up
    "28": Reason.UNREACHABLE,  # invalid authorization: the password was changed
    "3D": Reason.UNREACHABLE,  # no such database
    "40": Reason.BUSY,  # transaction rollback: deadlock, serialization failure
    "55": Reason.BUSY,  # object not in prerequisite state: lock not available
    "53": Reason.FULL,  # insufficient resources
    "58": Reason.DAMAGED,  # system error
    "XX": Reason.DAMAGED,  # internal error
}
"""By the class of the SQLSTATE, PostgreSQL's appendix A."""

_POSTGRES_SINGLE = {"57014": Reason.TIMEOUT, "25006": Reason.READ_ONLY}
"""A statement that was cancelled; a standby, or a server told to take no writes."""

REPEATABLE = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: the same transaction may well succeed when it is done again."""


def reason_of(error: BaseException) -> Reason | None:
    """Why the database could not be used; None when the error is about something else."""
    if isinstance(error, PoolTimeout | TimeoutError):
        return Reason.TIMEOUT
    if isinstance(error, OSError):
        return Reason.UNREACHABLE
    if not isinstance(error, DBAPIError):
        return None
    if error.connection_invalidated:
        return Reason.UNREACHABLE
    if state := sqlstate(error):
        return _POSTGRES_SINGLE.get(state) or _POSTGRES.get(state[:2])
    if name := getattr(error.orig, "sqlite_errorname", ""):
        return _SQLITE.get("_".join(name.split("_")[:2]))
    return None


def sqlstate(error: DBAPIError) -> str:
    """PostgreSQL's five characters for an error, or ""."""
    return str(getattr(error.orig, "sqlstate", None) or "")


def text_of(error: BaseException) -> str:
    """One line for the operator who starts the server: what the database itself said."""
    if isinstance(error, PoolTimeout | TimeoutError):
        return "no answer in time"
    if isinstance(error, DBAPIError):
        orig: BaseException = error.orig or error
        error = orig.__cause__ or orig  # SQLAlchemy's own wrapping of a PostgreSQL error names classes
    return (str(error) or type(error).__name__).splitlines()[0]
