"""Who the development issuer knows: names, password hashes and the sign-ins that may be refreshed.

All of it is in memory and bounded: a new user is refused when full, and the oldest sign-in is forgotten.
Failures carry the name that Cognito gives them.
"""

import asyncio
import base64
import hashlib
import hmac
import uuid
from dataclasses import dataclass

from server.clock import Clock
from server.identity.devissuer_tokens import Login
from server.ids import Ids

# 1 MiB and about 3 ms: far too cheap for real passwords, but this is a tool for development, and a load test
# signs up hundreds of players within seconds on the machine it measures.
SCRYPT_N, SCRYPT_R, SCRYPT_P = 1024, 8, 1

REFRESH_TTL_S = 30 * 86_400
MIN_PASSWORD, MAX_PASSWORD = 6, 256
MAX_NAME = 128


class Refused(Exception):
    """The request is answered with a Cognito error: `kind` is its `__type`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class User:
    """A player of the pool. Without a password hash, only `/_dev/token` signs them in."""

    username: str
    subject: str
    salt: bytes = b""
    password_hash: bytes = b""

    def __repr__(self) -> str:
        return f"User({self.username!r})"


class Directory:
    """The users of one pool and their sign-ins."""

    def __init__(self, pool: str, clock: Clock, ids: Ids, max_users: int, max_logins: int) -> None:
        self._namespace = uuid.uuid5(uuid.NAMESPACE_URL, f"lockgate-dev:{pool}")
        self._clock = clock
        self._ids = ids
        self._max_users = max_users
        self._max_logins = max_logins
        self._users: dict[str, User] = {}
        self._logins: dict[bytes, Login] = {}
        self.forgotten_logins = 0

    async def sign_up(self, username: str, password: str) -> User:
        """Add a user with a password. Raises `Refused` for a taken name, a poor password, or when full."""
        check_name(username)
        check_password(password)
        self._check_free(username)
        salt = self._ids.key()
        password_hash = await asyncio.to_thread(_hash, password, salt)
        self._check_free(username)  # someone else may have been faster meanwhile
        return self._add(username, salt, password_hash)

    async def sign_in(self, username: str, password: str) -> Login:
        """Check a password. Raises `Refused`."""
        user = self._users.get(username)
        if user is None:
            raise Refused("UserNotFoundException", "User does not exist.")
        given = await asyncio.to_thread(_hash, password, user.salt)
        if not user.password_hash or not hmac.compare_digest(given, user.password_hash):
            raise Refused("NotAuthorizedException", "Incorrect username or password.")
        return self._login(user)

    def find_or_add(self, username: str) -> Login:
        """A sign-in without a password; the user is made if missing. Raises `Refused` when full."""
        return self._login(self._users.get(username) or self._add(username))

    def remember(self, login: Login) -> str:
        """The refresh token of a sign-in. When too many are kept, the oldest is forgotten."""
        token = base64.urlsafe_b64encode(self._ids.key()).rstrip(b"=").decode()
        if len(self._logins) >= self._max_logins:
            del self._logins[next(iter(self._logins))]
            self.forgotten_logins += 1
        self._logins[_digest(token)] = login
        return token

    def refresh(self, token: str) -> Login:
        """The sign-in behind a refresh token. Raises `Refused` if it is unknown or 30 days old."""
        login = self._logins.get(_digest(token))
        if login is None:
            raise Refused("NotAuthorizedException", "Invalid Refresh Token")
        if login.auth_time + REFRESH_TTL_S <= self._clock.wall():
            raise Refused("NotAuthorizedException", "Refresh Token has expired")
        return login

    def _check_free(self, username: str) -> None:
        if username in self._users:
            raise Refused("UsernameExistsException", "User already exists")

    def _add(self, username: str, salt: bytes = b"", password_hash: bytes = b"") -> User:
        check_name(username)
        if len(self._users) >= self._max_users:
            text = f"The development issuer keeps {self._max_users} users; restart it to begin anew."
            raise Refused("LimitExceededException", text)
        user = User(username, str(uuid.uuid5(self._namespace, username)), salt, password_hash)
        self._users[username] = user
        return user

    def _login(self, user: User) -> Login:
        now = int(self._clock.wall())
        return Login(user.username, user.subject, self._ids.uuid4(), self._ids.uuid4(), now)


def check_name(username: str) -> None:
    """Cognito's rule: 1 to 128 characters that print, without spaces. Raises `Refused`."""
    if not 1 <= len(username) <= MAX_NAME or not username.isprintable() or " " in username:
        text = (
            f"Value at 'username' failed to satisfy constraint: 1..{MAX_NAME} printable characters, no spaces"
        )
        raise Refused("InvalidParameterException", text)


def check_password(password: str) -> None:
    """Raises `Refused` for a password shorter or longer than a pool may allow."""
    if len(password) < MIN_PASSWORD:
        text = "Password did not conform with policy: Password not long enough"
        raise Refused("InvalidPasswordException", text)
    if len(password) > MAX_PASSWORD:
        text = f"Value at 'password' failed to satisfy constraint: at most {MAX_PASSWORD} characters"
        raise Refused("InvalidParameterException", text)


def _hash(password: str, salt: bytes) -> bytes:
    # JSON can carry lone surrogates, which strict UTF-8 does not encode.
    secret = password[: MAX_PASSWORD + 1].encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
