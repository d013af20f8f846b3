"""Three players, as the rules see them."""

from protocol.messages import UserPresence

ALICE = UserPresence(
    user_id="11111111-1111-4111-8111-111111111111",
    session_id="aaaaaaaa-0000-11ef-8000-0123456789ab",
    username="alice",
)
BOB = UserPresence(
    user_id="22222222-2222-4222-8222-222222222222",
    session_id="bbbbbbbb-0000-11ef-8000-0123456789ab",
    username="bob",
)
CAROL = UserPresence(
    user_id="33333333-3333-4333-8333-333333333333",
    session_id="cccccccc-0000-11ef-8000-0123456789ab",
    username="carol",
)
NEW_ID = "99999999-9999-4999-8999-999999999999"


def shown(player: UserPresence, status: str) -> UserPresence:
    """A player's status presence."""
    return UserPresence(
        user_id=player.user_id, session_id=player.session_id, username=player.username, status=status
    )
