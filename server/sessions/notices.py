"""What the server tells a player about its own connection: notifications."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from protocol.messages import Notification, Notifications

SINGLE_SOCKET = -7
"""A newer socket of the player takes over; the reference's code."""
SESSION_EXPIRING = -1001
"""The socket will be closed unless its login is refreshed. Ours: the reference counts its own codes down from
-1 and games use those above 0, so ours begin far below both."""

MATCH_ENDED = -1002
"""A match was ended by the server, because its game code was too slow for too long."""

RESUMED = -1003
"""The session went on with a new socket, and something that was sent before may not have arrived."""


def notice(
    notice_id: str, subject: str, code: int, now: float, content: Mapping[str, object]
) -> Notifications:
    """One notification, written at `now` (Unix seconds)."""
    news = Notification(
        id=notice_id,
        subject=subject,
        content=json.dumps(dict(content), separators=(",", ":")),
        code=code,
        create_time=datetime.fromtimestamp(int(now), UTC),
    )
    return Notifications(notifications=(news,))
