"""A game's code as the server knows it: its kinds of matches, its remote calls and its hooks, by name.

Pure: what the loader has imported comes in. Collecting finds all mistakes at once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from protocol.message import Message
from protocol.session_refresh import NAME as SESSION_REFRESH
from server.runtime.hooks import Kind, Mark, marks_of
from server.runtime.match import Match
from server.runtime.run import MAX_RATE, MIN_RATE

Hook = Callable[..., Any]


class GameError(Exception):
    """The game's code cannot be used. `problems` are lines for its author."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(slots=True)
class Game:
    """Everything that the game's modules offer."""

    matches: dict[str, type[Match]] = field(default_factory=dict)
    """By name."""
    rpcs: dict[str, Hook] = field(default_factory=dict)
    """By name, in lower case."""
    before: dict[type[Message], Hook] = field(default_factory=dict)
    after: dict[type[Message], list[Hook]] = field(default_factory=dict)
    matchmaker_matched: Hook | None = None
    session_start: list[Hook] = field(default_factory=list)
    session_end: list[Hook] = field(default_factory=list)
    before_authenticate: Hook | None = None


def collect(modules: Iterable[ModuleType]) -> Game:
    """What these modules define or have imported by name. Raises GameError."""
    gathering = _Gathering()
    for module in modules:
        for thing in tuple(vars(module).values()):
            gathering.see(thing, module.__name__)
    if gathering.problems:
        raise GameError(gathering.problems)
    return gathering.game


class _Gathering:
    def __init__(self) -> None:
        self.game = Game()
        self.problems: list[str] = []
        self._seen: set[int] = set()

    def see(self, thing: object, where: str) -> None:
        # A name that several modules import is one thing.
        if not callable(thing) or id(thing) in self._seen:
            return
        self._seen.add(id(thing))
        if isinstance(thing, type) and issubclass(thing, Match):
            self._see_match(thing, where)
            return
        for mark in marks_of(thing):
            self._see_hook(mark, thing, where)

    def _see_match(self, kind: type[Match], where: str) -> None:
        if kind.tick is Match.tick:
            return  # a base of others
        rate: object = kind.tick_rate
        if type(rate) is not int or not MIN_RATE <= rate <= MAX_RATE:
            self.problems.append(f"{where}: {kind.__name__}.tick_rate must be {MIN_RATE}..{MAX_RATE}")
        self._only_one(self.game.matches, kind.__name__, kind, f"{where}: match {kind.__name__}")

    def _see_hook(self, mark: Mark, hook: Hook, where: str) -> None:
        game, what = self.game, f"{where}: @{mark.kind} {mark.name or getattr(hook, '__name__', '')}"
        match mark.kind:
            case Kind.RPC:
                name = mark.name.lower()
                if not name or name == SESSION_REFRESH:
                    self.problems.append(f"{what}: not a name for a remote call")
                self._only_one(game.rpcs, name, hook, what)
            case Kind.BEFORE:
                self._only_one(game.before, mark.message, hook, what)
            case Kind.AFTER:
                game.after.setdefault(mark.message, []).append(hook)
            case Kind.SESSION_START:
                game.session_start.append(hook)
            case Kind.SESSION_END:
                game.session_end.append(hook)
            case Kind.MATCHMAKER_MATCHED:
                self._none_yet(game.matchmaker_matched, what)
                game.matchmaker_matched = hook
            case Kind.BEFORE_AUTHENTICATE:
                self._none_yet(game.before_authenticate, what)
                game.before_authenticate = hook

    def _only_one(self, table: Any, name: Any, thing: object, what: str) -> None:
        self._none_yet(table.get(name), what)
        table[name] = thing

    def _none_yet(self, known: object, what: str) -> None:
        if known is not None:
            self.problems.append(f"{what}: there is another one, in {getattr(known, '__module__', '?')}")
