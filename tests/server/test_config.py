"""Settings: where they come from, in which order, and how problems are told."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from server.config import ConfigError, Settings, load


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LOCKGATE_")]:
        monkeypatch.delenv(name)


def written(folder: Path, text: str) -> Path:
    path = folder / "lockgate.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path | None = None, flags: dict[str, Any] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load(path, flags)
    return refused.value.problems


def test_without_file_and_environment_the_defaults_hold() -> None:
    settings = load()

    assert settings.listen.public == "127.0.0.1:7350"
    assert settings.session.token_ttl_s == 7200
    assert settings.default_keys == ["socket.server_key", "runtime.http_key"]


def test_flags_win_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, 'name = "file"\ndata_dir = "file"\n[log]\nlevel = "error"\n')
    monkeypatch.setenv("LOCKGATE_DATA_DIR", "environment")
    monkeypatch.setenv("LOCKGATE_LOG__LEVEL", "warning")

    settings = load(path, {"log": {"level": "debug"}})

    assert (settings.name, settings.data_dir, settings.log.level) == ("file", "environment", "debug")


def test_all_problems_are_told_at_once_with_their_keys(tmp_path: Path) -> None:
    path = written(tmp_path, 'nmae = "x"\n[listen]\npublic = "nowhere"\n[session]\ntoken_ttl_s = 0\n')

    keys = {line.partition(":")[0] for line in problems(path)}

    assert keys == {"nmae", "listen.public", "session.token_ttl_s"}


def test_a_problem_does_not_quote_the_value(tmp_path: Path) -> None:
    path = written(tmp_path, '[socket]\nserver_key = 123456789\nping_interval_s = "hunter2"\n')

    told = " ".join(problems(path))

    assert "123456789" not in told
    assert "hunter2" not in told


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.toml") == [f"--config: no such file: {tmp_path / 'none.toml'}"]
    assert "lockgate.toml" in problems(written(tmp_path, "name = "))[0]


def test_production_refuses_the_published_keys() -> None:
    told = problems(flags={"production": True})

    assert "socket.server_key, runtime.http_key" in told[0]


@pytest.mark.parametrize("mode", ["secure", "insecure"])
@pytest.mark.parametrize("origins", [None, ("*",), ("https://game.test", "*"), ("https://game.test", "null")])
def test_cookie_mode_refuses_origins_that_name_no_page(mode: str, origins: tuple[str, ...] | None) -> None:
    listen = {} if origins is None else {"listen": {"allowed_origins": origins}}

    (told,) = problems(flags={"session": {"cookie": mode}} | listen)

    assert "session.cookie" in told
    assert "listen.allowed_origins" in told


@pytest.mark.parametrize("mode", ["secure", "insecure"])
def test_cookie_mode_with_named_origins_is_taken(mode: str) -> None:
    flags = {"session": {"cookie": mode}, "listen": {"allowed_origins": ("https://game.test",)}}

    assert load(None, flags).session.cookie == mode


def test_production_refuses_the_insecure_cookie_and_tells_all_that_it_refuses() -> None:
    (told,) = problems(flags={"production": True, "session": {"cookie": "insecure"}})

    assert 'session.cookie = "insecure"' in told
    assert "socket.server_key" in told
    assert "listen.allowed_origins" in told


def test_production_with_keys_of_its_own_is_taken_and_prints_none() -> None:
    flags = {"production": True, "socket": {"server_key": "own-1"}, "runtime": {"http_key": "own-2"}}

    settings = load(flags=flags)

    assert settings.default_keys == []
    assert "own-" not in repr(settings)


@pytest.mark.parametrize("pool", ["", "a/b", "{pool}", "a b", "x" * 56])
def test_the_development_pool_is_a_part_of_a_url(pool: str) -> None:
    assert problems(flags={"dev": {"pool": pool}})[0].startswith("dev.pool:")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().name = "other"


EVERYTHING = """
name = "node1"
production = false
[listen]
public = "127.0.0.1:7350"
websocket = ""
ops = "127.0.0.1:7351"
trusted_proxies = ["10.0.0.0/8"]
allowed_origins = ["*"]
[identity]
jwks_stale_limit_s = 86_400
jwks_cache_dir = ""
logins_per_minute_per_address = 30
logins_per_minute_per_subject = 10
[[identity.issuers]]
issuer = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE"
jwks_url = ""
client_ids = ["1example23456789"]
audiences = []
token_use = "access"
algorithms = ["RS256"]
[session]
key_file = ""
token_ttl_s = 7200
refresh_idle_s = 1_209_600
refresh_max_s = 7_776_000
refresh_grace_s = 30
single_socket = true
[socket]
server_key = "defaultkey"
max_message_bytes = 4096
ping_interval_s = 15
pong_timeout_s = 25
outgoing_limit_bytes = 1_048_576
[admission]
sockets_total = 20_000
sockets_per_address = 200
handshakes_per_s = 1_000
[runtime]
http_key = "defaulthttpkey"
modules = []
[matchmaker]
interval_s = 15
max_tickets = 3
max_intervals = 2
[storage]
url = "sqlite:///data/lockgate.db"
[log]
level = "info"
format = "auto"
"""


def test_every_promised_key_is_known(tmp_path: Path) -> None:
    assert load(written(tmp_path, EVERYTHING)).admission.sockets_total == 20_000


def test_a_body_is_waited_for_at_least_as_long_as_its_head(tmp_path: Path) -> None:
    path = written(tmp_path, "[admission]\nhead_timeout_s = 30\n")

    assert problems(path) == [
        "admission: Value error, request_timeout_s must not be shorter than head_timeout_s"
    ]


@pytest.mark.parametrize("value", ["10.0.0.1/8", "everywhere"])
def test_a_trusted_proxy_is_a_network(tmp_path: Path, value: str) -> None:
    path = written(tmp_path, f'[listen]\ntrusted_proxies = ["{value}"]\n')

    assert problems(path)[0].startswith("listen.trusted_proxies:")


def test_signing_keys_come_from_one_place_and_are_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = '{"session": [{"kid": "a", "key": "hidden"}]}'
    monkeypatch.setenv("LOCKGATE_SESSION__KEYS", document)
    alone = load()
    both = problems(written(tmp_path, '[session]\nkey_file = "keys.json"\n'))

    assert alone.session.keys.get_secret_value() == document
    assert "hidden" not in f"{alone!r} {alone.model_dump_json()} {both}"
    assert both == [
        "session: Value error, keys and key_file exclude each other: both say what the signing keys are"
    ]


def test_an_empty_variable_is_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_SESSION__KEYS", "")

    assert load(written(tmp_path, '[session]\nkey_file = "k"\n')).session.key_file == "k"


def test_the_url_of_the_database_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_STORAGE__URL", "postgres://lockgate:hunter2@db/game")

    settings = load()

    assert "hunter2" not in f"{settings!r} {settings.storage} {settings.model_dump()}"
    assert settings.storage.url.get_secret_value() == "postgres://lockgate:hunter2@db/game"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("url", "'postgresql://u:hunter2@db'"),
        ("url", "'mysql://u:hunter2@db/game'"),
        ("url", "'postgresql://u:hunter2@db/game?options=hunter2'"),
        ("pool_size", "0"),
        ("timeout_s", "0"),
        ("timeout_s", "61"),
    ],
)
def test_a_storage_setting_out_of_bounds_is_told_by_its_key(tmp_path: Path, key: str, value: str) -> None:
    [problem] = problems(written(tmp_path, f"[storage]\n{key} = {value}\n"))

    assert problem.startswith(f"storage.{key}: ")
    assert "hunter2" not in problem


@pytest.mark.parametrize(("timeout_s", "refused"), [("24.9", False), ("25", True), ("300", True)])
def test_a_function_may_not_take_longer_than_a_socket_lives_unread(
    tmp_path: Path, timeout_s: str, refused: bool
) -> None:
    path = written(tmp_path, f"[runtime]\nrpc_timeout_s = {timeout_s}\n")

    if refused:
        assert "rpc_timeout_s must be shorter than socket.pong_timeout_s" in problems(path)[0]
    else:
        assert load(path).runtime.rpc_timeout_s == float(timeout_s)


def test_a_short_pong_timeout_alone_is_no_problem(tmp_path: Path) -> None:
    path = written(tmp_path, "[socket]\nping_interval_s = 1\npong_timeout_s = 2\n")

    assert load(path).socket.pong_timeout_s == 2


@pytest.mark.parametrize("given", ["tls_cert", "tls_key"])
def test_a_certificate_and_its_key_go_together(tmp_path: Path, given: str) -> None:
    path = written(tmp_path, f'[listen]\n{given} = "file.pem"\n')

    assert problems(path) == ["listen: Value error, tls_cert and tls_key go together"]
