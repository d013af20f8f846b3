"""The frame that game code runs in: whoever finds it on the stack knows whose code runs.

Costs one call and keeps no count, so that watching is free until somebody looks. Knows no thread, no clock.
"""

from collections.abc import Awaitable, Callable
from types import FrameType
from typing import TypeVar, TypeVarTuple, Unpack

import msgspec

T = TypeVar("T")
Given = TypeVarTuple("Given")


class Subject(msgspec.Struct, frozen=True):
    """Whose code: a match of a kind, or a function (`name`) that is called as `kind`: rpc, hook..."""

    kind: str
    match_id: str = ""
    name: str = ""


class Stopped(BaseException):
    """Raised within game code, from outside of it, to stop it. Do not catch it."""


class CallbackTimeout(Stopped):
    """The code held up the whole server for too long."""


class MemoryLimit(Stopped):
    """The code took too much memory."""


def guarded(subject: Subject, call: Callable[[Unpack[Given]], T], *given: *Given) -> T:
    """Call game code. Whoever does must be ready for `Stopped`, as for anything else that it raises."""
    return call(*given)


async def guarded_wait(subject: Subject, answer: Awaitable[T]) -> T:
    """Wait for game code. Its single steps are watched, not its waiting."""
    return await answer


_GUARDS = frozenset({guarded.__code__, guarded_wait.__code__})


def guard_of(frame: FrameType | None) -> FrameType | None:
    """The innermost guard that this frame runs in. None: it is no game code."""
    while frame is not None and frame.f_code not in _GUARDS:
        frame = frame.f_back
    return frame


def subject_of(guard: FrameType) -> Subject:
    """Whose code a guard holds."""
    subject = guard.f_locals["subject"]
    if not isinstance(subject, Subject):
        raise TypeError("a guard knows its subject")
    return subject
