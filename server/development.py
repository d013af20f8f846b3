"""What `--dev` means beyond the development issuer: what it refuses, what it allows, and what it tells."""

from server.config import AdmissionSettings, ConfigError, Settings
from server.sections import parse_address


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


def unlimited(admission: AdmissionSettings) -> AdmissionSettings:
    """Without the limits per address that were not set: a swarm comes from one address."""
    limits = [name for name in AdmissionSettings.model_fields if name.endswith("_per_address")]
    return admission.model_copy(update={name: 0 for name in limits if name not in admission.model_fields_set})


def hints(public: str, sockets: str, settings: Settings) -> str:
    """What to try with a server that has just started; `public` and `sockets` are `host:port`."""
    has_own_key = "socket.server_key" not in settings.default_keys
    key = "$LOCKGATE_SOCKET__SERVER_KEY" if has_own_key else "defaultkey"
    return f"""
Lockgate is ready on http://{public} (sockets: ws://{sockets}/ws). Try, in another terminal:

  sign in:  curl -s -u "{key}:" -d "{{\\"id\\":\\"$(.venv/bin/lockgate token --user alice)\\"}}" \\
              http://{public}/v2/account/authenticate/custom
  swarm:    make swarm

Ctrl-C stops it.

"""
