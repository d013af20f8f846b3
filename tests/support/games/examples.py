"""The examples together, and a call that makes a match of one of them."""

from examples.arena import Arena
from examples.lobby import Lobby, meet
from examples.tictactoe import TicTacToe
from server.runtime import Caller, rpc, server

__all__ = ["Arena", "Lobby", "TicTacToe", "create", "meet"]


@rpc
async def create(caller: Caller, payload: str) -> str:
    return await server.create_match(payload)
