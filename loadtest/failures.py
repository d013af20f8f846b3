"""Why a run could not be made."""

from typing import NoReturn


class SwarmError(Exception):
    """The swarm could not do its work: the server is not there, or refuses. The text is for the operator."""


def reraise_first(group: BaseExceptionGroup[BaseException]) -> NoReturn:
    """Raise the first SwarmError in a task group's failure; without one it is a bug, and raised as it is."""
    failed = group.subgroup(SwarmError)
    error: BaseException = group if failed is None else failed
    while failed is not None and isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    raise error from None
