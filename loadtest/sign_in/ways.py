"""The ways to an identity, by name."""

from collections.abc import Sequence
from typing import Protocol

import aiohttp

from loadtest.failures import SwarmError
from loadtest.plan import Plan
from loadtest.sign_in.bridge import Credential
from loadtest.sign_in.cognito import Cognito
from loadtest.sign_in.command import Command
from loadtest.sign_in.dev import DevIssuer
from loadtest.sign_in.device import Device


class SignIn(Protocol):
    """Where a player's credential comes from."""

    async def prepare(self, names: Sequence[str]) -> None:
        """Get ready for these players before the run begins. Raises SwarmError."""

    async def credential(self, name: str) -> Credential:
        """For this player; what was prepared costs nothing. Raises SwarmError."""
        ...


def sign_in_of(plan: Plan, http: aiohttp.ClientSession) -> SignIn:
    """As the plan says. Raises SwarmError when it lacks what the way needs."""
    told = plan.sign_in
    match told.way:
        case "dev":
            return DevIssuer(http, told.issuer)
        case "cognito":
            if not told.client_id:
                raise SwarmError("signing in at Cognito needs the client id of the app client")
            return Cognito(http, told.issuer, told.client_id, told.password)
        case "command":
            return Command(told.command)
        case "device":
            return Device()
