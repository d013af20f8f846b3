"""The databases that the same tests are run on, and the signals that they are run with."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.databases import sqlite_url
from tests.support.postgres import Postgres, PostgresMissing, running_postgres

# Started by a shell in the background we ignore Ctrl-C, and so do those whom we start and send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, started once and only if a test wants it."""
    with _server() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that the test may stop."""
    with _server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new database, of each kind in turn. The file of SQLite is `lockgate.db` in `tmp_path`."""
    with _database(request, tmp_path) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """As `database_url`, but of a database in which there is nothing yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'lockgate.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.database("template0") as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def module_database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """As `database_url`, for a story that a whole module asserts about."""
    with _database(request, tmp_path_factory.mktemp("database")) as url:
        yield url


@contextmanager
def _database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield sqlite_url(folder)
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.database() as url:
        yield url


@contextmanager
def _server() -> Iterator[Postgres]:
    try:
        with running_postgres() as server:
            yield server
    except PostgresMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PostgreSQL, so only SQLite is tested: {missing}")
