"""JSON lines for machines, coloured text for a terminal; one event name a line, never a secret.

The standard library's loggers (aiohttp, websockets, asyncio, SQLAlchemy) end here too. Their messages can
quote what a peer sent, tokens included, so only logger name, level and exception type are kept.
"""

import logging
import sys
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

SECRET_KEYS = frozenset(
    {
        "token",
        "refresh_token",
        "authorization",
        "cookie",
        "ticket",
        "subprotocol",
        "key",
        "server_key",
        "http_key",
        "password",
        "query",
        "payload",
    }
)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace values that must never be printed, whoever bound them."""
    for name in SECRET_KEYS & event.keys():
        event[name] = "***"
    return event


def _dump(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


class LibraryHandler(logging.Handler):
    """Turns a library's record into one of our events without its text."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger(record.name).log(
            record.levelno,
            "library_log",
            source=f"{record.module}:{record.lineno}",
            error=type(error).__name__ if error is not None else None,
        )


def configure(
    level: str = "info", style: Literal["auto", "json", "console"] = "auto", stream: TextIO | None = None
) -> None:
    """Send all logging of the process to `stream` (standard output). Call once, before anything logs."""
    out = stream or sys.stdout
    threshold = logging.getLevelNamesMapping()[level.upper()]
    as_text = style == "console" or (style == "auto" and out.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer(_dump)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            *([] if as_text else [structlog.processors.format_exc_info]),
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [LibraryHandler()]
    root.setLevel(max(threshold, logging.WARNING))
