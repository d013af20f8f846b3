"""Identity tokens of the development issuer, all of them fetched before the run begins."""

from typing import Final

import aiohttp
import msgspec

from loadtest.failures import SwarmError
from loadtest.sign_in.bridge import body_of, object_of
from loadtest.sign_in.stock import Stock

AT_ONCE: Final = 16


class DevIssuer(Stock):
    """The issuer at this address."""

    def __init__(self, http: aiohttp.ClientSession, issuer: str) -> None:
        super().__init__(AT_ONCE)
        self._http = http
        self._issuer = issuer

    async def fetch(self, name: str) -> str:
        try:
            async with self._http.post(
                f"{self._issuer}/_dev/token", data=msgspec.json.encode({"user": name})
            ) as response:
                status, answer = response.status, object_of(await body_of(response))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SwarmError(
                f"no development issuer answers at {self._issuer}: {type(error).__name__}"
            ) from None
        token = answer.get("token")
        if status != 200 or not isinstance(token, str) or not token:
            raise SwarmError(f"the development issuer gave no token: {status}")
        return token
