"""Access tokens of Cognito, or of what speaks its JSON API: moto, and the development issuer.

The app client must allow USER_PASSWORD_AUTH and have no secret. A user who cannot sign in is signed up and
tries once more; for that the pool must allow self sign-up and confirm by itself (a pre sign-up trigger).
Otherwise the users must be there before, confirmed, with the password of the plan. No AWS key is needed.
Cognito allows few requests a second: one that is throttled is made again, later each time, and then given up.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiohttp
import msgspec

from loadtest.failures import SwarmError
from loadtest.sign_in.bridge import body_of, object_of
from loadtest.sign_in.stock import Stock

AT_ONCE: Final = 16
MAX_KIND: Final = 60
TARGET: Final = "AWSCognitoIdentityProviderService."
UNKNOWN: Final = frozenset({"UserNotFoundException", "NotAuthorizedException"})
"""Pools that hide whether a user exists answer the second to both questions."""
EXISTS: Final = "UsernameExistsException"
LATER: Final = frozenset({"TooManyRequestsException", "ThrottlingException", "InternalErrorException"})
PAUSES_S: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Before the second try and the later ones, from half of it to one and a half: not all shall come at once."""


class Cognito(Stock):
    """One app client. `password` may hold `{name}`, which the player's name takes the place of."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        endpoint: str,
        client_id: str,
        password: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(AT_ONCE)
        self._http = http
        self._endpoint = endpoint.rstrip("/") + "/"
        self._client_id = client_id
        self._password = password
        self._sleep = sleep

    async def fetch(self, name: str) -> str:
        status, answer = await self._sign_in(name)
        if _kind(answer) in UNKNOWN:
            await self._sign_up(name)
            status, answer = await self._sign_in(name)
        result = answer.get("AuthenticationResult")
        token = result.get("AccessToken") if isinstance(result, dict) else None
        if status != 200 or not isinstance(token, str) or not token:
            raise SwarmError(f"Cognito gave no token: {status} {_kind(answer)}".rstrip())
        return token

    async def _sign_in(self, name: str) -> tuple[int, dict[str, Any]]:
        parameters = {"USERNAME": name, "PASSWORD": self._password.replace("{name}", name)}
        return await self._call(
            "InitiateAuth", {"AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters}
        )

    async def _sign_up(self, name: str) -> None:
        body = {"Username": name, "Password": self._password.replace("{name}", name)}
        status, answer = await self._call("SignUp", body)
        if _kind(answer) == EXISTS:
            raise SwarmError("Cognito refused the password of a user that it knows")
        if status != 200:
            raise SwarmError(f"Cognito knows no such user, and refused a sign-up: {status} {_kind(answer)}")

    async def _call(self, operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        for pause_s in PAUSES_S:
            status, answer = await self._post(operation, body)
            if status < 500 and status != 429 and _kind(answer) not in LATER:
                return status, answer
            await self._sleep(pause_s * random.uniform(0.5, 1.5))
        return await self._post(operation, body)

    async def _post(self, operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        headers = {"X-Amz-Target": TARGET + operation, "Content-Type": "application/x-amz-json-1.1"}
        data = msgspec.json.encode({"ClientId": self._client_id, **body})
        try:
            async with self._http.post(self._endpoint, data=data, headers=headers) as response:
                return response.status, object_of(await body_of(response))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SwarmError(f"Cognito does not answer: {type(error).__name__}") from None


def _kind(answer: dict[str, Any]) -> str:
    """What went wrong, by Cognito's name; a challenge is told by its name too."""
    told = answer.get("__type") or answer.get("ChallengeName") or ""
    return str(told).rpartition("#")[2][:MAX_KIND]
