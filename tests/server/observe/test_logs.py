"""Lines of JSON without secrets, from our own loggers and from the libraries'."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from server.observe import logs
from tests.support.log_output import log_output


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    with log_output() as stream:
        yield stream


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_one_line_of_json(out: io.StringIO) -> None:
    logs.configure("info", "auto", out)

    structlog.get_logger("lockgate.test").info("socket_opened", user_id="u", text="two\nlines")

    (line,) = lines(out)
    assert (line["event"], line["level"], line["user_id"], line["text"]) == (
        "socket_opened",
        "info",
        "u",
        "two\nlines",
    )
    assert line["time"].endswith("Z")


def test_what_is_below_the_level_is_not_written(out: io.StringIO) -> None:
    logs.configure("warning", "json", out)

    structlog.get_logger("lockgate.test").info("socket_opened")

    assert out.getvalue() == ""


@pytest.mark.parametrize("name", sorted(logs.SECRET_KEYS))
@pytest.mark.parametrize("style", ["json", "console"])
def test_a_secret_is_starred_by_its_name(out: io.StringIO, name: str, style: Any) -> None:
    logs.configure("info", style, out)

    structlog.get_logger("lockgate.test").bind(**{name: "hunter2"}).info("something")

    assert "hunter2" not in out.getvalue()
    assert "***" in out.getvalue()


def test_a_library_tells_where_and_not_what(out: io.StringIO) -> None:
    logs.configure("info", "json", out)

    try:
        raise ValueError("GET /ws?token=hunter2")
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Error handling %s", "/ws?token=hunter2")

    (line,) = lines(out)
    assert (line["event"], line["level"], line["error"]) == ("library_log", "error", "ValueError")
    assert line["source"].startswith("test_logs:")
    assert "hunter2" not in out.getvalue()


async def test_the_context_of_a_task_is_on_its_lines(out: io.StringIO) -> None:
    logs.configure("info", "json", out)

    async def work(trace_id: str) -> None:
        with structlog.contextvars.bound_contextvars(trace_id=trace_id):
            await asyncio.sleep(0)
            structlog.get_logger("lockgate.test").info("something")

    await asyncio.gather(work("a"), work("b"))

    assert [line["trace_id"] for line in lines(out)] == ["a", "b"]


def test_what_json_does_not_know_is_written_as_text(out: io.StringIO) -> None:
    logs.configure("info", "json", out)

    structlog.get_logger("lockgate.test").info("something", value=ValueError("odd"))

    assert lines(out)[0]["value"] == "odd"
