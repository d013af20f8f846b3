"""How often one player may do what costs others, or the database, something: per class of message.

Kept by player and not by socket, so that coming back does not help.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from protocol.errors import ErrorCode, RequestError
from protocol.message import Message
from protocol.messages import (
    ChannelMessageRemove,
    ChannelMessageSend,
    ChannelMessageUpdate,
    MatchCreate,
    MatchmakerAdd,
    PartyCreate,
    PartyMatchmakerAdd,
    StatusFollow,
    StatusUpdate,
)
from server.ratelimit import Buckets

CLASSES: Mapping[str, tuple[type[Message], ...]] = {
    "status_updates_per_minute": (StatusUpdate,),
    "follow_requests_per_minute": (StatusFollow,),
    "channel_messages_per_minute": (ChannelMessageSend, ChannelMessageUpdate, ChannelMessageRemove),
    "creates_per_minute": (MatchCreate, PartyCreate, MatchmakerAdd, PartyMatchmakerAdd),
}
"""By the name of the setting: what it limits, all together."""


class MessageLimits:
    """`per_minute` has a number for each name of `CLASSES`, 0 for no limit; as many may come at once.

    At most `max_players` are counted in each class at a time. `now`: seconds of any steady clock.
    """

    def __init__(
        self, per_minute: Mapping[str, int], *, now: Callable[[], float], max_players: int = 100_000
    ) -> None:
        self._now = now
        self.classes: dict[type[Message], tuple[str, Buckets]] = {}
        """The messages that are limited; of all others `check` need not be asked."""
        for name, messages in CLASSES.items():
            if per_minute[name]:
                buckets = Buckets(burst=per_minute[name], per_s=per_minute[name] / 60, max_keys=max_players)
                self.classes.update((message, (name, buckets)) for message in messages)
        self.refused: Counter[str] = Counter()
        """By the name of the setting."""

    def check(self, user_id: str, message: type[Message]) -> None:
        """One message of a class that is limited. Raises RequestError for what is too often."""
        setting, buckets = self.classes[message]
        if not buckets.take(user_id, self._now()).granted:
            self.refused[setting] += 1
            raise RequestError(ErrorCode.BAD_INPUT, f"Too often: over socket.{setting}")
