"""What `--dev` means beyond the development issuer: what it refuses, allows and tells."""

from collections.abc import Iterable
from typing import TypeVar

from server.config import ConfigError, Settings
from server.sections import Section, parse_address

S = TypeVar("S", bound=Section)


def refuse_unsafe(settings: Settings) -> None:
    """Raises ConfigError unless these settings keep a server for development to this machine."""
    problems = [
        f"--dev refuses a listener that is not loopback: listen.{name}"
        for name in ("public", "websocket", "ops")
        if (address := getattr(settings.listen, name)) and not parse_address(address).is_loopback
    ]
    if settings.production:
        problems.append("--dev and production = true exclude each other")
    if problems:
        raise ConfigError(problems)


def unlimited(section: S, limits: Iterable[str]) -> S:
    """The same without these limits, but for those that were set.

    A swarm comes from one address and hurries; whoever sets a limit wants it nevertheless.
    """
    return section.model_copy(update={name: 0 for name in limits if name not in section.model_fields_set})


def hints(public: str, sockets: str, settings: Settings) -> str:
    """What to try with a server that has just started; `public` and `sockets` are `host:port`."""
    has_own_key = "socket.server_key" not in settings.default_keys
    key = "$LOCKGATE_SOCKET__SERVER_KEY" if has_own_key else "defaultkey"
    secure = "s" if settings.listen.tls_cert else ""
    return f"""
Lockgate is ready on http{secure}://{public} (sockets: ws{secure}://{sockets}/ws). Try, in another terminal:

  sign in:  curl -s -u "{key}:" -d "{{\\"id\\":\\"$(.venv/bin/lockgate token --user alice)\\"}}" \\
              http{secure}://{public}/v2/account/authenticate/custom
  swarm:    make swarm

Ctrl-C stops it.

"""
