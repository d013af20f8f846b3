"""Routes: the table from message class to handler, filled by a decorator, joined explicitly."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from protocol.message import Message
from protocol.messages import UserPresence
from server.effects import Effects
from server.world import World

M = TypeVar("M", bound=Message)

Handled = Effects | Coroutine[Any, Any, Effects]
"""A handler that awaits a port is a coroutine function; all others finish at once."""
Handler = Callable[[World, UserPresence, Any], Handled]


class Routes:
    """The handlers of one topic."""

    def __init__(self) -> None:
        self.table: dict[type[Message], Handler] = {}

    def on(
        self, message: type[M]
    ) -> Callable[[Callable[[World, UserPresence, M], Handled]], Callable[[World, UserPresence, M], Handled]]:
        """Register the handler of a message class. Raises ValueError if it has one."""

        def register(
            handler: Callable[[World, UserPresence, M], Handled],
        ) -> Callable[[World, UserPresence, M], Handled]:
            if message in self.table:
                raise ValueError(f"{message.__name__} has two handlers")
            self.table[message] = handler
            return handler

        return register


def join(topics: Iterable[Routes]) -> Mapping[type[Message], Handler]:
    """One table of several topics. Raises ValueError if a message has two handlers."""
    table: dict[type[Message], Handler] = {}
    for topic in topics:
        for message, handler in topic.table.items():
            if message in table:
                raise ValueError(f"{message.__name__} has two handlers")
            table[message] = handler
    return table
