"""Whether a run passed, failed, or tells nothing.

A run in which the swarm was the bottleneck is invalid whatever else it found: its figures are the swarm's
own. Else it fails by a fault, an error, or a threshold that did not hold, and by having found nothing at all.
"""

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Final, Literal

import msgspec

from loadtest.doubt import doubts
from loadtest.failures import SwarmError
from loadtest.result import FAULTS, Result
from loadtest.threshold import Threshold, told_outcome

Verdict = Literal["passed", "failed", "invalid"]
EXIT: Final[dict[str, int]] = {"passed": 0, "failed": 1, "invalid": 3}
"""Statuses of the process; 2 is a run that could not be made."""
ERRORS: Final = "errors"
DROPPED: Final = "dropped"
"""Allows as many errors as sockets were dropped: each drop is counted, and told as an error by its reason."""
LEAST_S: Final = 1.0
"""Of a load that was planned to last: what was measured in less tells nothing."""
MAX_ERRORS_TOLD: Final = 10


def check_allowed(allow: Collection[str]) -> None:
    """Before a run. Raises SwarmError for what is no fault counter, `errors`, `errors[text]` or `dropped`."""
    for name in allow:
        known = (*FAULTS, ERRORS, DROPPED)
        if name in known or _text_of(name):
            continue
        near = get_close_matches(name.lower(), known, 1)
        meant = f" did you mean {near[0]!r}?" if near else ""
        raise SwarmError(f"cannot allow {name[:100]!r};{meant} known are {', '.join(known)}, {ERRORS}[text]")


def judge(result: Result, thresholds: Sequence[Threshold], allow: Collection[str]) -> Result:
    """The result with its thresholds judged, what was allowed, and the verdict."""
    outcomes = [threshold.judge(result) for threshold in thresholds]
    judged = msgspec.structs.replace(result, thresholds=outcomes, allowed=list(allow))
    verdict: Verdict = "passed"
    if invalidity(judged):
        verdict = "invalid"
    elif failures(judged):
        verdict = "failed"
    return msgspec.structs.replace(judged, verdict=verdict)


def why(result: Result) -> list[str]:
    """Each reason why a judged run did not pass, as a line for people; what makes it invalid comes first."""
    return [*(f"invalid: {reason}" for reason in invalidity(result)), *failures(result)]


def invalidity(result: Result) -> list[str]:
    """Why a judged run says nothing about the server; empty if it does.

    The swarm was beyond its limits, or all that is against the server is what the swarm may have added.
    """
    if result.honesty.reasons:
        return result.honesty.reasons
    doubted = doubts(result)
    return doubted if len(doubted) == len(failures(result)) else []


def failures(result: Result) -> list[str]:
    """What is against the run itself, apart from whether the swarm was the bottleneck."""
    faults = [f"{name}: {count:,}" for name, count in result.truth.faults().items() if count]
    return [
        *emptiness(result),
        *(line for line in faults if line.partition(":")[0] not in result.allowed),
        *_told_errors(unexpected(result)),
        *(f"{told_outcome(each)}, does not hold" for each in result.thresholds if not each.held),
    ]


def emptiness(result: Result) -> list[str]:
    """Why there is nothing to judge, if so: a run that did nothing must not pass."""
    if not result.connected:
        return ["no player was ever connected"]
    if result.measured_s < min(LEAST_S, result.plan.get("duration_s", LEAST_S)) or result.measured_s <= 0:
        how = "was stopped" if result.stopped_early else "ended"
        return [f"the run {how} before anything could be measured"]
    if result.measures and result.measures not in result.timings:
        return [f"the run did not do what its scenario is for: no {result.measures} was timed"]
    return []


def unexpected(result: Result) -> dict[str, int]:
    """Errors that were not allowed, the most frequent first."""
    if ERRORS in result.allowed:
        return {}
    passed = [text for name in result.allowed if (text := _text_of(name))]
    left = {
        told: count
        for told, count in result.errors.items()
        if count and not any(text in told.casefold() for text in passed)
    }
    if DROPPED in result.allowed and sum(left.values()) <= result.counts.get(DROPPED, 0):
        return {}
    return dict(sorted(left.items(), key=lambda item: (-item[1], item[0])))


def _text_of(name: str) -> str:
    """What an error must contain to be allowed by this name; empty if it is no such name."""
    inside = name.removeprefix(f"{ERRORS}[").removesuffix("]")
    return inside.casefold() if name == f"{ERRORS}[{inside}]" else ""


def _told_errors(errors: dict[str, int]) -> list[str]:
    lines = [f"error: {told} ({count:,} times)" for told, count in list(errors.items())[:MAX_ERRORS_TOLD]]
    more = len(errors) - len(lines)
    return [*lines, f"error: {more:,} other kinds"] if more else lines
