"""Which processors the workers keep to, so that server and swarm do not take them from each other.

What the operator chose holds. Otherwise the workers stay away from the processors that the server is kept to,
if it is kept to any: it is the server's owner who says where it runs.
"""

import os
from collections.abc import Collection

from loadtest.plan import Plan


def allowed(pid: int) -> set[int]:
    """The processors that a process may use, 0 being this one; empty when that cannot be known."""
    try:
        return os.sched_getaffinity(pid)
    except (OSError, AttributeError, OverflowError):
        return set()


def lent(workers: int, own: Collection[int]) -> list[int]:
    """For an agent's workers, one each: of the processors that it may use, which need not begin at 0.

    Where those cannot be known, the first ones. More workers than processors would be in each other's way.
    """
    return sorted(own or range(os.cpu_count() or 1))[: max(workers, 0)]


def choose(plan: Plan, own: Collection[int], server: Collection[int]) -> list[int]:
    """For the workers in turn; empty: wherever the system puts them."""
    if plan.pin:
        return plan.pin
    apart = sorted(set(own) - set(server))
    return apart if server else []


def tell(pin: Collection[int], own: Collection[int], server: Collection[int]) -> str:
    """For the result."""
    workers = f"workers are pinned to {_numbers(pin)}" if pin else f"workers may use {_numbers(own)}"
    return f"{workers}, the server may use {_numbers(server)}" if server else workers


def _numbers(cpus: Collection[int]) -> str:
    return ", ".join(str(cpu) for cpu in sorted(set(cpus))) or "any"
