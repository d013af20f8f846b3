"""Whether the swarm's own lateness could have made the difference to a threshold that did not hold.

What players wait for includes how late their tester was: it acts late, and it hears late. Within its limits
that is little, but beside a threshold of the same size it is not; then nobody knows whether the server would
have kept to it. Middle values are not doubted: half of all acts are hardly late.
"""

import re
from typing import Final

from loadtest.failures import SwarmError
from loadtest.figures import percent
from loadtest.result import Honesty, Outcome, Result
from loadtest.threshold import keeps, parse

UPPER: Final = ("<", "<=")
TAIL: Final = 90.0
"""From this percentile on."""
LAST: Final = 99.0
"""Beyond this one the latest beat counts."""
_LATENCY: Final = re.compile(r"(?P<operation>.+?)(?P<service>_service)?_(?P<statistic>max|p[0-9.]+)")
_OWN: Final = frozenset({"lag_p99", "lag_max", "slip_p99", "gc_max"})
"""What is said of the swarm itself."""


def doubts(result: Result) -> list[str]:
    """Of the thresholds of a judged run that did not hold: those that may be the swarm's doing, and why."""
    return [told for each in result.thresholds if (told := _doubt(each, result.honesty))]


def _doubt(outcome: Outcome, honesty: Honesty) -> str:
    if outcome.held or outcome.found is None:
        return ""
    try:
        # Named as the scenario's own, so that it is not taken for a slip a second time.
        asked = parse(outcome.text, (re.split("[<>=!]", outcome.text)[0].strip(),))
    except SwarmError:  # of a later program
        return ""
    parts = _LATENCY.fullmatch(asked.figure.name)
    if asked.order not in UPPER or parts is None or asked.figure.name in _OWN:
        return ""
    share = 100.0 if parts["statistic"] == "max" else percent(parts["statistic"])
    if share is None or share < TAIL:
        return ""
    heard_late = honesty.lag_p99_ms if share <= LAST else honesty.lag_max_ms
    acted_late = 0.0 if parts["service"] else honesty.slip_p99_ms
    if not keeps(max(outcome.found - heard_late - acted_late, 0.0), asked.order, asked.limit):
        return ""
    return (
        f"{outcome.text} does not hold with {outcome.found:.1f} ms, to which the swarm itself may have added "
        f"{heard_late + acted_late:.1f} ms"
    )
