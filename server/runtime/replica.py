"""The other side of `Synced`: what a client knows of a state, from the messages that it was sent.

For clients in Python, and for tests: a replica that heard everything equals what its player may see.
"""

from typing import Any

import msgspec

from server.runtime.sync import Form


class Gap(Exception):
    """A change to something that this replica does not have: it needs a snapshot (`Synced.resync`)."""


class Replica:
    """Begins empty; the first message it can take is a snapshot."""

    def __init__(self, form: Form = Form.JSON) -> None:
        self.state: dict[str, Any] = {}
        self.seq = 0
        """The number of the last message; 0 before the first."""
        self._decode = msgspec.json.decode if form is Form.JSON else msgspec.msgpack.decode

    def apply(self, data: bytes) -> None:
        """Take a message. Raises Gap, and the replica stays as it is until there is a snapshot."""
        message = self._decode(data)
        if "state" in message:
            self.state = message["state"]
        elif message["after"] == self.seq > 0:
            self.state = merged(self.state, message["patch"])
        else:
            raise Gap(f"{self.seq} is known, the change is to {message['after']}")
        self.seq = message["seq"]


def merged(target: Any, patch: Any) -> Any:
    """A JSON merge patch applied, as RFC 7396 section 2 has it. Neither of the two is changed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
