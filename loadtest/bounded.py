"""Counts by name that cannot grow without end, whatever the names are made of."""

from typing import Final

OTHER: Final = "other"
LONGEST_NAME: Final = 200


class Names:
    """The first `most` names are told by themselves, all further ones as `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def of(self, name: str) -> str:
        """What this one is to be called."""
        name = name[:LONGEST_NAME]
        if name in self._known:
            return name
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(name)
        return name

    def renamed(self, counts: dict[str, int]) -> dict[str, int]:
        """Counts by what their names are to be called."""
        told: dict[str, int] = {}
        for name, count in counts.items():
            known = self.of(name)
            told[known] = told.get(known, 0) + count
        return told
