"""Which errors are the database's own trouble, and what is said of them."""

import sqlite3

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from protocol.errors import ErrorCode
from server.storage.failures import Reason, StorageUnavailable, reason_of, text_of


class FromServer(Exception):
    """As the driver of PostgreSQL raises, with its code."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("a message\nDETAIL: with a second line")
        self.sqlstate = sqlstate


def from_file(name: str) -> DBAPIError:
    error = sqlite3.OperationalError("a message")
    error.sqlite_errorname = name
    return OperationalError("SELECT", {"subject": "secret"}, error, hide_parameters=True)


def from_server(sqlstate: str) -> DBAPIError:
    return DBAPIError("SELECT", {"subject": "secret"}, FromServer(sqlstate), hide_parameters=True)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), Reason.TIMEOUT),
        (PoolTimeout(), Reason.TIMEOUT),
        (ConnectionRefusedError(), Reason.UNREACHABLE),
        (DBAPIError("", None, Exception(), connection_invalidated=True), Reason.UNREACHABLE),
        (from_file("SQLITE_BUSY"), Reason.BUSY),
        (from_file("SQLITE_BUSY_SNAPSHOT"), Reason.BUSY),
        (from_file("SQLITE_FULL"), Reason.FULL),
        (from_file("SQLITE_READONLY_DBMOVED"), Reason.READ_ONLY),
        (from_file("SQLITE_CANTOPEN"), Reason.UNREACHABLE),
        (from_file("SQLITE_IOERR_FSYNC"), Reason.DAMAGED),
        (from_file("SQLITE_CORRUPT"), Reason.DAMAGED),
        (from_server("57P01"), Reason.UNREACHABLE),
        (from_server("08006"), Reason.UNREACHABLE),
        (from_server("57014"), Reason.TIMEOUT),
        (from_server("53100"), Reason.FULL),
        (from_server("53300"), Reason.FULL),
        (from_server("40P01"), Reason.BUSY),
        (from_server("55P03"), Reason.BUSY),
        (from_server("25006"), Reason.READ_ONLY),
        (from_server("58030"), Reason.DAMAGED),
    ],
)
def test_trouble_of_the_database_has_a_reason(error: Exception, reason: Reason) -> None:
    assert reason_of(error) is reason


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        KeyError(),
        from_file("SQLITE_ERROR"),
        from_server("42P01"),
        from_server("22021"),
        IntegrityError("", None, sqlite3.IntegrityError()),
    ],
)
def test_a_mistake_of_ours_has_none(error: Exception) -> None:
    assert reason_of(error) is None


def test_a_caller_is_told_nothing_but_to_come_back() -> None:
    error = StorageUnavailable(Reason.FULL)

    assert (error.code, error.message) == (ErrorCode.RUNTIME_EXCEPTION, "Storage unavailable")
    assert error.retry_after_s > 0


def test_the_operator_is_told_one_line_of_what_the_database_said() -> None:
    assert text_of(from_server("28P01")) == "a message"
    assert text_of(from_file("SQLITE_FULL")) == "a message"
    assert text_of(TimeoutError()) == "no answer in time"
    assert text_of(ValueError()) == "ValueError"
