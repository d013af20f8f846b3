"""Chat channels: enter and leave them, say something in them, change it and take it back."""

from protocol.errors import RequestError
from protocol.messages import (
    ChannelJoin,
    ChannelLeave,
    ChannelMessageRemove,
    ChannelMessageSend,
    ChannelMessageUpdate,
    UserPresence,
)
from server.core import channel, channel_id
from server.effects import Effects, Reply, Stream
from server.routes import Routes
from server.world import World

routes = Routes()


@routes.on(ChannelJoin)
async def join(world: World, me: UserPresence, message: ChannelJoin) -> Effects:
    stream = channel_id.named_by(me.user_id, message.target, message.type)
    if stream.mode == channel_id.DIRECT:
        await _meet(world, me, stream)
    # Nothing is awaited from here on: a session that ends meanwhile leaves no presence behind.
    return world.channels.join(
        me, stream, persistence=message.persistence is not False, hidden=bool(message.hidden)
    )


@routes.on(ChannelLeave)
def leave(world: World, me: UserPresence, message: ChannelLeave) -> Effects:
    return world.channels.leave(me, message.channel_id)


@routes.on(ChannelMessageSend)
async def send(world: World, me: UserPresence, message: ChannelMessageSend) -> Effects:
    stream = channel_id.parse_channel(message.channel_id)
    world.channels.check_content(message.content)
    member = world.channels.member(me, stream, "sending")
    return [Reply(channel.ack_of(await world.chat.send(stream, member, message.content)))]


@routes.on(ChannelMessageUpdate)
async def update(world: World, me: UserPresence, message: ChannelMessageUpdate) -> Effects:
    message_id = channel.check_message_id(message.message_id)
    stream = channel_id.parse_channel(message.channel_id)
    world.channels.check_content(message.content)
    member = world.channels.member(me, stream, "updating")
    return [Reply(channel.ack_of(await world.chat.update(stream, member, message_id, message.content)))]


@routes.on(ChannelMessageRemove)
async def remove(world: World, me: UserPresence, message: ChannelMessageRemove) -> Effects:
    message_id = channel.check_message_id(message.message_id)
    stream = channel_id.parse_channel(message.channel_id)
    member = world.channels.member(me, stream, "removing")
    return [Reply(channel.ack_of(await world.chat.remove(stream, member, message_id)))]


async def _meet(world: World, me: UserPresence, stream: Stream) -> None:
    """Make sure that the other of a direct conversation exists, and knows. Raises `RequestError`."""
    other = channel_id.other_in(stream, me.user_id)
    if not await world.users.find_users([other], []):
        raise channel_id.bad_target("User ID not found")
    missing = world.channels.missing_from(me, stream)
    if missing is not None:
        try:
            await world.notifier.ask_to_chat(missing, me)
        except RequestError:
            return  # the conversation can begin without; that the database fails is told by its own log
