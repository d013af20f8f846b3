"""What a run found, as the text that is printed at its end.

Pure: a result goes in, lines of at most `WIDTH` characters come out. The verdict comes last, where the eye
is when all has been printed.
"""

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import Any, Final

from loadtest.faces.figures import in_order, memory, ms, percent, plain
from loadtest.measured import measured, rate
from loadtest.result import Machine, Outcome, Result, Timing
from loadtest.verdict import failures, invalidity

WIDTH: Final = 100
LABEL: Final = 12
MAX_ERRORS: Final = 10
MAX_FACTS: Final = 40
MAX_OPERATIONS: Final = 40
TOLD_VERSIONS: Final = ("lockgate", "server", "python", "uvloop")
COMMIT_DIGITS: Final = 12


def text(result: Result) -> str:
    """The whole, with the end of its last line."""
    parts = (
        _run(result),
        _timings(result.timings),
        _truth(result),
        _errors(result.errors),
        _use(result),
        _thresholds(result.thresholds),
        _facts(result.facts),
        _verdict(result),
    )
    return "\n\n".join("\n".join(part) for part in map(list, parts) if part) + "\n"


def _run(result: Result) -> Iterator[str]:
    plan = result.plan
    settings = plan.get("settings") or {}
    yield from _labelled(
        "scenario",
        str(plan.get("scenario", "")).rpartition("/")[2],
        f"{result.connected} of {plan.get('players', '?')} players",
        str(plan.get("format", "")),
        f"seed {plan.get('seed', '?')}",
        *(f"{name} {value}" for name, value in settings.items() if value != ""),
    )
    yield from _labelled("machine", *_machine_words(result.machine))
    workers = plan.get("workers", 1)
    early = ["stopped early"] if result.stopped_early else []
    profile: dict[str, Any] = plan.get("profile") or {}
    yield from _labelled(
        "measured",
        f"{result.measured_s:.1f} s behind {result.measured_from_s:.1f} s of ramp and warm-up",
        *early,
        f"{profile.get('shape', 'constant')} profile",
        f"{workers} worker{'s' * (workers != 1)}",
        *_rates(result),
        f"begun {result.begun}",
    )


def _machine_words(machine: Machine) -> Iterator[str]:
    yield machine.cpu_model
    pinned = f" ({len(machine.affinity)} used)" if 0 < len(machine.affinity) < machine.cpus else ""
    yield f"{machine.cpus} CPUs{pinned}"
    yield memory(machine.memory_bytes)
    yield machine.system
    yield from (f"{name} {machine.versions[name]}" for name in TOLD_VERSIONS if name in machine.versions)
    if machine.commit:
        digits, dash, dirty = machine.commit.partition("-")
        yield f"commit {digits[:COMMIT_DIGITS]}{dash}{dirty}"
    yield machine.network


def _timings(timings: dict[str, Timing]) -> Iterator[str]:
    if not timings:
        return
    heads = "".join(f"{head:>10}" for head in ("p50", "p90", "p99", "p99.9", "max"))
    yield f"{'response, ms':<15}{'count':>10}{heads}{'service p99':>14}"
    for name in in_order(set(timings))[:MAX_OPERATIONS]:
        response, service = timings[name].response, timings[name].service
        figures = (response.p50, response.p90, response.p99, response.p999, response.max)
        cells = "".join(f"{ms(figure) if response.count else '-':>10}" for figure in figures)
        beside = ms(service.p99) if service.count else "-"
        yield f"{plain(name, 14):<15}{response.count:>10}{cells}{beside:>14}"


def _truth(result: Result) -> Iterator[str]:
    truth = result.truth
    if truth.sent or truth.expected or truth.delivered:
        yield from _labelled(
            "messages", f"sent {truth.sent}", f"delivered {truth.delivered} of {truth.expected} expected"
        )
    faults = (
        f"{name.replace('_', ' ')} {count}{' (allowed)' * bool(count and name in result.allowed)}"
        for name, count in truth.faults().items()
    )
    yield from _labelled("faults", *faults)
    known = {"sent", "delivered", "expected", *truth.faults()}
    others = [f"{plain(name, 40)} {count}" for name, count in result.counts.items() if name not in known]
    if others:
        yield from _labelled("counted", *others[:MAX_FACTS])


def _errors(errors: dict[str, int]) -> Iterator[str]:
    if not errors:
        return
    ranked = sorted(errors.items(), key=lambda error: (-error[1], error[0]))
    for place, (told, count) in enumerate(ranked[:MAX_ERRORS]):
        label = "errors" if place == 0 else ""
        yield f"{label:<{LABEL}}{count:>8} x  {plain(told, WIDTH - LABEL - 12)}"
    if len(ranked) > MAX_ERRORS:
        rest = sum(count for _, count in ranked[MAX_ERRORS:])
        yield f"{'':<{LABEL}}{rest:>8} x  {len(ranked) - MAX_ERRORS} other kinds"


def _use(result: Result) -> Iterator[str]:
    if result.server_cpu is None:
        yield from _labelled("server", "its use of processor and memory is unknown")
    else:
        delivered = rate(measured(result), "delivered")
        each = [f"{1e6 * result.server_cpu / delivered:.1f} us per delivery"] if delivered else []
        rss = (
            [] if result.server_rss_bytes is None else [f"{memory(result.server_rss_bytes)} resident at most"]
        )
        yield from _labelled("server", f"{percent(result.server_cpu)} of a core", *each, *rss)
    honesty = result.honesty
    yield from _labelled(
        "swarm",
        f"{percent(honesty.cpu)} of a core for the busiest worker",
        f"loop late p99 {ms(honesty.lag_p99_ms)} max {ms(honesty.lag_max_ms)} ms",
        f"acts late p99 {ms(honesty.slip_p99_ms)} ms",
        f"collector at most {ms(honesty.gc_max_ms)} ms",
    )


def _thresholds(outcomes: list[Outcome]) -> Iterator[str]:
    for place, outcome in enumerate(outcomes):
        label = "thresholds" if place == 0 else ""
        held = "held" if outcome.held else "NOT HELD"
        found = "nothing to look at" if outcome.found is None else f"found {outcome.found:.6g}"
        yield f"{label:<{LABEL}}{held:<9} {plain(outcome.text, 50)}  ({found})"


def _facts(facts: dict[str, str]) -> Iterator[str]:
    for name, told in list(facts.items())[:MAX_FACTS]:
        yield from _labelled(plain(name, 24), plain(told, 1000))


def _verdict(result: Result) -> Iterator[str]:
    against = failures(result)
    invalid = invalidity(result)
    if result.verdict == "invalid" or invalid:
        yield from _listed(
            "INVALID: the swarm was the bottleneck, so this run says nothing about the server:",
            invalid or ["it does not say why"],
        )
        if against:
            # A message that came twice came twice, however busy the one was who saw it.
            yield from _listed("Found nevertheless:", against)
    elif result.verdict == "failed":
        yield from _listed("FAILED:", against)
    elif result.verdict == "passed":
        held = len(result.thresholds)
        asked = f"; {held} of {held} thresholds held" if held else ""
        yield f"PASSED: no faults{' but those allowed' * _has_allowed(result)}{asked}."


def _listed(head: str, lines: Iterable[str]) -> Iterator[str]:
    yield head
    for line in lines:
        yield from wrap(f"  - {plain(line, 1000)}", WIDTH, subsequent_indent="    ")


def _has_allowed(result: Result) -> bool:
    return any(result.truth.faults().get(name, 0) for name in result.allowed)


def _rates(result: Result) -> Iterator[str]:
    """Of what was sent and delivered in the measured time."""
    for name in ("sent", "delivered"):
        if per_second := rate(measured(result), name):
            yield f"{name} {per_second:.0f}/s"


def _labelled(label: str, *words: str) -> Iterator[str]:
    """One paragraph of words behind its label, wrapped under itself, never within what belongs together."""
    line = f"{label:<{LABEL}}" if len(label) < LABEL else f"{label}  "
    margin, is_first = " " * LABEL, True
    for word in (plain(word, WIDTH * 10) for word in words if word):
        behind = "" if is_first else ", "
        if not is_first and len(line) + len(behind) + len(word) + 1 > WIDTH:
            yield line + ","
            line, behind = margin, ""
        pieces = wrap(line + behind + word, WIDTH, subsequent_indent=margin, drop_whitespace=True) or [line]
        yield from pieces[:-1]
        line, is_first = pieces[-1], False
    yield line
