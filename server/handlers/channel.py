"""Chat channels. Joining is not offered yet; what a client asks of a channel is answered as to a stranger."""

from protocol.messages import (
    ChannelLeave,
    ChannelMessageRemove,
    ChannelMessageSend,
    ChannelMessageUpdate,
    UserPresence,
)
from server.core import channel
from server.effects import Effects, Reply
from server.routes import Routes
from server.world import World

routes = Routes()


@routes.on(ChannelLeave)
def leave(_world: World, _me: UserPresence, message: ChannelLeave) -> Effects:
    channel.parse_channel(message.channel_id)
    return [Reply()]


@routes.on(ChannelMessageSend)
def send(_world: World, _me: UserPresence, message: ChannelMessageSend) -> Effects:
    channel.parse_channel(message.channel_id)
    channel.check_content(message.content)
    raise channel.not_joined("sending")


@routes.on(ChannelMessageUpdate)
def update(_world: World, _me: UserPresence, message: ChannelMessageUpdate) -> Effects:
    channel.parse_channel(message.channel_id)
    channel.check_message_id(message.message_id)
    channel.check_content(message.content)
    raise channel.not_joined("updating")


@routes.on(ChannelMessageRemove)
def remove(_world: World, _me: UserPresence, message: ChannelMessageRemove) -> Effects:
    channel.parse_channel(message.channel_id)
    channel.check_message_id(message.message_id)
    raise channel.not_joined("removing")
