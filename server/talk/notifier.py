"""Notifications: kept until the player deletes them, if they are to last, and shown to every open session.

What a player hears comes in the order in which it is kept.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from protocol.messages import Notification, Notifications, UserPresence
from protocol.messages.notification import CHAT_REQUEST
from server.clock import Clock
from server.effects import Deliver, Effects
from server.sections import NotificationSettings
from server.storage.dialects import is_storable
from server.storage.notifications import NotificationStore, StoredNotification
from server.talk.in_turn import InTurn

MAX_SUBJECT_BYTES = 255
MAX_CODE = 2**31 - 1

SessionsOf = Callable[[str], tuple[str, ...]]
"""The open sessions of a player."""


class LiveNotifier:
    """Tells players something. Call `serve` with what performs effects before the first one."""

    def __init__(
        self,
        settings: NotificationSettings,
        store: NotificationStore,
        sessions_of: SessionsOf,
        in_turn: InTurn,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._store = store
        self._sessions_of = sessions_of
        self._in_turn = in_turn
        self._clock = clock
        self._new_id = new_id
        self._perform: Callable[[Effects], None]
        self.sent = 0

    def serve(self, perform: Callable[[Effects], None]) -> None:
        self._perform = perform

    async def notify(
        self,
        user_id: str,
        subject: str,
        content: Mapping[str, object],
        code: int,
        *,
        sender_id: str = "",
        persistent: bool = True,
    ) -> bool:
        """Tell a player something: now, and with `persistent` also whenever they ask for it.

        False: there is no such player, or, without `persistent`, no open session of theirs. Raises
        ValueError for what is too long or no JSON, and `StorageUnavailable`.
        """
        return await self._notify(
            user_id, subject, content, code, sender_id=sender_id, persistent=persistent, replace=False
        )

    async def ask_to_chat(self, user_id: str, sender: UserPresence) -> None:
        """Tell a player that another one wants to chat. Asked again, it takes the place of the last time."""
        await self._notify(
            user_id,
            f"{sender.username} wants to chat",
            {"username": sender.username},
            CHAT_REQUEST,
            sender_id=sender.user_id,
            persistent=True,
            replace=True,
        )

    async def _notify(
        self,
        user_id: str,
        subject: str,
        content: Mapping[str, object],
        code: int,
        *,
        sender_id: str,
        persistent: bool,
        replace: bool,
    ) -> bool:
        text = self._checked(subject, content, code, sender_id)
        if not is_storable(user_id):
            return False
        now = int(self._clock.wall())
        news = StoredNotification(self._new_id(), user_id, subject, text, code, sender_id, now)
        if persistent:
            return await self._in_turn.do(f"notifications {user_id}", self._keep(news, replace=replace))
        return self._tell(news, persistent=False)

    async def _keep(self, news: StoredNotification, *, replace: bool) -> bool:
        if not await self._store.add(news, keep=self._settings.kept_per_player, replace=replace):
            return False
        self._tell(news, persistent=True)
        return True

    def _tell(self, news: StoredNotification, *, persistent: bool) -> bool:
        sessions = self._sessions_of(news.user_id)
        self.sent += 1
        if sessions:
            shown = Notification(
                id=news.id,
                subject=news.subject,
                content=news.content,
                code=news.code,
                sender_id=news.sender_id,
                create_time=datetime.fromtimestamp(news.create_time, UTC),
                persistent=persistent,
            )
            self._perform([Deliver(sessions, Notifications(notifications=(shown,)))])
        return bool(sessions)

    def _checked(self, subject: str, content: Mapping[str, object], code: int, sender_id: str) -> str:
        """The content as text."""
        if not is_storable(subject + sender_id) or not 1 <= len(subject.encode()) <= MAX_SUBJECT_BYTES:
            raise ValueError(f"the subject of a notification must be 1-{MAX_SUBJECT_BYTES} bytes of text")
        if not -MAX_CODE <= code <= MAX_CODE:
            raise ValueError("the code of a notification must be a whole number of 32 bits")
        text = json.dumps(dict(content), separators=(",", ":"), allow_nan=False)
        if len(text) > self._settings.content_bytes:
            raise ValueError(
                f"the content of a notification must not be longer than {self._settings.content_bytes} bytes"
            )
        return text
