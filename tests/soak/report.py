"""What a soak came to: the lines of its report, and what of it must not be."""

from collections import Counter

from tests.soak.crowd import Crowd
from tests.soak.plan import Kind
from tests.soak.run import Soak
from tests.soak.watch import LAG, Log, by_label, left_over, quantile_s, slope

MIN_FOR_SLOPE = 10
"""Looks at the memory in the second half, below which its slope says nothing."""
GROWTH = 0.05
"""Of the resident memory over the second half, at most."""
FORGIVEN = "lockgate_keepalive_shifted_seconds_total"
"""By so much the server moves its deadlines when it was held up itself."""
SLACK_S = 2.0
"""For what these players are late, on top of the server's time-out and two of its sweeps."""
MUST_BE_SEEN = ("slow readers closed", "flooders closed with 4503", "half-open found")
COUNTED = (
    "lockgate_outgoing_dropped_total",
    "lockgate_outgoing_merged_total",
    "lockgate_slow_sockets_closed_total",
    "lockgate_sockets_closed_total",
    "lockgate_messages_limited_total",
    "lockgate_errors_total",
    "lockgate_loop_blocked_total",
    "lockgate_gc_full_total",
)


def report(soak: Soak, crowd: Crowd, log: Log) -> list[str]:
    """The lines."""
    plan, counts = crowd.plan, crowd.ledger.counts
    kinds = Counter(plan.kinds())
    times = crowd.latency.percentiles()
    lines = [
        "players: " + ", ".join(f"{kinds[kind]} {kind.value}" for kind in Kind),
        f"load: {plan.rate:g} messages a second each, matches of {plan.match_size}; the server took"
        f" {soak.server_share:.0%} of its core, the players {soak.own_share:.0%} of theirs",
        f"honest: sent {counts.sent}, heard {counts.delivered}; missed {counts.missed}, twice"
        f" {counts.duplicated}, out of order {counts.reordered}, foreign {counts.foreign}",
    ]
    if times:
        lines.append(
            f"heard after: p50 {times[0]:.1f}, p90 {times[1]:.1f}, p99 {times[2]:.1f}, p99.9 {times[3]:.1f},"
            f" max {times[4]:.1f} ms (the players were up to {soak.late_s * 1e3:.0f} ms late in sending)"
        )
    lines += [f"{name}: {count}" for name, count in sorted(crowd.seen.items())]
    if crowd.found_s:
        lines.append(
            f"half-open found after {min(crowd.found_s):.1f}..{max(crowd.found_s):.1f} s"
            f" (pong_timeout_s {plan.pong_timeout_s:g})"
        )
    lines += [f"{name}: {told(by_label(soak.after, name))}" for name in COUNTED]
    lines.append(f"endings in the log: {told(log.endings)}; lines by level: {told(log.levels)}")
    lines.append(f"warnings in the log: {told(log.warnings)}")
    bounds = [quantile_s(soak.after, soak.before, LAG, share) * 1e3 for share in (0.99, 0.999, 1)]
    lines.append("loop lag: p99 < {:g}, p99.9 < {:g}, max < {:g} ms".format(*bounds))
    lines += memory(soak)
    return lines


def memory(soak: Soak) -> list[str]:
    """Resident memory at minute marks, and how it grew over the second half."""
    marks: dict[int, int] = {}
    for second, size in soak.memory:
        marks.setdefault(int(second // 60), size // 1024)
    return [
        "resident KiB by minute: " + " ".join(f"{minute}:{size}" for minute, size in marks.items()),
        f"slope over the second half: {growth(soak) / 1024:+.1f} KiB a minute",
    ]


def growth(soak: Soak) -> float:
    """Bytes a minute, by least squares over the second half."""
    return slope([(second / 60, size) for second, size in soak.memory[len(soak.memory) // 2 :]])


def told(counts: Counter[str] | dict[str, float]) -> str:
    return ", ".join(f"{name} {count:.0f}" for name, count in sorted(counts.items())) or "none"


def faults(soak: Soak, crowd: Crowd, log: Log) -> list[str]:
    """Everything that must not be."""
    plan, counts = crowd.plan, crowd.ledger.counts
    found = [f"{text} ({count} times)" for text, count in crowd.faults.items()]
    if not counts.is_clean or not counts.delivered:
        found.append(f"honest players did not hear what they should: {counts}")
    found += [f"no {name}" for name in MUST_BE_SEEN if not crowd.seen[name]]
    forgiven_s = soak.after[FORGIVEN] - soak.before[FORGIVEN]
    limit_s = plan.pong_timeout_s + 2 * plan.sweep_s + forgiven_s + SLACK_S
    if crowd.found_s and max(crowd.found_s) > limit_s:
        found.append(f"a half-open peer was found after {max(crowd.found_s):.1f} s, over {limit_s:.1f} s")
    found += [f"{name} is {value:.0f} when all have gone" for name, value in left_over(soak.after).items()]
    found += [f"the server's log: {line} ({count} times)" for line, count in log.errors.items()]
    second_half = soak.memory[len(soak.memory) // 2 :]
    if len(second_half) >= MIN_FOR_SLOPE:
        minutes = (second_half[-1][0] - second_half[0][0]) / 60
        share = growth(soak) * minutes / second_half[0][1]
        if minutes >= MIN_FOR_SLOPE and share > GROWTH:
            found.append(f"memory grew by {share:.1%} over the second half")
    return found
