"""What a run of the bench tells: lines as it goes, tables at the end."""

import statistics
import sys
from collections.abc import Mapping, Sequence


def table(results: Mapping[str, Mapping[str, Sequence[float]]], names: Sequence[str]) -> str:
    """Medians, and each contender as a multiple of the first."""
    width = max(map(len, results))
    lines = [f"{'':{width}}  " + "".join(f"{name:>22}" for name in names)]
    for scenario, by_name in results.items():
        first = statistics.median(by_name[names[0]])
        cells = []
        for name in names:
            middle = statistics.median(by_name[name])
            cells.append(f"{middle:>12.2f} ({middle / first:>5.2f}x)")
        lines.append(f"{scenario:{width}}  " + "".join(f"{cell:>22}" for cell in cells))
    return "\n".join(lines)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
