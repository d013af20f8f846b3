"""The class that game code derives its matches from."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from server.runtime.context import Context
from server.runtime.dispatcher import Dispatcher
from server.runtime.players import Input, Player


class Match:
    """A match whose rules run on the server. Its attributes are its state.

    Derive from it, give `tick` a body and whatever else you need; every other callback has a default. The
    server calls one at a time, never two at once, and none may await. One that raises ends the match, and
    disconnects its players.
    """

    tick_rate: ClassVar[int] = 10
    """Ticks in a second, 1..60."""
    reconnect_s: ClassVar[float | None] = None
    """How long the seat of a player whose connection dropped is held. None: as the server is configured
    (`matches.reconnect_s`); 0: not at all."""

    context: Context
    dispatcher: Dispatcher
    players: Mapping[str, Player]
    """The members by session id, in the order in which they came. Kept by the server: never write it."""
    away: Mapping[str, float]
    """The session ids of members whose connection dropped, with the Unix second until which their seat is
    held. What is sent to them is lost. Never write it."""

    def init(self, params: Mapping[str, Any]) -> None:
        """The match begins. `params` is what its creator gave. Say here what it is found by (`set_label`)."""

    def join_attempt(self, player: Player, metadata: Mapping[str, str]) -> bool | str:
        """May this player come in? True, or False, or the reason why not, which they are told."""
        return True

    def join(self, players: Sequence[Player]) -> None:
        """These are members now."""

    def leave(self, players: Sequence[Player]) -> None:
        """These are members no more."""

    def reconnect(self, player: Player, was: Player) -> None:
        """A member whose seat was held is back, on a new socket: the place of `was` is now that of `player`.

        Called instead of `leave` and `join`. Send them what they need to go on.
        """

    def tick(self, inputs: Sequence[Input]) -> None:
        """One step. `inputs` is what members sent since the last one, in the order in which it came."""
        raise NotImplementedError

    def signal(self, data: str) -> str:
        """Somebody outside of the match (a remote call, a hook) asks it something. Returns the answer."""
        return ""

    def snapshot(self) -> Any:
        """Everything that is needed to go on after a restart, as plain values: JSON's, bytes, no objects.

        Define it together with `restore`, and the match outlives its server and a reload of its code.
        """
        raise NotImplementedError

    def restore(self, state: Any) -> None:
        """Go on from what `snapshot` returned, in a new object; called instead of `init`.

        The members are in `players` already, and all of them `away`. Tuples have become lists.
        """
        raise NotImplementedError

    def terminate(self, grace_s: float) -> None:
        """The server will stop in so many seconds: time to save what matters, and to tell the players."""
