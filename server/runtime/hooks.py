"""Marks on the functions of a game module: when the server calls them.

    @rpc
    async def greet(caller: Caller, payload: str) -> str:
        return f"Hello {caller.username}"

A mark only remembers; the loader finds marked functions when it looks through the game's modules. All of them
may be `async` or plain. A plain one must be quick: nothing else runs while it does.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar, overload

from protocol.message import Message
from protocol.messages import MatchmakerUser
from server.core.function import Caller

M = TypeVar("M", bound=Message)
T = TypeVar("T")


class Identity(Protocol):
    """Who an identity token says that somebody is."""

    @property
    def issuer(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def claims(self) -> Mapping[str, Any]: ...


Answer = str | bool | float | Mapping[str, Any] | Sequence[Any] | None
"""What a remote call answers: text as it is, anything else as JSON; None is empty."""
RpcFunction = Callable[[Caller, str], Awaitable[Answer] | Answer]
BeforeHook = Callable[[Caller, M], Awaitable[M | None] | M | None]
AfterHook = Callable[[Caller, M, Message | None], Awaitable[None] | None]
MatchedHook = Callable[[Sequence[MatchmakerUser]], Awaitable[str | None] | str | None]
SessionStartHook = Callable[[Caller], Awaitable[None] | None]
SessionEndHook = Callable[[Caller, str], Awaitable[None] | None]
AuthenticateHook = Callable[[Identity], Awaitable[str | None] | str | None]

R = TypeVar("R", bound=RpcFunction)
H = TypeVar("H", bound=MatchedHook)
S = TypeVar("S", bound=SessionStartHook)
E = TypeVar("E", bound=SessionEndHook)
A = TypeVar("A", bound=AuthenticateHook)


class Kind(StrEnum):
    """When a marked function is called."""

    RPC = "rpc"
    BEFORE = "before"
    AFTER = "after"
    MATCHMAKER_MATCHED = "matchmaker_matched"
    SESSION_START = "session_start"
    SESSION_END = "session_end"
    BEFORE_AUTHENTICATE = "before_authenticate"


@dataclass(frozen=True, slots=True)
class Mark:
    """`name`: of a remote call, or of the message that a hook is for. `message`: its class."""

    kind: Kind
    name: str = ""
    message: type[Message] = Message


ATTRIBUTE = "__lockgate_marks__"


def marks_of(thing: object) -> Sequence[Mark]:
    """The marks of a function of a game module; empty for everything else."""
    marks = getattr(thing, ATTRIBUTE, ()) if callable(thing) else ()
    return marks if isinstance(marks, tuple) else ()


def _mark(function: T, mark: Mark) -> T:
    setattr(function, ATTRIBUTE, (*marks_of(function), mark))
    return function


@overload
def rpc(function: R) -> R: ...
@overload
def rpc(function: str) -> Callable[[R], R]: ...
def rpc(function: R | str) -> R | Callable[[R], R]:
    """A function that clients call by its name, `@rpc`, or by another one, `@rpc("name")`; case is ignored.

    It is given who calls and the payload. Raise `FunctionError` to refuse with a text for the caller.
    """
    if isinstance(function, str):
        return lambda marked: _mark(marked, Mark(Kind.RPC, function))
    return _mark(function, Mark(Kind.RPC, getattr(function, "__name__", "")))


class before(Generic[M]):  # noqa: N801  # read as a decorator
    """Called before a message of this class is handled: return it, changed or not, and it goes on.

    None disables it: the sender's socket is closed. Raise `FunctionError` to refuse with a text.
    """

    def __init__(self, message: type[M]) -> None:
        self._mark = Mark(Kind.BEFORE, _wire_name(message), message)

    def __call__(self, hook: BeforeHook[M]) -> BeforeHook[M]:
        return _mark(hook, self._mark)


class after(Generic[M]):  # noqa: N801  # read as a decorator
    """Called after a message of this class was handled without an error, with the reply if it has one."""

    def __init__(self, message: type[M]) -> None:
        self._mark = Mark(Kind.AFTER, _wire_name(message), message)

    def __call__(self, hook: AfterHook[M]) -> AfterHook[M]:
        return _mark(hook, self._mark)


def matchmaker_matched(hook: H) -> H:
    """Called with the players of a match that the matchmaker made. Returns the id of the match to play in.

    With None they are given a relayed one.
    """
    return _mark(hook, Mark(Kind.MATCHMAKER_MATCHED))


def session_start(hook: S) -> S:
    """Called when a player's socket has opened."""
    return _mark(hook, Mark(Kind.SESSION_START))


def session_end(hook: E) -> E:
    """Called when a player's socket has ended, with the reason of its close."""
    return _mark(hook, Mark(Kind.SESSION_END))


def before_authenticate(hook: A) -> A:
    """Called with a verified identity, before its account is looked for. A text refuses it: the reason."""
    return _mark(hook, Mark(Kind.BEFORE_AUTHENTICATE))


def _wire_name(message: type[Message]) -> str:
    if message.from_client is None:
        raise ValueError(f"{message.__name__} is no message that clients send")
    return message.from_client.name
