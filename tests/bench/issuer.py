"""An identity provider for the bench: one RS256 key, published on loopback, and a player's token each.

Its name and claims are those of a Cognito pool, so that a verifier made for Cognito takes its tokens too.
"""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

POOL = "eu-central-1_BENCH"
ISSUER = f"https://cognito-idp.eu-central-1.amazonaws.com/{POOL}"
CLIENT = "1example23456789"
KID = "abc+/de=="


class BenchIssuer:
    """The key and what is made with it."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        algorithm = jwt.get_algorithm_by_name("RS256")
        public: dict[str, Any] = algorithm.to_jwk(self._key.public_key(), as_dict=True)
        public = {name: public[name] for name in ("kty", "n", "e")}
        self.jwks = {"keys": [public | {"kid": KID, "alg": "RS256", "use": "sig"}]}

    def tokens(self, count: int) -> list[str]:
        """One access token each for `count` players, good for an hour."""
        now = int(time.time())
        shared = {"iss": ISSUER, "client_id": CLIENT, "token_use": "access", "auth_time": now}
        shared |= {"iat": now, "exp": now + 3600, "scope": "aws.cognito.signin.user.admin", "version": 2}
        return [
            jwt.encode(
                shared
                | {
                    "sub": str(uuid.UUID(int=number + (1 << 80))),
                    "jti": str(uuid.uuid4()),
                    "origin_jti": str(uuid.uuid4()),
                    "event_id": str(uuid.uuid4()),
                    "username": f"player{number:05}",
                },
                self._key,
                algorithm="RS256",
                headers={"kid": KID, "typ": None},
            )
            for number in range(count)
        ]

    @asynccontextmanager
    async def published(self) -> AsyncIterator[str]:
        """The URL of the key set, while it is answered."""
        body = json.dumps(self.jwks).encode()
        answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with listener:
            yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/jwks.json"
