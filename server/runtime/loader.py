"""Imports the game's modules: by name, or from a file or folder by its path.

The only place that imports by name. What a module holds is `game.py`'s business.
"""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from server.runtime.game import Game, GameError, collect

OURS = frozenset({"server", "protocol", "loadtest", "__main__", "__mp_main__"})


def load(names: Sequence[str]) -> Game:
    """Import these modules and collect what they offer. Raises GameError with every problem."""
    problems: list[str] = []
    modules: list[ModuleType] = []
    for name in names:
        try:
            modules.append(load_module(name))
        except GameError as error:
            problems += error.problems
    if problems:
        raise GameError(problems)
    return collect(modules)


def reload(names: Sequence[str]) -> Game:
    """Import these modules anew, and what lies in their folders. Raises GameError, and all is as before."""
    before = {module.__name__: module for module in own_modules(names)}
    for module in before.values():
        del sys.modules[module.__name__]
        # Compiled code is told apart by whole seconds: an edit right after another would be missed.
        Path(importlib.util.cache_from_source(str(module.__file__))).unlink(missing_ok=True)
    importlib.invalidate_caches()
    try:
        return load(names)
    except GameError:
        for module in own_modules(names):
            del sys.modules[module.__name__]
        sys.modules.update(before)
        raise


def own_modules(names: Sequence[str]) -> Sequence[ModuleType]:
    """The imported modules that lie in the folders of these, or deeper; libraries and the server never do."""
    folders = {_folder_of(name) for name in names}
    own: list[ModuleType] = []
    for name, module in tuple(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is None or name.partition(".")[0] in OURS or name != module.__name__:
            continue
        path = Path(file).resolve()
        if any(path.is_relative_to(folder) for folder in folders) and "site-packages" not in path.parts:
            own.append(module)
    return own


def _folder_of(name: str) -> Path:
    path = _path_of(name)
    if path is not None:
        return path.parent.resolve()
    module = sys.modules.get(name)
    file = None if module is None else getattr(module, "__file__", None)
    return Path.cwd() if file is None else Path(file).resolve().parent


def load_module(name: str) -> ModuleType:
    """Import one module: `mygame.rules` by its name, `games/arena.py` or a package's folder by its path.

    A path's folder is searched for what the module imports, as if Python had been started with it. Raises
    GameError with the traceback of what went wrong in the module.
    """
    path = _path_of(name)
    found = path.stem if path is not None else name
    folder = path.parent.resolve() if path is not None else Path.cwd()
    if str(folder) not in sys.path:
        # Behind everything else: a game's file must not take the place of a library.
        sys.path.append(str(folder))
    known = sys.modules.get(found)
    if path is not None and known is not None and not _is_from(known, path):
        raise GameError([f"{name}: another module is called {found}; rename the file"])
    try:
        return importlib.import_module(found) if path is None else known or _from_file(found, path)
    except ModuleNotFoundError as error:
        if error.name == found or (error.name and found.startswith(f"{error.name}.")):
            raise GameError([f"{name}: there is no such module"]) from None
        raise GameError([_told(name, error)]) from error
    except GameError:
        raise
    except (Exception, SystemExit) as error:  # whatever the game's code does while it is imported
        raise GameError([_told(name, error)]) from error


def _from_file(name: str, path: Path) -> ModuleType:
    # Not by the search path: a library of the same name would be found first.
    package = path.is_dir()
    spec = importlib.util.spec_from_file_location(
        name,
        path / "__init__.py" if package else path,
        submodule_search_locations=[str(path)] if package else None,
    )
    if spec is None or spec.loader is None:
        raise GameError([f"{path}: not a Python file"])
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _path_of(name: str) -> Path | None:
    if not name.endswith(".py") and "/" not in name and "\\" not in name:
        return None
    path = Path(name)
    if not path.exists() or (path.is_dir() and not (path / "__init__.py").exists()):
        raise GameError([f"{name}: there is no such file, and no such package"])
    return path


def _is_from(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    if file is None:
        return False
    wanted = path / "__init__.py" if path.is_dir() else path
    return Path(file).resolve() == wanted.resolve()


def _told(name: str, error: BaseException) -> str:
    # The loader's own frames and the import machinery's say nothing to a game's author.
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and frame.filename != __file__
    ]
    last = "".join(traceback.format_exception_only(error)).strip()
    return f"{name}: {''.join(traceback.format_list(frames))}{last}"
