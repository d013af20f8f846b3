"""What an agent plays for others: nothing that runs code or ends processes which its owner did not allow.

A coordinator knows the secret; that lets it make load from here, not do here whatever it likes.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtest.failures import SwarmError
from loadtest.plan import of_data

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*")
_REACHES_OUT: Final = re.compile(r"(.*_)?(command|commands|cmd|pid|pids|exec|script|shell)")
"""Settings so named tell what to run, or which process to end."""


@dataclass(frozen=True, slots=True)
class Permits:
    """What the owner allowed when the agent was started."""

    scenarios: Path | None = None
    """The folder of the scenario files that may be played."""
    commands: bool = False
    """Whether a plan may name commands to be run here."""

    def allow(self, data: dict[str, Any]) -> dict[str, Any]:
        """The plan as this machine's workers get it. Raises SwarmError that tells what is not allowed."""
        plan = of_data(data)
        if not self.commands:
            if plan.sign_in.way == "command":
                raise SwarmError("this agent runs no sign-in command (its owner did not allow commands)")
            for name in _reaching_out(plan.settings):
                raise SwarmError(f"this agent refuses the setting {name} (its owner did not allow commands)")
        scenario = plan.scenario if _NAME.fullmatch(plan.scenario) else self._file(plan.scenario)
        # The process id is one of the coordinator's machine: here it is somebody else's.
        own = msgspec.structs.replace(
            plan, scenario=scenario, server_pid=None, agents=[], agent_secret="", workers=1, pin=[]
        )
        allowed: dict[str, Any] = msgspec.to_builtins(own)
        return allowed

    def _file(self, path: str) -> str:
        """A path (and the name of one of its scenarios) counts from the agent's folder of scenarios.

        Raises SwarmError when it leads elsewhere.
        """
        if self.scenarios is None:
            raise SwarmError("this agent plays no scenario files (its owner named no folder for them)")
        path, colon, name = path.partition(":")
        folder = self.scenarios.resolve()
        try:
            file = (folder / path).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            raise SwarmError("the scenario file is not in this agent's folder") from None
        if not file.is_relative_to(folder) or not file.is_file():
            raise SwarmError("the scenario file is not in this agent's folder")
        return f"{file}{colon}{name}"


def _reaching_out(settings: Any, name: str = "") -> list[str]:
    """The names of such settings, at any depth; what is empty reaches nothing."""
    within: list[tuple[str, Any]] = []
    if isinstance(settings, dict):
        within = [(str(key), value) for key, value in settings.items()]
    elif isinstance(settings, list):
        within = [("", value) for value in settings]
    found = [inner for key, value in within for inner in _reaching_out(value, key)]
    return [name, *found] if settings and _REACHES_OUT.fullmatch(name.lower()) else found
