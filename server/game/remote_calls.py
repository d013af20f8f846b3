"""The functions that the game offers to players and to other servers, by name, behind a fence.

Implements the port `Functions` of `world.py`.
"""

from collections import Counter
from collections.abc import Mapping

from protocol.session_refresh import NAME as SESSION_REFRESH
from server.core.function import Caller, Function, FunctionError, NoSuchFunction
from server.game.fence import Fence, NoAnswer, Outcome, sayable

RESERVED = frozenset({SESSION_REFRESH})
"""Names of the server's own functions."""
CODE_INTERNAL, CODE_DEADLINE_EXCEEDED, CODE_RESOURCE_EXHAUSTED = 13, 4, 8
TOLD = {
    Outcome.FAILED: ("RPC function failed", CODE_INTERNAL),
    Outcome.LATE: ("RPC function timed out", CODE_DEADLINE_EXCEEDED),
    Outcome.FULL: ("Too many RPC functions are running", CODE_RESOURCE_EXHAUSTED),
}
"""What callers hear of a function that gave no answer."""


class RemoteCalls:
    """The registry of functions. Raises ValueError for a name that is empty, taken twice or reserved."""

    def __init__(self, functions: Mapping[str, Function], fence: Fence) -> None:
        self._fence = fence
        self.replace(functions)

    def replace(self, functions: Mapping[str, Function]) -> None:
        """Offer these from now on. Raises ValueError as the constructor, and changes nothing then."""
        named = {name.lower(): function for name, function in functions.items()}
        if len(named) != len(functions):
            raise ValueError("two functions have names that differ in case only")
        if bad := sorted({*RESERVED, ""} & named.keys()):
            raise ValueError(f"not a name for a function: {bad[0]!r}")
        self._functions = named

    @property
    def outcomes(self) -> Counter[Outcome]:
        return self._fence.outcomes

    @property
    def running(self) -> int:
        return self._fence.running

    def knows(self, name: str) -> bool:
        """Whether there is a function of this name, in any case."""
        return name.lower() in self._functions

    async def call(self, name: str, caller: Caller, payload: str) -> str:
        """The answer of the function called `name`, in any case. Raises FunctionError and NoSuchFunction."""
        name = name.lower()
        function = self._functions.get(name)
        if function is None:
            raise NoSuchFunction

        async def work() -> str:
            answer: object = await function(caller, payload)
            if not isinstance(answer, str):
                raise TypeError(f"an RPC function answers text, not {type(answer).__name__}")
            return answer

        try:
            return sayable(str(await self._fence.call(name, work)))
        except NoAnswer as none:
            raise FunctionError(*TOLD[none.outcome]) from None

    async def close(self) -> None:
        """Cancel the calls that run."""
        await self._fence.close()
