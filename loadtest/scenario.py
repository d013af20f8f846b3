"""What a scenario is: a coroutine that plays one player, with settings of its own.

The built-in ones are the modules of `loadtest/scenarios`; anybody's own is a file that defines one likewise.
A run names it, and its settings are checked before anything is started.
"""

import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, TypeVar, get_type_hints

import msgspec

from loadtest import scenarios
from loadtest.failures import SwarmError


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a scenario: each member is an option, told with its default and its `msgspec.Meta` description."""

    measures: ClassVar[str] = ""
    """The operation that the scenario is for: a run in which it is never timed fails."""

    @property
    def group_size(self) -> int:
        """How many players belong together."""
        return 1


S = TypeVar("S", bound=Settings)
Play = Callable[[Any, Any], Awaitable[None]]


class Scenario(msgspec.Struct, frozen=True):
    """One scenario by its name."""

    name: str
    summary: str
    settings: type[Settings]
    play: Play


def scenario(play: Callable[[Any, S], Awaitable[None]]) -> Callable[[Any, S], Awaitable[None]]:
    """Marks `async def name(player: Player, settings: SettingsClass) -> None` as a scenario.

    Its docstring's first line is its summary. The coroutine begins when the player is connected, and when it
    returns the player leaves; it is to return when the player's stay is over (`player.beats`, `player.rest`).
    Raises TypeError when it is not of that form.
    """
    hints = get_type_hints(play)
    settings = [hints.get(name) for name in inspect.signature(play).parameters][1:]
    if (
        not inspect.iscoroutinefunction(play)
        or len(settings) != 1
        or not isinstance(settings[0], type)
        or not issubclass(settings[0], Settings)
    ):
        raise TypeError("a scenario is an async function of a player and settings derived from Settings")
    summary = (inspect.getdoc(play) or "").partition("\n")[0]
    play.scenario = Scenario(play.__name__.replace("_", "-"), summary, settings[0], play)  # type: ignore[attr-defined]  # functions take attributes, which their type does not say
    return play


def built_in() -> dict[str, Scenario]:
    """All that come with the swarm, by name."""
    modules = [
        import_module(f"loadtest.scenarios.{found.name}")
        for found in pkgutil.iter_modules(scenarios.__path__)
    ]
    return {found.name: found for module in modules for found in _of(module)}


def find(name: str) -> Scenario:
    """A built-in one by its name, or `path/to/file.py`, with `:name` behind it where the file has several.

    Raises SwarmError that tells what there is.
    """
    path, _, wanted = name.partition(":")
    if not path.endswith(".py"):
        known = built_in()
        if name not in known:
            raise SwarmError(f"no scenario {name!r}; there are {', '.join(sorted(known))}, or a file.py")
        return known[name]
    found = {each.name: each for each in _of(_load(Path(path)))}
    if wanted and wanted in found:
        return found[wanted]
    if wanted or len(found) != 1:
        raise SwarmError(f"{path} has {', '.join(sorted(found)) or 'no scenario'}; name one: {path}:NAME")
    return next(iter(found.values()))


def settings_of(scenario: Scenario, given: dict[str, Any]) -> Any:
    """The settings, texts read as what they stand for. Raises SwarmError that names what makes no sense."""
    known = scenario.settings.__struct_fields__
    for name in given:
        if name not in known:
            raise SwarmError(f"{scenario.name} has no setting {name!r}; it has {', '.join(known) or 'none'}")
    try:
        return msgspec.convert(given, scenario.settings, strict=False)
    except msgspec.ValidationError as error:
        raise SwarmError(f"a setting of {scenario.name} makes no sense: {error}") from None


def _of(module: ModuleType) -> list[Scenario]:
    found = (getattr(value, "scenario", None) for value in vars(module).values())
    mine = [each for each in found if isinstance(each, Scenario)]
    return [each for each in mine if getattr(each.play, "__module__", "") == module.__name__]


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"swarm_scenario_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SwarmError(f"there is no scenario file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the types that they name
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a stranger's file raises
        del sys.modules[spec.name]
        raise SwarmError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    return module
