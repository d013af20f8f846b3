"""What players say to each other and are told, put together: a part of the composition root."""

from collections.abc import Callable

from server.clock import Clock
from server.config import Settings
from server.core.channel import Channels
from server.core.presence import Presences
from server.core.status import Statuses
from server.effects import Effects
from server.storage.store import Store
from server.talk.chat import ChannelChat
from server.talk.in_turn import InTurn
from server.talk.notifier import LiveNotifier
from server.tasks import TaskOwner


class Talk:
    """Channels and notifications on one database. Call `serve` with what performs effects before use."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        presences: Presences,
        statuses: Statuses,
        tasks: TaskOwner,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self.in_turn = InTurn(tasks)
        self.stored = store.notifications
        self.channels = Channels(
            presences,
            channels_per_session=settings.chat.channels_per_session,
            content_bytes=settings.chat.content_bytes,
        )
        self.chat = ChannelChat(store.messages, self.in_turn, clock, new_id)
        self.notifier = LiveNotifier(
            settings.notifications, self.stored, statuses.sessions_of, self.in_turn, clock, new_id
        )

    def serve(self, perform: Callable[[Effects], None]) -> None:
        self.chat.serve(perform)
        self.notifier.serve(perform)
