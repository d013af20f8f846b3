"""The address of the database, as it is written in the settings.

Reads it and tells what is wrong with it; opens nothing. The URL holds a password, so neither an error nor a
repr of ours quotes it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

POSTGRES_PORT = 5432
SSL_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
OPTIONS = ("host", "sslmode", "sslrootcert")

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A database in a file of this machine."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A database of a PostgreSQL server; a host that is a path is the folder of its Unix socket."""

    host: str
    port: int
    database: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    sslmode: str | None = None
    sslrootcert: str | None = None

    def __str__(self) -> str:
        """Where it is, without who asks."""
        return f"{self.host}:{self.port}/{self.database}"


def parse(url: str) -> SqliteFile | PostgresServer:
    """Read `sqlite:///path` or `postgresql://user:password@host:port/database?sslmode=…`.

    Raises ValueError, whose text holds nothing of the URL but the names of its options.
    """
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        return SqliteFile(_file(url))
    if scheme in ("postgresql", "postgres"):
        return _server(url)
    raise ValueError("must be sqlite:///path or postgresql://user:password@host:port/database")


def _file(url: str) -> Path:
    path = url.removeprefix(_SQLITE)
    if not url.startswith(_SQLITE) or not path or ":memory:" in path or "?" in path:
        raise ValueError("must be sqlite:///path of a file")
    return Path(path)


def _server(url: str) -> PostgresServer:
    if "#" in url:
        raise ValueError("must write # as %23")
    try:
        parts = urlsplit(url)
        port = parts.port or POSTGRES_PORT
    except ValueError:  # its text quotes the URL
        raise ValueError("must have one host, in brackets if it is IPv6, and a port of 1..65535") from None
    if not parts.netloc and not url.partition(":")[2].startswith("//"):
        raise ValueError("must be postgresql://user:password@host:port/database")
    database = unquote(parts.path.removeprefix("/"))
    if not database or "/" in database:
        raise ValueError("must end with the name of a database")
    options = _options(parts)
    host = unquote(options.pop("host", parts.hostname or ""))
    if not host or "," in host:
        raise ValueError("must name one host")
    return PostgresServer(
        host=host,
        port=port,
        database=database,
        user=_text(parts.username),
        password=_text(parts.password),
        sslmode=options.get("sslmode"),
        sslrootcert=options.get("sslrootcert"),
    )


def _options(parts: SplitResult) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    if odd := sorted(options.keys() - set(OPTIONS)):
        raise ValueError(
            f"has options that are not offered: {', '.join(odd)}; there are {', '.join(OPTIONS)}"
        )
    if len(options) != len(pairs):
        raise ValueError("has an option twice")
    mode = options.get("sslmode", "disable")
    if mode not in SSL_MODES:
        raise ValueError(f"sslmode must be one of {', '.join(SSL_MODES)}")
    if "sslrootcert" in options and mode not in ("verify-ca", "verify-full"):
        raise ValueError("sslrootcert needs sslmode=verify-ca or verify-full")
    return options


def _text(part: str | None) -> str | None:
    return unquote(part) if part else None
