"""Keeps a repeated trouble from filling the log: one line in a while, with how many it stands for."""


class LogRate:
    """One line every `every_s` seconds at most."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._last: float | None = None
        self._untold = 0

    def untold(self, now: float) -> int | None:
        """How many were kept back since the last line, if one may be written now; None: this one may not."""
        if self._last is not None and now - self._last < self._every_s:
            self._untold += 1
            return None
        kept_back, self._untold, self._last = self._untold, 0, now
        return kept_back
