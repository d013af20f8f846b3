"""A server for the swarm to load that does wrong on purpose: issuer, bridge and relay in one aiohttp site.

It speaks the wire by hand and through aiohttp, so that the swarm's own code is not on both sides.
"""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import ClientConnectionResetError, WSMsgType, web

Fault = Callable[[int, dict[str, Any]], list[dict[str, Any]]]
"""(how many messages were relayed before, a `match_data`) -> what is delivered in its place."""

Member = tuple[web.WebSocketResponse, dict[str, str]]
"""A socket in a match, and who is at its other end."""


def faithful(_count: int, data: dict[str, Any]) -> list[dict[str, Any]]:
    return [data]


class FaultySite:
    """Relays match data through `fault`.

    `refuse` names a step that fails: info, sign-in, bridge, ws or match.
    """

    def __init__(self, fault: Fault = faithful, refuse: str = "") -> None:
        self.fault = fault
        self.refuse = refuse
        self.users: set[str] = set()
        self.said: Counter[str] = Counter()
        """Messages of clients by member."""
        self.relayed = 0
        self._rooms: dict[str, list[Member]] = {}

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/_dev/info", self._info)
        app.router.add_post("/", self._cognito)
        app.router.add_post("/v2/account/authenticate/custom", self._bridge)
        app.router.add_get("/ws", self._socket)
        app.router.add_get("/metrics", self._metrics)
        return app

    async def _info(self, _request: web.Request) -> web.Response:
        return web.json_response({} if self.refuse == "info" else {"client_id": "c", "pool": "p"})

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(text="process_cpu_seconds_total 1.0\nprocess_resident_memory_bytes 1048576.0\n")

    async def _cognito(self, request: web.Request) -> web.Response:
        body = json.loads(await request.text())
        name = body.get("Username") or body["AuthParameters"]["USERNAME"]
        if request.headers["X-Amz-Target"].endswith(".SignUp"):
            if name in self.users:
                return web.json_response({"__type": "UsernameExistsException"}, status=400)
            self.users.add(name)
            return web.json_response({"UserConfirmed": True})
        if self.refuse == "sign-in":
            return web.json_response({"__type": "NotAuthorizedException"}, status=400)
        return web.json_response({"AuthenticationResult": {"AccessToken": f"jwt-of-{name}"}})

    async def _bridge(self, request: web.Request) -> web.Response:
        if self.refuse == "bridge" or not request.headers.get("Authorization", "").startswith("Basic "):
            return web.json_response({"code": 16, "message": "Identity token invalid"}, status=401)
        identity = (await request.json())["id"]
        return web.json_response({"token": f"session-{identity}", "created": True})

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self.refuse == "ws":
            return web.Response(status=401, text="Missing or invalid token\n")
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        me = {"user_id": request.query["token"], "session_id": uuid.uuid4().hex, "username": "u"}
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                await self._answer(socket, me, json.loads(frame.data))
        await self._leave(socket, me)
        return socket

    async def _answer(
        self, socket: web.WebSocketResponse, me: dict[str, str], envelope: dict[str, Any]
    ) -> None:
        cid = envelope.pop("cid", "")
        ((name, body),) = envelope.items()
        self.said[name] += 1
        if name == "ping":
            await socket.send_json({"cid": cid, "pong": {}})
        elif name == "match_data_send":
            await self._relay(socket, me, body)
        elif self.refuse == "match":
            await socket.send_json({"cid": cid, "error": {"code": 4, "message": "Match not found"}})
        else:
            # Who asks for a new match by the same name gets the same one.
            named = str(body.get("name") or uuid.uuid4())
            match_id = body.get("match_id", f"{uuid.uuid5(uuid.NAMESPACE_OID, named)}.")
            room = self._rooms.setdefault(match_id, [])
            present = [who for _, who in room]
            room.append((socket, me))
            match = {"match_id": match_id, "size": len(room), "self": me, "presences": present}
            await socket.send_json({"cid": cid, "match": match})
            await self._tell(room, {"match_id": match_id, "joins": [me]})

    async def _leave(self, socket: web.WebSocketResponse, me: dict[str, str]) -> None:
        for match_id, room in self._rooms.items():
            if (socket, me) in room:
                room.remove((socket, me))
                await self._tell(room, {"match_id": match_id, "leaves": [me]})

    async def _tell(self, room: list[Member], event: dict[str, Any]) -> None:
        for socket, _ in list(room):
            with suppress(ClientConnectionResetError):
                await socket.send_json({"match_presence_event": event})

    async def _relay(self, sender: web.WebSocketResponse, me: dict[str, str], body: dict[str, Any]) -> None:
        data: dict[str, Any] = {key: body[key] for key in ("match_id", "op_code", "data") if key in body}
        others = [socket for socket, _ in self._rooms[body["match_id"]] if socket is not sender]
        for socket in others:
            delivered = self.fault(self.relayed, {**data, "presence": me})
            self.relayed += 1
            for each in delivered:
                with suppress(ClientConnectionResetError):
                    await socket.send_json({"match_data": each})

    async def close_all(self) -> None:
        """Close every socket as a draining server does."""
        sockets = [socket for room in self._rooms.values() for socket, _ in room]
        await asyncio.gather(*(socket.close(code=4001, message=b"server restarting") for socket in sockets))


@asynccontextmanager
async def serving(site: FaultySite) -> AsyncIterator[str]:
    """The site's address while it is up."""
    runner = web.AppRunner(site.app(), shutdown_timeout=1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
