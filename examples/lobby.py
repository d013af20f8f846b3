"""Lobby: whom the matchmaker has found meet here, say that they are ready, and are led into a game.

Who searched as a party plays in one team. A player sends READY with {"ready": true}. All are sent STATE after
each change, GAME with the id of the match to join, or CANCELLED when somebody was not ready in time.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import IntEnum
from math import ceil
from typing import Any

from server.runtime import Input, Match, Player, matchmaker_matched, server
from server.runtime.messages import MatchmakerUser

WAIT_S = 30.0  # for all to come and be ready
COUNTDOWN_S = 3.0
GAME = "TicTacToe"  # the match that lobbies lead to; another one with the property "game"


class Op(IntEnum):
    """What messages are about."""

    READY = 1
    STATE = 2
    GAME = 3
    CANCELLED = 4


@matchmaker_matched
async def meet(users: Sequence[MatchmakerUser]) -> str:
    """Players were found for each other: they meet in a lobby."""
    game = next((each.string_properties["game"] for each in users if "game" in each.string_properties), GAME)
    return await server.create_match(Lobby, {"teams": teams(users), "game": game})


def teams(users: Sequence[MatchmakerUser]) -> dict[str, int]:
    """Team 0 or 1 by user id: parties stay together, and the largest are seated first."""
    groups: dict[str, list[str]] = defaultdict(list)
    for user in users:
        if user.presence is not None:
            groups[user.party_id or user.presence.user_id].append(user.presence.user_id)
    sizes, seated = [0, 0], {}
    for group in sorted(groups.values(), key=len, reverse=True):
        team = sizes.index(min(sizes))
        sizes[team] += len(group)
        seated.update(dict.fromkeys(group, team))
    return seated


async def begin(lobby_id: str, game: str, players: Mapping[str, int]) -> None:
    """Make the game, outside of the lobby's own time, and tell the lobby where it is."""
    await server.signal(lobby_id, await server.create_match(game, {"teams": dict(players)}))


class Lobby(Match):
    """One group on its way into a game."""

    tick_rate = 5
    reconnect_s = 15.0  # a phone that changes its network loses no place

    def init(self, params: Mapping[str, Any]) -> None:
        self.teams: Mapping[str, int] = params["teams"]
        self.game: str = params["game"]
        self.ready: dict[str, bool] = dict.fromkeys(self.teams, False)
        self.starts_at: float | None = None
        self.done = False
        self.dispatcher.set_label({"kind": "lobby", "game": self.game})

    def join_attempt(self, player: Player, metadata: Mapping[str, str]) -> bool | str:
        if player.user_id not in self.teams:
            return "You were not matched with these players"
        if any(each.user_id == player.user_id for each in self.players.values()):
            return "You are here already"
        return True

    def join(self, players: Sequence[Player]) -> None:
        self.show()

    def reconnect(self, player: Player, was: Player) -> None:
        self.show()

    def leave(self, players: Sequence[Player]) -> None:
        if not self.done:
            self.cancel(f"{players[0].username} has left")

    def tick(self, inputs: Sequence[Input]) -> None:
        for sent in inputs:
            if sent.op_code == Op.READY:
                self.set_ready(sent)
        now = self.context.elapsed
        if self.starts_at is not None and now >= self.starts_at and not self.done:
            self.done = True
            self.dispatcher.spawn(begin, self.context.match_id, self.game, self.teams)
        elif self.starts_at is None and now >= WAIT_S:
            late = [each for each in self.players.values() if not self.ready[each.user_id]]
            self.cancel("Not everybody was ready in time", late)

    def set_ready(self, sent: Input) -> None:
        """Somebody is ready, or is not after all. When all are, the countdown begins."""
        try:
            ready = sent.json()["ready"] is True
        except (ValueError, TypeError, KeyError):
            return
        self.ready[sent.player.user_id] = ready
        all_ready = all(self.ready.values())
        self.starts_at = self.context.elapsed + COUNTDOWN_S if all_ready else None
        self.show()

    def signal(self, data: str) -> str:
        """The game was made: `data` is its match id."""
        self.dispatcher.broadcast(Op.GAME, {"match_id": data})
        self.dispatcher.end()
        return ""

    def cancel(self, reason: str, late: Sequence[Player] = ()) -> None:
        """No game: who is late is put out, the others are told and may search again."""
        self.done = True
        self.dispatcher.kick(late)
        self.dispatcher.broadcast(Op.CANCELLED, {"reason": reason})
        self.dispatcher.end()

    def show(self) -> None:
        here = {each.user_id: each.username for each in self.players.values()}
        players = [
            {"name": name, "team": self.teams[user_id], "ready": self.ready[user_id]}
            for user_id, name in here.items()
        ]
        state: dict[str, Any] = {"players": players, "missing": len(self.teams) - len(here)}
        if self.starts_at is not None:
            state["starts_in_s"] = ceil(self.starts_at - self.context.elapsed)
        self.dispatcher.broadcast(Op.STATE, state)
