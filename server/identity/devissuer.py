"""The development identity provider: signs players up and in as Amazon Cognito would, on this machine only.

Speaks Cognito's JSON API for `SignUp` and `InitiateAuth`, so that an unmodified AWS SDK works against it,
publishes its keys and OpenID discovery, and has a few routes of its own under `/_dev/`. It gives a token to
anyone who asks: it refuses addresses other than loopback, and production mode.
"""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from server.clock import Clock
from server.config import DevSettings
from server.identity.devissuer_tokens import TOKEN_TTL_S, KeyRing, Login, TokenMint
from server.identity.devissuer_users import Directory, Refused
from server.ids import Ids
from server.sections import Address, parse_address

AMZ_JSON = "application/x-amz-json-1.1"
TARGET_PREFIX = "AWSCognitoIdentityProviderService."
MAX_BODY_BYTES = 16 * 1024
MAX_USERS = 100_000
MAX_LOGINS = 200_000
FETCH_TIMEOUT_S = 5

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger("lockgate.devissuer")


class DevIssuerError(Exception):
    """The development issuer may not start, or could not be asked for a token."""


class DevIssuer:
    """The provider and its listener. Call `start`, then read `issuer` and `jwks_url`; end with `stop`."""

    def __init__(
        self,
        settings: DevSettings,
        data_dir: Path,
        clock: Clock,
        ids: Ids,
        *,
        production: bool = False,
        max_users: int = MAX_USERS,
    ) -> None:
        """Raises `DevIssuerError` in production mode."""
        if production:
            raise DevIssuerError("the development issuer gives a token to anyone: not with production = true")
        self._settings = settings
        self._key_file = data_dir / "dev-issuer-keys.pem"
        self._clock = clock
        self._ids = ids
        self._directory = Directory(settings.pool, clock, ids, max_users, MAX_LOGINS)
        self._rotating = asyncio.Lock()
        self._runner: web.AppRunner | None = None
        self._ring: KeyRing | None = None
        self._base_url = ""

    async def start(self, host: str = "127.0.0.1") -> None:
        """Load or make the signing key and listen.

        Raises `DevIssuerError` for an address other than loopback, `KeyFileError` for a damaged key file,
        and OSError when the port is taken.
        """
        if not Address(host=host, port=self._settings.port).is_loopback:
            raise DevIssuerError(f"the development issuer listens on loopback only, not on {host}")
        self._ring = await asyncio.to_thread(KeyRing.open, self._key_file)
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, self._settings.port).start()
        except OSError:
            await self.stop()
            raise
        self._base_url = f"http://{Address(host=host, port=self._runner.addresses[0][1])}"
        log.info("dev_issuer_started", issuer=self.issuer, client_id=self.client_id)

    async def stop(self) -> None:
        """Close the listener. Users and refresh tokens are forgotten with this object."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens; known after `start`, since the port may be the system's choice."""
        if not self._base_url:
            raise RuntimeError("the development issuer was not started")
        return f"{self._base_url}/{self._settings.pool}"

    @property
    def jwks_url(self) -> str:
        return f"{self.issuer}/.well-known/jwks.json"

    @property
    def client_id(self) -> str:
        return self._settings.client_id

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_loopback_names_only])
        well_known = f"/{self._settings.pool}/.well-known"
        app.router.add_post("/", self._cognito)
        app.router.add_get(f"{well_known}/jwks.json", self._jwks)
        app.router.add_get(f"{well_known}/openid-configuration", self._discovery)
        app.router.add_post("/_dev/rotate", self._rotate)
        app.router.add_get("/_dev/info", self._info)
        app.router.add_post("/_dev/token", self._token)
        return app

    @property
    def _keys(self) -> KeyRing:
        if self._ring is None:
            raise AssertionError("no request arrives before start() has loaded the keys")
        return self._ring

    def _mint(self) -> TokenMint:
        return TokenMint(self._keys, self.issuer, self.client_id, self._clock, self._ids)

    # Cognito's API: one route, the operation is in a header.

    async def _cognito(self, request: web.Request) -> web.Response:
        operations = {"SignUp": self._sign_up, "InitiateAuth": self._initiate_auth}
        target = request.headers.get("X-Amz-Target", "")
        try:
            operation = operations.get(target.removeprefix(TARGET_PREFIX))
            if operation is None or not target.startswith(TARGET_PREFIX):
                raise Refused("UnknownOperationException", "The development issuer has no such operation.")
            body = await _json_object(request)
            client_id = _text(body, "ClientId")
            if client_id != self.client_id:
                raise Refused("ResourceNotFoundException", "User pool client does not exist.")
            return self._amz_answer(200, await operation(body))
        except Refused as refused:
            answer = {"__type": refused.kind, "message": refused.message}
            return self._amz_answer(400, answer, {"x-amzn-ErrorType": refused.kind})

    def _amz_answer(
        self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> web.Response:
        return web.Response(
            status=status,
            body=json.dumps(body).encode(),
            headers={"Content-Type": AMZ_JSON, "x-amzn-RequestId": self._ids.uuid4(), **(headers or {})},
        )

    async def _sign_up(self, body: dict[str, Any]) -> dict[str, Any]:
        user = await self._directory.sign_up(_text(body, "Username"), _text(body, "Password"))
        return {"UserConfirmed": True, "UserSub": user.subject}

    async def _initiate_auth(self, body: dict[str, Any]) -> dict[str, Any]:
        parameters = body.get("AuthParameters", {})
        if not isinstance(parameters, dict):
            raise Refused("SerializationException", "AuthParameters is not an object")
        match _text(body, "AuthFlow"):
            case "USER_PASSWORD_AUTH":
                name, password = _text(parameters, "USERNAME"), _text(parameters, "PASSWORD")
                login = await self._directory.sign_in(name, password)
                fresh = {"RefreshToken": self._directory.remember(login)}
            case "REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN":
                login = self._directory.refresh(_text(parameters, "REFRESH_TOKEN"))
                fresh = {}  # as Cognito without rotation: the one in use stays good
            case _:
                raise Refused("InvalidParameterException", "Initiate Auth method not supported.")
        return {"ChallengeParameters": {}, "AuthenticationResult": {**self._tokens(login), **fresh}}

    def _tokens(self, login: Login) -> dict[str, Any]:
        mint = self._mint()
        return {
            "AccessToken": mint.access_token(login),
            "IdToken": mint.id_token(login),
            "ExpiresIn": TOKEN_TTL_S,
            "TokenType": "Bearer",
        }

    # What verifiers read.

    async def _jwks(self, _: web.Request) -> web.Response:
        return web.json_response(self._keys.key_set())

    async def _discovery(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.issuer,
                "jwks_uri": self.jwks_url,
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "token"],
                "subject_types_supported": ["public"],
            }
        )

    # Our own routes.

    async def _rotate(self, _: web.Request) -> web.Response:
        async with self._rotating:
            await asyncio.to_thread(self._keys.rotate)
        log.info("dev_issuer_rotated", kid=self._keys.signing.kid)
        return web.json_response({"kid": self._keys.signing.kid})

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.issuer,
                "pool": self._settings.pool,
                "client_id": self.client_id,
                "jwks_url": self.jwks_url,
            }
        )

    async def _token(self, request: web.Request) -> web.Response:
        try:
            name = _text(await _json_object(request), "user")
            login = self._directory.find_or_add(name)
        except Refused as refused:
            return web.json_response({"error": refused.message}, status=400)
        return web.json_response({"token": self._mint().access_token(login)})


@web.middleware
async def _loopback_names_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests that named another host.

    A page on the web could otherwise point its own name at this machine and read tokens from the answers.
    """
    try:
        host = request.host if request.host.rpartition(":")[2].isdecimal() else f"{request.host}:80"
        known = parse_address(host).is_loopback
    except ValueError:
        known = False
    if not known:
        raise web.HTTPForbidden(text="loopback only")
    return await handler(request)


async def _json_object(request: web.Request) -> dict[str, Any]:
    """The request's body. Raises `Refused` if it is no JSON object."""
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refused("SerializationException", "The body is not a JSON object")
    return body


def _text(values: dict[str, Any], name: str) -> str:
    """A required text of a request. Raises `Refused`."""
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise Refused("InvalidParameterException", f"Missing required parameter {name}")
    return value


def fetch_dev_token(port: int, user: str) -> str:
    """Ask the issuer that runs on this machine for an access token; blocks. Raises `DevIssuerError`."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/_dev/token",
        data=json.dumps({"user": user}).encode(),
        headers={"Content-Type": "application/json"},
    )
    # A proxy named in the environment is not asked for this machine's own address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=FETCH_TIMEOUT_S) as answer:
            return str(json.load(answer)["token"])
    except urllib.error.HTTPError as error:
        with error:
            raise DevIssuerError(_reason(error.read(MAX_BODY_BYTES))) from None
    except (OSError, ValueError, KeyError, TypeError):
        text = f"no development issuer answers on 127.0.0.1:{port}; start one with `lockgate serve --dev`"
        raise DevIssuerError(text) from None


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return "the development issuer refused; is another program on its port?"
