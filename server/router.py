"""From a payload to effects: decode, look the handler up, and turn failures into answers or a close.

The only place on the socket's side that translates exceptions (`protocol/errors.py`). It knows neither
sockets nor sessions; `perform.py` carries out what it returns.
"""

from collections import Counter
from collections.abc import Callable, Container, Coroutine, Mapping
from typing import Any, Protocol

import structlog

from protocol.envelope import Format, decode
from protocol.errors import ErrorCode, ProtocolError, RequestError
from protocol.message import Message
from protocol.messages import INCOMING, Error, UserPresence
from server.effects import Disconnect, Effects, Reply
from server.message_limits import CLASSES, MessageLimits
from server.routes import Handled, Handler
from server.world import World

log = structlog.get_logger("lockgate.router")

Work = Coroutine[Any, Any, Effects]
"""A handler that awaits something."""


class Pending:
    """A request whose handler awaits something. Await `finish` or `close` it."""

    def __init__(self, router: "Router", me: UserPresence, message: Message, work: Work) -> None:
        self._router = router
        self._me = me
        self._message = message
        self._work = work

    async def finish(self) -> Effects:
        """What the handler made of the request, failures included. Raises nothing but cancellation."""
        return await self._router.finish(self._me, self._message, self._work)

    def close(self) -> None:
        """Give the request up, if it has not begun."""
        self._work.close()


class Hooks(Protocol):
    """Game code around messages."""

    @property
    def messages(self) -> Container[type[Message]]:
        """The classes of messages that there is game code for."""
        ...

    async def around(
        self, me: UserPresence, message: Message, handle: Callable[[Message], Handled]
    ) -> Effects:
        """Handle a message with the game code before and after it. Raises RequestError and ProtocolError."""
        ...


class NoHooks:
    """What there is of the port `Hooks` without game code."""

    messages: Container[type[Message]] = ()

    async def around(
        self, _me: UserPresence, message: Message, handle: Callable[[Message], Handled]
    ) -> Effects:
        handled = handle(message)
        return handled if isinstance(handled, list) else await handled


NO_LIMITS = MessageLimits(dict.fromkeys(CLASSES, 0), now=lambda: 0.0)

Answer = tuple[str, Effects | Pending]
"""The cid that replies carry, and what the handler made of the request."""


class Router:
    """Dispatches what clients send. Raises ValueError if an incoming message has no handler."""

    def __init__(
        self,
        world: World,
        table: Mapping[type[Message], Handler],
        hooks: Hooks | None = None,
        limits: MessageLimits | None = None,
    ) -> None:
        if missing := {message.__name__ for message in INCOMING.values() if message not in table}:
            raise ValueError(f"messages without a handler: {', '.join(sorted(missing))}")
        self._world = world
        self._table = table
        self._hooks = hooks or NoHooks()
        self._limits = limits or NO_LIMITS
        self.handled: Counter[type[Message]] = Counter()
        """Messages by class, for the metrics."""
        self.refused: Counter[int] = Counter()
        """Error envelopes by code."""

    def answer(self, me: UserPresence, payload: bytes, form: Format = Format.JSON) -> Answer:
        """What to do about one message, now or when it is finished. Never raises."""
        try:
            envelope = decode(payload, form)
        except ProtocolError as error:
            return self._hang_up(me, error)
        message = envelope.message
        if message is None:
            raise AssertionError("decode() refuses an envelope without a message")
        self.handled[type(message)] += 1
        try:
            if type(message) in self._limits.classes:
                self._limits.check(me.user_id, type(message))
            if type(message) in self._hooks.messages:
                return envelope.cid, Pending(self, me, message, self._hooked(me, message))
            handled = self._table[type(message)](self._world, me, message)
        except RequestError as error:
            return envelope.cid if error.keep_cid else "", self._refuse(error)
        except Exception:
            return envelope.cid, self._bug(me, message)
        if isinstance(handled, list):
            return envelope.cid, handled
        return envelope.cid, Pending(self, me, message, handled)

    def refuse(self, me: UserPresence, payload: bytes, form: Format, reason: str) -> tuple[str, Effects]:
        """What to answer to one message that is not to be handled. Never raises."""
        try:
            return decode(payload, form).cid, self._refuse(RequestError(ErrorCode.BAD_INPUT, reason))
        except ProtocolError as error:
            return self._hang_up(me, error)

    async def finish(self, me: UserPresence, message: Message, work: Work) -> Effects:
        """Await a handler. Raises nothing but cancellation."""
        try:
            return await work
        except RequestError as error:
            return self._refuse(error)
        except ProtocolError as error:
            return self._ended(me, error)
        except Exception:
            return self._bug(me, message)

    async def _hooked(self, me: UserPresence, message: Message) -> Effects:
        return await self._hooks.around(
            me, message, lambda changed: self._table[type(changed)](self._world, me, changed)
        )

    def _refuse(self, error: RequestError) -> Effects:
        self.refused[error.code] += 1
        return [Reply(Error(code=error.code, message=error.message))]

    def _bug(self, me: UserPresence, message: Message) -> Effects:
        log.exception(
            "handler_failed", message=type(message).__name__, user_id=me.user_id, session_id=me.session_id
        )
        return self._refuse(RequestError(ErrorCode.RUNTIME_EXCEPTION, "Internal error"))

    def _hang_up(self, me: UserPresence, error: ProtocolError) -> tuple[str, Effects]:
        return error.cid, self._ended(me, error)

    def _ended(self, me: UserPresence, error: ProtocolError) -> Effects:
        told = [] if error.code is None else self._refuse(RequestError(error.code, error.message))
        return [*told, Disconnect(me.session_id, error.reason)]
