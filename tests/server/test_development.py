"""What `--dev` refuses, and what it tells."""

from typing import Any

import pytest
from pydantic import SecretStr

from server.app import ADDRESS_LIMITS
from server.config import AdmissionSettings, ConfigError, Settings
from server.development import hints, refuse_unsafe, unlimited
from server.sections import ListenSettings, SocketSettings


@pytest.mark.parametrize(
    ("listen", "named"),
    [
        ({"public": "0.0.0.0:7350"}, "listen.public"),
        ({"websocket": "203.0.113.1:0"}, "listen.websocket"),
        ({"ops": "[::]:0"}, "listen.ops"),
    ],
)
def test_a_listener_that_others_reach_is_refused(listen: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        refuse_unsafe(Settings(listen=ListenSettings(**listen)))


def test_a_server_for_development_is_none_for_production() -> None:
    settings = Settings().model_copy(update={"production": True})

    with pytest.raises(ConfigError, match="exclude each other"):
        refuse_unsafe(settings)


def test_the_defaults_are_safe() -> None:
    refuse_unsafe(Settings())


def test_a_swarm_may_come_from_one_address_unless_a_limit_was_set() -> None:
    free = unlimited(AdmissionSettings(), ADDRESS_LIMITS)
    chosen = unlimited(AdmissionSettings(sockets_per_address=7), ADDRESS_LIMITS)

    assert (free.sockets_per_address, free.connections_per_address) == (0, 0)
    assert free.handshakes_per_s_per_address == 0
    assert free.sockets_total == AdmissionSettings().sockets_total
    assert (chosen.sockets_per_address, chosen.connections_per_address) == (7, 0)


def test_the_hints_never_show_a_key_of_ones_own() -> None:
    own = Settings(socket=SocketSettings(server_key=SecretStr("a-key-of-ones-own")))

    assert "defaultkey:" in hints("h:1", "h:2", Settings())
    assert "a-key-of-ones-own" not in hints("h:1", "h:2", own)
    assert "ws://h:2/ws" in hints("h:1", "h:2", own)


def test_the_hints_name_what_is_spoken() -> None:
    secure = Settings(listen=ListenSettings(tls_cert="c.pem", tls_key="k.pem"))

    assert "https://h:1/v2" in hints("h:1", "h:2", secure)
    assert "wss://h:2/ws" in hints("h:1", "h:2", secure)
    assert "http://h:1/v2" in hints("h:1", "h:2", Settings())
