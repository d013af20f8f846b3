"""Every setting with its default and unit, as one model: TOML file, then `LOCKGATE_` environment, then flags.

All problems are reported at once, each with its key. Secrets never print.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from server.sections import (
    DEFAULT_SERVER_KEY,
    ChatSettings,
    Count,
    IdentitySettings,
    ListenSettings,
    MatchesSettings,
    NotificationSettings,
    ObjectSettings,
    Section,
    SessionSettings,
    SocketSettings,
)
from server.storage.url import parse as parse_storage_url

DEFAULT_HTTP_KEY = "defaulthttpkey"


class AdmissionSettings(Section):
    """Who is let in; 0: no limit, which `--dev` makes the default of those per address.

    An IPv6 /64 counts as one address. Too low, players who share an address shut each other out; behind a
    proxy that is not in `listen.trusted_proxies` all players share one.
    """

    sockets_total: Annotated[int, Field(ge=0)] = 20_000
    """More are sent away with 503 before anything is asked of them. Too many, and memory ends first."""
    sockets_per_address: Annotated[int, Field(ge=0)] = 200
    handshakes_per_s: Annotated[int, Field(ge=0)] = 1_000
    """Sockets opened, or tried to, in a second; as many may come at once. Too many, and a rush holds up those
    who play; too few, and it takes long until all are back."""
    handshakes_per_s_per_address: Annotated[int, Field(ge=0)] = 20
    """Ten seconds of it may come at once."""
    connections_total: Annotated[int, Field(ge=0)] = 5_000
    """TCP connections that are no sockets, or not yet; about 20 kB each. At the limit the longest idle one
    makes room, then the longest silent one; if there is none, the new one is sent away with 503."""
    connections_per_address: Annotated[int, Field(ge=0)] = 200
    """Likewise, for one peer; trusted proxies are exempt."""
    head_timeout_s: Annotated[float, Field(gt=0, le=300)] = 10
    """From connecting, or from the first byte of a later request, until the request's head is whole, TLS
    included. Too short, and slow phones cannot connect; too long, and silent peers hold their places."""
    request_timeout_s: Annotated[float, Field(gt=0, le=600)] = 20
    """Likewise until its body is whole too. Also how long a peer may leave an answer unread."""

    @model_validator(mode="after")
    def _heads_before_bodies(self) -> Self:
        if self.request_timeout_s < self.head_timeout_s:
            raise ValueError("request_timeout_s must not be shorter than head_timeout_s")
        return self


class MatchmakerSettings(Section):
    interval_s: Annotated[float, Field(gt=0, le=3600)] = 15
    """Between the beginnings of two rounds. Shorter, and players wait less but meet whoever is there; longer,
    and there are more to choose from."""
    max_tickets: Count = 3
    """Searches that a session, or a party, may have at once."""
    max_intervals: Count = 2
    """Rounds in which a ticket searches for its maximum; in the last one its minimum will do, and then it
    only waits to be found. With 1 nobody waits for a fuller match."""
    rev_precision: bool = False
    """Every ticket of a match has to match the queries of all the others, not only that of the one that
    searched. Fewer are matched, and a round costs more."""
    max_pool: Count = 60_000
    """Tickets that wait, all together. Too few, and searches are refused in a rush; too many, and a rush
    takes memory and makes rounds longer than the interval."""


class RuntimeSettings(Section):
    http_key: SecretStr = SecretStr(DEFAULT_HTTP_KEY)
    """With it other servers call functions of the game, over HTTP and as nobody."""
    rpc_timeout_s: Annotated[float, Field(gt=0, le=300)] = 10
    """How long a function may take. Its caller's socket is not read meanwhile, so it must stay under
    socket.pong_timeout_s; SDKs give up after 7 to 10 s."""
    rpc_concurrent: Count = 1_000
    """Functions that run at once. Too few, and a rush of players is refused; too many share one processor."""
    modules: tuple[str, ...] = ()
    """Game code: importable modules, or paths."""


class StorageSettings(Section):
    url: SecretStr = SecretStr("sqlite:///data/lockgate.db")
    """`sqlite:///path` of a file, or `postgresql://user:password@host:port/database`, with `?sslmode=` and
    `sslrootcert` as PostgreSQL's own tools have them."""
    pool_size: Count = 10
    """Connections to PostgreSQL. Too few, and requests wait for one; too many, and it refuses some."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10
    """How long to wait for a connection, a statement or a lock before the request is answered with 503. Too
    short, and a slow moment of the database turns players away; too long, and they give up by themselves."""

    @field_validator("url")
    @classmethod
    def _is_a_database(cls, value: SecretStr) -> SecretStr:
        parse_storage_url(value.get_secret_value())
        return value


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"
    """auto: coloured text on a terminal, JSON lines otherwise."""
    slow_callback_ms: Annotated[float, Field(ge=0)] = 100
    """Whatever holds the event loop up for so long is named in the log; 0: never. Short, and ordinary work is
    named; long, and nobody learns why everything is late."""


class DevSettings(Section):
    """The development issuer, started by `--dev`."""

    port: Annotated[int, Field(ge=0, le=65535)] = 7352
    pool: Annotated[str, Field(max_length=55, pattern=r"^[A-Za-z0-9_-]+$")] = "local_dev"
    """A part of its URLs and of each player's subject."""
    client_id: Annotated[str, Field(min_length=1, max_length=128)] = "lockgate-dev"


class Settings(BaseSettings):
    """The whole configuration. Components are given their own section, never this tree."""

    model_config = SettingsConfigDict(
        env_prefix="LOCKGATE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    name: Annotated[str, Field(min_length=1, max_length=16)] = "node1"
    production: bool = False
    data_dir: str = "data"
    listen: ListenSettings = ListenSettings()
    identity: IdentitySettings = IdentitySettings()
    session: SessionSettings = SessionSettings()
    socket: SocketSettings = SocketSettings()
    chat: ChatSettings = ChatSettings()
    notifications: NotificationSettings = NotificationSettings()
    objects: ObjectSettings = ObjectSettings()
    admission: AdmissionSettings = AdmissionSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    matches: MatchesSettings = MatchesSettings()
    matchmaker: MatchmakerSettings = MatchmakerSettings()
    storage: StorageSettings = StorageSettings()
    log: LogSettings = LogSettings()
    dev: DevSettings = DevSettings()

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        problems = []
        if self.production and self.default_keys:
            problems.append(f"production = true refuses default values of {', '.join(self.default_keys)}")
        if self.production and self.session.cookie == "insecure":
            problems.append('production = true refuses session.cookie = "insecure"')
        # Any page would have the origin "*" allows; "null" is what sandboxed frames of any page have.
        if self.session.cookie != "off" and {"*", "null"} & set(self.listen.allowed_origins):
            problems.append("session.cookie needs listen.allowed_origins without * and null")
        # Only if chosen: with a short pong timeout the default does no harm but to functions that are slow.
        chosen = "rpc_timeout_s" in self.runtime.model_fields_set
        if chosen and self.runtime.rpc_timeout_s >= self.socket.pong_timeout_s:
            problems.append("runtime.rpc_timeout_s must be shorter than socket.pong_timeout_s")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def default_keys(self) -> list[str]:
        """Names of the shared secrets that still have their published default."""
        found = []
        if self.socket.server_key.get_secret_value() == DEFAULT_SERVER_KEY:
            found.append("socket.server_key")
        if self.runtime.http_key.get_secret_value() == DEFAULT_HTTP_KEY:
            found.append("runtime.http_key")
        return found


class ConfigError(Exception):
    """The configuration cannot be used; `problems` has one line per key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def load(path: Path | None = None, flags: dict[str, Any] | None = None) -> Settings:
    """Read file, environment and flags. Raises `ConfigError` that names every problem with its key."""

    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path))

    if path is not None and not path.is_file():
        raise ConfigError([f"--config: no such file: {path}"])
    try:
        return FromFile(**(flags or {}))
    except ValidationError as error:
        # Input values may be secrets, so only key and message are told.
        raise ConfigError(
            [
                f"{'.'.join(str(part) for part in item['loc']) or 'settings'}: {item['msg']}"
                for item in error.errors()
            ]
        ) from None
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"]) from None
