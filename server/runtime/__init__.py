"""What a game module may import: matches that run on the server, remote calls and hooks, and their values.

Everything here is a promise to game code. `messages.py` beside it has the messages that hooks are for,
`testing.py` runs a match without a server.
"""

from server.core.function import Caller, FunctionError
from server.runtime.api import (
    GameServer,
    MatchInfo,
    NoSuchMatch,
    NotPossible,
    Presence,
    Storage,
    Stream,
    server,
)
from server.runtime.context import Context
from server.runtime.dispatcher import Dispatcher, TooMuch
from server.runtime.hooks import (
    Identity,
    after,
    before,
    before_authenticate,
    matchmaker_matched,
    rpc,
    session_end,
    session_start,
)
from server.runtime.match import Match
from server.runtime.objects import (
    ANY_VERSION,
    ONLY_NEW,
    Ack,
    ObjectId,
    ObjectsRefused,
    ObjectWrite,
    Readable,
    StoredObject,
    VersionConflict,
    Writable,
)
from server.runtime.players import Input, Player
from server.runtime.replica import Gap, Replica
from server.runtime.sync import Form, Synced

__all__ = [
    "ANY_VERSION",
    "ONLY_NEW",
    "Ack",
    "Caller",
    "Context",
    "Dispatcher",
    "Form",
    "FunctionError",
    "GameServer",
    "Gap",
    "Identity",
    "Input",
    "Match",
    "MatchInfo",
    "NoSuchMatch",
    "NotPossible",
    "ObjectId",
    "ObjectWrite",
    "ObjectsRefused",
    "Player",
    "Presence",
    "Readable",
    "Replica",
    "Storage",
    "StoredObject",
    "Stream",
    "Synced",
    "TooMuch",
    "VersionConflict",
    "Writable",
    "after",
    "before",
    "before_authenticate",
    "matchmaker_matched",
    "rpc",
    "server",
    "session_end",
    "session_start",
]
