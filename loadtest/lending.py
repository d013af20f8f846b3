"""What a coordinator and an agent on another host say to each other, and how each proves to know the secret.

Lines of JSON over TCP. The agent speaks first: a nonce, new for each connection. The coordinator answers with
an HMAC of it and a nonce of its own, the agent with an HMAC of that. Each proof covers both nonces and the
prover's role, so that neither side can be made to answer for the other. Nothing is encrypted.
"""

import hmac
from typing import Final, Literal

import msgspec

from loadtest.notes import Order

VERSION: Final = 1
HEAD_BYTES: Final = 1024
"""The longest line before both have proved themselves."""
HEAD_S: Final = 5.0
"""In which they must have."""
ORDER_BYTES: Final = 2**20

Role = Literal["coordinator", "agent"]


class Challenge(msgspec.Struct, frozen=True, tag="challenge"):
    """From the agent, first."""

    version: int
    nonce: str


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """From the coordinator."""

    nonce: str
    proof: str


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """From the agent: it lends so many workers, numbered from 0."""

    proof: str
    workers: int


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """From the agent, which then hangs up."""

    reason: str


class Ordered(msgspec.Struct, frozen=True, tag="order"):
    """From the coordinator to one of the workers."""

    worker: int
    order: Order


class Heard(msgspec.Struct, frozen=True, tag="note"):
    """From one of the workers: a note as it said it."""

    worker: int
    note: msgspec.Raw


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """One of the workers ended before it was done; how, for people."""

    worker: int
    how: str


FromAgent = Heard | Ended


def proof(secret: str, role: Role, agent_nonce: str, coordinator_nonce: str) -> str:
    """HMAC-SHA256 in hexadecimal."""
    text = f"lockgate-swarm:{VERSION}:{role}:{agent_nonce}:{coordinator_nonce}"
    return hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()


def proves(given: str, secret: str, role: Role, agent_nonce: str, coordinator_nonce: str) -> bool:
    """In a time that tells nothing about where the proof is wrong."""
    right = proof(secret, role, agent_nonce, coordinator_nonce)
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())
