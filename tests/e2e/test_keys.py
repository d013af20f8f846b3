"""The signing keys of a server that runs: rotated, withdrawn, spoilt and repaired while a player plays."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from server.identity import base64url
from server.identity.signingkeys import SigningKeys
from server.ids import RandomIds
from tests.support.running import RunningServer, running_server, without_settings
from tests.support.visitor import Visitor

NOTICED_S = 5.0
"""A second between two looks, and room for a machine that is busy."""


@asynccontextmanager
async def playing(
    folder: Path, environment: dict[str, str] | None = None
) -> AsyncIterator[tuple[RunningServer, Visitor]]:
    with running_server(folder, environment=environment) as server:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
            yield server, Visitor(server.public, server.issuer, http)


def lockgate(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=folder,
        env=without_settings() | environment,
        capture_output=True,
        text=True,
        timeout=30,
    )


def kid(token: str) -> str:
    return str(json.loads(base64url.decode(token.partition(".")[0]))["kid"])


def rewrite(path: Path, content: bytes) -> None:
    """Put a file in its place as an editor does."""
    draft = path.with_name("draft")
    draft.write_bytes(content)
    draft.chmod(0o600)
    draft.rename(path)


async def told(server: RunningServer, name: str, count: int = 1) -> dict[str, Any]:
    """The event of this name that is the count-th; fails when it takes longer than noticing may."""
    return await asyncio.to_thread(server.wait_for_event, name, count, limit_s=NOTICED_S)


async def account_status(visitor: Visitor, token: str) -> int:
    return (await visitor.ask("GET", "/v2/account", f"Bearer {token}"))[0]


async def socket_status(visitor: Visitor, token: str) -> int:
    socket = await visitor.dial()
    answer = await socket.upgrade(f"/ws?token={token}")
    await socket.hang_up()
    return answer.status


async def refresh(visitor: Visitor, pair: Mapping[str, Any]) -> int:
    body = {"token": pair["refresh_token"]}
    return (await visitor.ask("POST", "/v2/account/session/refresh", visitor.server_key, body))[0]


async def metric(visitor: Visitor, ops: str, name: str) -> float:
    async with visitor.http.get(f"http://{ops}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return next(float(line.partition(" ")[2]) for line in lines if line.startswith(f"{name} "))


async def test_keys_are_rotated_and_withdrawn_while_a_player_plays(tmp_path: Path) -> None:
    path = tmp_path / "data" / "session-keys.json"
    async with playing(tmp_path) as (server, visitor):
        before = await visitor.sign_in("ada")
        socket = await visitor.open(before["token"])

        done = lockgate(tmp_path, "keys", "rotate")
        loaded = await told(server, "session_keys_loaded")
        after = await visitor.sign_in("bob")

        assert (done.returncode, done.stderr) == (0, "")
        assert loaded["session_kids"] == [kid(after["token"]), kid(before["token"])]
        assert loaded["refresh_kids"] == [kid(after["refresh_token"]), kid(before["refresh_token"])]
        assert f"session: {kid(after['token'])} signs" in done.stdout
        assert await account_status(visitor, before["token"]) == 200
        assert await refresh(visitor, before) == 200
        assert await socket.heard_until_pong("1") == []

        document = json.loads(path.read_bytes())
        secrets = [entry["key"] for ring in document.values() for entry in ring]
        document["session"].pop()
        document["refresh"].pop()
        withdrawn_at = time.monotonic()
        rewrite(path, json.dumps(document).encode())
        await told(server, "session_keys_loaded", 2)
        noticed_s = time.monotonic() - withdrawn_at

        assert noticed_s < NOTICED_S
        assert await account_status(visitor, before["token"]) == 401
        assert await socket_status(visitor, before["token"]) == 401
        assert await refresh(visitor, before) == 401
        assert await account_status(visitor, after["token"]) == 200
        assert await socket_status(visitor, after["token"]) == 101
        await socket.hang_up()
    assert not [secret for secret in secrets if secret in server.output + done.stdout]


async def test_a_spoilt_file_is_told_and_harms_nobody(tmp_path: Path) -> None:
    path = tmp_path / "data" / "session-keys.json"
    async with playing(tmp_path) as (server, visitor):
        before, good = await visitor.sign_in("ada"), path.read_bytes()

        rewrite(path, good[:-20])
        refused = await told(server, "session_keys_not_loaded")
        during = await visitor.sign_in("bob")
        statuses = [await account_status(visitor, pair["token"]) for pair in (before, during)]
        rewrite(path, good)
        await told(server, "session_keys_loaded")

        assert refused["reason"] == "data/session-keys.json: not a JSON object"
        assert statuses == [200, 200]
        assert kid(during["token"]) == kid(before["token"])
        assert await metric(visitor, server.ops, "lockgate_session_keys_not_loaded_total") == 1
        assert await metric(visitor, server.ops, "lockgate_session_keys_loaded_total") == 1


async def test_a_mounted_secret_is_taken_over_when_its_link_is_swapped(tmp_path: Path) -> None:
    ids = RandomIds("test")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        rewrite(tmp_path / name / "keys.json", SigningKeys.generate(ids).document())
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "keys.json").symlink_to("..data/keys.json")

    async with playing(tmp_path, {"LOCKGATE_SESSION__KEY_FILE": "keys.json"}) as (server, visitor):
        before = await visitor.sign_in("ada")
        (tmp_path / "next").symlink_to("two")
        os.replace(tmp_path / "next", tmp_path / "..data")
        await told(server, "session_keys_loaded")

        assert await account_status(visitor, before["token"]) == 401
        assert await account_status(visitor, (await visitor.sign_in("ada"))["token"]) == 200


async def test_keys_from_the_environment_need_no_file_and_outlive_a_restart(tmp_path: Path) -> None:
    keys = SigningKeys.generate(RandomIds("test"))
    given = {"LOCKGATE_SESSION__KEYS": keys.document().decode()}

    async with playing(tmp_path, given) as (_, visitor):
        pair = await visitor.sign_in("ada")
    async with playing(tmp_path, given) as (server, visitor):
        status = await account_status(visitor, pair["token"])
    refused = lockgate(tmp_path, "keys", "rotate", **given)

    assert kid(pair["token"]) == keys.session[0].kid
    assert status == 200
    assert not (tmp_path / "data" / "session-keys.json").exists()
    assert base64url.encode(keys.session[0].secret) not in server.output
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "come from the environment" in refused.stderr


def test_keys_from_two_places_stop_the_start(tmp_path: Path) -> None:
    document = SigningKeys.generate(RandomIds("test")).document().decode()
    both = {"LOCKGATE_SESSION__KEYS": document, "LOCKGATE_SESSION__KEY_FILE": "keys.json"}

    refused = lockgate(tmp_path, "serve", "--dev", **both)

    assert refused.returncode == 2
    assert "keys and key_file exclude each other" in refused.stderr
    assert document[:40] not in refused.stderr
