"""The report as one HTML page that needs no network, and is not allowed any.

Scripts run by their hashes alone, so that nothing which a result contains can become one.
"""

import base64
import hashlib
from importlib.resources import files
from typing import Final

from loadtest import verdict
from loadtest.faces import drawing, plots, tables
from loadtest.faces.figures import memory
from loadtest.faces.markup import Markup, card, element, facts, items, paragraph, section, text
from loadtest.faces.plots import Group, Plot
from loadtest.measured import measured, rate
from loadtest.result import Result

HEADS: Final = {
    "passed": "The server kept its promises under this load.",
    "failed": "The server did not do what was asked of it:",
    "invalid": "The swarm was the bottleneck, so this run says nothing about the server:",
    "": "This run was not held against anything.",
}


def html(result: Result) -> str:
    """The whole document."""
    groups = plots.groups(result)
    scripts = [drawing.script(), _resource("page.js")]
    return "".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts)}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            '<meta name="referrer" content="no-referrer">\n',
            # Without it the browser asks the server of a served page for a picture.
            '<link rel="icon" href="data:,">\n',
            f"<title>{text(_title(result))}: {text(_word(result))}</title>\n",
            f"<style>\n{_resource('page.css')}</style>\n</head>\n<body>\n<main>\n",
            *_parts(result, groups),
            "</main>\n",
            f'<script type="application/json" id="plots">{_data(groups)}</script>\n',
            *(f"<script>{script}</script>\n" for script in scripts),
            "</body>\n</html>\n",
        )
    )


def _policy(scripts: list[str]) -> str:
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    # Plots are made with styles on elements, and a picture of one that the reader keeps is a blob.
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _resource(name: str) -> str:
    return files("loadtest.faces").joinpath(name).read_text(encoding="utf-8")


def _data(groups: list[Group]) -> str:
    """All figures as one JSON object by key, in which no markup can end the element around it."""
    drawn = [plot for group in groups for plot in group.plots if plot.figure]
    whole = "{" + ",".join(f'"{plot.key}":{plot.figure}' for plot in drawn) + "}"
    return whole.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _parts(result: Result, groups: list[Group]) -> list[Markup]:
    return [
        _header(result),
        section("Operations", tables.operations(result.timings)),
        section(
            "Outcome",
            _columns(
                tables.thresholds(result), tables.truth(result), tables.errors(result), tables.counted(result)
            ),
        ),
        *(_group(group) for group in groups),
        section(
            "How it was made",
            tables.machine(result),
            Markup("<p></p>"),
            _columns(
                tables.versions(result),
                tables.limits(result),
                tables.marks(result),
            ),
            Markup("<p></p>"),
            tables.repeat(result),
        ),
    ]


def _columns(*cards: Markup) -> Markup:
    return element("div", *cards, kind="columns tables")


def _title(result: Result) -> str:
    scenario = str(result.plan.get("scenario", "")).rpartition("/")[2] or "a run"
    return f"{scenario}, {result.plan.get('players', '?')} players"


def _word(result: Result) -> str:
    return (result.verdict or "not judged").upper()


def _header(result: Result) -> Markup:
    known = result.verdict if result.verdict in HEADS else ""
    reasons = verdict.why(result)
    allowed = [
        f"allowed: {name.replace('_', ' ')} {count:,}"
        for name, count in result.truth.faults().items()
        if count and name in result.allowed
    ]
    early = ["The run was stopped early."] if result.stopped_early else []
    banner = Markup(
        f'<div class="verdict {known or "unjudged"}" role="status"><strong>{text(_word(result))}</strong>'
        f"{paragraph(HEADS[known])}{items([*reasons, *allowed, *early])}</div>"
    )
    told = element("h1", text(_title(result)))
    return element("header", banner, card("", told, facts(_facts(result))))


def _facts(result: Result) -> list[tuple[str, str]]:
    plan = result.plan
    profile = plan.get("profile") or {}
    server = "" if result.server_cpu is None else f"{result.server_cpu:.2f} cores"
    if result.server_rss_bytes is not None:
        server += f"{', ' * bool(server)}{memory(result.server_rss_bytes)} at most"
    return [
        ("Begun (UTC)", result.begun.replace("T", " ").removesuffix("Z")),
        ("Players connected", f"{result.connected:,} of {plan.get('players', '?')}"),
        ("Profile", str(profile.get("shape", "constant"))),
        (
            "Measured",
            f"{result.measured_s:,.1f} s, behind {result.measured_from_s:,.1f} s of ramp and warm-up",
        ),
        ("Offered", _offered(result)),
        ("Achieved", _achieved(result)),
        ("Server used", server or "unknown"),
        ("Swarm's busiest worker", f"{result.honesty.cpu:.2f} cores"),
        ("Sockets speak", str(plan.get("format", ""))),
    ]


def _offered(result: Result) -> str:
    """What the schedule held, if the scenario has a rate."""
    value = (result.plan.get("settings") or {}).get("rate")
    if value is None:
        return "the scenario has no rate"
    return f"{value} a second, for each of {result.plan.get('players', '?')} players"


def _achieved(result: Result) -> str:
    found = [(name, rate(measured(result), name)) for name in ("sent", "delivered")]
    told = [f"{each:,.0f} {name}" for name, each in found if each]
    return f"{', '.join(told)} a second" if told else "nothing sent or delivered"


def _group(group: Group) -> Markup:
    about = [paragraph(group.about, "soft")] if group.about else []
    if any(plot.is_logarithmic for plot in group.plots) and group.title == "Latency":
        about.append(
            Markup(
                '<p class="screen"><label><input type="checkbox" id="logarithmic" checked> '
                "logarithmic axes of time</label></p>"
            )
        )
    shown = element("div", *(_plot(plot) for plot in group.plots), kind="columns")
    return section(group.title, *about, shown)


def _plot(plot: Plot) -> Markup:
    if not plot.figure:
        inside = element("h3", text(plot.title)), paragraph(plot.missing, "soft")
        return element("figure", *inside, kind="card words")
    scale = ' data-scale="either"' if plot.is_logarithmic else ""
    return element(
        "figure",
        Markup(f'<div class="plot" id="{plot.key}"{scale} role="img" aria-label="{text(plot.title)}"></div>'),
        kind="card",
    )
