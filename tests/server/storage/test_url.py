"""Addresses of databases, as operators write them."""

from pathlib import Path

import pytest

from server.storage.url import PostgresServer, SqliteFile, parse


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///data/lockgate.db", "data/lockgate.db"), ("sqlite:////var/lib/a b.db", "/var/lib/a b.db")],
)
def test_a_file_is_named_relative_or_absolute(url: str, path: str) -> None:
    assert parse(url) == SqliteFile(Path(path))


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file:x?mode=memory", "mysql://x/y", "", "x"],
)
def test_only_a_file_or_a_postgresql_server_is_durable(url: str) -> None:
    with pytest.raises(ValueError, match="must be sqlite:///path"):
        parse(url)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("postgresql://u:p@h:6432/d", PostgresServer("h", 6432, "d", "u", "p")),
        ("postgres://u@h/d", PostgresServer("h", 5432, "d", "u")),
        ("postgresql://h/d", PostgresServer("h", 5432, "d")),
        ("postgresql://u%40x:a%2Fb%40%25@h/d%20e", PostgresServer("h", 5432, "d e", "u@x", "a/b@%")),
        ("postgresql://u:p@[::1]:1/d", PostgresServer("::1", 1, "d", "u", "p")),
        ("postgresql://u@/d?host=/run/postgresql", PostgresServer("/run/postgresql", 5432, "d", "u")),
        ("postgresql:///d?host=/run/postgresql", PostgresServer("/run/postgresql", 5432, "d")),
        ("postgresql://h/d?sslmode=require", PostgresServer("h", 5432, "d", sslmode="require")),
        (
            "postgresql://h/d?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            PostgresServer("h", 5432, "d", sslmode="verify-full", sslrootcert="/etc/ca.pem"),
        ),
    ],
)
def test_a_server_is_read_from_its_url(url: str, server: PostgresServer) -> None:
    assert parse(url) == server


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql:", "must be postgresql://"),
        ("postgresql:secret@h/d", "must be postgresql://"),
        ("postgresql://u:secret@h", "name of a database"),
        ("postgresql://u:secret@h/", "name of a database"),
        ("postgresql://u:secret@h/a/b", "name of a database"),
        ("postgresql://u:sec#ret@h/d", "%23"),
        ("postgresql://u:sec/ret@h/d", "port"),
        ("postgresql://u:secret@h:70000/d", "port"),
        ("postgresql://u:secret@h:5x/d", "port"),
        ("postgresql://u:secret@[::1/d", "one host"),
        ("postgresql://u:secret@/d", "one host"),
        ("postgresql://u:secret@/d?host=a,b", "one host"),
        ("postgresql://u:secret@h/d?sslmode=allow", "sslmode must be one of"),
        ("postgresql://u:secret@h/d?sslmode=", "sslmode must be one of"),
        ("postgresql://u:secret@h/d?sslmode=require&sslmode=disable", "twice"),
        ("postgresql://u:secret@h/d?password=secret&channel_binding=require", "channel_binding, password"),
        ("postgresql://u:secret@h/d?sslrootcert=ca.pem", "needs sslmode"),
    ],
)
def test_what_is_wrong_is_told_without_quoting_the_url(url: str, told: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse(url)

    assert told in str(refused.value)
    assert not any(part in str(refused.value) for part in ("secret", "sec", "ret@"))


def test_a_password_is_in_no_repr_and_no_text() -> None:
    server = parse("postgresql://u:secret@h/d")

    assert "secret" not in f"{server!r} {server}"
    assert str(server) == "h:5432/d"
