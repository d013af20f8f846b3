"""Figures as people read them: three digits, a unit, and a width that does not jump."""

from typing import Final

OPERATIONS: Final = (
    "sign_in",
    "bridge",
    "tcp",
    "tls",
    "upgrade",
    "arrive",
    "join",
    "matchmaking",
    "echo",
    "deliver",
    "resume",
    "kick",
    "refresh",
    "recover",
    "leave",
)
"""In the order of a player's life."""
MINUTE: Final = 60
THOUSAND: Final = 1000
LONG: Final = 100_000
EXACT: Final = 10_000
"""Numbers below are written out."""
MIB: Final = 2**20


def ms(value: float) -> str:
    """Milliseconds without their unit: 0.12, 2.10, 45.1, 1234; from 100 s on seconds, with it: 360s."""
    return f"{value:.{_decimals(value)}f}" if value < LONG else f"{value / THOUSAND:.0f}s"


def many(number: float) -> str:
    """How many, in up to six characters: 9999, 45.0k, 1.20M."""
    if number < EXACT:
        return f"{number:.0f}"
    power = next(power for power in (1, 2, 3, 4) if power == 4 or number < 999.5 * THOUSAND**power)
    scaled = number / THOUSAND**power
    return f"{scaled:.{_decimals(scaled)}f}{'kMGT'[power - 1]}"


def memory(size: float) -> str:
    """Bytes as 93 MiB or 12.3 GiB."""
    mebibytes = size / MIB
    return f"{mebibytes:.0f} MiB" if mebibytes < EXACT else f"{mebibytes / 1024:.1f} GiB"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def clock(seconds: float) -> str:
    """0:05, 12:34, 100:00: minutes and seconds."""
    minutes, rest = divmod(int(seconds), MINUTE)
    return f"{minutes}:{rest:02}"


def plain(text: str, width: int) -> str:
    """In one line of at most `width` characters, and nothing in it that a terminal would obey.

    What a server tells as the reason of a refusal is printed on somebody's terminal.
    """
    shown = "".join(each if each.isprintable() else " " for each in text)
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"


def in_order(names: set[str]) -> list[str]:
    """Operations as they come in a player's life; those of a scenario's own behind them."""
    return sorted(names, key=lambda name: (_PLACES.get(name, len(_PLACES)), name))


_PLACES: Final = {name: place for place, name in enumerate(OPERATIONS)}


def _decimals(value: float) -> int:
    return 2 if value < 9.995 else 1 if value < 99.95 else 0
