"""The same work on websockets' own asyncio server: verify a token, answer pings, relay match data.

As its documentation shows it: one handler per connection, `broadcast()` to a room; uvloop, no compression,
and orjson, so that only the engines differ.
"""

import asyncio
import os
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import orjson
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.http11 import Request, Response

SECRET = bytes.fromhex(os.environ["BENCH_SECRET"])
rooms: dict[str, dict[ServerConnection, dict[str, Any]]] = {}
players: dict[ServerConnection, dict[str, Any]] = {}


def authenticate(connection: ServerConnection, request: Request) -> Response | None:
    token = parse_qs(urlsplit(request.path).query).get("token", [""])[0]
    try:
        claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        return connection.respond(HTTPStatus.UNAUTHORIZED, "Missing or invalid token\n")
    players[connection] = {
        "user_id": claims["uid"],
        "session_id": claims["tid"],
        "username": claims["usn"],
    }
    return None


async def play(connection: ServerConnection) -> None:
    me = players[connection]
    joined: set[str] = set()
    try:
        async for text in connection:
            envelope = orjson.loads(text)
            if "ping" in envelope:
                await connection.send(orjson.dumps({"cid": envelope["cid"], "pong": {}}), text=True)
            elif "match_create" in envelope:
                room = envelope["match_create"]["name"]
                rooms.setdefault(room, {})[connection] = me
                joined.add(room)
                answer = {"cid": envelope["cid"], "match": {"match_id": room, "self": me}}
                await connection.send(orjson.dumps(answer), text=True)
            elif "match_data_send" in envelope:
                relay(connection, envelope["match_data_send"])
    finally:
        del players[connection]
        for room in joined:
            del rooms[room][connection]


def relay(connection: ServerConnection, sent: dict[str, Any]) -> None:
    members = rooms[sent["match_id"]]
    data = {
        "match_id": sent["match_id"],
        "presence": members[connection],
        "op_code": sent["op_code"],
        "data": sent["data"],
    }
    named = {presence["session_id"] for presence in sent.get("presences", ())}
    if named:
        to = [member for member, presence in members.items() if presence["session_id"] in named]
    else:
        to = [member for member in members if member is not connection]
    broadcast(to, orjson.dumps({"match_data": data}), text=True)


async def main() -> None:
    async with serve(
        play, "127.0.0.1", 0, compression=None, process_request=authenticate, backlog=4096
    ) as server:
        print(f"ready {server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201  the parent reads it
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main())
