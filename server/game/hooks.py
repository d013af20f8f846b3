"""Calls the game's hooks: before and after messages, when players come and go, and when they were matched.

Implements the router's port `Hooks` and the matchmaker's `OnMatched`. The hooks may be replaced.
"""

import asyncio
from collections.abc import Callable, Container, Sequence
from functools import partial
from typing import Protocol

from protocol.close import CloseReason
from protocol.errors import ErrorCode, ProtocolError, RequestError
from protocol.message import Message
from protocol.messages import MatchmakerUser, UserPresence
from server.core.function import Caller, FunctionError
from server.effects import Effects, Reply
from server.game.fence import Fence, NoAnswer
from server.routes import Handled
from server.runtime.game import Game
from server.world import Connected, caller_of


class Session(Connected, Protocol):
    """A player's socket, open or just ended."""

    @property
    def presence(self) -> UserPresence: ...
    @property
    def close_text(self) -> str: ...


class GameHooks:
    """The hooks of one game. `answers` is for those that somebody waits for, `beside` for the others.

    `socket` finds the open socket of a session.
    """

    def __init__(
        self, game: Game, answers: Fence, beside: Fence, socket: Callable[[str], Connected | None]
    ) -> None:
        self._answers = answers
        self._beside = beside
        self._socket = socket
        self._starting: dict[str, asyncio.Event] = {}
        """Sessions whose beginning the game is being told of: their end is told after it."""
        self.replace(game)

    def replace(self, game: Game) -> None:
        """Call these hooks from now on."""
        self._game = game
        self._messages = frozenset({*game.before, *game.after})

    @property
    def messages(self) -> Container[type[Message]]:
        return self._messages

    async def around(
        self, me: UserPresence, message: Message, handle: Callable[[Message], Handled]
    ) -> Effects:
        """Handle a message with the game's code before and after it."""
        socket = self._socket(me.session_id)
        if socket is None:
            return []  # it has ended while its message waited
        caller = caller_of(me, socket)
        message = await self._before(caller, message)
        handled = handle(message)
        effects = handled if isinstance(handled, list) else await handled
        self._after(caller, message, effects)
        return effects

    async def matched(self, users: Sequence[MatchmakerUser]) -> str | None:
        """The id of the match that those who were matched are to play in; None for a relayed one."""
        hook = self._game.matchmaker_matched
        if hook is None:
            return None
        try:
            answer = await self._answers.call("matchmaker_matched", partial(hook, users))
        except (NoAnswer, FunctionError):
            return None
        return answer if isinstance(answer, str) else None

    def opened(self, session: Session) -> None:
        """A player's socket has opened."""
        if not self._game.session_start:
            return
        caller, started = caller_of(session.presence, session), asyncio.Event()

        async def tell() -> None:
            try:
                for hook in self._game.session_start:
                    await self._answers.call("session_start", partial(hook, caller))
            except (NoAnswer, FunctionError):
                return
            finally:
                started.set()
                self._starting.pop(caller.session_id, None)

        self._starting[caller.session_id] = started
        if not self._beside.start("session_start", tell):
            self._starting.pop(caller.session_id, None)

    def ended(self, session: Session) -> None:
        """A player's socket has ended."""
        if not self._game.session_end:
            return
        caller, reason = caller_of(session.presence, session), session.close_text
        started = self._starting.get(caller.session_id)

        async def tell() -> None:
            if started is not None:
                await started.wait()
            for hook in self._game.session_end:
                try:
                    await self._answers.call("session_end", partial(hook, caller, reason))
                except (NoAnswer, FunctionError):
                    continue

        self._beside.start("session_end", tell)

    async def _before(self, caller: Caller, message: Message) -> Message:
        hook = self._game.before.get(type(message))
        if hook is None:
            return message
        try:
            changed = await self._answers.call(_name("before", message), partial(hook, caller, message))
        except FunctionError as refusal:
            raise RequestError(ErrorCode.RUNTIME_FUNCTION_EXCEPTION, refusal.message) from None
        except NoAnswer:
            raise RequestError(ErrorCode.RUNTIME_FUNCTION_EXCEPTION, "Hook failed") from None
        if changed is None:
            raise ProtocolError(
                CloseReason.UNPROCESSABLE, ErrorCode.UNRECOGNIZED_PAYLOAD, "Requested resource was not found."
            )
        if type(changed) is not type(message):
            self._answers.misbehaved(_name("before", message), changed)
            raise RequestError(ErrorCode.RUNTIME_FUNCTION_EXCEPTION, "Hook failed")
        return changed

    def _after(self, caller: Caller, message: Message, effects: Effects) -> None:
        reply = next((effect.message for effect in effects if isinstance(effect, Reply)), None)
        for hook in self._game.after.get(type(message), ()):
            self._beside.start(_name("after", message), partial(hook, caller, message, reply))


def _name(hook: str, message: Message) -> str:
    return f"{hook}({type(message).__name__})"
