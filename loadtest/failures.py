"""Why a run could not be made, or what the server refused a player."""

from typing import NoReturn


class SwarmError(Exception):
    """The swarm could not do its work: the server is not there, or refuses. The text is for the operator."""


class ErrorReply(SwarmError):
    """The server answered a request with an error envelope."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        """Of `protocol.errors.ErrorCode`, if the server keeps to them."""


class NoReply(SwarmError):
    """The server left a request without an answer, on a socket that is open."""


class Refused(SwarmError):
    """The server answered an HTTP request, the one for a socket included, with an error."""

    def __init__(self, status: int, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after_s = retry_after_s
        """When to come again, if the server told (RFC 9110, section 10.2.3)."""


def first_of(error: BaseException) -> BaseException:
    """The first failure in a task group's, however deep."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def reraise_first(group: BaseExceptionGroup[BaseException]) -> NoReturn:
    """Raise the first SwarmError in a task group's failure; without one it is a bug, and raised as it is."""
    failed = group.subgroup(SwarmError)
    raise (group if failed is None else first_of(failed)) from None
