"""What the process would print, with its logging put back afterwards as it was."""

import contextlib
import io
import logging
from collections.abc import Iterator

import structlog


@contextlib.contextmanager
def log_output() -> Iterator[io.StringIO]:
    """A stream to give to `logs.configure`, which changes the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield io.StringIO()
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)
