"""State that players see: declared once, changed freely, and sent as what has changed.

    def init(self, params):
        self.world = Synced(self.dispatcher, Op.STATE, views={"ships": self.sees})

    def tick(self, inputs):
        self.world.state["ships"][player_id] = {"x": 1.5, "y": 2.0}
        self.world.publish(self.players.values())

Who is new is sent a snapshot, `{"seq": 7, "state": {...}}`; everybody else, when something that they see has
changed, `{"seq": 8, "after": 7, "patch": {...}}`: a JSON merge patch (RFC 7396) from the state that they were
sent with 7 to that of 8. Both in JSON, or both in MessagePack. All that a client needs is

    const merge = (old, patch) => {
      if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
      const merged = old !== null && typeof old === "object" && !Array.isArray(old) ? {...old} : {};
      for (const [key, value] of Object.entries(patch))
        if (value === null) delete merged[key]; else merged[key] = merge(merged[key], value);
      return merged;
    };
    if ("state" in message) state = message.state;              // always right
    else if (message.after === seq) state = merge(state, message.patch);
    else askForSnapshot();                                      // a gap: the game answers with `resync`
    seq = message.seq;

in JavaScript, or `Replica` in Python.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Raw

from server.runtime.dispatcher import Dispatcher
from server.runtime.mirror import Encode, Mirror, Unsendable
from server.runtime.players import Player

View = Callable[[Player], Iterable[str]]
"""Which keys of a collection a player may see. What is named and not there is passed over."""


class Form(StrEnum):
    """What messages are written in."""

    JSON = "json"
    MSGPACK = "msgpack"


Seen = tuple[frozenset[str], ...]
"""What of each collection with a view a player is shown."""
Known = tuple[int, Seen]
"""What a player has: the number of the last message, and what it showed."""

_ENCODE: Mapping[Form, Encode] = {
    Form.JSON: msgspec.json.Encoder().encode,
    Form.MSGPACK: msgspec.msgpack.Encoder().encode,
}


class Synced:
    """A state and who knows how much of it.

    `state` is plain data: a dict with str keys of str, int, float, bool, dicts and lists (tuples and members
    of an Enum are sent as what they stand for). Change it as you like, at any depth. Three things to know:

    - None would remove its key at the client, so it is refused: delete the key. In lists it may stand.
    - A list is sent whole when anything in it changes. For things that come and go use a dict by id.
    - A float is sent with all its digits. Write `round(x, 2)` into the state if two are enough.

    `views` names the collections (dicts in `state`) of which a player is shown only some entries, and the
    function that says which: nothing else of them ever leaves the server. An entry that comes into view is
    sent whole, one that leaves it is removed. All the rest of the state is seen by all.

    Messages are reliable, and have to be: each builds on the one before. `publish` looks at the whole state,
    so its cost grows with that; a snapshot must fit in one message (1 MiB). A match that is stored need only
    keep `state`: once that is set again, everybody begins with a snapshot.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        op_code: int,
        *,
        form: Form = Form.JSON,
        views: Mapping[str, View] | None = None,
    ) -> None:
        self.state: dict[str, Any] = {}
        self.seq = 0
        """The number of the last `publish`; the first is 1."""
        self._dispatcher = dispatcher
        self._op_code = op_code
        self._encode = _ENCODE[form]
        self._shared = Mirror(self._encode)
        self._collections = [_Collection(name, view, self._encode) for name, view in (views or {}).items()]
        self._known: dict[str, tuple[Player, Known]] = {}
        """By session id, exactly those of the last `publish`."""

    def publish(self, players: Iterable[Player]) -> None:
        """Send each of the players what they lack: once in a tick, at its end, with all who should see.

        Whoever is not among them is forgotten, and begins with a snapshot if they come again; so does whoever
        left and came back in between.
        Raises ValueError for what cannot be sent, and names where in the state it is: `ships.bob.x`. If this
        raises, or a view does, everybody begins with a snapshot next time.
        """
        known, self._known = self._known, {}
        self.seq += 1
        try:
            self._known = self._publish(players, known)
        except RecursionError:
            raise ValueError("the state is nested too deeply, or holds itself") from None

    def resync(self, players: Iterable[Player]) -> None:
        """Send these a snapshot next time: they missed something, or came back on the same session."""
        for player in players:
            self._known.pop(player.session_id, None)

    def _publish(
        self, players: Iterable[Player], known: Mapping[str, tuple[Player, Known]]
    ) -> dict[str, tuple[Player, Known]]:
        shared = self._changes()
        alike: dict[tuple[Known | None, Seen], list[Player]] = {}
        for player in players:
            seen = tuple([each.seen_by(player) for each in self._collections])
            there, before = known.get(player.session_id, (None, None))
            if there is not player:  # the same session may leave and come back: that is another place
                before = None
            alike.setdefault((before, seen), []).append(player)
        now_known: dict[str, tuple[Player, Known]] = {}
        for (before, seen), group in alike.items():
            message = self._snapshot(seen) if before is None else self._delta(before, seen, shared)
            if message is not None:
                self._dispatcher.broadcast(self._op_code, message, to=group)
            seq = self.seq if before is None or message is not None else before[0]
            for player in group:
                now_known[player.session_id] = (player, (seq, seen))
        return now_known

    def _changes(self) -> dict[str, Any]:
        """Look what the game changed. Returns what all see of it, encoded by key."""
        apart = {each.name for each in self._collections}
        for collection in self._collections:
            collection.follow(self.state.get(collection.name, {}))
        open_to_all = {key: value for key, value in self.state.items() if key not in apart}
        return {key: Raw(self._encode(value)) for key, value in self._shared.follow(open_to_all).items()}

    def _snapshot(self, seen: Seen) -> bytes:
        state = dict(self._shared.held)
        for collection, keys in zip(self._collections, seen, strict=True):
            state[collection.name] = collection.whole(keys)
        return self._encode({"seq": self.seq, "state": state})

    def _delta(self, before: Known, seen: Seen, shared: Mapping[str, Any]) -> bytes | None:
        patch = dict(shared)
        for collection, had, keys in zip(self._collections, before[1], seen, strict=True):
            part = collection.delta(had, keys)
            if part:
                patch[collection.name] = part
        return self._encode({"seq": self.seq, "after": before[0], "patch": patch}) if patch else None


class _Collection:
    """Entries of which each player is shown some. Each is encoded once a publish, however many see it."""

    def __init__(self, name: str, view: View, encode: Encode) -> None:
        self.name = name
        self._view = view
        self._encode = encode
        self._mirror = Mirror(encode)
        self._changed: dict[str, Raw] = {}
        self._whole: dict[str, Raw] = {}

    def follow(self, entries: object) -> None:
        if not isinstance(entries, dict):
            raise Unsendable("what has a view must be a dict").under(self.name)
        try:
            patch = self._mirror.follow(entries)
        except Unsendable as error:
            raise error.under(self.name) from None
        self._changed = {key: Raw(self._encode(part)) for key, part in patch.items() if part is not None}
        self._whole = {}

    def seen_by(self, player: Player) -> frozenset[str]:
        there = self._mirror.held.keys()
        keys = frozenset(self._view(player))
        return keys if keys <= there else frozenset([key for key in keys if key in there])

    def whole(self, keys: Iterable[str]) -> dict[str, Raw]:
        """These entries as they are, in an order that does not depend on how strings are hashed."""
        return {key: self._encoded(key) for key in sorted(keys)}

    def delta(self, had: frozenset[str], keys: frozenset[str]) -> dict[str, Raw | None]:
        """What leads from the entries shown before to those shown now."""
        part: dict[str, Raw | None] = {key: patch for key, patch in self._changed.items() if key in keys}
        if had != keys:
            part.update(self.whole(keys - had))
            part.update(dict.fromkeys(sorted(had - keys)))
        return part

    def _encoded(self, key: str) -> Raw:
        if key not in self._whole:
            self._whole[key] = Raw(self._encode(self._mirror.held[key]))
        return self._whole[key]
