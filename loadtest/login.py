"""Players become sessions: sign-up and sign-in at the issuer, then the identity token goes to the server.

Speaks Cognito's JSON API to the development issuer. Tokens are never part of an error's text.
"""

import time
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from loadtest.failures import SwarmError
from loadtest.options import Options

_TARGET: Final = "AWSCognitoIdentityProviderService."
_AMZ_JSON: Final = "application/x-amz-json-1.1"


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """A session token, and how long its two halves took."""

    token: str
    issuer_us: int
    bridge_us: int


class Logins:
    """Signs players in over one HTTP client; `prepare` first."""

    def __init__(self, http: aiohttp.ClientSession, options: Options) -> None:
        self._http = http
        self._options = options
        self._client_id = ""
        self._basic = aiohttp.encode_basic_auth(options.server_key, "")

    async def prepare(self) -> None:
        """Ask the issuer which client we are. Raises SwarmError when it is not there."""
        status, answer = await self._call("GET", f"{self._options.issuer}/_dev/info", "the issuer")
        if status != 200 or not isinstance(answer.get("client_id"), str):
            raise SwarmError(f"no development issuer at {self._options.issuer}")
        self._client_id = answer["client_id"]

    async def login(self, name: str, due_ns: int) -> Login:
        """Sign the player up if they are new, in, and over to the server. Raises SwarmError.

        `due_ns` is when they were to begin (monotonic): beginning late counts as the issuer's latency.
        """
        password = f"{name}-Passw0rd"
        identity = await self._sign_in(name, password)
        signed_in = time.monotonic_ns()
        token = await self._bridge(identity)
        bridged = time.monotonic_ns()
        return Login(token, (signed_in - due_ns) // 1000, (bridged - signed_in) // 1000)

    async def _sign_in(self, name: str, password: str) -> str:
        client = {"ClientId": self._client_id}
        status, answer = await self._cognito("SignUp", {**client, "Username": name, "Password": password})
        if status != 200 and answer.get("__type") != "UsernameExistsException":
            raise SwarmError(f"the issuer refused to sign up {name}: {answer.get('__type', status)}")
        parameters = {"USERNAME": name, "PASSWORD": password}
        auth = {**client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters}
        status, answer = await self._cognito("InitiateAuth", auth)
        token = answer.get("AuthenticationResult", {}).get("AccessToken")
        if status != 200 or not isinstance(token, str):
            raise SwarmError(f"the issuer refused to sign in {name}: {answer.get('__type', status)}")
        return token

    async def _bridge(self, identity: str) -> str:
        status, answer = await self._call(
            "POST",
            f"{self._options.url}/v2/account/authenticate/custom?create=true",
            "the server",
            json={"id": identity},
            headers={"Authorization": self._basic},
        )
        token = answer.get("token")
        if status != 200 or not isinstance(token, str):
            raise SwarmError(f"the server refused a login: {status} {answer.get('message', '')}".rstrip())
        return token

    async def _cognito(self, operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        headers = {"X-Amz-Target": _TARGET + operation, "Content-Type": _AMZ_JSON}
        return await self._call("POST", f"{self._options.issuer}/", "the issuer", json=body, headers=headers)

    async def _call(self, method: str, url: str, who: str, **more: Any) -> tuple[int, dict[str, Any]]:
        try:
            async with self._http.request(method, url, **more) as response:
                answer = await response.json(content_type=None)
                return response.status, answer if isinstance(answer, dict) else {}
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise SwarmError(f"{who} does not answer: {type(error).__name__}") from None
