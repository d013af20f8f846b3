"""Each section checks what can be checked of it alone."""

import pytest
from pydantic import ValidationError

from server.sections import (
    Address,
    IdentitySettings,
    IssuerSettings,
    SessionSettings,
    SocketSettings,
    parse_address,
)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:7350", "::1", 7350), ("game.local:65535", "game.local", 65535)],
)
def test_an_address_is_read_and_written_back(text: str, host: str, port: int) -> None:
    address = parse_address(text)

    assert (address.host, address.port) == (host, port)
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "7350", "host:", ":7350", "host:65536", "host:-1", "::1:7350", "a b:1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_address(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_known_by_address(host: str) -> None:
    assert Address(host=host, port=1).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "127.0.0.1.example.com"])
def test_no_other_address_is_loopback(host: str) -> None:
    assert not Address(host=host, port=1).is_loopback


def test_an_issuer_must_name_its_clients() -> None:
    with pytest.raises(ValidationError, match="client_ids or audiences"):
        IssuerSettings(issuer="https://issuer.test")


def test_an_issuer_is_configured_once() -> None:
    issuer = {"issuer": "https://issuer.test", "client_ids": ["game"]}

    with pytest.raises(ValidationError, match="configured twice"):
        IdentitySettings.model_validate({"issuers": [issuer, issuer]})


def test_pings_must_come_before_the_timeout() -> None:
    with pytest.raises(ValidationError, match="ping_interval_s"):
        SocketSettings(ping_interval_s=25, pong_timeout_s=25)


@pytest.mark.parametrize("name", ["single_match", "single_party"])
def test_one_at_a_time_needs_one_socket(name: str) -> None:
    assert getattr(SessionSettings.model_validate({name: True}), name)
    with pytest.raises(ValidationError, match=f"{name} needs single_socket"):
        SessionSettings.model_validate({name: True, "single_socket": False})


@pytest.mark.parametrize("policy", ["ignore", "grace", "strict"])
def test_a_socket_expiry_is_one_of_three(policy: str) -> None:
    assert SessionSettings.model_validate({"socket_expiry": policy}).socket_expiry == policy
    with pytest.raises(ValidationError, match="socket_expiry"):
        SessionSettings.model_validate({"socket_expiry": policy.upper()})
