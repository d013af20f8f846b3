"""Whether two runs may be compared: what differs between them beside the server.

The versions of the server are what one wants to compare, and its address tells nothing; they pass.
"""

from typing import Any, Final

from loadtest.result import Machine, Result
from loadtest.verdict import invalidity

WITHOUT_MEANING: Final = frozenset({"url", "ops", "server_pid", "thresholds", "allow", "limits"})
"""Options that change nothing about the load."""
MAX_TEXT: Final = 80


def differences(a: Result, b: Result) -> list[str]:
    """What makes their figures hard to compare, a line each, the gravest first."""
    return [
        *_verdict("A", a),
        *_verdict("B", b),
        *_unlike("schema", a.schema, b.schema),
        *_plans(a.plan, b.plan),
        *_reached(a, b),
        *_machines(a.machine, b.machine),
    ]


def _verdict(name: str, result: Result) -> list[str]:
    lines = []
    invalid = invalidity(result)
    if invalid or result.verdict == "invalid":
        reasons = "; ".join(invalid) or "the swarm was the bottleneck"
        lines.append(f"{name} is INVALID, its figures are the swarm's own: {_short(reasons)}")
    if result.stopped_early:
        lines.append(f"{name} was stopped early")
    if sum(result.truth.faults().values()):
        found = ", ".join(f"{fault} {count:,}" for fault, count in result.truth.faults().items() if count)
        lines.append(f"{name} has faults: {found}")
    if errors := sum(result.errors.values()):
        lines.append(f"{name} has errors: {errors:,}")
    return lines


def _plans(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    lines = []
    for name in sorted({*a, *b} - WITHOUT_MEANING, key=lambda name: (name != "scenario", name)):
        one, other = a.get(name), b.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            for inner in sorted({*one, *other}):
                lines += _unlike(f"{name}.{inner}", one.get(inner), other.get(inner))
        else:
            lines += _unlike(name, one, other)
    return lines


def _reached(a: Result, b: Result) -> list[str]:
    """Other players than were asked for: alike on paper only."""
    alike = a.plan.get("players") == b.plan.get("players")
    lower, higher = sorted((a.connected, b.connected))
    if alike and higher - lower > 0.01 * higher:
        return _unlike("most players connected", a.connected, b.connected)
    return []


def _machines(a: Machine, b: Machine) -> list[str]:
    lines = [
        *_unlike("processor", a.cpu_model, b.cpu_model),
        *_unlike("processors", a.cpus, b.cpus),
        *_unlike("processors of the swarm", a.affinity, b.affinity),
        *_unlike("memory", a.memory_bytes >> 30, b.memory_bytes >> 30, " GiB"),
        *_unlike("system", a.system, b.system),
        *_unlike("network", a.network, b.network),
    ]
    for name in sorted({*a.versions, *b.versions} - {"server"}):
        lines += _unlike(f"version of {name}", a.versions.get(name), b.versions.get(name))
    return lines


def _unlike(name: str, a: object, b: object, unit: str = "") -> list[str]:
    return [] if a == b else [f"{name} differs: {_told(a)}{unit} in A, {_told(b)}{unit} in B"]


def _told(value: object) -> str:
    return "nothing" if value is None else _short(str(value))


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
