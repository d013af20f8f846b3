"""Who may import whom, as data, and a few more rules of the house that a reader could not see being broken.

The table is read from the inside out: a package may import itself, the standard library, and what its row
names. A row may gain a package further in, with its reason in the commit, never one further out.
"""

from pathlib import Path

import pytest

import protocol
import server
from tests.support.architecture import (
    Row,
    import_violations,
    imports_by_name,
    relative_imports,
    stray_tasks,
    too_long,
    untested,
)

ROOT = Path(__file__).parent.parent

CHANCE = frozenset({"time", "random", "secrets", "uuid.uuid1", "uuid.uuid4"})
SOCKETS = frozenset({"socket", "ssl", "select", "selectors", "http", "urllib.request"})
FILES = frozenset({"os", "io", "pathlib", "shutil", "tempfile", "sqlite3"})
THREADS = frozenset({"asyncio", "threading", "multiprocessing", "concurrent", "subprocess"})
IMPURE = CHANCE | SOCKETS | FILES | THREADS | {"logging"}


def pure(*inside: str, libraries: tuple[str, ...] = ()) -> Row:
    """Rules and values: no clock, no chance, no I/O, no logger."""
    return Row(frozenset({*inside, *LEAVES}), frozenset(libraries), IMPURE)


def shell(*inside: str, libraries: tuple[str, ...] = (), banned: frozenset[str] = CHANCE) -> Row:
    """Code around the rules: settings and a logger, but time and chance only through `clock` and `ids`."""
    return Row(frozenset({*inside, *LEAVES, *CONFIG}), frozenset({*libraries, "structlog"}), banned)


LEAVES = ("server.ratelimit",)
CONFIG = ("server.config", "server.sections")

TABLE = {
    "protocol": Row(libraries=frozenset({"msgspec"}), banned=IMPURE),
    "server": Row(banned=IMPURE),
    "server.clock": Row(inside=frozenset({"protocol"}), banned=CHANCE - {"time"}),
    "server.ids": Row(inside=frozenset({"protocol"}), banned=frozenset({"time"})),
    "server.ratelimit": Row(banned=IMPURE),
    "server.sections": Row(libraries=frozenset({"pydantic"}), banned=CHANCE),
    "server.config": Row(
        inside=frozenset({"server.sections"}),
        libraries=frozenset({"pydantic", "pydantic_settings"}),
        banned=CHANCE,
    ),
    "server.tasks": shell("protocol"),
    "server.observe": shell("protocol", libraries=("prometheus_client",)),
    # Writes are carried out in a task of their own, so that a caller who goes away takes nothing along.
    "server.storage": shell(
        "protocol", "server.ids", "server.tasks", libraries=("sqlalchemy", "alembic", "aiosqlite", "asyncpg")
    ),
    "server.cluster": shell("protocol"),
    "server.effects": pure("protocol", libraries=("msgspec",)),
    "server.runtime": pure("protocol", libraries=("msgspec",)),
    "server.core": pure("protocol", "server.effects"),
    "server.world": pure("protocol", "server.core"),  # ports take messages as they are
    "server.routes": pure("protocol", "server.effects", "server.world"),
    "server.handlers": Row(
        inside=frozenset(
            {"protocol", "server.core", "server.effects", "server.world", "server.routes", *LEAVES}
        ),
        banned=CHANCE | SOCKETS,
    ),
    "server.router": shell("protocol", "server.effects", "server.world", "server.routes", "server.observe"),
    "server.sessions": shell(
        "protocol",
        "server.core",
        "server.effects",
        "server.observe",
        "server.clock",
        "server.tasks",  # expired sockets: the database is asked beside the sweep, never within it
        banned=CHANCE | SOCKETS,
    ),
    "server.transport": shell("protocol", "server.observe", libraries=("websockets",)),
    "server.matches": shell(
        "server.core", "server.runtime", "server.effects", "server.clock", "server.tasks", "server.observe"
    ),
    "server.perform": shell(
        "protocol", "server.effects", "server.sessions", "server.cluster", "server.tasks"
    ),
    "server.identity": shell(
        "protocol.errors",
        "server.storage",
        "server.clock",
        "server.ids",
        "server.observe",
        "server.tasks",
        libraries=("cryptography",),
    ),
    "server.web": shell(
        "protocol",
        "server.clock",
        "server.core.function",  # what a port of `world` takes and raises
        "server.core.live_match",  # likewise
        "server.core.identifiers",  # the ids in a query are read as those in a message
        "server.ids",
        "server.identity",
        "server.sessions",
        "server.transport",
        "server.router",
        "server.observe",
        "server.storage",
        "server.world",
        libraries=("aiohttp", "orjson", "prometheus_client"),
    ),
    # Games to begin from: what they can do, every game can.
    "examples": Row(inside=frozenset({"server.runtime"}), banned=IMPURE),
    # Between the end of a login and the sockets it opened; neither knows of the other.
    "server.eviction": shell("protocol", "server.sessions", "server.storage", "server.tasks"),
    "server.talk": shell(
        "protocol", "server.clock", "server.core", "server.effects", "server.storage", "server.tasks"
    ),
    # Where tokens and sockets meet: `identity` knows no socket, `sessions` no token.
    "server.live_logins": Row(inside=frozenset({"protocol.errors", "server.identity", "server.sessions"})),
    # Rounds are begun by time and worked off beside the players' messages; the rules are in the core.
    "server.matchmaking": shell("protocol", "server.clock", "server.core", "server.effects"),
    # The fence around the functions of the game, which players reach by socket and by HTTP alike.
    "server.remote_calls": shell("protocol.session_refresh", "server.core.function", "server.tasks"),
    # Reads counts wherever they are kept, so it stands beside the composition root.
    "server.readings": Row(
        inside=frozenset(
            {
                "server.core",
                "server.eviction",
                "server.identity",
                "server.matchmaking",
                "server.observe",
                "server.perform",
                "server.remote_calls",
                "server.router",
                "server.sessions",
                "server.storage",
                "server.talk",
                "server.transport",
                "server.web",
                "server.world",
            }
        )
    ),
    "server.app": Row(
        inside=frozenset({"protocol", "server"}), libraries=frozenset({"structlog", "aiohttp"})
    ),
    # Parts of the composition root.
    "server.development": shell(),
    "server.gate": shell("server.clock", "server.identity", "server.ids", "server.storage", "server.tasks"),
    # Commands that work on the database beside a running server.
    "server.operate": shell("server.clock", "server.ids", "server.storage"),
    "server.cli": shell(
        "server.app",
        "server.clock",
        "server.ids",
        "server.operate",
        "server.observe",
        "server.identity.devissuer",  # `lockgate token` asks the running issuer
        "server.identity.key_rotation",  # `lockgate keys rotate` works on the file alone
        "server.identity.signingkeys",
        libraries=("uvloop",),
    ),
    "server.__main__": Row(inside=frozenset({"server.cli"})),
    "loadtest": Row(
        inside=frozenset({"protocol"}),
        libraries=frozenset({"aiohttp", "websockets", "uvloop", "hdrh"}),
    ),
}
"""The import table of the house."""

EXTRA = {
    # Every library has one address: replacing it touches one place.
    "protocol.json": frozenset({"orjson"}),
    "protocol.binary": frozenset({"google"}),
    "server.observe.logs": frozenset({"orjson"}),
    "server.identity.verify": frozenset({"jwt"}),
    "server.identity.signing_ring": frozenset({"jwt"}),
    "server.identity.jwks": frozenset({"aiohttp"}),
    "server.identity.devissuer": frozenset({"aiohttp"}),
    "server.identity.devissuer_tokens": frozenset({"jwt"}),
    # The one reader of database URLs: a wrong one is told with the other settings.
    "server.config": frozenset({"server.storage.url"}),
    # A generator that is seeded draws nothing by chance.
    "server.runtime.context": frozenset({"random"}),
}
"""What single modules may import beyond their package's row."""

IMPORTERS_BY_NAME = frozenset({"server/runtime/loader.py"})
TASK_OWNER = "server/tasks.py"
WITHOUT_TEST = frozenset(
    {
        "server/__main__.py",  # one call; the end-to-end tests start the server through it
    }
)
MAX_LINES = 400


def test_imports_follow_the_table() -> None:
    assert import_violations(ROOT, TABLE, EXTRA) == []


def test_no_import_hides_behind_a_value() -> None:
    assert imports_by_name(ROOT, IMPORTERS_BY_NAME) == []


def test_imports_are_absolute() -> None:
    assert relative_imports(ROOT) == []


def test_tasks_are_born_in_one_place() -> None:
    assert stray_tasks(ROOT, TASK_OWNER) == []


def test_every_source_file_has_its_test_file() -> None:
    assert untested(ROOT, WITHOUT_TEST) == []


def test_every_file_can_be_read_in_one_sitting() -> None:
    assert too_long(ROOT, MAX_LINES) == []


def test_server_and_protocol_load_from_the_same_folder() -> None:
    # Their names are common ones: a package elsewhere on the path, even `tests/server`, would shadow them.
    assert server.__file__ is not None
    assert protocol.__file__ is not None
    assert Path(server.__file__).parents[1] == Path(protocol.__file__).parents[1] == ROOT


# From here on the rules themselves are tested: a fault is planted and must be told.


def plant(root: Path, path: str, text: str) -> None:
    """Write a source file, and an `__init__.py` in every folder above it."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    for folder in file.parents:
        if folder == root:
            break
        (folder / "__init__.py").touch()
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        ("server/core/party.py", "import asyncio", "asyncio"),
        ("server/core/party.py", "from asyncio import Queue", "asyncio"),
        ("server/core/party.py", "import asyncio.events as loop", "asyncio.events"),
        ("server/core/party.py", "def f():\n    import time", "time"),
        ("server/core/party.py", "import logging", "logging"),
        ("server/core/party.py", "import structlog", "structlog"),
        ("server/core/party.py", "from uuid import uuid4", "uuid.uuid4"),
        ("server/core/party.py", "import uuid as u\nKEY = u.uuid1()", "uuid.uuid1"),
        ("server/core/party.py", "from urllib import request", "urllib.request"),
        ("server/core/party.py", "from typing import *\nimport random", "random"),
        (
            "server/core/party.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from server.sessions import session",
            "server.sessions.session",
        ),
        ("server/core/party.py", "try:\n    import uvloop\nexcept ImportError:\n    pass", "uvloop"),
        ("server/core/party.py", "from server import config", "server.config"),
        (
            "server/handlers/party.py",
            "from server.sessions.session import Session",
            "server.sessions.session",
        ),
        ("server/handlers/party.py", "import aiohttp.web", "aiohttp.web"),
        ("server/handlers/party.py", "import socket", "socket"),
        ("server/transport/websocket.py", "from server.sessions import session", "server.sessions.session"),
        ("server/web/auth.py", "from server.core.party import Party", "server.core.party"),
        ("server/web/auth.py", "import jwt", "jwt"),
        ("server/web/auth.py", "import sqlalchemy.exc", "sqlalchemy.exc"),
        ("server/web/auth.py", "import time", "time"),
        ("server/identity/bridge.py", "import aiohttp", "aiohttp"),
        ("server/identity/bridge.py", "from protocol import messages", "protocol"),
        ("server/storage/store.py", "from server.clock import Clock", "server.clock"),
        ("examples/arena.py", "from server.core.party import Party", "server.core.party"),
        ("server/cli.py", "from server.core.party import Party", "server.core.party"),
        ("server/tasks.py", "import loadtest", "loadtest"),
        ("server/tasks.py", "from tests.support import clock", "tests.support"),
        ("protocol/frames.py", "import websockets.frames", "websockets.frames"),
        ("protocol/frames.py", "import secrets", "secrets"),
        ("protocol/frames.py", "import server", "server"),
        ("protocol/envelope.py", "import orjson", "orjson"),
        ("loadtest/player.py", "from server import clock", "server.clock"),
        ("loadtest/player.py", "import server", "server"),
    ],
)
def test_a_forbidden_import_is_told_with_its_file(tmp_path: Path, path: str, text: str, named: str) -> None:
    for module in ("server/config.py", "server/clock.py", "server/sessions/session.py"):
        plant(tmp_path, module, "")
    plant(tmp_path, path, text)

    assert import_violations(tmp_path, TABLE, EXTRA) == [f"{path} imports {named}"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "server/core/party.py",
            "from server.core.presence import Presence\nfrom protocol.errors import ErrorCode",
        ),
        (
            "server/core/party.py",
            "from collections import deque\nimport uuid\nuuid.uuid5\nimport server.effects",
        ),
        ("server/web/upgrade.py", "from aiohttp import web\nfrom server import __version__"),
        ("server/identity/jwks.py", "import aiohttp\nimport asyncio"),
        ("server/clock.py", "import time"),
        ("server/ids.py", "import secrets\nfrom uuid import uuid4"),
        ("server/app.py", "from server.core.party import Party\nfrom server.web import site"),
        ("protocol/json.py", "import orjson\nimport msgspec\nfrom protocol.messages import party"),
        (
            "loadtest/player.py",
            "import time\nimport random\nimport protocol\nfrom loadtest.swarm import Swarm",
        ),
    ],
)
def test_an_allowed_import_passes(tmp_path: Path, path: str, text: str) -> None:
    plant(tmp_path, path, text)

    assert import_violations(tmp_path, TABLE, EXTRA) == []


@pytest.mark.parametrize("path", ["server/gadgets/wheel.py", "server/gadgets.py"])
def test_a_package_without_a_row_is_told(tmp_path: Path, path: str) -> None:
    plant(tmp_path, path, "")

    assert f"{path} has no row in the import table" in import_violations(tmp_path, TABLE, EXTRA)


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\nimportlib.import_module('server.core')",
        "from importlib import import_module as load",
        "__import__('asyncio')",
    ],
)
def test_an_import_by_name_is_told(tmp_path: Path, text: str) -> None:
    plant(tmp_path, "server/core/party.py", text)

    assert imports_by_name(tmp_path, IMPORTERS_BY_NAME) == ["server/core/party.py imports by name"]


def test_a_relative_import_is_told(tmp_path: Path) -> None:
    plant(tmp_path, "tests/server/test_app.py", "\nfrom ..support import clock")

    assert relative_imports(tmp_path) == ["tests/server/test_app.py:2 imports relatively"]


@pytest.mark.parametrize(
    ("text", "maker"),
    [
        ("import asyncio\nasyncio.create_task(work())", "create_task"),
        ("from asyncio import create_task as spawn", "create_task"),
        ("loop.create_task(work())", "create_task"),
        ("import asyncio as a\na.ensure_future(work())", "ensure_future"),
    ],
)
def test_a_task_without_an_owner_is_told(tmp_path: Path, text: str, maker: str) -> None:
    plant(tmp_path, TASK_OWNER, text)
    plant(tmp_path, "server/perform.py", text)

    assert stray_tasks(tmp_path, TASK_OWNER) == [f"server/perform.py makes a task with {maker}"]


def test_a_source_file_without_a_test_file_is_told(tmp_path: Path) -> None:
    plant(tmp_path, "server/core/party.py", "LIMIT = 1")
    plant(tmp_path, "server/core/match.py", "LIMIT = 1")
    plant(tmp_path, "tests/server/core/test_match.py", "")
    plant(tmp_path, "server/core/notes.py", '"""Only words."""')
    plant(tmp_path, "server/__main__.py", "main()")

    assert untested(tmp_path, WITHOUT_TEST) == ["server/core/party.py has no tests/server/core/test_party.py"]


def test_a_package_file_that_only_gathers_names_needs_no_test(tmp_path: Path) -> None:
    plant(tmp_path, "protocol/messages/party.py", "")
    (tmp_path / "protocol/messages/__init__.py").write_text("INCOMING = ()")
    (tmp_path / "protocol/__init__.py").write_text("def decode(): ...")

    assert untested(tmp_path, WITHOUT_TEST) == ["protocol/__init__.py has no tests/protocol/test_protocol.py"]


def test_a_long_file_is_told(tmp_path: Path) -> None:
    plant(tmp_path, "server/core/party.py", "x = 1\n" * MAX_LINES)
    plant(tmp_path, "loadtest/swarm.py", "x = 1\n" * (MAX_LINES + 1))

    assert too_long(tmp_path, MAX_LINES) == [f"loadtest/swarm.py has {MAX_LINES + 1} lines"]
