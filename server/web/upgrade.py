"""Who gets a socket: a token becomes a session, and the TCP connection changes hands (`handover.py`).

Whoever finds no room is sent away first, before anything they show is looked at.
"""

from aiohttp import web

from protocol.envelope import Format
from protocol.messages import UserPresence
from server.ids import Ids
from server.sessions.registry import Registry
from server.transport.handshake import VERSION, accept
from server.web.entrance import Entrance
from server.web.handover import Switched, detach
from server.web.parameters import TRUE
from server.web.socket_callers import SocketCallers
from server.web.sockets import Sockets, Terms

FORMATS = {"": Format.JSON, "json": Format.JSON, "protobuf": Format.PROTOBUF}
"""Values of the `format` parameter."""
DEFAULT_LANG = "en"
MAX_LANG = 18


class Upgrade:
    """The handler of `GET /ws`."""

    def __init__(
        self,
        callers: SocketCallers,
        registry: Registry,
        sockets: Sockets,
        ids: Ids,
        entrance: Entrance,
    ) -> None:
        self._callers = callers
        self._registry = registry
        self._sockets = sockets
        self._ids = ids
        self._entrance = entrance
        self.accepting = True
        """False while the server drains: new sockets are sent away with 503."""
        self.refused = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if not self.accepting:
            return self._refuse(503, "Server is shutting down", {"Retry-After": "5"})
        address = self._entrance.addresses.of(request)
        if retry_after_s := self._entrance.judge(address):
            return self._refuse(503, "Too many connections", {"Retry-After": str(retry_after_s)})
        # Before anything that is told of the request, because it uses a ticket up, whatever comes of it.
        caller = self._callers.of(request)
        form = FORMATS.get(request.query.get("format", ""))
        if form is None:
            return self._refuse(400, "Invalid format parameter")
        if caller is None:
            return self._refuse(401, "Missing or invalid token")
        try:
            agreed = self._sockets.agree(", ".join(request.headers.getall("Sec-WebSocket-Extensions", ())))
        except ValueError:
            return self._refuse(400, "Bad Request")
        answer = accept(request.headers, caller.subprotocol, agreed.header if agreed else "")
        if answer is None or request.transport is None:
            return self._refuse(400, "Bad Request", {"Sec-Websocket-Version": VERSION})
        terms = Terms(
            caller.claims,
            form,
            agreed,
            address=address,
            lang=request.query.get("lang", "")[:MAX_LANG] or DEFAULT_LANG,
        )
        self._hand_over(request, answer, terms)
        return Switched()

    def _hand_over(self, request: web.Request, answer: bytes, terms: Terms) -> None:
        # From detaching to the open session nothing may await, so that no byte and no close is missed.
        claims = terms.claims
        me = UserPresence(user_id=claims.user_id, session_id=self._ids.session_id(), username=claims.username)
        resumed = self._registry.resumable(claims.family_id)
        if resumed is None:
            session, socket = self._sockets.make(self._registry, me, terms)
        else:
            session, socket = resumed, self._sockets.connect(resumed, terms)
            session.address, session.lang = terms.address, terms.lang
        transport, behind = detach(request)
        transport.set_protocol(socket)
        try:
            transport.write(answer)
            socket.connection_made(transport)
            self._sockets.keepalive.add(socket, self._ids.jitter(), self._entrance.enter(terms.address))
            if resumed is None:
                self._registry.open(session, appear=request.query.get("status", "") in TRUE)
            else:
                self._registry.resume(session, socket, terms.form, claims.expires_at)
            if behind:
                socket.data_received(behind)
        except BaseException:
            transport.abort()  # nobody else would: aiohttp has forgotten it
            raise

    def _refuse(self, status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
        self.refused += 1
        return web.Response(
            status=status,
            text=f"{text}\n",
            headers={"X-Content-Type-Options": "nosniff", **(headers or {})},
            content_type="text/plain",
            charset="utf-8",
        )
