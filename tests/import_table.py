"""Who may import whom, as data: the import table of the house.

It is read from the inside out: a package may import itself, the standard library, and what its row names. A
row may gain a package further in, with its reason in the commit, never one further out.
"""

from tests.support.architecture import Row

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
        "protocol",
        "server.ids",
        "server.tasks",
        "server.runtime.objects",  # the values that game code is handed are those that are stored
        libraries=("sqlalchemy", "alembic", "aiosqlite", "asyncpg"),
    ),
    "server.cluster": shell("protocol"),
    "server.effects": pure("protocol", libraries=("msgspec",)),
    # `core.function` is what a remote call is, for game code too.
    "server.runtime": pure("protocol", "server.core.function", libraries=("msgspec",)),
    "server.core": pure("protocol", "server.effects"),
    "server.world": pure("protocol", "server.core"),  # ports take messages as they are
    "server.routes": pure("protocol", "server.effects", "server.world"),
    "server.handlers": Row(
        inside=frozenset(
            {"protocol", "server.core", "server.effects", "server.world", "server.routes", *LEAVES}
        ),
        banned=CHANCE | SOCKETS,
    ),
    "server.message_limits": pure("protocol"),
    "server.router": shell(
        "protocol",
        "server.effects",
        "server.world",
        "server.routes",
        "server.message_limits",
        "server.observe",
    ),
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
        "protocol",
        "server.core",
        "server.runtime",
        "server.effects",
        "server.clock",
        "server.tasks",
        "server.observe",
    ),
    # What the game's code is called by, and what it may ask of the server.
    "server.game": shell(
        "protocol",
        "server.clock",
        "server.core",
        "server.effects",
        "server.ids",
        "server.matches",
        "server.observe",
        "server.routes",
        "server.runtime",
        "server.sessions.notices",
        "server.storage.failures",
        "server.storage.kept_matches",
        "server.storage.objects",
        "server.tasks",
        "server.world",
        libraries=("msgspec",),
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
        "server.runtime.objects",  # what is stored, and why not
        "server.storage",
        "server.tasks",  # handshakes of TLS, and the watch over its certificate
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
    # Runs between the ticks of matches, of which it knows only when the next is due.
    "server.collector": shell("server.clock", "server.observe"),
    # Reads counts wherever they are kept, so it stands beside the composition root.
    "server.readings": Row(
        inside=frozenset(
            {
                "server.collector",
                "server.core",
                "server.eviction",
                "server.game",
                "server.identity",
                "server.matchmaking",
                "server.message_limits",
                "server.observe",
                "server.perform",
                "server.game.remote_calls",
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
    "server.gate": shell(
        "server.clock",
        "server.development",  # which limits there are none of while developing
        "server.identity",
        "server.ids",
        "server.storage",
        "server.tasks",
    ),
    # Commands that work on the database beside a running server.
    "server.operate": shell("server.clock", "server.ids", "server.storage"),
    # `lockgate replay`: a match without a server.
    "server.replaying": Row(inside=frozenset({"server.runtime", "server.matches.recorder"}), banned=CHANCE),
    "server.cli": shell(
        "server.replaying",
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
        libraries=frozenset({"aiohttp", "websockets", "uvloop", "msgspec"}),
    ),
}
"""The import table of the house."""

EXTRA = {
    # Every library has one address: replacing it touches one place.
    "loadtest.histogram": frozenset({"hdrh"}),
    "loadtest.exposition": frozenset({"prometheus_client"}),
    "loadtest.faces.live": frozenset({"rich"}),
    "loadtest.faces.drawing": frozenset({"plotly"}),
    "loadtest.plan_file": frozenset({"yaml"}),
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
    # Tells the certificate that it loads.
    "server.web.certificate": frozenset({"cryptography"}),
    # A generator that is seeded draws nothing by chance.
    "server.runtime.context": frozenset({"random"}),
    # A game's modules are files.
    "server.runtime.loader": frozenset({"pathlib"}),
}
"""What single modules may import beyond their package's row."""
