"""What a player is told about its own connection."""

import json

from protocol.envelope import Envelope, encode
from server.sessions.notices import SESSION_EXPIRING, SINGLE_SOCKET, notice

REFERENCE_CODES = range(-9, 0)


def test_a_notice_is_one_notification_whose_content_is_json_text() -> None:
    told = notice(
        "id-1", "session_expiring", SESSION_EXPIRING, 1_800_000_000.9, {"expires_at": 1_800_000_060}
    )

    (news,) = json.loads(encode(Envelope(told)))["notifications"]["notifications"]
    assert news == {
        "id": "id-1",
        "subject": "session_expiring",
        "content": '{"expires_at":1800000060}',
        "code": SESSION_EXPIRING,
        "create_time": "2027-01-15T08:00:00Z",
    }


def test_our_own_code_is_neither_one_of_the_reference_nor_one_of_a_game() -> None:
    assert SINGLE_SOCKET in REFERENCE_CODES
    assert min(REFERENCE_CODES) - 900 > SESSION_EXPIRING
