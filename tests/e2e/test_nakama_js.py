"""The unmodified JavaScript SDK, under Node, against a server of its own process."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.support.node import run_script
from tests.support.running import RunningServer, running_server

SERVER_KEY = "a-key-of-this-test-alone"

TWO_PLAYERS = [
    "sign in",
    "sign in again finds the account",
    "read the account",
    "connect",
    "follow each other's status",
    "see status updates",
    "create a match",
    "join the match",
    "see each other's presence",
    "exchange text",
    "exchange bytes",
    "keep the order of many",
    "send to one member alone",
    "refuse a match that is not there",
    "see who leaves",
    "refresh the session",
    "log out",
    "a logged-out token opens nothing",
    "the other player plays on",
]
TAKEOVER = [
    "connect and meet",
    "the older socket is told, then closed",
    "a follower sees the old leave before the new joins",
    "the match has lost the older socket",
    "the newer socket works",
]

IDENTITIES = [
    "sign in",
    "the only identity cannot be unlinked",
    "link a second identity, twice",
    "either identity signs in to one account",
    "unlink it",
    "then it is another player, and in use",
    "a plain custom id is refused",
]

SOCKET_REFRESH = [
    "sign in and connect",
    "be warned",
    "another player's token is refused",
    "refresh on the socket",
    "the socket outlives its first token",
    "show a session token that was had over HTTP",
    "without a refresh it is warned again, and closed",
]
STRICT = {"LOCKGATE_SESSION__SOCKET_EXPIRY": "strict", "LOCKGATE_SESSION__TOKEN_TTL_S": "6"}

TABS = [
    "sign in, and restore the session in two tabs",
    "both refresh at once and have the same",
    "both work on",
    "a third tab, late but within the grace time, has the same too",
    "one tab refreshes again, and then the other with what it has",
    "logging out in one tab closes the socket of the other",
    "then no tab has a login any more",
]

PARTIES = [
    "connect",
    "open a party and see oneself in it",
    "join it, seen by both",
    "exchange data",
    "search together and stop",
    "a change of members cancels the search",
    "promote the other",
    "only the leader leads",
    "the leader leaves and the other leads",
    "a full party refuses",
    "close it for all",
    "ask to join a closed one",
    "be turned down, and ask again",
    "be accepted",
    "be removed",
    "find open parties over HTTP",
    "whoever disconnects has left",
]

MATCHMAKER = [
    "connect",
    "search for each other by what they are",
    "both are told of both",
    "the token leads into one match",
    "who asks for others is not matched",
    "withdraw a search",
    "impossible searches are refused",
]
QUICK_ROUNDS = {"LOCKGATE_MATCHMAKER__INTERVAL_S": "0.2"}

AUTO_REFRESH = [
    "sign in and connect",
    "call across several expiries",
    "call many times at once",
    "the session has other tokens now",
    "the first token is over",
    "the socket lives with its login",
]
SHORT_LIVED = {"LOCKGATE_SESSION__TOKEN_TTL_S": "2", "LOCKGATE_SESSION__REFRESH_BURST": "100"}


CHANNELS = [
    "sign in and connect",
    "join a room and see each other",
    "what is said reaches both, the sender included",
    "change it and take it back",
    "nobody else may",
    "read the history in either direction",
    "ask for what has come since",
    "what is not kept is only heard",
    "a hidden member hears and is not seen",
    "bad names and contents are refused",
    "a direct conversation begins with a notification",
    "and is nobody else's",
    "list notifications and delete them",
    "leave",
]
OBJECTS = [
    "sign in",
    "write two objects and read them back",
    "change one in the version that is known",
    "a version that is over changes nothing",
    "what is no object is refused",
    "another player reads what is public",
    "and has own objects under the same names",
    "list page by page",
    "what no client may change stays",
    "delete one's own, if it is there",
]


def given(server: RunningServer, formats: tuple[str, str]) -> dict[str, Any]:
    """What a story is told: where the server is, two players' tokens, and how their sockets speak."""
    players = {}
    for name, spoken in zip(("alice", "bob"), formats, strict=True):
        token = server.identity_token(name)
        claims = jwt.decode(token, options={"verify_signature": False})
        players[name] = {"jwt": token, "sub": claims["sub"], "format": spoken}
    return {"host": server.host, "port": str(server.port), "server_key": SERVER_KEY, **players}


def tell(story: Path, told: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Run a story. Returns its steps, all of which held, and the tokens it was given by the server."""
    done = run_script(story, json.dumps(told))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [f"{line['step']}: {line['error']}" for line in lines if "error" in line]
    assert (failed, done.returncode) == ([], 0), done.stderr
    return [line["step"] for line in lines if "step" in line], lines[-1]["secrets"]


JSON = ("json", "json")
PROTOBUF = ("protobuf", "protobuf")
MIXED = ("protobuf", "json")


@pytest.mark.parametrize(
    ("script", "steps", "environment", "formats"),
    [
        ("two_players.mjs", TWO_PLAYERS, {}, JSON),
        ("two_players.mjs", TWO_PLAYERS, {}, PROTOBUF),
        ("two_players.mjs", TWO_PLAYERS, {}, MIXED),
        ("takeover.mjs", TAKEOVER, {}, JSON),
        ("takeover.mjs", TAKEOVER, {}, PROTOBUF),
        ("matchmaker.mjs", MATCHMAKER, QUICK_ROUNDS, JSON),
        ("matchmaker.mjs", MATCHMAKER, QUICK_ROUNDS, PROTOBUF),
        ("matchmaker.mjs", MATCHMAKER, QUICK_ROUNDS, MIXED),
        ("parties.mjs", PARTIES, {}, JSON),
        ("parties.mjs", PARTIES, {}, PROTOBUF),
        ("parties.mjs", PARTIES, {}, MIXED),
        ("identities.mjs", IDENTITIES, {}, JSON),
        ("tabs.mjs", TABS, {}, JSON),
        ("socket_refresh.mjs", SOCKET_REFRESH, STRICT, JSON),
        ("socket_refresh.mjs", SOCKET_REFRESH, STRICT, PROTOBUF),
        ("channels.mjs", CHANNELS, {}, JSON),
        ("channels.mjs", CHANNELS, {}, PROTOBUF),
        ("channels.mjs", CHANNELS, {}, MIXED),
        ("objects.mjs", OBJECTS, {}, JSON),
        ("auto_refresh.mjs", AUTO_REFRESH, SHORT_LIVED, JSON),
    ],
)
def test_the_javascript_sdk_plays_the_whole_story(
    sdk: Path,
    tmp_path: Path,
    script: str,
    steps: list[str],
    environment: dict[str, str],
    formats: tuple[str, str],
) -> None:
    environment = {"LOCKGATE_SOCKET__SERVER_KEY": SERVER_KEY, **environment}
    with running_server(tmp_path, environment=environment) as server:
        told = given(server, formats)
        held, secrets = tell(sdk / script, told)

    assert held == steps
    assert all(len(secret) > 100 for secret in secrets)
    secrets += [told["alice"]["jwt"], told["bob"]["jwt"], SERVER_KEY, "token=", "status="]
    assert [secret for secret in secrets if secret in server.output] == []
    assert [event for event in server.events if event["level"] == "error"] == []
