"""The tables of a report: what was found, and with what the run was made."""

from collections.abc import Mapping
from typing import Final

import msgspec

from loadtest.faces.figures import in_order, memory, ms
from loadtest.faces.markup import Markup, card, cell, element, facts, number, paragraph, table, text
from loadtest.result import Result, Spread, Timing, Truth
from loadtest.threshold import told_outcome

MAX_ERRORS: Final = 100
NEEDED: Final = {"p90": 10, "p99": 100, "p999": 1000}
"""How many values there must be for one to lie beyond this percentile."""


def operations(timings: Mapping[str, Timing]) -> Markup:
    """Response and service times of each operation."""
    if not timings:
        return card("", paragraph("No operation was timed.", "soft"))
    heads = (
        *("Operation", ">Count", ">Response p50", ">p90", ">p99", ">p99.9", ">max"),
        *(">Service p50", ">p99"),
    )
    rows = [_operation(name, timings[name]) for name in in_order(set(timings))]
    note = paragraph(
        "Milliseconds. In italics: a percentile of so few values that it is their maximum.", "soft"
    )
    return card("", table(heads, rows), note)


def _operation(name: str, timing: Timing) -> list[Markup]:
    response, service = timing.response, timing.service
    names = ("p50", "p90", "p99", "p999", "max")
    return [
        Markup(f'<th scope="row">{text(name)}</th>'),
        number(f"{response.count:,}"),
        *(_latency(response, each) for each in names),
        *(_latency(service, each) for each in ("p50", "p99")),
    ]


def _latency(spread: Spread, name: str) -> Markup:
    if not spread.count:
        return number("-")
    return number(ms(getattr(spread, name)), "few" if spread.count < NEEDED.get(name, 0) else "")


def thresholds(result: Result) -> Markup:
    """What was asked of the run."""
    if not result.thresholds:
        return card("Thresholds", paragraph("None were asked for.", "soft"))
    rows = []
    for each in result.thresholds:
        found = told_outcome(each).removeprefix(f"{each.text}: ").removeprefix("found ")
        held = cell("held") if each.held else cell("not held", "bad")
        rows.append([cell(each.text), number(found), held])
    return card("Thresholds", table(("Asked", ">Found", "Outcome"), rows))


def truth(result: Result) -> Markup:
    """Messages, and what became of them."""
    told = result.truth
    rows = [
        [cell(name), number(f"{getattr(told, name):,}"), cell("")]
        for name in ("sent", "expected", "delivered")
    ]
    for name, count in told.faults().items():
        allowed = name in result.allowed
        outcome = "fault" if not allowed else "allowed"
        kind = "bad" if count and not allowed else ""
        rows.append(
            [cell(name.replace("_", " ")), number(f"{count:,}", kind), cell(outcome if count else "", "soft")]
        )
    return card("Messages and faults", table(("Counter", ">Count", ""), rows))


def errors(result: Result) -> Markup:
    """By what was told, the most frequent first."""
    if not result.errors:
        return card("Errors", paragraph("There were none.", "soft"))
    ranked = sorted(result.errors.items(), key=lambda item: (-item[1], item[0]))
    rows = [[number(f"{count:,}"), cell(told)] for told, count in ranked[:MAX_ERRORS]]
    rest = ranked[MAX_ERRORS:]
    if rest:
        rows.append([number(f"{sum(count for _, count in rest):,}"), cell(f"{len(rest):,} other kinds")])
    return card("Errors", table((">Count", "Told"), rows))


def counted(result: Result) -> Markup:
    """What the scenario counted, and what it found beside."""
    rows = [
        [cell(name.replace("_", " ")), number(f"{count:,}")]
        for name, count in sorted(result.counts.items())
        if name not in Truth.__struct_fields__  # which has a table of its own
    ]
    found = [[cell(name), cell(told)] for name, told in result.facts.items()]
    parts = [table(("Counted", ">Count"), rows)] if rows else []
    parts += [table(("Fact", "Found"), found)] if found else []
    return card("Counted beside", *(parts or [paragraph("Nothing.", "soft")]))


def marks(result: Result) -> Markup:
    """The moments that the plots show as lines."""
    rows = [[number(f"{mark.at_s:,.1f} s"), cell(mark.text)] for mark in result.marks]
    return card("Marks", table((">At", "What happened"), rows)) if rows else Markup("")


def machine(result: Result) -> Markup:
    """Where the swarm ran."""
    told = result.machine
    pinned = 0 < len(told.affinity) < told.cpus
    return card(
        "Machine of the swarm",
        facts(
            (
                ("Processor", told.cpu_model),
                ("Processors", f"{told.cpus}" + f" (used: {', '.join(map(str, told.affinity))})" * pinned),
                ("Memory", memory(told.memory_bytes)),
                ("System", told.system),
                ("Open files at most", f"{told.open_files:,}"),
                ("To the server", told.network),
                ("Commit", told.commit or "unknown"),
            )
        ),
    )


def versions(result: Result) -> Markup:
    rows = [[cell(name), cell(version)] for name, version in sorted(result.machine.versions.items())]
    return card("Versions", table(("Program", "Version"), rows))


def limits(result: Result) -> Markup:
    """What the swarm allowed itself, and how it fared."""
    rows = []
    for name, limit in result.honesty.limits.items():
        found = getattr(result.honesty, name, None)
        is_over = found is not None and found > limit
        shown = "-" if found is None else f"{found:,.4g}"
        rows.append(
            [cell(_limit_told(name)), number(shown, "bad" if is_over else ""), number(f"{limit:,.4g}")]
        )
    return card("Limits of validity", table(("The swarm's own", ">Found", ">Limit"), rows))


def _limit_told(name: str) -> str:
    base, is_ms, _ = name.partition("_ms")
    return f"{base.replace('_', ' ')} ({'ms' if is_ms else 'cores'})"


def repeat(result: Result) -> Markup:
    """The plan as a file that the swarm reads, JSON being YAML, and what to do with it."""
    file = msgspec.json.format(msgspec.json.encode(result.plan), indent=2).decode()
    return card(
        "How to repeat it",
        paragraph(
            "Keep this as plan.yaml and run: lockgate swarm --file plan.yaml --html report.html. The seed "
            "names the same players and makes the same choices. Secrets are not told: where the run had a "
            "server key or a password of its own, give it again."
        ),
        element("pre", text(file)),
    )
