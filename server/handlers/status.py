"""Status lines: show one's own, follow those of others."""

from collections.abc import Iterable

from protocol.errors import ErrorCode, RequestError
from protocol.messages import StatusFollow, StatusUnfollow, StatusUpdate, UserPresence
from server.core.identifiers import parse_uuid
from server.effects import Effects
from server.routes import Routes
from server.world import World

routes = Routes()


@routes.on(StatusUpdate)
def update(world: World, me: UserPresence, message: StatusUpdate) -> Effects:
    return world.statuses.update(me, message.status)


@routes.on(StatusFollow)
async def follow(world: World, me: UserPresence, message: StatusFollow) -> Effects:
    user_ids = _parse(message.user_ids)
    if not all(message.usernames):
        raise RequestError(ErrorCode.BAD_INPUT, "Invalid username")
    others = [user_id for user_id in user_ids if user_id != me.user_id]
    if not others and not message.usernames:
        return world.statuses.follow(me, ())
    # Only players who exist are followed, so that invented ids take no memory.
    known = await world.users.find_users(others, message.usernames)
    return world.statuses.follow(me, [user.id for user in known])


@routes.on(StatusUnfollow)
def unfollow(world: World, me: UserPresence, message: StatusUnfollow) -> Effects:
    return world.statuses.unfollow(me, _parse(message.user_ids))


def _parse(user_ids: Iterable[str]) -> list[str]:
    parsed = [parse_uuid(text) for text in user_ids]
    found = [user_id for user_id in parsed if user_id is not None]
    if len(found) != len(parsed):
        raise RequestError(ErrorCode.BAD_INPUT, "Invalid user identifier")
    return found
