"""Players that are only there: heartbeats and nothing else."""

from collections.abc import Sequence

from loadtest.ledger import Tally
from loadtest.player import Player
from protocol.message import Message

NOTHING = Tally(sent=0, expected=0, delivered=0, duplicated=0, reordered=0, wrong=0)


class Idle:
    """Connected, silent."""

    rate = 0.0

    async def gather(self, players: Sequence[Player]) -> None:
        """Nobody meets anybody."""

    def act(self, player: int, intended_ns: int) -> None:
        raise AssertionError("a rate of zero has no acts")

    def on_message(self, player: Player, message: Message, at_ns: int) -> None:
        """Answers to heartbeats."""

    def is_settled(self) -> bool:
        return True

    def tally(self) -> Tally:
        return NOTHING
