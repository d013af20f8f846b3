"""Rotation of the signing keys: a fresh key to the front of a ring, and out with those that have served.

A key is over once nothing that it signed can still be valid: its successor, which signed from then on, was
made longer ago than the longest life of such a token, and an hour for servers that were late to notice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from server.config import Settings
from server.identity.key_file import SETTING, KeyFile
from server.identity.signingkeys import MAX_RING, KeyFileError, SigningKey, SigningKeys, Use, fresh_key
from server.ids import Ids

SPARE_S = 3600


@dataclass(frozen=True, slots=True)
class Rotated:
    """What became of one ring, in key ids."""

    use: Use
    added: str
    kept: tuple[str, ...]
    dropped: tuple[str, ...]

    def __str__(self) -> str:
        older, gone = (", ".join(kids) or "none" for kids in (self.kept, self.dropped))
        return f"{self.use}: {self.added} signs; still verifying: {older}; dropped: {gone}"


def rotate(settings: Settings, uses: Sequence[Use], ids: Ids, now: float) -> list[Rotated]:
    """Rotate these rings of the configured key file, all or none. Raises `KeyFileError`."""
    file = KeyFile.configured(settings)
    if file is None:
        raise KeyFileError(
            f"{SETTING}: these keys come from the environment; rotate them where they are kept"
        )
    with file.replacing(ids) as replacement:
        reading = file.read()
        rings = {"session": reading.keys.session, "refresh": reading.keys.refresh}
        done = []
        for use in uses:
            old = rings[use]
            kept = _still_needed(old, int(now) - _longest_life_s(settings, use))
            if len(kept) == MAX_RING:
                raise KeyFileError(
                    f"{file.path}: {use}: {MAX_RING} keys already, and each may still have to verify tokens"
                )
            added = fresh_key(old, ids, int(now))
            rings[use] = (added, *kept)
            dropped = tuple(key.kid for key in old if key not in kept)
            done.append(Rotated(use, added.kid, tuple(key.kid for key in kept), dropped))
        replacement.write(SigningKeys.of(rings["session"], rings["refresh"]), reading.found)
    return done


def _longest_life_s(settings: Settings, use: Use) -> int:
    lives_s: dict[Use, int] = {
        "session": settings.session.token_ttl_s,
        "refresh": settings.session.refresh_idle_s,
    }
    return lives_s[use] + SPARE_S


def _still_needed(ring: tuple[SigningKey, ...], before: int) -> tuple[SigningKey, ...]:
    """The newest, and each whose successor was not made before that time."""
    followed = zip(ring[1:], ring, strict=False)
    return (ring[0], *(key for key, successor in followed if successor.created_at >= before))
