"""Calls back at a moment of the monotonic clock, exactly where the system can.

A loop's own timers are exact to a millisecond only. Asked for less, uvloop's call at once, so that whoever
sets them anew until it is time keeps the processor busy with waiting; asked for more, they are late. Linux
has timers that are files (timerfd_create(2)), which Python itself knows from 3.13 on.
"""

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from typing import Final, Protocol

MS_NS: Final = 1_000_000
CLOCK_MONOTONIC: Final = 1
ABSOLUTE: Final = 1


class Alarm(Protocol):
    """Times are nanoseconds of the monotonic clock."""

    def set(self, due_ns: int, now_ns: int) -> None:
        """Call back once, when it is due; what was set before is forgotten."""

    def clear(self) -> None:
        """Forget what was set. To be done, or set anew, at the call too: else it comes again."""

    def close(self) -> None:
        """Forget it for good."""


class LoopAlarm:
    """A timer of the running loop: up to a millisecond late, or early where its clock is coarse."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._call = call
        self._timer: asyncio.TimerHandle | None = None

    def set(self, due_ns: int, now_ns: int) -> None:
        self.clear()
        self._timer = self._loop.call_later(max(-((now_ns - due_ns) // MS_NS), 0) / 1000, self._call)

    def clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        self.clear()


class _Setting(ctypes.Structure):
    """struct itimerspec: the interval, 0 for once, and the first time."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("due_s", ctypes.c_long),
        ("due_ns", ctypes.c_long),
    )


class FileAlarm:
    """A timer of the kernel's that the loop reads like a socket. Raises OSError where there is none."""

    def __init__(self, call: Callable[[], None]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._file: int = libc.timerfd_create(CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "no timer")
        self._setting = _Setting()
        self._settime: Callable[..., int] = libc.timerfd_settime
        self._at = ctypes.byref(self._setting)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._file, call)

    def set(self, due_ns: int, now_ns: int) -> None:
        # A file that was due is not readable any more once it is set: it need not be read.
        self._setting.due_s, self._setting.due_ns = divmod(max(due_ns, 1), 1000 * MS_NS)
        self._settime(self._file, ABSOLUTE, self._at, None)

    def clear(self) -> None:
        self._setting.due_s = self._setting.due_ns = 0
        self._settime(self._file, ABSOLUTE, self._at, None)

    def close(self) -> None:
        if self._file >= 0:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = -1


def alarm(call: Callable[[], None]) -> Alarm:
    """The best that there is on this system."""
    if sys.platform == "linux":
        try:
            return FileAlarm(call)
        except (OSError, AttributeError):  # no more files, or a C library without it
            pass
    return LoopAlarm(call)
