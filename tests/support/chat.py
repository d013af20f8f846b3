"""Messages and notifications to be written straight into a store, and accounts to write them."""

import uuid

from server.storage.messages import StoredMessage
from server.storage.notifications import StoredNotification
from server.storage.store import Store
from tests.support.families import NOW, login
from tests.support.issuer import ALICE, BOB

LOBBY = "2...lobby"
NOW_US = NOW * 1_000_000


def message_id(number: int) -> str:
    return str(uuid.UUID(int=number, version=4))


def message(
    number: int, content: str = "{}", *, channel_id: str = LOBBY, sender_id: str = ALICE, now: int = NOW_US
) -> StoredMessage:
    return StoredMessage(message_id(number), channel_id, sender_id, "alice", content, now, now)


def notification(
    number: int, user_id: str = ALICE, *, sender_id: str = "", code: int = 1, subject: str = "news"
) -> StoredNotification:
    return StoredNotification(message_id(number), user_id, subject, "{}", code, sender_id, NOW)


async def sign_up(store: Store) -> None:
    """Alice and Bob have accounts."""
    await login(store, ALICE, "family of alice", "alice")
    await login(store, BOB, "family of bob", "bob")
