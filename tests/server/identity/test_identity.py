"""An identity is a value."""

from dataclasses import FrozenInstanceError

import pytest

from server.identity.identity import Identity


def test_an_identity_cannot_become_another() -> None:
    identity = Identity("https://issuer.example", "alice", {})

    with pytest.raises(FrozenInstanceError):
        identity.subject = "bob"  # type: ignore[misc]  # what is tested

    assert identity == Identity("https://issuer.example", "alice", {})
    assert identity != Identity("https://other.example", "alice", {})
