"""What a game module may import: matches that run on the server, and the values they work on.

Everything here is a promise to game code. `testing.py` beside it runs a match without a server.
"""

from server.runtime.context import Context
from server.runtime.dispatcher import Dispatcher, TooMuch
from server.runtime.match import Match
from server.runtime.players import Input, Player

__all__ = ["Context", "Dispatcher", "Input", "Match", "Player", "TooMuch"]
