"""What a connection says beside the rules: heartbeats.

Clients ping about every ten seconds, so an idle player's messages are all of this kind: they are answered
from bytes, without decoding.
"""

import re

_PING = re.compile(rb'\{(?:"cid":"([0-9A-Za-z_.-]*)",)?"ping":\{\}(?:,"cid":"([0-9A-Za-z_.-]*)")?\}')


def heartbeat(payload: bytes) -> bytes | None:
    """The answer to a plainly spelt ping, or None: then decode the payload.

    Plain is `{"cid":"…","ping":{}}` in either order, or without a cid; the cid of characters that need no
    escape.
    """
    found = _PING.fullmatch(payload)
    if found is None:
        return None
    before, behind = found.groups()
    if before and behind is not None:
        return None
    if cid := before or behind:
        return b'{"cid":"%b","pong":{}}' % cid
    return b'{"pong":{}}'
