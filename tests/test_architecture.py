"""The import table (`import_table.py`) is kept, and rules that a reader could not see being broken."""

from pathlib import Path

import pytest

import protocol
import server
from tests.import_table import EXTRA, TABLE
from tests.support.architecture import (
    import_violations,
    imports_by_name,
    relative_imports,
    stray_tasks,
    too_long,
    untested,
)

ROOT = Path(__file__).parent.parent

IMPORTERS_BY_NAME = frozenset({"loadtest/scenario.py", "server/runtime/loader.py"})
TASK_OWNER = "server/tasks.py"
WITHOUT_TEST: frozenset[str] = frozenset()
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

    exceptions = frozenset({"server/__main__.py"})
    assert untested(tmp_path, exceptions) == ["server/core/party.py has no tests/server/core/test_party.py"]


def test_a_package_file_that_only_gathers_names_needs_no_test(tmp_path: Path) -> None:
    plant(tmp_path, "protocol/messages/party.py", "")
    (tmp_path / "protocol/messages/__init__.py").write_text("INCOMING = ()")
    (tmp_path / "protocol/__init__.py").write_text("def decode(): ...")

    assert untested(tmp_path, WITHOUT_TEST) == ["protocol/__init__.py has no tests/protocol/test_protocol.py"]


def test_a_long_file_is_told(tmp_path: Path) -> None:
    plant(tmp_path, "server/core/party.py", "x = 1\n" * MAX_LINES)
    plant(tmp_path, "loadtest/swarm.py", "x = 1\n" * (MAX_LINES + 1))

    assert too_long(tmp_path, MAX_LINES) == [f"loadtest/swarm.py has {MAX_LINES + 1} lines"]
