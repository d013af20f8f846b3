"""The composition root: what it refuses, what it warns of, and that it leaves nothing running."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server import app, development
from server.app import Server
from server.config import ConfigError, Settings, load
from server.identity.devissuer import DevIssuerError
from server.identity.identity import Identity
from server.identity.verify import RefusalReason
from server.observe import logs
from server.sections import IdentitySettings
from tests.support.inprocess import Live, running
from tests.support.log_output import log_output
from tests.support.site import AUTHENTICATE
from tests.support.visitor import Visitor


def settings(folder: Path, **more: Any) -> Settings:
    flags: dict[str, Any] = {
        "data_dir": str(folder),
        "storage": {"url": f"sqlite:///{folder}/lockgate.db"},
        "listen": {"public": "127.0.0.1:0", "ops": "127.0.0.1:0"},
        "dev": {"port": 0},
    }
    return load(flags=flags | more)


async def started_and_stopped(server: Server) -> list[dict[str, Any]]:
    """The events of a server's whole life."""
    with log_output() as output:
        logs.configure("debug", "json", output)
        try:
            await server.start()
            await server.drain(asyncio.Event())
        finally:
            await server.stop()
        return [json.loads(line) for line in output.getvalue().splitlines()]


@pytest.mark.parametrize("listener", ["public", "websocket", "ops"])
def test_development_stays_on_this_machine(tmp_path: Path, listener: str) -> None:
    listen = {"public": "127.0.0.1:0", "ops": "127.0.0.1:0"} | {listener: "0.0.0.0:0"}

    with pytest.raises(ConfigError, match=f"listen.{listener}"):
        Server(settings(tmp_path, listen=listen), dev=True)


def test_development_and_production_exclude_each_other(tmp_path: Path) -> None:
    own_keys = {"socket": {"server_key": "own"}, "runtime": {"http_key": "own"}}

    with pytest.raises(ConfigError, match="exclude each other"):
        Server(settings(tmp_path, production=True, **own_keys), dev=True)


async def test_the_development_issuer_itself_is_told_of_production(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two guards, since what it gives away is every account: here the first one is gone."""
    own_keys = {"socket": {"server_key": "own"}, "runtime": {"http_key": "own"}}
    monkeypatch.setattr(development, "refuse_unsafe", lambda _settings: None)

    with pytest.raises(DevIssuerError, match="production"):
        await started_and_stopped(Server(settings(tmp_path, production=True, **own_keys), dev=True))


@pytest.mark.parametrize(
    ("jwks_url", "production"),
    [
        ("http://keys.example/jwks.json", False),
        ("http://10.0.0.1/jwks.json", False),
        ("http://127.0.0.1.example/jwks.json", False),
        ("file:///etc/passwd", False),
        ("http://127.0.0.1/jwks.json", True),
        ("http://keys.example/jwks.json", True),
    ],
)
async def test_keys_that_come_in_the_clear_stop_the_start(
    tmp_path: Path, jwks_url: str, production: bool
) -> None:
    own = {"socket": {"server_key": "own"}, "runtime": {"http_key": "own"}, "production": production}
    issuers = [{"issuer": "https://i.example", "jwks_url": jwks_url, "client_ids": ["c"]}]

    with pytest.raises(ValueError, match="https"):
        await started_and_stopped(Server(settings(tmp_path, identity={"issuers": issuers}, **own)))


async def test_the_game_is_asked_before_a_player_gets_in_and_that_is_counted(tmp_path: Path) -> None:
    async def closed(_identity: Identity) -> str:
        return "Closed beta."

    server = Server(settings(tmp_path), dev=True, before_authenticate=closed)
    try:
        await server.start()
        assert server.issuer is not None
        async with aiohttp.ClientSession() as http:
            player = Visitor(server.public, server.issuer, http)
            body = {"id": await player.identity_token("alice")}
            refused = await player.ask("POST", AUTHENTICATE, player.server_key, body)
            forged = await player.ask("POST", AUTHENTICATE, player.server_key, {"id": body["id"] + "x"})
            async with http.get(f"http://{server.ops}/metrics") as answer:
                metrics = await answer.text()
    finally:
        await server.stop()

    assert refused == (403, {"code": 7, "message": "Closed beta."})
    assert forged == (401, {"code": 16, "message": "Identity token invalid"})
    assert 'lockgate_before_authenticate_total{outcome="refused"} 1.0' in metrics
    assert "lockgate_identity_accepted_total 1.0" in metrics
    assert 'lockgate_identity_refused_total{reason="expired"} 0.0' in metrics
    assert sum(line.startswith("lockgate_identity_refused_total{") for line in metrics.splitlines()) == len(
        RefusalReason
    )


async def test_a_life_is_told_from_start_to_stop(tmp_path: Path) -> None:
    events = await started_and_stopped(Server(settings(tmp_path), dev=True))

    told = [event["event"] for event in events]
    assert [name for name in told if name.startswith("server_")] == [
        "server_starting",
        "server_ready",
        "server_draining",
        "server_stopped",
    ]
    ready = next(event for event in events if event["event"] == "server_ready")
    assert ready["public"] == ready["websocket"] != ready["ops"]
    assert int(ready["public"].rpartition(":")[2]) > 0


async def test_default_keys_are_warned_of(tmp_path: Path) -> None:
    events = await started_and_stopped(Server(settings(tmp_path), dev=True))

    assert [event["setting"] for event in events if event["event"] == "default_key_in_use"] == [
        "socket.server_key",
        "runtime.http_key",
    ]


async def test_nobody_can_sign_in_without_an_issuer_and_that_is_warned_of(tmp_path: Path) -> None:
    events = await started_and_stopped(Server(settings(tmp_path)))

    assert "no_identity_issuer" in [event["event"] for event in events]


async def test_it_leaves_no_task_behind(tmp_path: Path) -> None:
    before = asyncio.all_tasks()

    await started_and_stopped(Server(settings(tmp_path), dev=True))

    assert asyncio.all_tasks() == before


async def test_a_key_file_that_others_can_read_stops_the_start_in_one_line(tmp_path: Path) -> None:
    keys = tmp_path / "session-keys.json"
    keys.write_text("{}")
    keys.chmod(0o644)

    with log_output(), pytest.raises(ConfigError, match=r"cannot start: .*session-keys\.json") as why:
        await app.serve(settings(tmp_path, log={"level": "error", "format": "json"}), dev=True)

    assert len(why.value.problems) == 1


async def test_a_file_that_is_no_database_stops_the_start_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "lockgate.db").write_bytes(b"not a database at all, but longer than a header would be" * 40)

    with log_output(), pytest.raises(ConfigError, match=r"lockgate\.db: file is not a database") as why:
        await app.serve(settings(tmp_path, log={"level": "error", "format": "json"}), dev=True)

    assert len(why.value.problems) == 1


async def test_development_has_no_login_limits(tmp_path: Path) -> None:
    async with running(tmp_path) as live:
        for _ in range(35):
            await live.sign_in("ada")

        shown = await metrics(live)

    assert shown['lockgate_logins_limited_total{limit="address"}'] == 0
    assert shown['lockgate_login_limit_keys{limit="subject"}'] == 0
    assert shown["lockgate_identities_linked_total"] == 0


async def test_a_limit_that_is_set_holds_in_development_too(tmp_path: Path) -> None:
    async with running(tmp_path, identity=IdentitySettings(logins_per_minute_per_subject=1)) as live:
        await live.sign_in("ada")
        body = {"id": await live.identity_token("ada")}
        status, answer = await live.ask("POST", "/v2/account/authenticate/custom", live.server_key, body)

        shown = await metrics(live)

    assert (status, answer["code"]) == (429, 8)
    assert shown['lockgate_logins_limited_total{limit="subject"}'] == 1
    assert shown['lockgate_login_limit_keys{limit="address"}'] == 0


async def metrics(live: Live) -> dict[str, float]:
    """What the ops listener shows, by series."""
    async with live.http.get(f"http://{live.server.ops}/metrics") as response:
        lines = (await response.text()).splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}


LIMIT = "connections_per_address"


@pytest.mark.parametrize(("dev", "chosen", "limit"), [(True, {}, 0), (False, {}, 200), (True, {LIMIT: 7}, 7)])
def test_development_has_no_limits_per_address_unless_they_are_set(
    tmp_path: Path, dev: bool, chosen: dict[str, int], limit: int
) -> None:
    server = Server(settings(tmp_path, admission=chosen), dev=dev)

    assert server._listeners.entrance.connections._per_site == limit
