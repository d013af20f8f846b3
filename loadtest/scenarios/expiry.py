"""Tokens that run out: everybody refreshes in time, over HTTP, and goes on; sockets must outlive it."""

import time
from typing import Annotated

from msgspec import Meta

from loadtest.failures import SwarmError
from loadtest.player import Player
from loadtest.scenario import Settings, scenario


class ExpirySettings(Settings, frozen=True):
    measures = "refresh"

    every_s: Annotated[float, Meta(gt=0, description="seconds after which a player refreshes")] = 10.0
    reconnect: Annotated[bool, Meta(description="whether the new token opens a new socket")] = True
    logout: Annotated[bool, Meta(description="whether players log out in the end, and try to come back")] = (
        False
    )


@scenario
async def token_expiry(player: Player, settings: ExpirySettings) -> None:
    """tokens run out: everybody refreshes in time, and goes on"""
    while player.is_staying():
        if player.tokens is None:
            raise SwarmError("a player must sign in first")
        lives_s = player.tokens.expires_at - time.time()
        # At four fifths of its life if that is sooner; spread, since players come at different times.
        wait_s = min(settings.every_s, 0.8 * lives_s) * player.random.uniform(0.8, 1.0)
        await player.rest(max(wait_s, 0.0))
        if player.is_staying():
            await player.refresh()
            if settings.reconnect:
                await player.connect()
    if settings.logout:
        await player.log_out()
