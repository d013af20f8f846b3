"""Routes: the table from message class to handler, filled by a decorator, joined explicitly."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Generic, TypeVar, overload

from protocol.message import Message
from protocol.messages import UserPresence
from server.effects import Effects
from server.world import World

M = TypeVar("M", bound=Message)

Handled = Effects | Coroutine[Any, Any, Effects]
"""A handler that awaits a port gives a coroutine; all others finish at once."""
Handler = Callable[[World, UserPresence, Any], Handled]


class _Registration(Generic[M]):
    """Takes the handler of one message class, and hands it back unchanged."""

    def __init__(self, table: dict[type[Message], Handler], message: type[M]) -> None:
        self._table = table
        self._message = message

    @overload
    def __call__(
        self, handler: Callable[[World, UserPresence, M], Effects]
    ) -> Callable[[World, UserPresence, M], Effects]: ...

    @overload
    def __call__(
        self, handler: Callable[[World, UserPresence, M], Coroutine[Any, Any, Effects]]
    ) -> Callable[[World, UserPresence, M], Coroutine[Any, Any, Effects]]: ...

    @overload
    def __call__(
        self, handler: Callable[[World, UserPresence, M], Handled]
    ) -> Callable[[World, UserPresence, M], Handled]: ...

    def __call__(self, handler: Handler) -> Handler:
        if self._message in self._table:
            raise ValueError(f"{self._message.__name__} has two handlers")
        self._table[self._message] = handler
        return handler


class Routes:
    """The handlers of one topic."""

    def __init__(self) -> None:
        self.table: dict[type[Message], Handler] = {}

    def on(self, message: type[M]) -> _Registration[M]:
        """Decorate the handler of a message class. Raises ValueError if it has one."""
        return _Registration(self.table, message)


def join(topics: Iterable[Routes]) -> Mapping[type[Message], Handler]:
    """One table of several topics. Raises ValueError if a message has two handlers."""
    table: dict[type[Message], Handler] = {}
    for topic in topics:
        for message, handler in topic.table.items():
            if message in table:
                raise ValueError(f"{message.__name__} has two handlers")
            table[message] = handler
    return table
