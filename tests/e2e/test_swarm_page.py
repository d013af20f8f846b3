"""The swarm's report in a real browser: plots with data, names and units; and nothing leaves the page."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from loadtest.faces import page
from loadtest.result import Mark, Outcome, Result, ServerUse
from tests.support.chromium import Page, running_chromium
from tests.support.running import running_server
from tests.support.swarm_results import interval, result, timing
from tests.support.swarm_runs import played

HOSTILE = "<a href=//evil.test>x</a></script><script>window.hacked=1</script><img src=x onerror=hacked=2>"
METRICS = {"lockgate_loop_lag_seconds_p99": 0.004, "lockgate_dropped_per_s": 3.0}
TEXT = "return document.body.innerText"
DRAWN = """
    return [...document.querySelectorAll(".plot")].map((place) => ({
        key: place.id,
        title: place.layout.title.text,
        x: place.layout.xaxis.title.text,
        y: place.layout.yaxis.title.text,
        points: place.data.map((trace) => trace.y.filter((value) => value !== null).length),
        drawn: place.querySelectorAll(".js-line, .scatterlayer .point, .barlayer .point").length,
        wide: place.getBoundingClientRect().width,
    }));
"""


Show = Callable[[Result], Awaitable[tuple[Page, list[dict[str, Any]]]]]
"""Opens the report of a result: the page, and what its plots say of themselves."""


@asynccontextmanager
async def browser(chromium: str, folder: Path) -> AsyncIterator[Show]:
    async with running_chromium(chromium, folder, hosts=(), spki="") as devtools:

        async def show(found: Result) -> tuple[Page, list[dict[str, Any]]]:
            report = folder / "report.html"
            report.write_text(page.html(found))
            tab = await devtools.open_page()
            await tab.watch()
            await tab.go(report.as_uri())
            # The page says so when all is drawn; a plot that is not would leave it waiting.
            await tab.run(
                """
                const root = document.documentElement;
                while (root.dataset.drawn !== "yes") await new Promise((next) => setTimeout(next, 10));
                """
            )
            return tab, await tab.run(DRAWN)

        yield show


def check_quiet(open_page: Page) -> None:
    """Nothing was thrown, said or forbidden, and nothing but the page itself was asked for."""
    for event in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
        assert open_page.happened(event) == 0, event
    assert open_page.happened("Network.requestWillBeSent") <= 1


def check_plots(plots: list[dict[str, Any]]) -> None:
    for plot in plots:
        assert plot["title"], plot
        assert min(plot["points"]) > 0, plot
        assert plot["drawn"] > 0, plot
        for axis in ("x", "y"):
            # A name, and its unit in parentheses.
            assert plot[axis].endswith(")"), plot
            assert " (" in plot[axis], plot
        assert plot["wide"] > 200, plot


def hostile_result() -> Result:
    """All that a report can hold, with markup wherever somebody else wrote the text."""
    server = ServerUse(cpu=0.4, rss_bytes=90 * 2**20, metrics=METRICS)
    intervals = [
        interval(second, server=server, errors={HOSTILE: 2, "plain": 1}, response={"deliver": each.response})
        for second, each in enumerate([timing(3, 4, 5), timing(4, 9, 20), timing(3, 3, 4)])
    ]
    found = result(
        intervals=intervals,
        timings={"deliver": timing(*range(1, 300)), HOSTILE: timing(1, 2)},
        marks=[Mark(at_s=1.0, text=HOSTILE)],
        errors={HOSTILE: 6, "plain": 3},
        facts={HOSTILE: HOSTILE},
        counts={HOSTILE: 4},
        thresholds=[Outcome(text=f"errors[{HOSTILE}]==0", found=6.0, held=False)],
        verdict="failed",
    )
    found.plan["scenario"] = HOSTILE
    found.plan["settings"] = {HOSTILE: HOSTILE}
    return found


async def test_a_report_of_a_real_run_shows_all_its_plots(chromium: str, tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        found = await played(server, "relay", settings={"match_size": 4}, duration_s=3.0)

    async with browser(chromium, tmp_path) as show:
        tab, plots = await show(found)
        check_plots(plots)
        check_quiet(tab)
        text = await tab.run(TEXT)

    keys = {plot["key"] for plot in plots}
    assert {"throughput", "connected", "server-cpu", "server-memory", "own-cpu", "own-lateness"} < keys
    assert sum(key.startswith("latency-") for key in keys) >= 5
    assert sum(key.startswith("percentiles-") for key in keys) >= 5
    assert "PASSED" in text
    assert "No errors." in text


async def test_what_others_wrote_is_text_and_nothing_else(chromium: str, tmp_path: Path) -> None:
    async with browser(chromium, tmp_path) as show:
        tab, plots = await show(hostile_result())
        check_plots(plots)
        check_quiet(tab)
        hacked = await tab.run("return String(window.hacked)")
        links = await tab.run("return document.querySelectorAll('svg a, a[href*=evil], img[src=x]').length")
        text = await tab.run(TEXT)

    assert (hacked, links) == ("undefined", 0)
    assert text.count("window.hacked=1") > 5
    assert {"errors", "server-late", "server-trouble"} < {plot["key"] for plot in plots}


async def test_what_is_not_known_is_said_and_not_drawn(chromium: str, tmp_path: Path) -> None:
    unserved = [interval(second, server=None) for second in range(3)]
    untimed = [interval(second, response={}) for second in range(3)]
    lacking = {
        "The run has no intervals.": result(intervals=[]),
        "The server's use of processors is unknown": result(intervals=unserved, server_cpu=None),
        "No operation was timed.": result(intervals=untimed, timings={}),
    }

    async with browser(chromium, tmp_path) as show:
        for told, found in lacking.items():
            tab, plots = await show(found)

            check_plots(plots)
            check_quiet(tab)
            assert told in await tab.run(TEXT)


async def test_the_reader_may_choose_the_axis_of_time(chromium: str, tmp_path: Path) -> None:
    kind = 'return document.getElementById("latency-0").layout.yaxis.type'

    async with browser(chromium, tmp_path) as show:
        tab, _ = await show(result())
        before = await tab.run(kind)
        await tab.run('document.getElementById("logarithmic").click()')
        chosen = await tab.run(kind)
        check_quiet(tab)

    assert (before, chosen) == ("log", "linear")
